"""Records that are computed from bundles: scores, standings, leaderboards; never evidence."""

from typing import Literal

from harness.records.base import FORMAT, Record, Status
from harness.records.measure import Method
from harness.records.run import Finding


class Figure(Record):
    """A number with its interval, and for joules how it was measured."""

    value: float
    """Geometric mean over seeds for costs, mean for metrics."""
    low: float | None
    """Lower end; None where the data give none (a single run)."""
    high: float | None
    """Upper end; None where it is open (failed seeds, a single run)."""
    n: int
    """Distinct seeds behind it."""
    level: float
    """Confidence of the interval, as 0.95."""
    method: Method | None = None
    """Of joules: the weakest method of its parts; None for other figures."""
    domains: tuple[str, ...] = ()
    """Of joules: the disjoint domains that were added."""
    simulated: bool = False
    """Of joules: whether a fake or replayed meter gave any of them."""
    uncertainty: float | None = None
    """Of joules: the median measurement uncertainty of a run, k = 2, in joules."""


class TrialOf(Record):
    """Which trial of which tuning study a run is."""

    mode: Literal["external", "self"]
    study: str
    """Names the study: the series' commitment and the study's number."""
    index: int
    """Of the trial, from 0."""
    trials_count: int
    """Trials that the study was to have."""
    validation: float | None = None
    """What the submission logged last as `validation`; it only chooses the trial that counts."""


class ReferenceRun(Record):
    """The cost of the reference run that a run is paired with."""

    submission_sha256: str
    """Of the reference: another version is another unit."""
    time_s: float | None
    energy_j: float | None
    """None: not measured, or over other domains than the run's."""
    metric: float | None


class RunEnergy(Record):
    """What the meters say of one run, over the score window unless a field says otherwise."""

    energy_j: float | None = None
    """Joules of disjoint domains, added; None: not measured."""
    u_j: float | None = None
    """Measurement uncertainty of `energy_j`, k = 2, joules."""
    own_u_j: float | None = None
    """Its part that runs with the same meters do not have in common, k = 2, joules."""
    step_j: float | None = None
    """Resolution of `energy_j`: that of the counters, or of the seconds at mean power."""
    method: Method | None = None
    """The weakest method among the domains that were added."""
    domains: tuple[str, ...] = ()
    """The domains that were added."""
    simulated: bool = False
    """Whether a fake or replayed meter gave any of the joules."""
    level: int | None = None
    """Level of the measurement, 0 to 3 (`docs/meters.md`); None where nothing was measured."""
    by_domain_j: dict[str, float] = {}
    """Joules of every domain that was read; parents contain their children."""
    window_j: float | None = None
    """Joules of the whole run window."""


class RunScore(Record):
    """One run under one ruleset."""

    run_id: str
    bundle: str
    """Folder, relative to the results folder."""
    manifest_sha256: str
    seed: int
    block: str = ""
    """Secret, index and instance that the run was drawn from; runs of one pair share it."""
    started_utc: str = ""
    """Wall time of its origin, ISO 8601; shows which runs are paired."""
    status: Status
    """Under this ruleset, which may be harsher than the run's own."""
    reason: str
    reached: bool
    """Whether the scored snapshot reached the target."""
    snapshot: int | None
    """Index of the scored snapshot."""
    step: int | None
    """Its training step, as the submission reports it."""
    metric: float | None
    """Its metric."""
    time_s: float | None
    """Cost in seconds: from the start signal to the end of the last process (`final`), or to the
    stamp of the scored snapshot (`first_passing`)."""
    time_low_s: float | None
    """Stamp of the snapshot before: the crossing lies between the two (`first_passing`)."""
    time_step_s: float | None = None
    """Resolution of the cost in seconds: the spacing of snapshots, or that of the stamps."""
    energy: RunEnergy = RunEnergy()
    """Cost in joules over the score window, and how it was measured."""
    window_s: float | None
    """The run window: start signal to the death of the last process."""
    cpu_s: float | None
    """CPU seconds of the submission from launch to death."""
    peak_rss_bytes: int | None
    price_usd_per_h: float | None = None
    """Declared price of the machine; None where none was declared."""
    trial: TrialOf | None = None
    """None where the run is not a tuning trial."""
    reference: ReferenceRun | None = None
    """None where it is not paired with the reference, or that run has no result."""
    findings: tuple[Finding, ...] = ()


class TuningAccount(Record):
    """What tuning cost, and what the score is with it."""

    mode: Literal["external", "self"]
    """`external`: the harness drew the hyperparameters of each trial; `self`: the submission tunes
    inside the run, so that tuning is part of the run's joules and seconds."""
    trials_count: int
    """Of each study."""
    studies_count: int
    choice: Literal["validation", "cheapest", "own"]
    """Which trial of a study counts: the one with the best logged validation (where the last
    snapshot is scored, so that the hidden metric chooses nothing), the cheapest that reaches the
    target (where the first passing one is scored, as in AlgoPerf), or the only one."""
    median_time_s: float | None = None
    """Median over studies of the time of the trial that counts; a study that misses the target is
    infinite, as in AlgoPerf; None: infinite."""
    median_energy_j: float | None = None
    """The same in joules; None: infinite, or not measured."""
    time_with_tuning_s: Figure | None = None
    """Cost to the target plus the whole windows of the study's other trials."""
    energy_with_tuning_j: Figure | None = None
    """The same in joules; None where a trial was not measured."""


class Spent(Record):
    """What all runs of an entry used, and how much of it in runs that missed the target."""

    runs_count: int
    """Trials of tuning included."""
    missed_count: int
    """Runs that never reached the target."""
    time_s: float | None
    """Run windows of all runs together; None where one is unknown."""
    wasted_time_s: float | None
    """Of these, the runs that never reached the target."""
    energy_j: float | None
    """Joules of all run windows; None where one was not measured."""
    wasted_energy_j: float | None
    """Of these, the runs that never reached the target."""


class EntryRef(Record):
    """An entry: one version of a submission on one workload and machine."""

    workload: str
    workload_version: str = ""
    submission: str
    """Name of the submission."""
    sha256: str = ""
    """SHA-256 of the submission's files; distinguishes versions that share a name."""
    title: str = ""
    team: str = ""
    division: str = ""
    machine: str


class RulesInForce(Record):
    """The parts of a ruleset that a reader of a score needs."""

    ruleset: str
    """Name, with the constants that were changed, and how the entry was tuned."""
    snapshot_rule: Literal["final", "first_passing"]
    """Which snapshot is scored."""
    mode: Literal["cost_to_target", "quality_at_budget"] = "cost_to_target"
    """What ranks: costs until the target, or the metric at the budget."""
    separation_alpha: float = 0.05
    """Level of the tests of differences between entries."""


class MetricResult(Record):
    """The metric of the scored snapshots, and its test against the target."""

    name: str
    better: Literal["higher", "lower"]
    target: float
    figure: Figure | None
    """Mean over seeds, in the metric's unit."""
    sd_floor: float = 0.0
    """Smallest standard deviation that the metric's resolution allows, in its unit."""
    p_target: float | None
    """One-sided p of the test that the mean beats the target; None where no test is made."""


class CostFigures(Record):
    """Costs until the target; None where a cost is unknown or the target was missed."""

    time_to_target_s: Figure | None = None
    energy_to_target_j: Figure | None = None
    """None: not measured; `method` marks a modelled figure."""
    steps_to_target: Figure | None = None
    """Training steps, as the submission reports them."""
    cost_to_target_usd: Figure | None = None
    """Seconds at the declared price of the machine, US dollars; None: no price was declared."""
    cpu_s: Figure | None = None


class EnergyStatus(Record):
    """Whether the joules of a score may win, and the figures by domain."""

    eligible: bool
    """Whether the joules may win under this ruleset."""
    note: str
    """The reason they may not, or the domains and the method."""
    by_domain_j: dict[str, Figure] = {}
    """Joules to the target by domain; parents contain their children."""


class Score(Record):
    """The result of one entry under one ruleset."""

    format: int = FORMAT
    entry: EntryRef
    rules: RulesInForce
    status: Literal["scored", "target_missed", "runs_failed", "too_few_runs", "excluded"]
    """`excluded`: a check of the ruleset failed, named in the findings. `runs_failed`: a run left
    no metric where the metric at the budget ranks."""
    reason: str
    """One sentence that explains the status."""
    n: int
    """Distinct seeds that count."""
    failures: int
    """Runs without a valid result; each counts as infinite cost."""
    quality: MetricResult
    costs: CostFigures = CostFigures()
    energy: EnergyStatus
    peak_rss_bytes: int | None = None
    """Largest value over the runs."""
    spent: Spent | None = None
    """What all runs used, unsuccessful ones included."""
    tuning: TuningAccount | None = None
    """None where nothing was tuned."""
    runs: tuple[RunScore, ...] = ()
    """The runs that count; of a tuning study one."""
    trials: tuple[RunScore, ...] = ()
    """The other trials of its studies: they count as cost of tuning only."""
    findings: tuple[Finding, ...] = ()

    def figure_of(self, quantity: str) -> Figure | None:
        """The figure of a quantity: `metric`, or a field of `costs`."""
        if quantity == "metric":
            return self.quality.figure
        figure: Figure | None = getattr(self.costs, quantity, None)
        return figure


class Standing(Record):
    """A place on a leaderboard."""

    entry: EntryRef
    score: float
    """The cost that ranks, unrounded."""
    low: float | None
    high: float | None
    n: int
    rank: int
    """By value, from 1; tied entries share a letter in `tie_group`, not a rank."""
    rank_low: int
    """Best rank that the data allow at the ruleset's level."""
    rank_high: int
    """Worst rank that the data allow."""
    tie_group: str
    """Letters; entries that share one are not significantly different."""
    p_first: float | None = None
    """Probability of rank 1 when the costs are redrawn; None where a single run shows no spread
    or entries are not comparable."""


class Unranked(Record):
    """An entry that is shown without a place."""

    entry: EntryRef
    status: str
    reason: str
    score: float | None = None
    """Its cost where there is one (a modelled figure), shown and marked."""
    method: Method | None = None


class Leaderboard(Record):
    """The ranking of one workload on one machine by one quantity."""

    format: int = FORMAT
    workload: str
    workload_version: str = ""
    machine: str
    """`any` where machines compete."""
    ruleset: str
    division: str = ""
    """Of its entries; divisions rank apart."""
    prize: str
    """`energy`, `speed`, `budget` ..."""
    quantity: str
    """`energy_to_target_j`, `time_to_target_s`, or `metric`."""
    unit: Literal["J", "s", ""]
    """Empty: a metric, in its own unit."""
    standings: tuple[Standing, ...]
    unranked: tuple[Unranked, ...]
    separated: bool
    """Whether the first two are significantly different."""
    resolvable_ratio: float | None
    """Minimum detectable difference of the first two, as 0.06 for 6 %, power 0.9."""
    resolvable_lead: float | None = None
    """The same as a difference in the metric's unit, where a metric ranks."""
    note: str
    """One sentence: who leads, or why there is no leader."""
