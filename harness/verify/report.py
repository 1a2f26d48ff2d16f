"""The results of the checks: one verdict for each named check."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from harness.errors import ExitCode, JouleMarkError

PROBLEMS_SHOWN = 5


class NothingToVerify(JouleMarkError, ValueError):
    """There is neither a bundle nor a ledger at the given path."""

    exit_code = ExitCode.USAGE


class BadArchive(JouleMarkError, ValueError):
    """An archive that is damaged or breaks a rule; the message names the entry and the rule."""


class BadKey(JouleMarkError, ValueError):
    """A public key that cannot be used; the message names the file."""

    exit_code = ExitCode.USAGE


class Problem(NamedTuple):
    """One thing that is wrong."""

    file: str
    """Relative to the bundle or, for ledgers, to the results folder."""
    text: str


class SkipCheck(Exception):
    """The check cannot be made; the message says why."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one named check."""

    rule: str
    verdict: Literal["pass", "fail", "skip"]
    """`skip`: the check could not be made, for the reason in `message`; it is never a pass."""
    message: str = ""
    """Which file is wrong and how, or why the check was skipped; empty for a pass."""
    file: str = ""
    """The first wrong file."""


class _Checked:
    """Something that has check results."""

    checks: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(check.verdict != "fail" for check in self.checks)


@dataclass(frozen=True)
class BundleReport(_Checked):
    """The results for one bundle, sealed or not."""

    bundle: str
    """Folder relative to the root of the check; `.` for the root itself."""
    state: Literal["sealed", "incomplete"]
    """`incomplete`: without a manifest; the run continues, was cut off, or lost its manifest."""
    run_id: str
    status: str
    """Status of the sealed run; `aborted` for an incomplete one."""
    checks: tuple[CheckResult, ...]
    signers: tuple[str, ...] = ()
    """Ids of the keys that the signature names; they may be unchecked."""


@dataclass(frozen=True)
class LedgerReport(_Checked):
    """The results for the ledger of one machine."""

    ledger: str
    """File relative to the root of the check."""
    rows_count: int
    head: str
    """Hash of the last row, which an organizer publishes."""
    unfinished: tuple[str, ...]
    """Bundles that were started and never finished: each counts as a failed run."""
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True)
class Report(_Checked):
    """All results below one path."""

    root: Path
    kind: Literal["bundle", "tree"]
    bundles: tuple[BundleReport, ...]
    ledgers: tuple[LedgerReport, ...]
    checks: tuple[CheckResult, ...] = ()
    """Checks of the tree as a whole."""
    bytes_count: int = 0
    """Number of bytes that were hashed."""

    @property
    def ok(self) -> bool:
        """Whether no check failed anywhere."""
        return all(part.ok for part in (*self.bundles, *self.ledgers)) and super().ok

    def failures(self) -> Iterator[str]:
        """One line for each failed check: where, which rule, what is wrong."""
        checks = [(str(self.root), check) for check in self.checks]
        checks += [(ledger.ledger, check) for ledger in self.ledgers for check in ledger.checks]
        checks += [(bundle.bundle, check) for bundle in self.bundles for check in bundle.checks]
        for where, check in checks:
            if check.verdict == "fail":
                yield f"{where}: {check.rule}: {check.message}"


def run_check(rule: str, problems: Iterable[Problem]) -> CheckResult:
    """Run one check to its end and summarize its problems."""
    listed: list[Problem] = []
    try:
        listed.extend(problems)
    except SkipCheck as reason:
        if not listed:
            return CheckResult(rule, "skip", str(reason))
    if not listed:
        return CheckResult(rule, "pass")
    texts = [f"{problem.file}: {problem.text}" for problem in listed[:PROBLEMS_SHOWN]]
    if len(listed) > PROBLEMS_SHOWN:
        texts.append(f"and {len(listed) - PROBLEMS_SHOWN} more")
    return CheckResult(rule, "fail", "; ".join(texts), listed[0].file)
