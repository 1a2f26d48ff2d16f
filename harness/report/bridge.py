"""Why one entry costs more than another: steps, seconds a step, watts."""

from collections.abc import Sequence
from typing import NamedTuple

from harness.records import Figure, Score
from harness.report import numbers
from harness.report.entries import Entry
from harness.score.bridge import Bar, Effort, factors
from harness.score.bridge import bridge as bars

SAME = 0.005
"""Factors within this of one are called equal."""

WORLD = (1e-90, 1e90)
"""Factors outside are no training run's, and their products could leave the range of floats."""


class Bridge(NamedTuple):
    """The way from one entry's joules to another's; the bars' joules add up exactly."""

    before_j: float
    after_j: float
    bars: tuple[Bar, ...]


def incomparable(a: Score, b: Score) -> str:
    """Why the joules of two entries must not be compared; empty where they may."""
    one, other = a.costs.energy_to_target_j, b.costs.energy_to_target_j
    if one is None or other is None:
        return "one of them has no joules"
    if (a.entry.workload, a.entry.workload_version) != (b.entry.workload, b.entry.workload_version):
        return "they are on different workloads"
    if one.domains != other.domains:
        return f"one covers {', '.join(one.domains)}, the other {', '.join(other.domains)}"
    if (one.method, one.simulated) != (other.method, other.simulated):
        return "their joules came about in different ways"
    return ""


def _usable(figure: Figure | None) -> bool:
    return figure is not None and figure.value > 0


def _effort(score: Score) -> Effort:
    """What an entry needed, of its shown figures; None in place of steps that nobody told."""
    energy, time, steps = (
        score.costs.energy_to_target_j,
        score.costs.time_to_target_s,
        score.costs.steps_to_target,
    )
    assert energy is not None
    assert time is not None
    return Effort(energy.value, time.value, steps.value if _usable(steps) and steps else None)


def _tame(effort: Effort) -> bool:
    """Whether products and quotients of such values are positive and finite."""
    values = (effort.energy_j, *factors(effort).values())
    return all(WORLD[0] < value < WORLD[1] for value in values)


def bridge(a: Score, b: Score) -> Bridge | None:
    """From the joules of `a` to those of `b`; None where they must not be compared."""
    figures = (
        a.costs.energy_to_target_j,
        b.costs.energy_to_target_j,
        a.costs.time_to_target_s,
        b.costs.time_to_target_s,
    )
    if incomparable(a, b) or not all(_usable(figure) for figure in figures):
        return None
    before, after = _effort(a), _effort(b)
    if not (_tame(before) and _tame(after)):
        return None
    return Bridge(before.energy_j, after.energy_j, tuple(bars(before, after)))


LABELS = {"steps": "steps", "step_s": "seconds a step", "time_s": "seconds", "watts": "watts"}
"""What the bars are called in a drawing."""

WORDS = {
    "steps": ("{} more steps", "{} fewer steps", "equally many steps"),
    "step_s": ("steps {} slower", "steps {} faster", "steps equally fast"),
    "time_s": ("{} more time", "{} less time", "equal time"),
    "watts": ("power {} higher", "power {} lower", "equal power"),
}


def _clause(bar: Bar) -> str:
    more, less, same = WORDS[bar.factor]
    change = bar.ratio - 1
    if abs(change) < SAME:
        return same
    return (more if change > 0 else less).format(numbers.percent(abs(change)))


def sentence(found: Bridge) -> str:
    """The bridge in words, as `20 % more steps, steps 10 % faster, power 3 % higher`."""
    return ", ".join(map(_clause, found.bars))


def first_of(entries: Sequence[Entry]) -> Entry | None:
    """The entry with the least joules, ranked ones before others; None where none has joules."""
    known = [entry for entry in entries if entry.score.costs.energy_to_target_j is not None]

    def key(entry: Entry) -> tuple[bool, float, str]:
        place, figure = entry.places.get("energy"), entry.score.costs.energy_to_target_j
        ranked = place is not None and place.standing is not None
        return not ranked, figure.value if figure else 0.0, entry.anchor

    return min(known, key=key, default=None)
