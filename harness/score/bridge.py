"""The energy bridge: the difference in joules of two entries, split into causes that add up.

Joules to the target are steps times seconds per step times watts. The logarithmic mean Divisia
index gives each factor its share of E_B - E_A without a remainder (Ang, Energy Policy 32, 2004):
L(E_B, E_A) · ln(x_B / x_A), with the logarithmic mean L(a, b) = (a - b) / (ln a - ln b).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from harness.records import Score
from harness.records.score import CostFigures

COST_RANGE = (1e-90, 1e90)
"""Costs outside belong to no training run, and their squares could exceed the range of floats."""

EQUAL = 0.005
"""Factors that differ by less than this are called equal."""

LABELS = {"steps": "steps", "step_s": "seconds per step", "time_s": "seconds", "watts": "watts"}
"""Names of the factors."""

WORDS = {
    "steps": ("{} more steps", "{} fewer steps", "equally many steps"),
    "step_s": ("steps {} slower", "steps {} faster", "steps equally fast"),
    "time_s": ("{} more time", "{} less time", "equal time"),
    "watts": ("power {} higher", "power {} lower", "equal power"),
}
"""How a factor that is higher, lower or equal is described."""


class Effort(NamedTuple):
    """What one entry needs to reach the target."""

    energy_j: float
    time_s: float
    steps: float | None
    """Training steps, as the submission reports them; None where it reports none."""


class Bar(NamedTuple):
    """One cause of a difference."""

    factor: str
    """`steps`, `step_s`, `watts`; `time_s` where steps are unknown."""
    before: float
    """The factor of A."""
    after: float
    """The factor of B."""
    energy_j: float
    """Its share of E_B - E_A, joules."""

    @property
    def ratio(self) -> float:
        """The factor of B over that of A."""
        return self.after / self.before

    def text(self, percent: Callable[[float], str] = "{:.1%}".format) -> str:
        """The cause in words, as `20.0% more steps`."""
        more, less, equal = WORDS[self.factor]
        change = self.ratio - 1
        if abs(change) < EQUAL:
            return equal
        return (more if change > 0 else less).format(percent(abs(change)))


class Bridge(NamedTuple):
    """The way from the energy of A to that of B; the energies of the bars add up exactly."""

    before_j: float
    after_j: float
    bars: tuple[Bar, ...]

    def text(self, percent: Callable[[float], str] = "{:.1%}".format) -> str:
        """The causes in words, as `20.0% more steps, steps 10.0% faster, equal power`."""
        return ", ".join(bar.text(percent) for bar in self.bars)


def log_mean(a: float, b: float) -> float:
    """Logarithmic mean of two positive numbers; of equal numbers, their value."""
    if math.isclose(a, b, rel_tol=1e-12):
        return (a + b) / 2
    return (a - b) / math.log(a / b)


def factors(effort: Effort) -> dict[str, float]:
    """The factors whose product is the energy."""
    watts = effort.energy_j / effort.time_s
    if not effort.steps:
        return {"time_s": effort.time_s, "watts": watts}
    step_s = effort.time_s / effort.steps
    return {"steps": effort.steps, "step_s": step_s, "watts": watts}


def bridge(a: Effort, b: Effort) -> Bridge:
    """The bridge from A to B.

    Raises:
        ValueError: a figure is not positive.
    """
    if min(a.energy_j, a.time_s, b.energy_j, b.time_s) <= 0:
        raise ValueError("a bridge needs positive joules and seconds on both sides")
    if not (a.steps and b.steps):
        a, b = a._replace(steps=None), b._replace(steps=None)
    weight = log_mean(b.energy_j, a.energy_j)
    before, after = factors(a), factors(b)
    bars = (
        Bar(name, before[name], after[name], weight * math.log(after[name] / before[name]))
        for name in before
    )
    return Bridge(a.energy_j, b.energy_j, tuple(bars))


def not_comparable(a: Score, b: Score) -> str:
    """The reason the energies of two entries have no bridge; empty where they have one."""
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
    """The bridge from the energy of `a` to that of `b`; None where they are not comparable."""
    return None if not_comparable(a, b) else bridge(_effort(a.costs), _effort(b.costs))


def sentence(path: Bridge, a: str, b: str) -> str:
    """One sentence that says why B needs more energy, or less, than A."""
    difference = path.after_j - path.before_j
    if all(abs(bar.ratio - 1) < EQUAL for bar in path.bars):
        return f"{b} needs as much energy as {a}: {path.text()}"
    verb = "more" if difference > 0 else "less"
    return f"{b} needs {abs(difference):.3g} J {verb} than {a}: {path.text()}"
