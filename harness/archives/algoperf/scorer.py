"""AlgoPerf: the integral of performance profiles, as its code computes it and as its rules say.

Formulas: Dahl et al., "Benchmarking Neural Network Training Algorithms" (arXiv 2306.07179), section
4.2, and `scoring/performance_profile.py` of mlcommons/submissions_algorithms. What differs:

| | shipped | by the rules |
|---|---|---|
| trial of a study | the one that hits at the smallest evaluation index | the earliest time |
| study without any log | dropped from the median | infinite |
| integral of the profile | trapezoid on 100 points | exact: sum of (4 - r)/3 |

Intervals come from a bootstrap of the studies of each cell (submission, workload); it covers seed
noise and hit-or-miss flips, not a different choice of workloads. The score is relative to the
field that was imported: a removed entry may change every score, which is AlgoPerf's rule, not ours.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.archives.scoring import (
    Cell,
    Contender,
    Field,
    Goal,
    figure,
    goals,
    standings,
)
from harness.formats.format import Outcome
from harness.records import (
    Finding,
    ImportedRules,
    ImportedRun,
    ImportedScore,
    ImportedStanding,
    Ruleset,
)
from harness.score.stats import holm

Floats = NDArray[np.float64]

SEED = 20240801
"""Of the bootstrap: the same records give the same interval."""


class Hit(NamedTuple):
    """Where a trial first reached the target."""

    at: int
    """Index of the evaluation."""
    time_s: float
    place: int
    """Of the trial in its study."""


class Study(NamedTuple):
    """What a study of a cell comes to."""

    time_s: float
    """Infinite where no trial hit."""
    fastest_s: float
    """Of the trial that hits first by the clock."""
    tied_s: tuple[float, ...]
    """Times of the trials that share the smallest evaluation index."""


class Column(NamedTuple):
    """The studies of one submission on one workload."""

    studies: tuple[Study, ...]
    """Those that count."""
    missing_count: int
    """Studies that are due and of which there is no log."""
    crashed_count: int
    """Trials without an evaluation."""
    spent_s: float
    """Training time of all trials."""
    wasted_s: float
    """Of these, in trials that never hit."""

    @property
    def times_s(self) -> tuple[float, ...]:
        """Time of each study that counts."""
        return tuple(study.time_s for study in self.studies)


# --- trials and studies ---------------------------------------------------------------------------


def first_hit(run: ImportedRun, goal: Goal, *, by_time: bool) -> tuple[int, float] | None:
    """Index and time of the evaluation that hits: the first row, or the earliest by the clock."""
    curve = run.curve
    if curve is None or goal.metric not in curve.metric:
        return None
    hits = (i for i, value in enumerate(curve.metric[goal.metric]) if goal.reached(value))
    index = min(hits, key=curve.time_s.__getitem__, default=None) if by_time else next(hits, None)
    return None if index is None else (index, curve.time_s[index])


_TIES = {
    "first": lambda hit: (hit.at, hit.place),
    "last": lambda hit: (hit.at, -hit.place),
    "earliest": lambda hit: (hit.at, hit.time_s),
    "latest": lambda hit: (hit.at, -hit.time_s),
}


def study_of(trials: Sequence[ImportedRun], goal: Goal, rules: ImportedRules) -> Study:
    """The time of a study: of the trial that the rules choose."""
    found = [first_hit(trial, goal, by_time=not rules.as_shipped) for trial in trials]
    hits = [Hit(*item, place) for place, item in enumerate(found) if item is not None]
    if not hits:
        return Study(math.inf, math.inf, ())
    fastest_s = min(hit.time_s for hit in hits)
    least = min(hit.at for hit in hits)
    tied_s = tuple(hit.time_s for hit in hits if hit.at == least)
    shipped_s = min(hits, key=_TIES[rules.ties]).time_s
    return Study(shipped_s if rules.as_shipped else fastest_s, fastest_s, tied_s)


def _trial_order(run: ImportedRun) -> tuple[int, str]:
    digits = "".join(char for char in run.run.rpartition("/")[2] if char.isdigit())
    return int(digits or 0), run.run


def column_of(runs: Sequence[ImportedRun], goal: Goal, rules: ImportedRules) -> Column:
    """All studies of a cell."""
    by_study: dict[str, list[ImportedRun]] = defaultdict(list)
    for run in sorted(runs, key=_trial_order):
        by_study[run.study].append(run)
    logged = {
        name: [run for run in trials if run.curve is not None]
        for name, trials in sorted(by_study.items())
    }
    studies = [study_of(trials, goal, rules) for trials in logged.values() if trials]
    missing = max(rules.studies_count or len(logged), len(logged)) - len(studies)
    if not rules.as_shipped:
        studies += [Study(math.inf, math.inf, ())] * missing
    spent_s, wasted_s = _spent(runs, goal)
    crashed = sum(run.curve is None for run in runs)
    return Column(tuple(studies), missing, crashed, spent_s, wasted_s)


def _spent(runs: Sequence[ImportedRun], goal: Goal) -> tuple[float, float]:
    times = [(run.time_s or 0.0, first_hit(run, goal, by_time=False)) for run in runs]
    return math.fsum(t for t, _ in times), math.fsum(t for t, hit in times if hit is None)


# --- the profile ----------------------------------------------------------------------------------


def gate(times: Floats, pairs: Sequence[tuple[int, int]], ratio_max: float) -> Floats:
    """Times after the held-out gate and the cut at a multiple of the fastest.

    In this order: a held-out workload is missed where its base workload is; any time over
    `ratio_max` times the fastest of its column is a miss; a base workload is missed where its
    held-out one is.

    Args:
        times: Seconds, shape (..., submissions, workloads); NaN where there is no log at all.
        pairs: Columns of (base, held-out).
        ratio_max: Strictly greater ratios are misses.
    """
    result = np.where(np.isnan(times), np.inf, times)
    for base, held in pairs:
        result[..., held] = np.where(np.isinf(result[..., base]), np.inf, result[..., held])
    fastest = result.min(axis=-2, keepdims=True)
    result[result > ratio_max * fastest] = np.inf
    for base, held in pairs:
        result[..., base] = np.where(np.isinf(result[..., held]), np.inf, result[..., base])
    return result


def ratios(times: Floats) -> Floats:
    """Times in multiples of each column's fastest; infinite where nobody hit."""
    fastest = times.min(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(np.isinf(times), np.inf, times / fastest)
    return found


def shipped_profile(ratio: Floats, ratio_max: float, points: int) -> Floats:
    """Trapezoid over the profile on a grid, divided by its width, as the code does it."""
    grid = np.linspace(1.0, ratio_max, num=points)
    count = ratio.shape[-1]
    # Dividing each point first, and adding point after point, keeps the code's own rounding.
    rho = np.stack([(ratio <= tau).sum(axis=-1) / count for tau in grid])
    found: Floats = np.trapezoid(rho, x=grid, axis=0) / (grid.max() - grid.min())
    return found


def exact_profile(ratio: Floats, ratio_max: float) -> Floats:
    """The same integral without a grid: the mean over workloads of (max - r) / (max - 1)."""
    gain = np.clip((ratio_max - ratio) / (ratio_max - 1), 0.0, None)
    found: Floats = np.where(np.isinf(ratio), 0.0, gain).mean(axis=-1)
    return found


class Board(NamedTuple):
    """What a matrix of times means under the rules."""

    bases: tuple[int, ...]
    """Columns that are scored."""
    pairs: tuple[tuple[int, int], ...]
    """Columns of (base, held-out) that are gated."""
    rules: ImportedRules

    def ratio(self, times: Floats) -> Floats:
        """Ratios to the fastest on the scored workloads."""
        gated = gate(times, self.pairs, self.rules.profile_ratio_max)
        return ratios(gated[..., list(self.bases)])

    def score(self, times: Floats) -> Floats:
        """Score of each submission."""
        ratio = self.ratio(times)
        if self.rules.as_shipped:
            return shipped_profile(ratio, self.rules.profile_ratio_max, self.rules.grid_count)
        return exact_profile(ratio, self.rules.profile_ratio_max)


# --- resampling -----------------------------------------------------------------------------------


def resampled(columns: Sequence[Sequence[Column | None]], count: int) -> Floats:
    """Medians of studies drawn with replacement, cell by cell: (count, submissions, workloads)."""
    draw = np.random.default_rng(SEED)
    times = np.full((count, len(columns), len(columns[0])), np.nan)
    for row, cells in enumerate(columns):
        for place, column in enumerate(cells):
            if column is None or not column.studies:
                continue
            own = np.array(column.times_s)
            if len(set(column.times_s)) == 1:
                times[:, row, place] = own[0]
            else:
                picks = draw.integers(0, len(own), (count, len(own)))
                times[:, row, place] = _medians(own[picks])
    return times


def _medians(samples: Floats) -> Floats:
    """Medians along the last axis; two middle values of which one is infinite give infinity."""
    ordered = np.sort(samples, axis=-1)
    count = ordered.shape[-1]
    low, high = ordered[..., (count - 1) // 2], ordered[..., count // 2]
    found: Floats = np.where(np.isinf(high), high, (low + high) / 2)
    return found


def _repeated(row: Sequence[Column | None]) -> bool:
    """Whether any cell has studies enough to say how much they vary."""
    return any(column is not None and len(column.studies) > 1 for column in row)


def _different(
    drawn: Floats, columns: Sequence[Sequence[Column | None]], alpha: float
) -> set[tuple[int, int]]:
    """Pairs of submissions whose order nearly every resample repeats, after Holm's correction.

    A submission with single studies only has no spread to resample, so nothing sets it apart.
    """
    pairs = list(combinations(range(drawn.shape[1]), 2))
    p_values = []
    for i, j in pairs:
        lead = drawn[:, i] - drawn[:, j]
        fewer = min((lead <= 0).sum(), (lead >= 0).sum())
        known = _repeated(columns[i]) and _repeated(columns[j])
        p_values.append(min(1.0, 2 * (float(fewer) + 1) / (len(lead) + 1)) if known else 1.0)
    return {pair for pair, p in zip(pairs, holm(p_values), strict=True) if p < alpha}


# --- the whole ------------------------------------------------------------------------------------


class _Layout(NamedTuple):
    """Who stands in which row and column."""

    submissions: tuple[str, ...]
    machines: tuple[str, ...]
    workloads: tuple[str, ...]
    goals: Mapping[str, Goal]


def _layout(field: Field, rules: ImportedRules, known: Mapping[str, Goal]) -> _Layout:
    machines = {run.submission: run.machine for run in field.runs}
    there = {run.workload for run in field.runs}
    bases = [name for name in known if name not in rules.held_out]
    held = [name for name in rules.held_out if name in there]
    names = tuple(sorted(machines))
    return _Layout(names, tuple(machines[name] for name in names), (*bases, *held), known)


def _base_of(held: str, bases: Sequence[str]) -> str | None:
    return max((base for base in bases if held.startswith(base)), key=len, default=None)


def _board(layout: _Layout, rules: ImportedRules) -> Board:
    places = {name: place for place, name in enumerate(layout.workloads)}
    bases = [name for name in layout.workloads if name not in rules.held_out]
    pairs = [
        (places[base], places[held])
        for held in layout.workloads
        if held in rules.held_out and (base := _base_of(held, bases)) is not None
    ]
    return Board(tuple(places[name] for name in bases), tuple(pairs), rules)


def _matrix(columns: Sequence[Sequence[Column | None]]) -> Floats:
    return np.array(
        [
            [statistics.median(c.times_s) if c and c.studies else math.nan for c in row]
            for row in columns
        ]
    )


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score all submissions against each other.

    Raises:
        ValueError: a target of the rules cannot be read.
    """
    field, rules = Field.of(runs, ruleset)
    known = goals(rules.targets)
    layout = _layout(field, rules, known)
    cells: dict[tuple[str, str], list[ImportedRun]] = defaultdict(list)
    for run in field.runs:
        cells[run.submission, run.workload].append(run)
    columns = [
        [
            column_of(own, known[name], rules) if (own := cells.get((who, name))) else None
            for name in layout.workloads
        ]
        for who in layout.submissions
    ]
    board = _board(layout, rules)
    times = _matrix(columns)
    return Outcome(
        tuple(_scores(layout, columns, board.ratio(times), board)),
        tuple(_leaderboard(layout, columns, board, times)),
        tuple(_findings(field, layout, columns, rules)),
    )


def _leaderboard(
    layout: _Layout, columns: Sequence[Sequence[Column | None]], board: Board, times: Floats
) -> Iterator[ImportedStanding]:
    values = board.score(times)
    drawn = board.score(resampled(columns, board.rules.resamples_count))
    tail = (1 - board.rules.confidence) / 2
    lows, highs = np.quantile(drawn, [tail, 1 - tail], axis=0)
    cells = [
        Cell("", who, machine)
        for who, machine in zip(layout.submissions, layout.machines, strict=True)
    ]
    contenders = [
        Contender(cell, float(value), *_ends(float(value), float(low), float(high)))
        for cell, value, low, high in zip(cells, values, lows, highs, strict=True)
    ]
    alpha = board.rules.separation_alpha
    apart = {(cells[i], cells[j]) for i, j in _different(drawn, columns, alpha)}
    yield from standings(contenders, apart, "profile", "higher")


def _ends(value: float, low: float, high: float) -> tuple[float | None, float | None]:
    """Ends that hold the value; none where resampling moved nothing, since that is no certainty."""
    if low == high:
        return None, None
    return min(low, value), max(high, value)


def _scores(
    layout: _Layout, columns: Sequence[Sequence[Column | None]], ratio: Floats, board: Board
) -> Iterator[ImportedScore]:
    place_of = {column: place for place, column in enumerate(board.bases)}
    for row, (who, machine) in enumerate(zip(layout.submissions, layout.machines, strict=True)):
        for place, name in enumerate(layout.workloads):
            column = columns[row][place]
            if column is not None:
                of_best = ratio[row, place_of[place]] if place in place_of else math.inf
                yield _score(Cell(name, who, machine), column, float(of_best), board.rules)


def _status(
    column: Column, time_s: float, rules: ImportedRules
) -> tuple[Literal["scored", "target_missed"], str]:
    hits = sum(math.isfinite(times_) for times_ in column.times_s)
    said = f"{hits} of {len(column.times_s)} studies hit the target"
    if column.missing_count:
        fate = "dropped, as the shipped code does" if rules.as_shipped else "counted as misses"
        said += f"; {column.missing_count} left no log and were {fate}"
    return ("scored" if math.isfinite(time_s) else "target_missed"), said


def _score(cell: Cell, column: Column, ratio: float, rules: ImportedRules) -> ImportedScore:
    time_s = statistics.median(column.times_s) if column.studies else math.inf
    hits = [times_ for times_ in column.times_s if math.isfinite(times_)]
    failures = len(column.times_s) - len(hits)
    status, reason = _status(column, time_s, rules)
    reached = math.isfinite(time_s)
    return ImportedScore(
        workload=cell.workload,
        submission=cell.submission,
        machine=cell.machine,
        n=len(column.times_s),
        due_count=rules.studies_count,
        failures=failures,
        status=status,
        reason=reason,
        time_to_target_s=figure(time_s, hits, rules.confidence, open_ended=failures > 0)
        if reached
        else None,
        energy_to_target_j=None,
        best_ratio=ratio if math.isfinite(ratio) else None,
        facts={
            "held_out": cell.workload in rules.held_out,
            "crashed_trials_count": column.crashed_count,
            "training_s": column.spent_s,
            "training_without_hit_s": column.wasted_s,
        },
    )


def _findings(
    field: Field,
    layout: _Layout,
    columns: Sequence[Sequence[Column | None]],
    rules: ImportedRules,
) -> Iterator[Finding]:
    foreign = sorted({run.workload for run in field.runs} - set(layout.workloads))
    if foreign:
        message = f"no target in these rules, so not scored: {', '.join(foreign)}"
        yield Finding(rule="algoperf-no-target", level="info", message=message)
    absent = [name for name in rules.held_out if name not in layout.workloads]
    if absent:
        message = f"nobody ran the held-out workloads {', '.join(absent)}: they gate nobody"
        yield Finding(rule="algoperf-no-held-out", level="warn", message=message)
    for who, row in zip(layout.submissions, columns, strict=True):
        yield from _findings_of(who, [item for item in row if item is not None], rules)


def _findings_of(who: str, row: Sequence[Column], rules: ImportedRules) -> Iterator[Finding]:
    studies = [study for column in row for study in column.studies]
    slower = sum(math.isfinite(s.time_s) and s.time_s > s.fastest_s for s in studies)
    if slower:
        message = (
            f"{who}: in {slower} of {len(studies)} studies the chosen trial is not the fastest"
        )
        yield Finding(rule="algoperf-trial-choice", level="info", message=message)
    tied = sum(len(set(study.tied_s)) > 1 for study in studies)
    if tied and rules.as_shipped:
        message = (
            f"{who}: in {tied} of {len(studies)} studies trials hit at the same evaluation; the "
            f"shipped code leaves the choice to the order of folders, here ties = {rules.ties}"
        )
        advice = "--set imported.ties=earliest, latest or last shows what hangs on it"
        yield Finding(rule="algoperf-tie", level="info", message=message, advice=advice)
    missing = sum(column.missing_count for column in row)
    if missing:
        fate = "dropped" if rules.as_shipped else "counted as infinite"
        message = f"{who}: {missing} studies are due and left no log; they are {fate}"
        yield Finding(rule="algoperf-missing", level="warn", message=message)
