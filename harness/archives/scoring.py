"""What the scorers of all archives share: runs by entry, targets, intervals and leaderboards."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from harness.formats.format import make_finding
from harness.records import (
    Finding,
    ImportedFigure,
    ImportedRun,
    ImportedScore,
    ImportedStanding,
)
from harness.score.stats.comparison import differ_p
from harness.score.stats.intervals import holm, log_t_interval
from harness.score.stats.ranking import compact_letters
from harness.score.stats.sample import SD_MIN, Sample

TARGET = re.compile(
    r"(?P<workload>[^:]+):\s*(?P<metric>.+?)\s*(?P<sign>>=|<=)\s*(?P<value>[-+.\w]+)"
)


class EntryKey(NamedTuple):
    """What one score is about; the workload is empty where the score covers all of them."""

    workload: str
    submission: str
    machine: str


class TargetMetric(NamedTuple):
    """The target of a workload."""

    metric: str
    better: Literal["higher", "lower"]
    value: float

    def reached(self, value: float | None) -> bool:
        """Whether a metric reaches it; an exact tie does, a missing value never."""
        if value is None:
            return False
        return value >= self.value if self.better == "higher" else value <= self.value


class BoardEntry(NamedTuple):
    """An entry of a leaderboard."""

    key: EntryKey
    score: float
    low: float | None
    high: float | None


def by_entry(runs: Iterable[ImportedRun]) -> dict[EntryKey, list[ImportedRun]]:
    """Runs by workload, submission and machine, sorted by these."""
    entries: dict[EntryKey, list[ImportedRun]] = defaultdict(list)
    for run in runs:
        entries[EntryKey(run.workload, run.submission, run.machine)].append(run)
    return dict(sorted(entries.items()))


def read_targets(texts: Iterable[str]) -> dict[str, TargetMetric]:
    """Targets by workload, from `WORKLOAD: METRIC >= VALUE`.

    Raises:
        ValueError: one of them is not of that form.
    """
    targets = {}
    for text in texts:
        try:
            match = TARGET.fullmatch(text.strip())
            value = float(match["value"] if match else text)
        except ValueError as error:
            raise ValueError(
                f"imported.targets: '{text}': write WORKLOAD: METRIC >= VALUE, or <="
            ) from error
        assert match is not None
        better: Literal["higher", "lower"] = "higher" if match["sign"] == ">=" else "lower"
        targets[match["workload"]] = TargetMetric(match["metric"], better, value)
    return targets


def report_without_target(
    runs: Iterable[ImportedRun], known: Iterable[str], rule: str
) -> Iterator[Finding]:
    """A finding about workloads that the ruleset has no target for."""
    names = sorted({run.workload for run in runs} - set(known))
    if names:
        message = f"no target in these rules, so not scored: {', '.join(names)}"
        yield make_finding(rule, message, "info")


def due_runs(texts: Iterable[str], workload: str) -> tuple[int | None, int]:
    """Runs that are due and dropped at each end, from `WORKLOAD: RUNS DROPPED`; `*` is any other.

    Raises:
        ValueError: a text that applies is not of that form.
    """
    by_workload = dict(text.partition(":")[::2] for text in texts)
    text = by_workload.get(workload, by_workload.get("*"))
    if text is None:
        return None, 0
    try:
        due, dropped = (int(part) for part in text.split())
    except ValueError as error:
        raise ValueError(
            f"imported.due: '{workload}:{text}': write WORKLOAD: RUNS DROPPED"
        ) from error
    return due or None, dropped


def figure(
    value: float, costs: Sequence[float], level: float, *, open_ended: bool = False
) -> ImportedFigure:
    """A cost with the log-t interval of the runs behind it, widened to hold the value.

    Archives state medians and trimmed means; the interval is that of the geometric mean of the same
    runs, which differs from either by less than the interval is wide. The width is never zero.
    """
    positive = [cost for cost in costs if cost > 0]
    interval = log_t_interval(positive, level, 0.0) if len(positive) > 1 else None
    low = min(interval.low, value) if interval and interval.low is not None else None
    high = max(interval.high, value) if interval and interval.high is not None else None
    return ImportedFigure(
        value=value, low=low, high=None if open_ended else high, n=len(costs), level=level
    )


def standings(
    entries: Iterable[BoardEntry],
    different: set[tuple[EntryKey, EntryKey]],
    quantity: str,
    better: Literal["higher", "lower"] = "lower",
) -> list[ImportedStanding]:
    """Ranks by value, with ties as shared letters and the ranks that the data allow.

    Args:
        entries: Entries of one leaderboard, in any order.
        different: Pairs that differ significantly, in either order.
        quantity: What ranks.
        better: Whether high or low scores win.
    """
    sign = 1 if better == "lower" else -1
    order = sorted(entries, key=lambda entry: (sign * entry.score, entry.key))
    count = len(order)
    keys = [entry.key for entry in order]
    pairs = {
        (i, j)
        for i, j in combinations(range(count), 2)
        if (keys[i], keys[j]) in different or (keys[j], keys[i]) in different
    }
    letters = compact_letters(count, sorted(pairs))
    scores = [entry.score for entry in order]
    return [
        ImportedStanding(
            **entry.key._asdict(),
            quantity=quantity,
            better=better,
            score=entry.score,
            low=entry.low,
            high=entry.high,
            rank=1 + scores.index(entry.score),
            rank_low=1 + sum((i, place) in pairs for i in range(place)),
            rank_high=count - sum((place, j) in pairs for j in range(place + 1, count)),
            tie_group=letters[place],
        )
        for place, entry in enumerate(order)
    ]


def different_pairs(
    costs: Mapping[EntryKey, Sequence[float]], alpha: float
) -> set[tuple[EntryKey, EntryKey]]:
    """Pairs whose costs differ by Welch's test on logarithms, after Holm's correction."""
    samples = {
        key: Sample({i: math.log(cost) for i, cost in enumerate(values)}, SD_MIN)
        for key, values in costs.items()
    }
    pairs = list(combinations(sorted(costs), 2))
    p_values = [differ_p(samples[a], samples[b]) for a, b in pairs]
    return {pair for pair, p in zip(pairs, holm(p_values), strict=True) if p < alpha}


def leaderboards(
    scores: Iterable[ImportedScore],
    costs: Mapping[EntryKey, Sequence[float]] | None,
    quantity: str,
    alpha: float,
) -> Iterator[ImportedStanding]:
    """The leaderboard of each workload by a cost.

    Args:
        scores: Scores, of which those with the cost are ranked.
        costs: The cost of each run of each of these; None where all have a single run.
        quantity: What ranks.
        alpha: Level of the tests, for all pairs of a leaderboard together.
    """
    boards: dict[str, list[BoardEntry]] = defaultdict(list)
    for score in scores:
        cost: ImportedFigure | None = getattr(score, quantity)
        if cost is not None:
            key = EntryKey(score.workload, score.submission, score.machine)
            boards[key.workload].append(BoardEntry(key, cost.value, cost.low, cost.high))
    for _, entries in sorted(boards.items()):
        samples = {entry.key: costs[entry.key] for entry in entries} if costs else {}
        different = different_pairs(samples, alpha)
        yield from standings(entries, different, quantity)
