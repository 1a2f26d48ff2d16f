"""Records of contests over several workloads: who trains how fast on all of them together."""

from typing import Literal

from harness.records.base import FORMAT, Record

AcrossQuantity = Literal[
    "time_to_target_s", "energy_to_target_j", "steps_to_target", "cost_to_target_usd"
]
"""Costs that a contest over several workloads can rank by."""

Aggregate = Literal["profile", "geometric_mean"]
"""How the ratios of several workloads become one score; see `AcrossRules.aggregate`."""


class MultiCell(Record):
    """One contender on one workload."""

    workload: str
    workload_version: str
    submission: str
    """Empty where it was never entered there."""
    submission_sha256: str = ""
    status: str
    """That of its score, or `missing`."""
    reason: str = ""
    """Why there is no cost; empty where there is one."""
    cost: float | None
    """Geometric mean over seeds, tuning included where the rules say so; None counts as
    infinite."""
    n: int
    """Distinct seeds behind it."""
    reference_ratio: float | None
    """Cost in multiples of the reference's; None: infinite."""
    best_ratio: float | None
    """Cost in multiples of the best one present; None: infinite."""
    gain_fraction: float
    """What it adds to the profile, from 0 to 1; the reference itself has one half."""


class MultiRow(Record):
    """One contender over all workloads."""

    name: str
    """Of the submission, without the workload's name before it."""
    team: str
    tuning: str = ""
    """How it was tuned, where the harness drew its hyperparameters or it tuned itself."""
    score: float | None
    """By the aggregate of the rules; None: no place."""
    low: float | None
    high: float | None
    rank: int | None
    """By value, from 1; None: no place."""
    rank_low: int | None
    rank_high: int | None
    tie_group: str = ""
    """Letters; contenders that share one cannot be told apart."""
    p_first: float | None = None
    """Chance of rank 1 when all costs are redrawn; None where a single run tells no spread."""
    solved_count: int
    """Workloads on which it has a cost."""
    n: int
    """Least number of seeds behind one of its costs."""
    profile_fraction: float
    """Mean height of its profile against the reference, whatever the aggregate of the rules."""
    geometric_ratio: float | None
    """Geometric mean of its ratios to the reference; None: infinite, since a workload lacks."""
    best_profile_fraction: float
    """Mean height of its profile against the best present, from ratio 1 to the largest; this one
    moves when others come and go."""
    best_low_fraction: float | None = None
    best_high_fraction: float | None = None
    without: dict[str, float | None] = {}
    """Its score with each workload left out."""
    cells: tuple[MultiCell, ...]


class MultiRanking(Record):
    """A contest over several workloads on one machine in one division."""

    format: int = FORMAT
    machine: str
    division: str
    ruleset: str
    quantity: AcrossQuantity
    unit: str
    """Of the costs."""
    aggregate: Aggregate
    better: Literal["higher", "lower"]
    """Direction of the score."""
    cost_ratio_max: float
    reference: str
    """Contender whose costs are one on every workload."""
    level: float
    """Confidence of the intervals."""
    workloads: tuple[str, ...]
    """Those that count."""
    left_out: dict[str, str] = {}
    """Workloads that do not count, and why."""
    rows: tuple[MultiRow, ...]
    """Those with a place first, best first."""
    separated: bool
    """Whether the first is told apart from the second."""
    resolvable_lead: float | None
    """Difference of scores from the second that these data could have seen, power 0.9."""
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
    """Of the joules; a modelled figure says so."""
    on_front: bool
    """Whether no other entry beats it in one cost without losing in the other, by value."""
    p_front: float | None
    """Chance of that when all costs are redrawn; None where a single run tells no spread."""


class Front(Record):
    """The Pareto front of two costs on one workload, machine, ruleset and division."""

    workload: str
    workload_version: str
    machine: str
    ruleset: str
    division: str
    x_quantity: str
    """Field of `Score` that the first cost is."""
    y_quantity: str
    """Field of `Score` that the second cost is."""
    points: tuple[FrontPoint, ...]
