"""The ruleset: the constants and checks that a score depends on."""

from collections.abc import Mapping
from typing import Any, Literal

from harness.records.base import FORMAT, Record

AcrossQuantity = Literal["time_to_target_s", "energy_to_target_j", "cost_to_target_usd"]
"""Costs by which entries can be ranked over several workloads. Steps are not among
them: the harness does not count them, a submission states them."""

Aggregate = Literal["profile", "geometric_mean"]
"""How the cost ratios of several workloads are aggregated; see `AcrossRules.aggregate`."""


class RunRules(Record):
    """Rules that the conductor enforces during a run."""

    mode: Literal["cost_to_target", "quality_at_budget"] = "cost_to_target"
    """What entries are ranked by: the cost until the target, or the metric at the budget."""
    seeds_count: int = 8
    """Number of runs of a series, each with its own seed."""
    snapshot_rule: Literal["final", "first_passing"] = "final"
    """Which snapshot is scored: the last one, or the first that reaches the target."""
    snapshots_max: int = 50
    """Most accepted snapshots; under `first_passing` at least budget / this many seconds apart."""
    snapshot_bytes_max: int = 1 << 30
    """Greatest size of one snapshot."""
    snapshots_bytes_max: int = 4 << 30
    """Greatest size of all snapshots of a run together."""
    budget_ratio: float = 1.0
    """Budget as a multiple of the workload's budget."""
    self_tuning_budget_ratio: float = 1.0
    """Budget of runs that tune themselves, as a multiple of the budget of other runs."""
    budget_s: float | None = None
    """Budget in seconds, which replaces the workload's budget and its multiple; None uses these."""
    setup_s: float = 0.0
    """Longest `setup()` before the start signal; 0 forbids it."""
    start_cap_s: float = 120.0
    """Longest time from launch to `ready`, which the declared imports take."""
    log_rate_hz: float = 100.0
    """Average log and span messages per second; more are dropped and counted."""
    messages_burst: int = 2000
    """Number of messages above the rate after which the run is ended as invalid."""
    output_bytes_max: int = 1 << 20
    """Stored bytes of standard output and error; the rest is counted."""
    kept_snapshot_bytes: int = 1 << 20
    """Largest total size of snapshots in the bundle, latest first; of the others only the hash is
    stored."""
    source_bytes_max: int = 2 << 20
    """Greatest size of a submission's source."""
    memory_bytes_max: int | None = None
    """Memory limit of the submission; None sets no limit."""
    processes_max: int = 512
    """Most processes and threads of the submission."""
    idle_s: float = 0.0
    """Seconds of idle power measured before launch and after the run; reported, not subtracted."""
    sample_period_s: float = 0.1
    """Time between two readings of the meters."""


class EvaluationRules(Record):
    """Limits on the predictor."""

    predict_cpu_ratio: float = 10.0
    """Largest CPU time per snapshot, as a multiple of the closed model's, loading included."""
    predict_cpu_floor_s: float = 0.1
    """Lowest limit on CPU time, because of the resolution of the kernel's accounting."""
    open_cpu_ratio: float = 2.0
    """Open division: CPU time per snapshot that is always allowed, as a multiple of the closed
    model's. `open_cpu_training_ratio` adds to it, up to `predict_cpu_ratio`, so that training
    cannot move into the predictor."""
    open_cpu_training_ratio: float = 0.1
    """Open division: CPU time that is allowed in addition, per second and thread of training."""
    answer_wall_s: float = 60.0
    """Longest wall time of one answer, for predictors that hang."""
    total_wall_ratio: float = 4.0
    """Wall time of the answers for all snapshots, as a multiple of the budget; at least
    `answer_wall_s`. The last snapshot is evaluated in any case."""
    start_cap_s: float = 120.0
    """Longest time from launch to `ready`, which imports take."""
    optimum_sigmas: float = 3.0
    """A metric that is better than the known optimum by more standard errors is refused."""


class ScoreRules(Record):
    """How runs are scored, and the conditions for a place on a leaderboard."""

    confidence: float = 0.95
    """Level of the intervals."""
    target_alpha: float = 0.01
    """One-sided level of the test that the mean metric beats the target (`final`)."""
    separation_alpha: float = 0.05
    """Level of the tests of differences; entries without a significant difference are tied."""
    energy_methods: tuple[Literal["counter", "sampled", "modelled", "declared"], ...] = (
        "counter",
        "sampled",
    )
    """Methods whose joules are ranked; others are shown with a mark."""
    simulated: bool = False
    """Whether joules of fake and replayed meters are ranked (tests only)."""
    isolation: tuple[Literal["none", "landlock", "bubblewrap"], ...] = ("landlock", "bubblewrap")
    """Isolation levels that are ranked."""
    secrecy: tuple[Literal["public", "varied", "seeded", "secret"], ...] = (
        "public",
        "varied",
        "seeded",
        "secret",
    )
    """Secrecy of workloads that are ranked."""
    provenance: tuple[Literal["self", "witnessed", "organizer"], ...] = (
        "self",
        "witnessed",
        "organizer",
    )
    """By whom runs must be made to be ranked."""
    declared_seeds: bool = False
    """Whether runs whose seed was chosen by a person are ranked."""
    compressed_source_bytes_max: int | None = None
    """Largest source after xz, packages in it included, so that weights cannot be written into it;
    None sets no limit."""
    tuning_trials_max: int | None = None
    """Most trials of a study of external tuning; None sets no limit."""


class MeasureRules(Record):
    """Limits on the measurement; a run that exceeds one is degraded."""

    coverage_ratio_min: float = 0.95
    """Least share of the window that is between valid readings."""
    gap_periods_max: float = 3.0
    """Largest gap between readings, in sampling periods, or update periods if these are longer."""
    meters_disagree_ratio: float = 0.1
    """Greatest relative difference of two meters of one domain."""
    clock_step_s: float = 0.05
    """Least step of the wall clock against the monotonic clock that is reported."""
    uncertainty_ratio_max: float | None = None
    """Greatest ratio of the uncertainty of a comparison to the energy; None sets no limit."""
    common_uncertainty: bool = False
    """Whether the gain errors of meters count in it. Entries on one machine have them in common, so
    that they cancel in a ratio; machines that compete have not."""
    whole_boundary: bool = False
    """Whether joules must cover the wall, the node, or the processor and every visible device;
    otherwise a submission could move work to hardware without a meter."""
    interleaved: bool = False
    """Whether the runs must alternate with those of the reference, so that machine drift cannot
    explain a difference."""
    unlocked: bool = False
    """Whether joules of a sensor that samples the same moment of every step are not ranked."""


class ImportedRules(Record):
    """How imported records are scored by the `score` of their format's plug-in."""

    source_format: str
    """Format whose records these rules are for."""
    as_shipped: bool = True
    """True: as the project's own code computes it; False: as the text of its rules says."""
    energy_method: Literal["window", "mlperf-current", "mlperf-2024-06"] = "window"
    """Which joules rank: over the run's window, or by a formula of MLPerf's summarizer."""
    targets: tuple[str, ...] = ()
    """`WORKLOAD: METRIC >= VALUE` or `<=`, in the metric's own unit; the direction is data."""
    held_out: tuple[str, ...] = ()
    """Workloads that gate the base workload that their name begins with."""
    due: tuple[str, ...] = ()
    """`WORKLOAD: RUNS DROPPED`: runs asked for, and how many are dropped at each end; `*` is any
    other workload."""
    studies_count: int | None = None
    """Studies asked for on each workload."""
    profile_ratio_max: float = 4.0
    """Times above this multiple of the fastest count as a miss; end of the profile."""
    grid_count: int = 100
    """Points of the profile that the shipped code integrates over."""
    ties: Literal["first", "last", "earliest", "latest"] = "first"
    """Which of the trials that hit at the same evaluation counts where the shipped code leaves it
    to the order of the folders: by trial number, or by time."""
    confidence: float = 0.95
    """Level of the intervals."""
    separation_alpha: float = 0.05
    """Level below which two entries count as different."""
    resamples_count: int = 2000
    """Bootstrap samples of the studies, where a score is no mean."""
    price_usd_per_h: float | None = None
    """Price of hardware for records that state none; None: no cost."""


class AcrossRules(Record):
    """How costs on several workloads are aggregated to one score."""

    quantity: AcrossQuantity = "time_to_target_s"
    """The cost that is aggregated."""
    aggregate: Aggregate = "profile"
    """`profile`: the mean height of the performance profile against the reference, over ratios
    from 1 / `cost_ratio_max` to `cost_ratio_max` on a logarithmic scale; a workload without a cost
    adds 0.
    `geometric_mean`: the geometric mean of the ratios to the reference; an entry needs a cost on
    every workload."""
    cost_ratio_max: float = 4.0
    """Largest ratio that adds to the profile; a ratio below its inverse adds no more than that."""
    reference: str = "adamw"
    """Submission whose costs are the unit, without the workload's name before it. They are
    constants, so that another entry cannot change a score."""
    workloads: tuple[str, ...] = ()
    """Workloads that are included; if empty, all on which the reference has a cost."""
    workloads_count_min: int = 2
    """Least number of workloads for a decision."""
    tuning_included: bool = True
    """Whether the cost of all trials of a study is included."""


class Ruleset(Record):
    """One resolved ruleset: it contains the constants of the ruleset that it extends."""

    format: int = FORMAT
    name: str
    title: str
    about: str = ""
    """Its purpose, in one or two sentences."""
    extends: str | None = None
    """The ruleset that it was derived from."""
    overrides: dict[str, str] = {}
    """Constants changed by `--set`, as given."""
    run: RunRules = RunRules()
    evaluation: EvaluationRules = EvaluationRules()
    score: ScoreRules = ScoreRules()
    measure: MeasureRules = MeasureRules()
    imported: ImportedRules | None = None
    """Present in rulesets that score imported records."""
    across: AcrossRules | None = None
    """Present in rulesets of prizes over several workloads."""
    checks: tuple[str, ...] = ()
    """Names of the checks that are applied to every bundle."""


Laxer = Literal["higher", "lower", "scored"]
"""Which values of a constant are laxer for a run; `scored`: a score applies its own value."""

LAXER: Mapping[str, Mapping[str, Laxer]] = {
    "run": {
        "mode": "scored",
        "seeds_count": "scored",
        "snapshot_rule": "scored",
        "snapshots_max": "scored",
        "snapshot_bytes_max": "scored",
        "snapshots_bytes_max": "higher",
        "budget_ratio": "scored",
        "self_tuning_budget_ratio": "scored",
        "budget_s": "scored",
        "setup_s": "higher",
        "start_cap_s": "higher",
        "log_rate_hz": "higher",
        "messages_burst": "higher",
        "output_bytes_max": "higher",
        "kept_snapshot_bytes": "scored",
        "source_bytes_max": "higher",
        "memory_bytes_max": "scored",
        "processes_max": "higher",
        "idle_s": "lower",
        "sample_period_s": "higher",
    },
    "evaluation": dict.fromkeys(EvaluationRules.model_fields, "higher"),
    "measure": {
        "coverage_ratio_min": "lower",
        "gap_periods_max": "higher",
        "meters_disagree_ratio": "higher",
        "clock_step_s": "higher",
        "uncertainty_ratio_max": "scored",
        "whole_boundary": "scored",
        "common_uncertainty": "scored",
        "interleaved": "scored",
        "unlocked": "scored",
    },
}
"""The constants that are in force during a run, by section, and which values are laxer.

A run that was made under a laxer value is not ranked under a stricter one (check `laxer-rules`).
"""

RETIRED_KEYS = {"score": ("drift_ratio_max",), "measure": ("updates_count_min",)}
"""Constants of earlier versions that sealed rulesets contain and that no code uses any more.

`drift_ratio_max` was the factor beyond which entries whose runs were not paired counted as
different; such entries are not compared any more. `updates_count_min`, with the check `updates`,
was a number of sensor updates; the uncertainty of the comparison replaces it.
"""

RETIRED_CHECKS = ("updates",)
"""Checks of earlier versions that sealed rulesets name."""


def without_retired_keys(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of a sealed ruleset without its retired constants."""
    kept = dict(tree)
    for section, keys in RETIRED_KEYS.items():
        values = tree.get(section)
        if isinstance(values, Mapping):
            kept[section] = {key: value for key, value in values.items() if key not in keys}
    if isinstance(tree.get("checks"), list):
        kept["checks"] = [name for name in tree["checks"] if name not in RETIRED_CHECKS]
    return kept
