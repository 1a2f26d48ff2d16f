"""What the scorers of all fields share: records by cell, targets as data, intervals, standings."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple, Self

from harness.formats.imported import imported_rules
from harness.records import (
    ImportedFigure,
    ImportedRules,
    ImportedRun,
    ImportedStanding,
    Ruleset,
)
from harness.score.rank import compact_letters
from harness.score.stats import LEAST_SD, Sample, holm, log_t_interval, welch_p

GOAL = re.compile(r"(?P<workload>[^:]+):\s*(?P<metric>.+?)\s*(?P<sign>>=|<=)\s*(?P<value>\S+)")


class Cell(NamedTuple):
    """What a score is about."""

    workload: str
    submission: str
    machine: str


class Field(NamedTuple):
    """All records of one format."""

    runs: tuple[ImportedRun, ...]
    target_alpha: float = 0.01
    """Level of the test that a mean beats its target, in fields that ask for one."""

    @classmethod
    def of(cls, runs: Sequence[ImportedRun], ruleset: Ruleset) -> tuple[Self, ImportedRules]:
        """The runs, and the section `imported` of a ruleset."""
        return cls(tuple(runs), ruleset.score.target_alpha), imported_rules(ruleset)

    def cells(self) -> dict[Cell, list[ImportedRun]]:
        """Runs by workload, submission and machine, in a fixed order."""
        found: dict[Cell, list[ImportedRun]] = defaultdict(list)
        for run in self.runs:
            found[Cell(run.workload, run.submission, run.machine)].append(run)
        return {cell: found[cell] for cell in sorted(found)}


class Goal(NamedTuple):
    """A target: metric, direction and value."""

    workload: str
    metric: str
    better: Literal["higher", "lower"]
    value: float

    def reached(self, value: float | None) -> bool:
        """Whether a metric reaches it; an exact tie does, a missing value never."""
        if value is None:
            return False
        return value >= self.value if self.better == "higher" else value <= self.value


def goals(texts: Iterable[str]) -> dict[str, Goal]:
    """Targets by workload, from `WORKLOAD: METRIC >= VALUE`.

    Raises:
        ValueError: one of them is not of that form.
    """
    found = {}
    for text in texts:
        match = GOAL.fullmatch(text.strip())
        try:
            value = float(match["value"]) if match else None
        except ValueError:
            value = None
        if match is None or value is None:
            raise ValueError(f"imported.targets: '{text}': write WORKLOAD: METRIC >= VALUE, or <=")
        better: Literal["higher", "lower"] = "higher" if match["sign"] == ">=" else "lower"
        found[match["workload"]] = Goal(match["workload"], match["metric"], better, value)
    return found


def figure(
    value: float, costs: Sequence[float], level: float, *, open_ended: bool = False
) -> ImportedFigure:
    """A cost with the log-t interval of the runs behind it, widened to hold the value.

    Fields state medians and trimmed means; the interval is that of the geometric mean of the same
    runs, which differs from either by less than the interval is wide. Zero width never appears.
    """
    positive = [cost for cost in costs if cost > 0]
    interval = log_t_interval(positive, level, 0.0) if len(positive) > 1 else None
    low = min(interval.low, value) if interval and interval.low is not None else None
    high = max(interval.high, value) if interval and interval.high is not None else None
    return ImportedFigure(
        value=value, low=low, high=None if open_ended else high, n=len(costs), level=level
    )


class Contender(NamedTuple):
    """An entry about to be ranked."""

    cell: Cell
    score: float
    low: float | None
    high: float | None


def standings(
    contenders: Sequence[Contender],
    different: set[tuple[Cell, Cell]],
    quantity: str,
    better: Literal["higher", "lower"] = "lower",
) -> list[ImportedStanding]:
    """Ranks by value, with ties as shared letters and the ranks that the data allow.

    Args:
        contenders: Entries of one board, in any order.
        different: Pairs that the data tell apart, in either order.
        quantity: What ranks.
        better: Whether high or low scores win.
    """
    sign = 1 if better == "lower" else -1
    order = sorted(contenders, key=lambda each: (sign * each.score, each.cell))
    pairs = {
        (i, j)
        for j in range(len(order))
        for i in range(j)
        if (order[i].cell, order[j].cell) in different
        or (order[j].cell, order[i].cell) in different
    }
    letters = compact_letters(len(order), sorted(pairs))
    return [_standing(order, i, pairs, letters[i], (quantity, better)) for i in range(len(order))]


def _standing(
    order: Sequence[Contender],
    place: int,
    pairs: set[tuple[int, int]],
    letters: str,
    what: tuple[str, Literal["higher", "lower"]],
) -> ImportedStanding:
    each = order[place]
    equal = [other for other in order[:place] if other.score == each.score]
    return ImportedStanding(
        submission=each.cell.submission,
        machine=each.cell.machine,
        workload=each.cell.workload,
        quantity=what[0],
        better=what[1],
        score=each.score,
        low=each.low,
        high=each.high,
        rank=1 + place - len(equal),
        rank_low=1 + sum((i, place) in pairs for i in range(place)),
        rank_high=len(order) - sum((place, j) in pairs for j in range(place + 1, len(order))),
        tie_group=letters,
    )


def due_runs(texts: Iterable[str], workload: str) -> tuple[int | None, int]:
    """Runs that are due and dropped at each end, from `WORKLOAD: RUNS DROPPED`; `*` is any other.

    Raises:
        ValueError: a text that applies is not of that form.
    """
    named = dict(item.partition(":")[::2] for item in texts)
    text = named.get(workload, named.get("*"))
    if text is None:
        return None, 0
    try:
        due, dropped = (int(part) for part in text.split())
    except ValueError as error:
        raise ValueError(
            f"imported.due: '{workload}:{text}': write WORKLOAD: RUNS DROPPED"
        ) from error
    return due or None, dropped


def _sample(costs: Sequence[float]) -> Sample:
    return Sample({index: math.log(cost) for index, cost in enumerate(costs)}, LEAST_SD)


def told_apart(costs: Mapping[Cell, Sequence[float]], alpha: float) -> set[tuple[Cell, Cell]]:
    """Pairs whose costs differ by Welch's test on logarithms, after Holm's correction."""
    pairs = list(combinations(sorted(costs), 2))
    p_values = [
        min(1.0, 2 * min(welch_p(a, b), welch_p(b, a)))
        if min(len(costs[one]), len(costs[two])) > 1
        else 1.0
        for one, two in pairs
        for a, b in ((_sample(costs[one]), _sample(costs[two])),)
    ]
    return {pair for pair, p in zip(pairs, holm(p_values), strict=True) if p < alpha}


def boards_by_workload(
    entries: Mapping[Cell, tuple[Contender, Sequence[float]]], quantity: str, alpha: float
) -> Iterator[ImportedStanding]:
    """Standings of each workload by a cost; entries of different workloads never meet."""
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in sorted(entries):
        found[cell.workload].append(cell)
    for cells in found.values():
        apart = told_apart({cell: entries[cell][1] for cell in cells}, alpha)
        yield from standings([entries[cell][0] for cell in cells], apart, quantity)
