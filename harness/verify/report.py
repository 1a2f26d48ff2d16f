"""What the checker has to say: one verdict for each named check."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from harness.errors import ExitCode, JouleMarkError

Verdict = Literal["pass", "fail", "skip"]
"""`skip`: the check could not be made, for the reason given; it is never a pass."""

FAULTS_SHOWN = 5


class NothingToVerify(JouleMarkError, ValueError):
    """There is neither bundle nor ledger where one was said to be."""

    exit_code = ExitCode.USAGE


class BadArchive(JouleMarkError, ValueError):
    """An archive that is damaged or not to be trusted; the message names entry and rule."""


class BadKey(JouleMarkError, ValueError):
    """A public key that cannot be used; the message names the file."""

    exit_code = ExitCode.USAGE


class Problem(NamedTuple):
    """One thing that is wrong."""

    file: str
    """Relative to the bundle or, for ledgers, to the results folder."""
    text: str


class SkipCheck(Exception):
    """The check cannot be made here; the message says why."""


@dataclass(frozen=True)
class CheckResult:
    """One named check and how it went."""

    rule: str
    verdict: Verdict
    message: str = ""
    """Which file and what is wrong, or why it was skipped; empty for a pass."""
    file: str = ""
    """The first file at fault."""


@dataclass(frozen=True)
class BundleReport:
    """One bundle, sealed or not."""

    bundle: str
    """Folder relative to the root of the check; `.` for the root itself."""
    state: Literal["sealed", "incomplete"]
    """`incomplete`: no manifest; the run goes on, was cut off, or lost its manifest."""
    run_id: str
    status: str
    """Of the sealed run; `aborted` for an incomplete one."""
    checks: tuple[CheckResult, ...]
    signers: tuple[str, ...] = ()
    """Ids of the keys that its signature names; the check `signature` says who was checked."""
    ok: bool = True
    """Whether no check failed; always computed from `checks`."""

    def __post_init__(self) -> None:
        """Compute `ok`."""
        object.__setattr__(self, "ok", all(check.verdict != "fail" for check in self.checks))


@dataclass(frozen=True)
class LedgerReport:
    """One machine's ledger."""

    ledger: str
    """File relative to the root of the check."""
    rows_count: int
    head: str
    """Hash of the last row: what an organizer publishes."""
    unfinished: tuple[str, ...]
    """Bundles that were started and never finished: each counts as a failed run."""
    checks: tuple[CheckResult, ...]
    ok: bool = True
    """Whether no check failed; always computed from `checks`."""

    def __post_init__(self) -> None:
        """Compute `ok`."""
        object.__setattr__(self, "ok", all(check.verdict != "fail" for check in self.checks))


@dataclass(frozen=True)
class Report:
    """All that was checked below one path."""

    root: Path
    kind: Literal["bundle", "tree"]
    bundles: tuple[BundleReport, ...]
    ledgers: tuple[LedgerReport, ...]
    checks: tuple[CheckResult, ...] = ()
    """Of the tree as a whole."""
    bytes_count: int = 0
    """Bytes that were hashed."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed anywhere."""
        return not any(True for _ in self.faults())

    def faults(self) -> Iterator[str]:
        """One line for each check that failed: where, which rule, what."""
        for check in self.checks:
            yield from _fault_line(str(self.root), check)
        for ledger in self.ledgers:
            for check in ledger.checks:
                yield from _fault_line(ledger.ledger, check)
        for bundle in self.bundles:
            for check in bundle.checks:
                yield from _fault_line(bundle.bundle, check)


def _fault_line(where: str, check: CheckResult) -> Iterator[str]:
    if check.verdict == "fail":
        yield f"{where}: {check.rule}: {check.message}"


def run_check(rule: str, faults: Iterable[Problem]) -> CheckResult:
    """Run one check to its end and sum up what it found."""
    found: list[Problem] = []
    try:
        found.extend(faults)
    except SkipCheck as reason:
        if not found:
            return CheckResult(rule, "skip", str(reason))
    if not found:
        return CheckResult(rule, "pass")
    texts = [f"{fault.file}: {fault.text}" for fault in found[:FAULTS_SHOWN]]
    if len(found) > FAULTS_SHOWN:
        texts.append(f"and {len(found) - FAULTS_SHOWN} more")
    return CheckResult(rule, "fail", "; ".join(texts), found[0].file)
