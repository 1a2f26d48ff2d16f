"""The JSON documents of the verbs: what `--json` prints, and `joulemark schema` describes."""

from typing import Literal

from pydantic import Field

from harness.records import (
    Award,
    Comparison,
    Finding,
    Front,
    GateResult,
    Leaderboard,
    MachineFact,
    MultiRanking,
    RunScore,
    Score,
    Standing,
)
from harness.records.base import FORMAT, Record
from harness.records.measure import DomainKind, Method

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


class SensorItem(Record):
    """What one domain of a meter showed while it was tried; None where it showed too little."""

    domain: str
    meter: str
    method: Method
    mean_w: float | None
    noise_w: float | None
    """Standard deviation of the power from one reading to the next."""
    update_period_s: float | None
    """Measured time between two changes of the value."""
    stated_period_s: float | None
    """What the meter itself states."""
    readings_count: int


class MeterTrial(Record):
    """The meters of this machine, read for a moment by the real sampler."""

    duration_s: float
    sensors: tuple[SensorItem, ...]
    failed: dict[str, str]
    """Meters that are available and did not open, with the reason."""
    faults: tuple[str, ...]
    """What went wrong while they were read."""


class DoctorDocument(Record):
    """`joulemark doctor`."""

    format: int = FORMAT
    machine: str
    """One line: processor, memory, GPUs, kernel."""
    meters: tuple[PluginItem, ...]
    trial: MeterTrial | None = None
    """None where no meter was tried, as with `--quick`."""
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
    signers: tuple[str, ...] = ()
    """Ids of the keys that its signature names; the check `signature` says who was checked."""


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


class RunItem(RunScore):
    """One run, scored under the ruleset in force; where `reached` is false, at no target."""

    window_energy_method: Method | None
    """Of the joules of the whole run window; None where no meter was read."""
    window_energy_simulated: bool
    hyperparameters: dict[str, str | int | float | bool] = {}
    """Of this run; under external tuning as the harness drew them."""
    ended_by: str
    """What ended the run: `done`, `exit`, `budget`, `violation`, `interrupt` ..."""


class RunDocument(Record):
    """`joulemark run`."""

    format: int = FORMAT
    workload: str
    submission: str
    machine: str
    ruleset: str
    isolation: Literal["none", "landlock", "bubblewrap"]
    results: str
    """Folder that the bundles' paths are relative to."""
    metric: str
    metric_unit: str
    better: Literal["higher", "lower"]
    target: float
    budget_s: float
    exit_code: int
    """That of the worst run."""
    runs: tuple[RunItem, ...]
    reference: str = ""
    """The reference submission that alternated with it; empty where none did."""
    reference_runs: tuple[RunItem, ...] = ()
    """Its runs, on the same seeds and instances."""


class BoardRow(Standing):
    """A place on a leaderboard, with the keys of its board."""

    prize: str
    quantity: str
    unit: Literal["J", "s", ""]
    ruleset: str
    division: str = ""
    workload_version: str


class ScoreDocument(Record):
    """`joulemark score`."""

    format: int = FORMAT
    ruleset: str
    """Name of the rules that were applied; `as-run`: to each run those that it ran under."""
    scores: tuple[Score, ...]
    leaderboard: tuple[BoardRow, ...]
    """Every standing of every board."""
    boards: tuple[Leaderboard, ...]
    """Whole, with who is unranked and why."""
    fronts: tuple[Front, ...] = ()
    """Pareto fronts of seconds and joules, with the chance of each entry to be on them."""
    across: tuple[MultiRanking, ...] = ()
    """Contests over several workloads, by every cost that ranks anybody."""
    findings: tuple[Finding, ...]
    """About bundles and runs that are in no score."""


class AwardDocument(Record):
    """`joulemark award`."""

    format: int = FORMAT
    prize: str
    ruleset: str
    decisions: tuple[Award, ...]
    """One for each workload version and machine."""
    files: tuple[str, ...]
    """Records that were written: JSON and Markdown of each decision."""
    nothing: str = ""
    """Why there is no decision; empty where there is one."""
    findings: tuple[Finding, ...]
    """About bundles and runs that are in no score."""


class CompareDocument(Record):
    """`joulemark compare`."""

    format: int = FORMAT
    a: str
    b: str
    comparisons: tuple[Comparison, ...]
    """One for each workload, machine and ruleset that both entries have a score on."""
    gate_ratio: float | None
    """Regression that was asked to be caught, as 0.1 for 10 %; None: no gate."""
    gate: tuple[GateResult, ...]


class ReportDocument(Record):
    """`joulemark report`."""

    format: int = FORMAT
    index: str
    """Path of the first page."""
    files: tuple[str, ...]
    """Of the site."""
    figures: tuple[str, ...] = ()
    """Files of `--figures`."""
    ci: tuple[str, ...] = ()
    """Files of `--ci`."""


class DemoDocument(Record):
    """`joulemark demo`."""

    format: int = FORMAT
    series: tuple[RunDocument, ...]
    scores: ScoreDocument
    report: ReportDocument
    exit_code: int


class DomainItem(Record):
    """The joules of one domain in one window."""

    domain: str
    kind: DomainKind
    method: Method
    simulated: bool
    meter: str
    source: str
    parents: tuple[str, ...]
    energy_j: float | None
    """None: not measured, or too little of the window was seen."""
    uncertainty_j: float | None
    """Expanded, k = 2; None where the class of the meter is unknown."""
    terms_j: dict[str, float]
    """What the uncertainty consists of, each at k = 2, added in squares."""
    bound_j: tuple[float, float] | None
    """Least and greatest joules that the readings allow."""
    coverage_ratio: float
    gap_max_s: float | None
    readings_count: int
    note: str


class ExplainDocument(Record):
    """`joulemark explain`."""

    format: int = FORMAT
    run_id: str
    window: str
    window_s: float
    domains: tuple[DomainItem, ...]
    total: str
    """One sentence: the total over domains of which none contains another."""


class KeygenDocument(Record):
    """`joulemark keygen`."""

    format: int = FORMAT
    private_key: str
    """File to keep to oneself."""
    public_key: str
    """File to give away."""
    key_id: str
    """SHA-256 of the raw public key."""


class SignDocument(Record):
    """`joulemark sign`."""

    format: int = FORMAT
    key_id: str
    signed: tuple[str, ...]
    """Folders of the bundles that now carry the signature."""
