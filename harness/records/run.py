"""Records of one run: who, what, when, which snapshots, what was found."""

from typing import Annotated, Literal

from pydantic import Field

from harness.records.base import FORMAT, Record, Status
from harness.records.machine import MeterStatus
from harness.records.measure import Domain, IdlePower, SamplerReport

FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Level = Literal["info", "warn", "fail"]


class Finding(Record):
    """Something that a check has to say: what, where, how bad, what to do."""

    rule: str
    """Stable id of the rule, as `snapshot-unsealed`."""
    level: Level
    """`info` tells, `warn` marks, `fail` takes a run out of what the rule guards."""
    message: str
    """One sentence: what was found and where."""
    advice: str = ""
    """What to do about it."""


class DataState(Record):
    """What stood in for a workload's data in this run."""

    manifest_sha256: str | None = None
    """Digest of the manifest that lists the packed files; None where they were not packed."""
    partial: bool = False
    """Whether only a part of the published set was there: such runs are for trying out."""
    synthetic: bool = False
    """Whether a generated stand-in took the place of the set: such runs are for trying out."""


class Workload(Record):
    """The workload as it stood for this run."""

    name: str
    version: str
    """Hash of what defines the workload (first 12 hex digits of SHA-256)."""
    domain: str
    """Field of application, as `image` or `language`."""
    secrecy: Literal["public", "seeded", "secret"]
    metric: str
    """Name of the metric."""
    better: Literal["higher", "lower"]
    """Direction of the metric."""
    metric_unit: str
    """Unit of the metric, empty for ratios."""
    target: float
    """Metric to reach."""
    target_version: str
    """Version of the target."""
    budget_s: float
    """Length of the run window after which the run is killed."""
    threads: int
    """Threads that the submission was told to use."""
    test_examples: int
    """Number of hidden examples that the judge scores."""
    data: DataState | None = None
    """None where the data come with the workload, generated or packaged."""


class Submission(Record):
    """The submission as frozen before the run."""

    name: str
    title: str
    team: str
    division: Literal["closed", "open", "hardware"]
    entry: Literal["python", "command"]
    """Whether the harness's Python API or the bare protocol was used."""
    sha256: str
    """Digest over names and contents of all its files."""
    size_bytes: int
    files_count: int
    methods: tuple[str, ...] = ()
    """Catalogue ids of the methods that it says it uses."""
    packages_bytes: int | None = None
    """Of `size_bytes`, the packages in `site/`; None where none were installed."""
    requirements_sha256: str | None = None
    """Digest of `requirements.lock`; None where there is none."""


class SeedPair(Record):
    """The two seeds of a run, both derived from one secret that the harness drew."""

    session: int
    """Told to the submission."""
    instance: int
    """Draws the data of a seeded workload; withheld from the submission."""
    source: Literal["harness", "declared"]
    """`declared` where a person chose it: such runs may rehearse, not win."""
    commitment: str
    """SHA-256 of the secret, written to the ledger before the run."""
    secret: str
    """The secret, revealed with the finished run (hex)."""
    index: int
    """Position in the series that shares the secret."""


class Isolation(Record):
    """How the submission was walled in, and what was not reached."""

    launcher: str
    level: Literal["none", "landlock", "bubblewrap"]
    reason: str
    """Why this launcher was chosen."""
    uid: int | None
    """User that the submission ran as, None where it shared the conductor's."""
    probes: dict[str, bool] = {}
    """Capability by capability: whether it held."""
    unmet: tuple[str, ...] = ()
    """Limits that could not be set here."""
    masked: tuple[str, ...] = ()
    """Folders that were hidden from the submission."""


class RunWindow(Record):
    """The run window; times are nanoseconds after the run's origin."""

    origin_utc: str
    """Wall time of the origin, ISO 8601: an anchor, never used in a difference."""
    origin_monotonic_ns: str
    """`CLOCK_MONOTONIC` at the origin, as decimal text (it may exceed 2**53)."""
    launch_ns: int | None = None
    """Start of the sandbox."""
    setup_ns: tuple[int, int] | None = None
    """Begin and end of `setup()`, where the ruleset allows it."""
    gun_ns: int | None = None
    """The gun: training data were sent; the run window opens."""
    end_ns: int | None = None
    """The last process of the submission was dead; the run window closes."""
    ended_by: str
    """`done`, `exit`, `budget`, `violation`, `interrupt`, `start_cap`, `setup_cap` or `fault`."""


class Snapshot(Record):
    """Weights handed over during the run."""

    index: int
    """Order of arrival, from 0."""
    step: int | None
    """Training step, as claimed."""
    note: str = ""
    """Free text, as claimed."""
    stamp_ns: int
    """Receipt in the conductor, after the seals were checked; this is scored."""
    kernel_ns: int | None = None
    """When the kernel saw the message sent: a second witness."""
    size_bytes: int
    sha256: str | None
    """Digest of the bytes; None where they were dropped unread."""
    accepted: bool
    """False for snapshots that the ruleset does not count."""
    refused: str = ""
    """Why it was not accepted."""
    kept: bool = False
    """Whether the bytes are in the bundle's `snapshots/`."""


class Usage(Record):
    """What the submission's processes used, by the kernel's account."""

    cpu_s: float | None
    """CPU seconds from launch to death, imports included."""
    window_cpu_s: float | None = None
    """Of these, after the gun (to within the kernel's accounting of short-lived processes)."""
    peak_rss_bytes: int | None
    """Greatest resident set of any one process."""
    exit_code: int | None
    """Exit code; None where it was killed."""
    signal: int | None = None
    """Signal that ended it, if one did. With an exit code of 128 + its number beside it, either may
    be true: bubblewrap reports both alike."""


class Output(Record):
    """Standard output and error, drained and capped."""

    stdout_bytes: int
    stderr_bytes: int
    kept_bytes: int
    """Bytes of both kept in `log.txt`."""


class SelfReported(Record):
    """What the submission said of itself: stored, never scored."""

    messages: int
    """Log and span messages received."""
    dropped: int
    """Messages over the rate, counted and dropped."""


class Event(Record):
    """One line of `events.jsonl`."""

    seq: int
    t_ns: int
    """Nanoseconds after the run's origin."""
    kind: str
    """As `launch`, `ready`, `gun`, `snapshot`, `log`, `span`, `done`, `kill`, `end`."""
    data: dict[str, str | int | float | bool | None] = {}


class MetricValue(Record):
    """The judge's result for one snapshot."""

    snapshot: int
    """Index of the snapshot."""
    value: float | None
    """The metric; None where there is none, with a reason."""
    loss: float | None = None
    """Second figure that the judge can tell, as cross-entropy in nats."""
    outputs_sha256: str | None = None
    """Digest of the predictor's outputs."""
    reason: str = ""
    """Why there is no value."""
    wall_s: float
    """Time that the predictor took for it, loading included."""
    cpu_s: float | None
    """CPU seconds that the predictor used for it, loading included."""


class PredictorCost(Record):
    """What the predictor cost and what it was allowed."""

    cap_cpu_s: float
    """CPU seconds allowed for each snapshot, loading included."""
    cap_wall_s: float
    """Wall seconds allowed for each answer."""
    cpu_s: float | None
    """CPU seconds of the whole predictor process, imports included."""
    peak_rss_bytes: int | None


class Evaluation(Record):
    """`eval.json`: the metric of each accepted snapshot."""

    format: int = FORMAT
    metric: str
    examples: int
    """Number of hidden examples behind each value."""
    values: tuple[MetricValue, ...]
    predictor: PredictorCost | None
    """None where no snapshot was there to be evaluated."""
    facts: dict[str, FiniteFloat] = {}
    """Of the drawn instance: its optimum, its entropy."""


class TuningTrial(Record):
    """How the hyperparameters of a run came about."""

    mode: Literal["external", "self"]
    """`external`: the harness drew them from the submission's search space; `self`: the submission
    tunes itself inside the run."""
    study: int = 0
    """Number of the study in its series; with the seeds' commitment it names the study."""
    trial: int = 0
    """Number of the trial in its study."""
    trials_count: int = 1
    """Trials that the study was to have."""
    method: str = ""
    """By which sequence and seed they were drawn, so that anybody can draw them again."""


class Run(Record):
    """`run.json`: one run, whole."""

    format: int = FORMAT
    id: str
    """`<utc>-<4 hex>`, the name of the bundle's folder."""
    harness_version: str
    status: Status
    reason: str
    """One sentence: why this status."""
    workload: Workload
    submission: Submission
    machine: str
    """Name of the machine's record."""
    ruleset: str
    """Name of the ruleset in force; its text is `ruleset.toml`."""
    snapshot_rule: Literal["final", "first_passing"]
    mode: Literal["cost_to_target", "quality_at_budget"] = "cost_to_target"
    provenance: Literal["self", "witnessed", "organizer"] = "self"
    interleaved_with: str = ""
    """The submission whose runs, on the same seeds, alternated with this series; empty: none."""
    seeds: SeedPair
    hyperparameters: dict[str, str | int | float | bool] = {}
    """Of this tuning trial."""
    tuning: TuningTrial | None = None
    """None where nothing was tuned."""
    window: RunWindow
    isolation: Isolation
    snapshots: tuple[Snapshot, ...] = ()
    usage: Usage | None = None
    output: Output | None = None
    claimed: SelfReported | None = None
    meters: tuple[MeterStatus, ...] = ()
    """Every meter plug-in, read or not, with the reason."""
    domains: tuple[Domain, ...] = ()
    """What the trace's domains are."""
    idle: tuple[IdlePower, ...] = ()
    """Power of the idle machine before and after; empty where the ruleset reserved no time."""
    sampler: SamplerReport | None = None
    """None where no meter was read."""
    findings: tuple[Finding, ...] = ()
