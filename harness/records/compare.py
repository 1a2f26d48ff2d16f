"""Records of a comparison of two entries; derived from bundles, never evidence."""

from typing import Literal

from harness.records.base import FORMAT, Record
from harness.records.measure import Method

TestKind = Literal["paired", "bridged", "series", "apart", "independent"]
"""How two entries are compared. `paired`: differences between runs that alternate on the same
seeds and instances. `bridged`: costs in multiples of the reference's, with which each alternated.
`series`: means of several series in turn. `apart`: their runs did not alternate, so that a factor
is granted that the machine's state may explain. `independent`: of different machines. All but the
first by Welch's test."""


class CostRatio(Record):
    """One cost of B over that of A."""

    quantity: str
    """`time_to_target_s` or `energy_to_target_j`."""
    cost_ratio: float
    """Above 1 where B costs more."""
    low: float | None
    high: float | None
    """None where the data give no end."""
    p_differ: float
    """Two-sided p that the costs differ."""
    paired: bool
    """Whether their runs alternated on the same seeds and instances, so that differences were taken
    seed by seed; else the test is Welch's."""
    test: TestKind = "independent"
    """What was compared with what."""
    allowance_ratio: float | None = 1.0
    """Factor by which the interval is wider on each side, since their runs did not alternate."""
    outcome: Literal["better", "worse", "unclear"]
    """Of B against A."""
    note: str = ""
    """Which test was taken, and why."""
    method: Method | None = None
    """Of joules: the weaker method of the two; None for seconds."""
    simulated: bool = False
    """Of joules: whether a fake or replayed meter gave any of them."""


class EnergyBar(Record):
    """One cause of the difference in joules."""

    factor: str
    """`steps`, `step_s`, `watts`, or `time_s` where steps were not told."""
    factor_ratio: float
    """The factor of B over that of A."""
    energy_j: float
    """Its share of the difference; the shares add up to it."""


class Comparison(Record):
    """Entry B against entry A."""

    format: int = FORMAT
    workload: str
    machine: str
    ruleset: str
    a: str
    b: str
    confidence: float
    """Level of the intervals."""
    ratios: tuple[CostRatio, ...]
    """Of the costs that both have, over the same domains."""
    bridge: tuple[EnergyBar, ...]
    """From the joules of A to those of B; empty where they are missing or cover unlike domains."""
    sentence: str
    """Why B costs more or less."""


class GateResult(Record):
    """Whether a cost of B is a regression against A."""

    workload: str
    machine: str
    quantity: str
    verdict: Literal["pass", "fail", "unclear"]
    """`fail`: a regression beyond the gate; `unclear`: the data cannot tell."""
    """`fail` only where the whole interval lies above the margin; `unclear` fails nothing."""
