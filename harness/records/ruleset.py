"""The ruleset: every constant and every named check that a verdict depends on."""

from collections.abc import Mapping
from typing import Any, Literal

from harness.records.base import FORMAT, Record

AcrossQuantity = Literal[
    "time_to_target_s", "energy_to_target_j", "steps_to_target", "cost_to_target_usd"
]
"""Costs that can rank over several workloads."""

Aggregate = Literal["profile", "geometric_mean"]
"""How the ratios of several workloads become one score; see `AcrossRules.aggregate`."""


class RunRules(Record):
    """What the conductor enforces while a submission runs."""

    mode: Literal["cost_to_target", "quality_at_budget"] = "cost_to_target"
    """What ranks: the cost until the target, or the metric when the budget is spent."""
    seeds_count: int = 8
    """Runs of a series, each with a seed of its own."""
    snapshot_rule: Literal["final", "first_passing"] = "final"
    """Which snapshot counts: the last one handed over, or the first that passes."""
    snapshots_max: int = 50
    """Most snapshots that count; under `first_passing` they are at least budget / this apart."""
    snapshot_bytes_max: int = 1 << 30
    """Greatest size of one snapshot."""
    snapshots_bytes_max: int = 4 << 30
    """Greatest size of all snapshots of a run together."""
    budget_ratio: float = 1.0
    """Budget in multiples of the workload's own."""
    self_tuning_budget_ratio: float = 1.0
    """Budget of runs that tune themselves, in multiples of the others'."""
    budget_s: float | None = None
    """Budget in seconds, in place of the workload's own and its multiple; None: these."""
    setup_s: float = 0.0
    """Longest `setup()` before the gun; 0 forbids it."""
    start_cap_s: float = 120.0
    """Longest time from launch to `ready`, spent on declared imports."""
    log_rate_hz: float = 100.0
    """Log and span messages a second, averaged; what is over is dropped and counted."""
    messages_burst: int = 2000
    """Messages above the rate after which the run is ended as invalid."""
    output_bytes_max: int = 1 << 20
    """Bytes of standard output and error kept; the rest is drained and counted."""
    kept_snapshot_bytes: int = 1 << 20
    """Snapshots are kept in the bundle up to this total, latest first; of the rest the hash."""
    source_bytes_max: int = 2 << 20
    """Greatest size of a submission's source."""
    memory_bytes_max: int | None = None
    """Memory limit of the submission; None: what the machine has."""
    processes_max: int = 512
    """Most processes and threads of the submission."""
    idle_s: float = 0.0
    """Idle baseline measured before launch and after death; reported, never subtracted."""
    sample_period_s: float = 0.1
    """Time between two readings of the meters."""


class EvaluationRules(Record):
    """What the predictor may cost."""

    predict_cpu_ratio: float = 10.0
    """CPU seconds for each snapshot in multiples of the closed model's, loading included."""
    predict_cpu_floor_s: float = 0.1
    """Allowance that no cap goes under: the resolution of the kernel's accounting."""
    open_cpu_ratio: float = 2.0
    """Open division: allowed to any snapshot, in multiples of the closed model's; up to
    `predict_cpu_ratio` by what follows, so that training cannot move into the predictor."""
    open_cpu_training_ratio: float = 0.1
    """Open division: allowed besides, for each second and thread of training before the stamp."""
    answer_wall_s: float = 60.0
    """Wall seconds allowed for one answer, against a predictor that hangs."""
    start_cap_s: float = 120.0
    """Longest time from launch to `ready`, spent on imports."""
    optimum_sigmas: float = 3.0
    """A metric that beats the known optimum by more standard errors is too good to be true."""


class ScoreRules(Record):
    """How runs become a score, and what must hold for a place on the board."""

    confidence: float = 0.95
    """Level of the intervals."""
    target_alpha: float = 0.01
    """One-sided level of the test that the mean metric beats the target (`final`)."""
    separation_alpha: float = 0.05
    """Level below which two entries count as different; otherwise they are tied."""
    energy_methods: tuple[Literal["counter", "sampled", "modelled", "declared"], ...] = (
        "counter",
        "sampled",
    )
    """Methods whose joules may win; others are shown and marked."""
    simulated: bool = False
    """Whether joules of fake and replayed meters may win (tests only)."""
    isolation: tuple[Literal["none", "landlock", "bubblewrap"], ...] = ("landlock", "bubblewrap")
    """Isolation levels that may rank."""
    secrecy: tuple[Literal["public", "seeded", "secret"], ...] = ("public", "seeded", "secret")
    """Secrecy of workloads that may rank."""
    provenance: tuple[Literal["self", "witnessed", "organizer"], ...] = (
        "self",
        "witnessed",
        "organizer",
    )
    """Who ran it."""
    declared_seeds: bool = False
    """Whether runs whose seed a person chose may rank."""
    tuning_trials_max: int | None = None
    """Most trials of a study of external tuning; None sets no limit."""


class MeasureRules(Record):
    """Limits on the measurement beyond which a run is degraded."""

    coverage_ratio_min: float = 0.95
    """Least part of the window that lies between valid readings."""
    gap_periods_max: float = 3.0
    """Largest gap between readings, in sampling periods (or in update periods where these are
    longer)."""
    meters_disagree_ratio: float = 0.1
    """Greatest relative difference of two meters of one domain."""
    clock_step_s: float = 0.05
    """Step of the wall clock against the monotonic one that is reported."""
    uncertainty_ratio_max: float | None = None
    """Greatest u_j / energy_j; None sets no limit."""
    whole_boundary: bool = False
    """Whether joules must cover the wall, the node, or the processor and every visible device; a
    part of them would reward moving work to where no meter looks."""
    updates_count_min: int = 0
    """Least number of sensor updates between the gun and the snapshot that counts."""
    interleaved: bool = False
    """Whether the runs must alternate with those of the reference, so that the hour and the
    machine's state fall out of the difference."""
    unlocked: bool = False
    """Whether joules of a sensor that looks at the same moment of each training step are out."""


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
    """How costs on several workloads become one score."""

    quantity: AcrossQuantity = "time_to_target_s"
    """The cost that ranks."""
    aggregate: Aggregate = "profile"
    """`profile`: the mean height of the performance profile against the reference, over ratios
    from 1 / `cost_ratio_max` to `cost_ratio_max` on a logarithmic scale; a workload without a cost
    adds 0.
    `geometric_mean`: of the ratios to the reference; without a cost on every workload there is no
    place."""
    cost_ratio_max: float = 4.0
    """Ratio beyond which a cost counts like none, and below whose inverse it earns no more."""
    reference: str = "adamw"
    """Submission whose costs are the unit, without the workload's name before it. They are taken
    as constants, so that no loser's coming or going can change a score."""
    workloads: tuple[str, ...] = ()
    """Workloads that count; empty: all on which the reference has a cost."""
    workloads_count_min: int = 2
    """Least number of workloads for a decision."""
    tuning_included: bool = True
    """Whether what all trials of a study spent is part of its cost."""


class Ruleset(Record):
    """One ruleset, resolved: what `extends` gave is already in it."""

    format: int = FORMAT
    name: str
    title: str
    about: str = ""
    """What it is for, in a sentence or two."""
    extends: str | None = None
    """The ruleset it was derived from, for the record."""
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
    """Named checks that are applied to each bundle."""


RETIRED_KEYS = {"score": ("drift_ratio_max",)}
"""Constants of earlier versions that sealed rulesets contain and that no code uses any more.

`drift_ratio_max` was the factor beyond which entries whose runs were not paired counted as
different; such entries are not compared any more.
"""


def without_retired_keys(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree of a sealed ruleset without its retired constants."""
    kept = dict(tree)
    for section, keys in RETIRED_KEYS.items():
        values = tree.get(section)
        if isinstance(values, Mapping):
            kept[section] = {key: value for key, value in values.items() if key not in keys}
    return kept
