"""Why one entry costs more joules than another: the difference, split into causes that add up.

E = (pace of steps): joules to the target are steps · seconds a step · watts. The logarithmic mean
Divisia index gives each factor its share of E_B - E_A without a remainder (Ang, Energy Policy 32,
2004): L(E_B, E_A) · ln(x_B / x_A), with the logarithmic mean L(a, b) = (a - b) / (ln a - ln b).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

FACTORS = ("steps", "step_s", "watts")
"""What joules are the product of, in the order of the bars."""

PHRASES = {
    "steps": ("more steps", "fewer steps"),
    "step_s": ("slower steps", "faster steps"),
    "watts": ("a higher power", "a lower power"),
}


class Effort(NamedTuple):
    """What one entry needs to the target; geometric means over its runs."""

    energy_j: float
    time_s: float
    steps: float | None
    """Claimed training steps; None where it told none."""


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


def log_mean(a: float, b: float) -> float:
    """Logarithmic mean of two positive numbers; of equals, their value."""
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


def bridge(a: Effort, b: Effort) -> list[Bar]:
    """The bars from A to B; their joules add up to E_B - E_A.

    Args:
        a: Where the bridge begins.
        b: Where it ends.

    Raises:
        ValueError: a figure is not positive.
    """
    if min(a.energy_j, a.time_s, b.energy_j, b.time_s) <= 0:
        raise ValueError("a bridge needs positive joules and seconds on both sides")
    if not (a.steps and b.steps):
        a, b = a._replace(steps=None), b._replace(steps=None)
    weight = log_mean(b.energy_j, a.energy_j)
    before, after = factors(a), factors(b)
    return [
        Bar(name, before[name], after[name], weight * math.log(after[name] / before[name]))
        for name in before
    ]


def _part(bar: Bar) -> str:
    phrases: Mapping[str, tuple[str, str]] = {"time_s": ("more time", "less time"), **PHRASES}
    more, less = phrases[bar.factor]
    return f"{more if bar.ratio > 1 else less} ({bar.ratio - 1:+.1%})"


def sentence(bars: Sequence[Bar], a: str, b: str, least: float = 0.005) -> str:
    """One sentence on why B costs more, or less, than A.

    Args:
        bars: The bridge.
        a: Name of the entry that it begins at.
        b: Name of the entry that it ends at.
        least: Relative change under which a factor is not worth a word.
    """
    total = math.fsum(bar.energy_j for bar in bars)
    told = [bar for bar in bars if abs(bar.ratio - 1) >= least]
    if not told:
        return f"{b} needs what {a} needs: steps, their length and power all agree"
    told.sort(key=lambda bar: -abs(bar.energy_j))
    with_it = [bar for bar in told if (bar.energy_j > 0) == (total > 0)]
    against = [bar for bar in told if bar not in with_it]
    verb = "more" if total > 0 else "less"
    text = f"{b} costs {abs(total):.3g} J {verb} than {a} by " + " and ".join(map(_part, with_it))
    return text + (", in spite of " + " and ".join(map(_part, against)) if against else "")
