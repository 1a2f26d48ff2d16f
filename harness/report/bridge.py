"""Words for the energy bridge between two entries."""

from typing import NamedTuple

from harness.records import Score
from harness.records.score import CostFigures
from harness.report import numbers
from harness.report.entries import COST_RANGE
from harness.score.bridge import Bar, Effort
from harness.score.bridge import bridge as bars_between

EQUAL = 0.005
"""Factors that differ by less than this are called equal."""

LABELS = {"steps": "steps", "step_s": "seconds per step", "time_s": "seconds", "watts": "watts"}
"""Names of the factors."""

UNITS = {"steps": "", "step_s": "s", "time_s": "s", "watts": "W"}
"""Base units of the factors."""

WORDS = {
    "steps": ("{} more steps", "{} fewer steps", "equally many steps"),
    "step_s": ("steps {} slower", "steps {} faster", "steps equally fast"),
    "time_s": ("{} more time", "{} less time", "equal time"),
    "watts": ("power {} higher", "power {} lower", "equal power"),
}


class Bridge(NamedTuple):
    """The steps from one entry's energy to another's; the energies of the bars add up exactly."""

    before_j: float
    after_j: float
    bars: tuple[Bar, ...]


def not_comparable(a: Score, b: Score) -> str:
    """Return the reason the energy of two entries has no bridge; empty where it has one."""
    one, other = a.costs.energy_to_target_j, b.costs.energy_to_target_j
    if one is None or other is None:
        return "one of them has no energy"
    if (a.entry.workload, a.entry.workload_version) != (b.entry.workload, b.entry.workload_version):
        return "they are on different workloads"
    if one.domains != other.domains:
        return f"one covers {', '.join(one.domains)}, the other {', '.join(other.domains)}"
    if (one.method, one.simulated) != (other.method, other.simulated):
        return "their energy was obtained by different methods"
    if a.costs.time_to_target_s is None or b.costs.time_to_target_s is None:
        return "one of them has no time"
    costs = (one, other, a.costs.time_to_target_s, b.costs.time_to_target_s)
    in_range = all(COST_RANGE[0] < cost.value < COST_RANGE[1] for cost in costs)
    return "" if in_range else "a cost is zero or out of range"


def _effort(costs: CostFigures) -> Effort:
    energy, time, steps = costs.energy_to_target_j, costs.time_to_target_s, costs.steps_to_target
    assert energy is not None
    assert time is not None
    usable = steps is not None and COST_RANGE[0] < steps.value < COST_RANGE[1]
    return Effort(energy.value, time.value, steps.value if usable and steps else None)


def bridge_between(a: Score, b: Score) -> Bridge | None:
    """Return the bridge from the energy of `a` to that of `b`; None where there is none."""
    if not_comparable(a, b):
        return None
    one, other = _effort(a.costs), _effort(b.costs)
    return Bridge(one.energy_j, other.energy_j, tuple(bars_between(one, other)))


def _clause(bar: Bar) -> str:
    more, less, equal = WORDS[bar.factor]
    change = bar.ratio - 1
    if abs(change) < EQUAL:
        return equal
    return (more if change > 0 else less).format(numbers.percent(abs(change)))


def sentence(bridge: Bridge) -> str:
    """Return the bridge in words, as `20 % more steps, steps 10 % faster, power 3 % higher`."""
    return ", ".join(map(_clause, bridge.bars))
