"""Records of one run: its submission, workload, times, snapshots and findings."""

from typing import Annotated, Literal

from pydantic import Field

from harness.records.base import FORMAT, Record, Status
from harness.records.machine import MeterStatus
from harness.records.measure import Domain, IdlePower, SamplerReport

FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Level = Literal["info", "warn", "fail"]


class Finding(Record):
    """The result of a check: what was observed, how severe it is, and what to do."""

    rule: str
    """Stable id of the rule, such as `snapshot-unsealed`."""
    level: Level
    """`info` is shown, `warn` marks the run, `fail` excludes it from what the rule protects."""
    message: str
    """One sentence: what was observed and where."""
    advice: str = ""
    """What to do about it."""


class DataState(Record):
    """Which data the run used."""

    manifest_sha256: str | None = None
    """Digest of the manifest that lists the packed files; None if they are not packed."""
    partial: bool = False
    """Whether only a part of the published set was used; such runs are not ranked."""
    synthetic: bool = False
    """Whether generated data were used instead of the set; such runs are not ranked."""


class Workload(Record):
    """The workload at the time of the run."""

    name: str
    version: str
    """Hash of what defines the workload (first 12 hex digits of SHA-256)."""
    domain: str
    """Field of application, such as `image` or `language`."""
    secrecy: Literal["public", "varied", "seeded", "secret"]
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
    """Seconds after the start signal at which the run is killed."""
    threads: int
    """Number of threads that the submission may use."""
    test_examples: int
    """Number of hidden examples that the judge scores."""
    data: DataState | None = None
    """None if the data come with the workload, generated or packaged."""


class Submission(Record):
    """The submission, which is copied before the run."""

    name: str
    title: str
    team: str
    division: Literal["closed", "open", "hardware"]
    entry: Literal["python", "command"]
    """Whether it uses the Python API or the protocol."""
    sha256: str
    """Digest of the names and contents of all its files."""
    size_bytes: int
    files_count: int
    compressed_bytes: int | None = None
    """Size of the contents after xz; None in bundles of older versions."""
    methods: tuple[str, ...] = ()
    """Catalogue ids of the methods that it claims to use."""
    packages_bytes: int | None = None
    """Part of `size_bytes` in the packages of `site/`; None if none were installed."""
    requirements_sha256: str | None = None
    """Digest of `requirements.lock`; None if there is none."""


class SeedPair(Record):
    """The two seeds of a run, derived from one secret that the harness drew."""

    session: int
    """Seed that the submission gets."""
    instance: int
    """Seed of the data of a seeded workload; the submission does not get it."""
    source: Literal["harness", "declared"]
    """`declared`: a person chose the session seed; such runs do not win prizes."""
    commitment: str
    """SHA-256 of the secret, written to the ledger before the run."""
    secret: str
    """The secret, revealed with the finished run (hex)."""
    index: int
    """Position in the series that shares the secret."""


class Isolation(Record):
    """How the submission was isolated, and which limits could not be set."""

    launcher: str
    level: Literal["none", "landlock", "bubblewrap"]
    reason: str
    """Why this launcher was chosen."""
    uid: int | None
    """User of the submission; None if it was the conductor's."""
    probes: dict[str, bool] = {}
    """Results of isolation tests by name."""
    unmet: tuple[str, ...] = ()
    """Limits that could not be set."""
    masked: tuple[str, ...] = ()
    """Folders that were hidden from the submission."""


class RunWindow(Record):
    """The run window; times are nanoseconds after the origin of the run."""

    origin_utc: str
    """Wall time of the origin in ISO 8601; it is not used in differences."""
    origin_monotonic_ns: str
    """`CLOCK_MONOTONIC` at the origin as decimal text, since it may exceed 2**53."""
    launch_ns: int | None = None
    """Start of the sandbox."""
    setup_ns: tuple[int, int] | None = None
    """Begin and end of `setup()`; None if the ruleset forbids it."""
    gun_ns: int | None = None
    """The start signal: training data were sent, and the run window begins."""
    end_ns: int | None = None
    """The last process of the submission was dead, and the run window ends."""
    ended_by: str
    """`done`, `exit`, `budget`, `violation`, `interrupt`, `start_cap`, `setup_cap` or `fault`."""


class Snapshot(Record):
    """Model weights that the submission handed over during the run."""

    index: int
    """Number in the order of arrival, from 0."""
    step: int | None
    """Training step, as claimed by the submission."""
    note: str = ""
    """Free text of the submission."""
    stamp_ns: int
    """When the conductor received it and had checked the seals; this time is scored."""
    kernel_ns: int | None = None
    """When the kernel saw the message sent, for comparison."""
    size_bytes: int
    sha256: str | None
    """Digest of the bytes; None if they were not read."""
    accepted: bool
    """Whether the ruleset accepts it."""
    refused: str = ""
    """Why it was not accepted."""
    kept: bool = False
    """Whether the bytes are in `snapshots/` of the bundle."""


class Usage(Record):
    """Resources used by the processes of the submission, from the kernel."""

    cpu_s: float | None
    """CPU seconds from launch to the end, imports included."""
    window_cpu_s: float | None = None
    """CPU seconds of these after the start signal, except those of short-lived processes."""
    peak_rss_bytes: int | None
    """Largest resident set of any single process."""
    exit_code: int | None
    """Exit code; None if the process was killed."""
    signal: int | None = None
    """Signal that ended it; None if none did. If the exit code is 128 + this number, either may be
    true, because bubblewrap reports both in the same way."""


class Output(Record):
    """Size of standard output and error."""

    stdout_bytes: int
    stderr_bytes: int
    kept_bytes: int
    """Bytes of both that are stored in `log.txt`."""


class SelfReported(Record):
    """Messages of the submission about itself: stored, not scored."""

    messages: int
    """Number of received log and span messages."""
    dropped: int
    """Number of messages above the rate, which were dropped."""


class Event(Record):
    """One line of `events.jsonl`."""

    seq: int
    t_ns: int
    """Nanoseconds after the run's origin."""
    kind: str
    """Such as `launch`, `ready`, `gun`, `snapshot`, `log`, `span`, `done`, `kill`, `end`."""
    data: dict[str, str | int | float | bool | None] = {}


class MetricValue(Record):
    """The metric of one snapshot, computed by the judge."""

    snapshot: int
    """Index of the snapshot."""
    value: float | None
    """The metric; None if there is none, for the reason in `reason`."""
    loss: float | None = None
    """A second figure, such as cross-entropy in nats."""
    outputs_sha256: str | None = None
    """Digest of the outputs of the predictor."""
    reason: str = ""
    """Why there is no value."""
    wall_s: float
    """Seconds that the predictor needed, loading included."""
    cpu_s: float | None
    """CPU seconds that the predictor used, loading included."""


class PredictorCost(Record):
    """Limits of the predictor, and the resources that it used."""

    cap_cpu_s: float
    """Limit on CPU seconds per snapshot, loading included."""
    cap_wall_s: float
    """Limit on wall seconds per answer."""
    cpu_s: float | None
    """CPU seconds of the whole predictor process, imports included."""
    peak_rss_bytes: int | None


class Evaluation(Record):
    """`eval.json`: the metric of each accepted snapshot."""

    format: int = FORMAT
    metric: str
    examples: int
    """Number of hidden examples per value."""
    values: tuple[MetricValue, ...]
    predictor: PredictorCost | None
    """None if no snapshot was evaluated."""
    facts: dict[str, FiniteFloat] = {}
    """Facts about the drawn instance, such as its optimum."""


class TuningTrial(Record):
    """How the hyperparameters of a run were chosen."""

    mode: Literal["external", "self"]
    """`external`: the harness drew them from the submission's search space; `self`: the submission
    tunes itself during the run."""
    study: int = 0
    """Number of the study in its series; together with the seeds' commitment it is unique."""
    trial: int = 0
    """Number of the trial in its study."""
    trials_count: int = 1
    """Planned number of trials of the study."""
    method: str = ""
    """Sequence and seed with which they were drawn, so that they can be drawn again."""


class Run(Record):
    """`run.json`: one run."""

    format: int = FORMAT
    id: str
    """`<utc>-<4 hex>`, the name of the bundle's folder."""
    harness_version: str
    status: Status
    reason: str
    """One sentence: the reason for the status."""
    workload: Workload
    submission: Submission
    machine: str
    """Name of the machine."""
    ruleset: str
    """Name of the ruleset; its text is in `ruleset.toml`."""
    snapshot_rule: Literal["final", "first_passing"]
    mode: Literal["cost_to_target", "quality_at_budget"] = "cost_to_target"
    provenance: Literal["self", "witnessed", "organizer"] = "self"
    interleaved_with: str = ""
    """The submission whose runs on the same seeds alternated with this series; may be empty."""
    seeds: SeedPair
    hyperparameters: dict[str, str | int | float | bool] = {}
    """Hyperparameters of this tuning trial."""
    tuning: TuningTrial | None = None
    """None if nothing was tuned."""
    window: RunWindow
    isolation: Isolation
    snapshots: tuple[Snapshot, ...] = ()
    usage: Usage | None = None
    output: Output | None = None
    claimed: SelfReported | None = None
    meters: tuple[MeterStatus, ...] = ()
    """All meter plug-ins, read or not, with the reason."""
    domains: tuple[Domain, ...] = ()
    """The domains of the trace."""
    idle: tuple[IdlePower, ...] = ()
    """Power of the idle machine before and after; empty if the ruleset reserves no time."""
    sampler: SamplerReport | None = None
    """None if no meter was read."""
    findings: tuple[Finding, ...] = ()


def reference_of(workload: str) -> str:
    """Name of the reference submission of a workload."""
    return f"{workload}-adamw"
