"""Why one entry costs more than another: steps, seconds a step, watts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.records import Figure, Score
from harness.report import numbers
from harness.report.entries import Entry

SAME = 0.005
"""Factors within this of one are called equal."""

WORLD = (1e-90, 1e90)
"""Factors outside are no training run's, and their products could leave the range of floats."""


class Factor(NamedTuple):
    """One factor of the energy, in both entries, and the joules that its change is worth."""

    name: str
    before: float
    after: float
    joules: float

    @property
    def ratio(self) -> float:
        """After over before."""
        return self.after / self.before


class Bridge(NamedTuple):
    """The way from one entry's joules to another's; the factors' joules add up exactly."""

    before_j: float
    after_j: float
    factors: tuple[Factor, ...]


def log_mean(a: float, b: float) -> float:
    """Logarithmic mean (a - b) / (ln a - ln b), and a where both are equal."""
    if math.isclose(a, b, rel_tol=1e-12):
        return a
    return (a - b) / (math.log(a) - math.log(b))


def incomparable(a: Score, b: Score) -> str:
    """Why the joules of two entries must not be compared; empty where they may."""
    one, other = a.energy_to_target_j, b.energy_to_target_j
    if one is None or other is None:
        return "one of them has no joules"
    if (a.workload, a.workload_version) != (b.workload, b.workload_version):
        return "they are on different workloads"
    if one.domains != other.domains:
        return f"one covers {', '.join(one.domains)}, the other {', '.join(other.domains)}"
    if (one.method, one.simulated) != (other.method, other.simulated):
        return "their joules came about in different ways"
    return ""


def _product(score: Score) -> list[tuple[str, float]]:
    """Factors whose product is the energy: steps, seconds a step, watts."""
    energy, time = score.energy_to_target_j, score.time_to_target_s
    assert energy is not None
    assert time is not None
    watts = energy.value / time.value
    if _usable(score.steps_to_target):
        assert score.steps_to_target is not None
        steps = score.steps_to_target.value
        return [("steps", steps), ("seconds a step", time.value / steps), ("watts", watts)]
    return [("seconds", time.value), ("watts", watts)]


def _usable(figure: Figure | None) -> bool:
    return figure is not None and figure.value > 0


def _tame(value: float) -> bool:
    """Whether products and quotients of such values are positive and finite."""
    return WORLD[0] < value < WORLD[1]


def bridge(a: Score, b: Score) -> Bridge | None:
    """From the joules of `a` to those of `b`; None where they must not be compared.

    Logarithmic mean Divisia index (Ang, Energy Policy 33, 2005): the change that factor x is
    worth is L(E_b, E_a) * ln(x_b / x_a), with L the logarithmic mean; nothing is left over.
    """
    figures = (a.energy_to_target_j, b.energy_to_target_j, a.time_to_target_s, b.time_to_target_s)
    if incomparable(a, b) or not all(_usable(each) for each in figures):
        return None
    one, other = dict(_product(a)), dict(_product(b))
    if set(one) != set(other):
        one, other = _without_steps(a), _without_steps(b)
    before_j, after_j = math.prod(one.values()), math.prod(other.values())
    if not all(map(_tame, (before_j, after_j, *one.values(), *other.values()))):
        return None
    weight_j = log_mean(after_j, before_j)
    factors = tuple(
        Factor(name, one[name], other[name], weight_j * math.log(other[name] / one[name]))
        for name in one
    )
    return Bridge(before_j, after_j, factors)


def _without_steps(score: Score) -> dict[str, float]:
    """Seconds and watts alone, for entries of which one told no steps."""
    return dict(_product(score.model_copy(update={"steps_to_target": None})))


WORDS = {
    "steps": ("{} more steps", "{} fewer steps", "equally many steps"),
    "seconds a step": ("steps {} slower", "steps {} faster", "steps equally fast"),
    "seconds": ("{} more time", "{} less time", "equal time"),
    "watts": ("power {} higher", "power {} lower", "equal power"),
}


def _clause(factor: Factor) -> str:
    more, less, same = WORDS[factor.name]
    change = factor.ratio - 1
    if abs(change) < SAME:
        return same
    return (more if change > 0 else less).format(numbers.percent(abs(change)))


def sentence(found: Bridge) -> str:
    """The bridge in words, as `20 % more steps, steps 10 % faster, power 3 % higher`."""
    return ", ".join(_clause(factor) for factor in found.factors)


def first_of(entries: Sequence[Entry]) -> Entry | None:
    """The entry with the least joules, ranked ones before others; None where none has joules."""
    known = [entry for entry in entries if entry.score.energy_to_target_j is not None]

    def key(entry: Entry) -> tuple[bool, float, str]:
        place, figure = entry.places.get("energy"), entry.score.energy_to_target_j
        ranked = place is not None and place.standing is not None
        return not ranked, figure.value if figure else 0.0, entry.anchor

    return min(known, key=key, default=None)
