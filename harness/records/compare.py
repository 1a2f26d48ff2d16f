"""Records of a comparison of two entries; derived from bundles, never evidence."""

from typing import Literal

from harness.records.base import FORMAT, Record
from harness.records.measure import Method

TestKind = Literal["paired", "via_reference", "independent", "not_comparable"]
"""The test of the difference of two entries. `paired`: t-test on the differences of paired runs.
`via_reference`: Welch test on costs divided by those of the paired reference runs. `independent`:
Welch test of entries on different machines. `not_comparable`: not paired, directly or via the
reference; no test is made."""


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
    test: TestKind
    """The test behind `p_differ` and the interval."""
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
