"""The JSON documents of the verbs: what `--json` prints, and `joulemark schema` describes."""

from typing import Literal

from pydantic import Field

from harness.records import Finding, MachineFact
from harness.records.base import FORMAT, Record

Value = str | int | float | bool | None


class ErrorBody(Record):
    """What went wrong."""

    kind: Literal[
        "usage", "invalid", "gate", "measurement", "missing", "budget", "internal", "interrupted"
    ]
    message: str
    """One sentence: what was wrong, where, what to do."""
    exit_code: int


class ErrorDocument(Record):
    """In place of any verb's document where the verb could not do its work."""

    format: int = FORMAT
    error: ErrorBody


# --- list ---------------------------------------------------------------------------------------


class PluginItem(Record):
    """One plug-in, loaded or broken."""

    kind: str
    """As `workloads` or `meters`."""
    name: str
    title: str
    """One line for people; empty for broken ones."""
    origin: str
    """`built-in`, the plug-in folder, or the distribution that brings it."""
    error: str
    """Why it does not load; empty where it does."""
    available: bool | None
    """Of meters and launchers: whether this machine can use it; None for the other kinds."""
    reason: str = ""
    """Why, or why not."""
    advice: str = ""
    """What would make it available."""
    facts: dict[str, Value] = Field(default_factory=dict)
    """Of workloads: domain, metric, direction, target, budget, secrecy, size; and so on."""


class ListDocument(Record):
    """`joulemark list`."""

    format: int = FORMAT
    kinds: tuple[str, ...]
    """The kinds that were asked for."""
    plugins: tuple[PluginItem, ...]


# --- doctor -------------------------------------------------------------------------------------


class PrizeDoor(Record):
    """Whether this machine can enter for a prize."""

    prize: str
    enters: bool
    reason: str
    advice: str = ""


class DoctorDocument(Record):
    """`joulemark doctor`."""

    format: int = FORMAT
    machine: str
    """One line: processor, memory, GPUs, kernel."""
    meters: tuple[PluginItem, ...]
    launchers: tuple[PluginItem, ...]
    facts: tuple[MachineFact, ...]
    prizes: tuple[PrizeDoor, ...]


# --- verify -------------------------------------------------------------------------------------


class CheckItem(Record):
    """One named check and its verdict."""

    rule: str
    verdict: Literal["pass", "fail", "skip"]
    """`skip`: it could not be made, for the reason given, and counts neither way."""
    message: str = ""
    file: str = ""
    """The first file at fault."""


class BundleItem(Record):
    """One bundle that was checked."""

    bundle: str
    """Folder, relative to `root`."""
    state: Literal["sealed", "incomplete"]
    run_id: str
    status: str
    ok: bool
    checks: tuple[CheckItem, ...]


class LedgerItem(Record):
    """One ledger that was checked."""

    ledger: str
    rows_count: int
    head: str
    """Hash of the last row; published, it witnesses all rows."""
    unfinished: tuple[str, ...]
    """Bundles that were started and never finished; each counts as a failed run."""
    ok: bool
    checks: tuple[CheckItem, ...]


class VerifyDocument(Record):
    """`joulemark verify`."""

    format: int = FORMAT
    root: str
    kind: Literal["bundle", "tree"]
    ok: bool
    hashed_bytes: int
    bundles: tuple[BundleItem, ...]
    ledgers: tuple[LedgerItem, ...]
    checks: tuple[CheckItem, ...]
    """Of the tree as a whole."""


# --- run, demo, report --------------------------------------------------------------------------


class RunItem(Record):
    """One run of a series."""

    run_id: str
    bundle: str
    """Folder of the bundle."""
    seed: int
    status: str
    reason: str
    metric: str
    """Name of the metric."""
    better: Literal["higher", "lower"]
    metric_value: float | None
    """Of the snapshot that counts; None where none was judged."""
    target: float
    time_to_target_s: float | None
    """Gun to the stamp of the snapshot that counts; None where the target was not reached."""
    energy_to_target_j: float | None
    """Over the same window; None: not reached, or not measured."""
    energy_method: Literal["counter", "sampled", "modelled", "declared"] | None
    """Of the joules; `modelled` is an estimate and never a measurement."""
    energy_domains: tuple[str, ...]
    energy_simulated: bool
    window_s: float | None
    """The whole run window, gun to the death of the last process."""
    window_energy_j: float | None
    findings: tuple[Finding, ...] = ()


class RunDocument(Record):
    """`joulemark run`."""

    format: int = FORMAT
    workload: str
    submission: str
    ruleset: str
    exit_code: int
    """That of the worst run."""
    runs: tuple[RunItem, ...]


class ReportDocument(Record):
    """`joulemark report`."""

    format: int = FORMAT
    index: str
    """Path of the first page."""
    files: tuple[str, ...]
    """All that was written."""
