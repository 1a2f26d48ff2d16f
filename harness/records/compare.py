"""Records of a comparison of two entries; derived from bundles, never evidence."""

from typing import Literal

from harness.records.base import FORMAT, Record


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
    outcome: Literal["better", "worse", "unclear"]
    """Of B against A."""


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
