"""Records of rankings over several workloads, and of the Pareto fronts of two costs."""

from harness.records.base import FORMAT, Record
from harness.records.ruleset import AcrossRules
from harness.records.score import EntryRef, Standing


class MultiCell(Record):
    """One algorithm on one workload."""

    workload: str
    workload_version: str
    submission: str
    """Empty where it was not entered."""
    submission_sha256: str = ""
    status: str
    """Status of its score, or `missing`."""
    reason: str = ""
    """Why there is no cost; empty where there is one."""
    cost: float | None
    """Geometric mean over seeds, tuning included where the rules say so; None counts as
    infinite."""
    n: int
    """Distinct seeds behind it."""
    reference_ratio: float | None
    """Cost over the reference's cost; None: infinite."""
    best_ratio: float | None
    """Cost over the lowest cost present; None: infinite."""
    gain_fraction: float
    """What it adds to the profile, from 0 to 1; the reference has one half."""


class MultiRow(Record):
    """One algorithm over all workloads."""

    entry: EntryRef
    """The algorithm; its submission is the name without the workload's name in front."""
    tuning: str = ""
    """How it was tuned, where the harness drew its hyperparameters or it tuned itself."""
    standing: Standing | None
    """Its place by the aggregate of the rules; its n is the smallest number of seeds of a cost.
    None: no place."""
    solved_count: int
    """Workloads on which it has a cost."""
    profile_fraction: float
    """Mean height of its profile against the reference, whatever the aggregate of the rules."""
    geometric_ratio: float | None
    """Geometric mean of its ratios to the reference; None: a workload has no cost."""
    best_profile_fraction: float
    """Mean height of its profile against the lowest cost present, from ratio 1 to the largest; it
    changes when entries are added or removed."""
    best_low_fraction: float | None = None
    best_high_fraction: float | None = None
    without: dict[str, float | None] = {}
    """Its score without each workload."""
    cells: tuple[MultiCell, ...]

    @property
    def name(self) -> str:
        """Name of the algorithm."""
        return self.entry.submission


class MultiRanking(Record):
    """The ranking of algorithms over several workloads on one machine in one division."""

    format: int = FORMAT
    machine: str
    division: str
    ruleset: str
    rules: AcrossRules
    """What ranks, the reference, and how ratios become a score."""
    level: float
    """Confidence of the intervals."""
    workloads: tuple[str, ...]
    """The workloads that count."""
    left_out: dict[str, str] = {}
    """Workloads that do not count, with the reason."""
    rows: tuple[MultiRow, ...]
    """Rows with a place first, best first."""
    leaders_without: dict[str, str] = {}
    """Name of the leader without each workload."""
    separated: bool
    """Whether the first two are significantly different."""
    minimum_detectable_difference: float | None
    """Smallest difference of scores of the first two that the data would show, power 0.9."""
    notes: tuple[str, ...] = ()
    """The rules that the figures follow, in sentences."""


class FrontPoint(Record):
    """One entry in the plane of two costs."""

    submission: str
    submission_sha256: str
    x: float
    """Its first cost, in the unit of the quantity's name."""
    y: float
    """Its second cost."""
    method: str
    """Method of the joules."""
    on_front: bool
    """Whether no other entry has a lower value of one cost and no higher value of the other."""
    p_front: float | None
    """Probability of that when all costs are redrawn; None where a single run shows no spread."""


class Front(Record):
    """The Pareto front of two costs on one workload, machine, ruleset and division."""

    workload: str
    workload_version: str
    machine: str
    ruleset: str
    division: str
    x_quantity: str
    """The first cost: a field of `Score.costs`."""
    y_quantity: str
    """The second cost: a field of `Score.costs`."""
    points: tuple[FrontPoint, ...]
