"""AlgoPerf: the integral of performance profiles, as its code computes it and as its rules say.

Formulas: Dahl et al., "Benchmarking Neural Network Training Algorithms" (arXiv 2306.07179), section
4.2, and `scoring/performance_profile.py` of mlcommons/submissions_algorithms. What differs:

| | shipped | by the rules |
|---|---|---|
| trial of a study | the one that hits at the smallest evaluation index | the earliest time |
| study without any log | dropped from the median | infinite |
| integral of the profile | trapezoid on 100 points | exact: sum of (4 - r)/3 |

Intervals come from a bootstrap of the studies of each submission on each workload; it covers noise
of seeds and trials that hit or miss by chance, not another choice of workloads. The score is
relative to all that was imported: removing an entry may change every score, by AlgoPerf's rules.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from harness.archives.scoring import (
    BoardEntry,
    EntryKey,
    TargetMetric,
    figure,
    read_targets,
    report_without_target,
    standings,
)
from harness.formats.format import Outcome, make_finding
from harness.formats.imported import imported_rules
from harness.records import (
    Finding,
    ImportedRules,
    ImportedRun,
    ImportedScore,
    ImportedStanding,
    Ruleset,
)
from harness.score.multi.profile import cost_ratios, profile_areas
from harness.score.stats.intervals import holm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEED = 20240801
"""Of the bootstrap: the same records give the same interval."""

CELL = ["submission", "workload"]
STUDY = [*CELL, "study"]
TIES = {
    "first": ("trial", 1),
    "last": ("trial", -1),
    "earliest": ("hit_s", 1),
    "latest": ("hit_s", -1),
}
"""Which of the trials that hit at the same evaluation counts: column, and sign of its order."""


# --- trials and studies ---------------------------------------------------------------------------


def first_hit(run: ImportedRun, target: TargetMetric, *, by_time: bool) -> tuple[float, float]:
    """Index and seconds of the evaluation that hits: the first row, or the earliest; else NaN."""
    curve = run.curve
    if curve is None or target.metric not in curve.metric:
        return math.nan, math.nan
    hits = (i for i, value in enumerate(curve.metric[target.metric]) if target.reached(value))
    index = min(hits, key=curve.time_s.__getitem__, default=None) if by_time else next(hits, None)
    return (math.nan, math.nan) if index is None else (index, curve.time_s[index])


def _trial_order(run: ImportedRun) -> tuple[int, str]:
    digits = "".join(char for char in run.run.rpartition("/")[2] if char.isdigit())
    return int(digits or 0), run.run


def trials_frame(
    runs: Sequence[ImportedRun], targets: dict[str, TargetMetric], rules: ImportedRules
) -> pd.DataFrame:
    """A row for each trial on a workload with a target: whether it has a log, and its hit."""
    rows = [
        (
            run.submission,
            run.workload,
            run.study,
            place,
            run.curve is not None,
            run.time_s or 0.0,
            *first_hit(run, targets[run.workload], by_time=not rules.as_shipped),
        )
        for place, run in enumerate(sorted(runs, key=_trial_order))
        if run.workload in targets
    ]
    return pd.DataFrame(rows, columns=[*STUDY, "trial", "logged", "time_s", "at", "hit_s"])


def studies_frame(trials: pd.DataFrame, rules: ImportedRules) -> pd.DataFrame:
    """A row for each study with a log: its time, the fastest trial's, and whether a tie decided."""
    logged = trials[trials.logged]
    column, sign = TIES[rules.ties]
    tie = logged[column] * sign
    order = logged.assign(tie=tie).sort_values([*STUDY, "at", "tie"])
    chosen = order.drop_duplicates(STUDY).set_index(STUDY)
    groups = logged.groupby(STUDY)
    fastest = groups.hit_s.min()
    tied_s = logged[logged["at"] == groups["at"].transform("min")].groupby(STUDY).hit_s
    tied = tied_s.max() > tied_s.min()
    time_s = chosen.hit_s if rules.as_shipped else fastest
    return pd.DataFrame(
        {
            "time_s": time_s.fillna(math.inf),
            "fastest_s": fastest.fillna(math.inf),
            "tied": tied.reindex(fastest.index, fill_value=False),
        }
    ).reset_index()


class CellStudies(NamedTuple):
    """The studies of one submission on one workload."""

    times_s: tuple[float, ...]
    """Of each study that counts; infinite where no trial hit."""
    missing_count: int
    """Studies that are due and have no log."""
    crashed_count: int
    """Trials without an evaluation."""
    training_s: float
    """Of all trials."""
    training_without_hit_s: float
    """Of the trials that never hit."""


Cells = dict[tuple[str, str], CellStudies]


def collect_cells(trials: pd.DataFrame, studies: pd.DataFrame, rules: ImportedRules) -> Cells:
    """The studies of each submission and workload that has any trial."""
    times = studies.groupby(CELL).time_s.agg(list)
    totals = (
        trials.assign(
            crashed=~trials.logged, without_hit_s=trials.time_s.where(trials["at"].isna())
        )
        .groupby(CELL)
        .agg({"study": "nunique", "crashed": "sum", "time_s": "sum", "without_hit_s": "sum"})
    )
    cells: Cells = {}
    for (who, name), names, crashed, training_s, without_hit_s in totals.itertuples():
        known = times.get((who, name), [])
        missing = max(rules.studies_count or names, names) - len(known)
        counted = (*known, *([] if rules.as_shipped else [math.inf] * missing))
        cells[who, name] = CellStudies(counted, missing, crashed, training_s, without_hit_s)
    return cells


# --- the profile ----------------------------------------------------------------------------------


def gate(times: "Floats", pairs: Sequence[tuple[int, int]], ratio_max: float) -> "Floats":
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


def shipped_profile(ratio: "Floats", ratio_max: float, points: int) -> "Floats":
    """Trapezoid over the profile on a grid, divided by its width, as the code does it."""
    grid = np.linspace(1.0, ratio_max, num=points)
    count = ratio.shape[-1]
    # Dividing each point first, and adding point after point, keeps the code's own rounding.
    rho = np.stack([(ratio <= tau).sum(axis=-1) / count for tau in grid])
    area: Floats = np.trapezoid(rho, x=grid, axis=0)
    area /= grid.max() - grid.min()
    return area


class ProfileBoard(NamedTuple):
    """All submissions and workloads, and what a matrix of their times scores."""

    machines: dict[str, str]
    """Machine of each submission, sorted by submission."""
    workloads: tuple[str, ...]
    """Scored ones in the order of the targets, then held-out ones."""
    pairs: tuple[tuple[int, int], ...]
    """Columns of (base, held-out) that are gated."""
    cells: Cells
    rules: ImportedRules

    def table(self) -> list[list[CellStudies | None]]:
        """Cells by submission and workload."""
        return [[self.cells.get((who, name)) for name in self.workloads] for who in self.machines]

    @property
    def bases(self) -> list[int]:
        """Columns that are scored."""
        held_out = self.rules.held_out
        return [place for place, name in enumerate(self.workloads) if name not in held_out]

    def medians(self) -> "Floats":
        """Median time of each cell; NaN where it has no study."""
        return np.array(
            [
                [np.median(cell.times_s) if cell and cell.times_s else np.nan for cell in row]
                for row in self.table()
            ]
        )

    def ratio(self, times: "Floats") -> "Floats":
        """Ratios to the fastest on the scored workloads."""
        return cost_ratios(gate(times, self.pairs, self.rules.profile_ratio_max)[..., self.bases])

    def score(self, times: "Floats") -> "Floats":
        """Score of each submission."""
        ratio, ratio_max = self.ratio(times), self.rules.profile_ratio_max
        if self.rules.as_shipped:
            return shipped_profile(ratio, ratio_max, self.rules.grid_count)
        return profile_areas(ratio, ratio_max)

    def resample(self) -> "Floats":
        """Medians of studies drawn with replacement: (draws, submissions, workloads)."""
        rng = np.random.default_rng(SEED)
        count, table = self.rules.resamples_count, self.table()
        times = np.full((count, len(table), len(self.workloads)), np.nan)
        for row, cells in enumerate(table):
            for column, cell in enumerate(cells):
                if cell is None or not cell.times_s:
                    continue
                own = np.array(cell.times_s)
                if (own == own[0]).all():
                    times[:, row, column] = own[0]
                else:
                    picks = rng.integers(0, len(own), (count, len(own)))
                    times[:, row, column] = np.median(own[picks], axis=-1)
        return times


def make_board(
    runs: Sequence[ImportedRun],
    targets: dict[str, TargetMetric],
    cells: Cells,
    rules: ImportedRules,
) -> ProfileBoard:
    """Lay out submissions and workloads."""
    machines = dict(sorted({run.submission: run.machine for run in runs}.items()))
    present = {run.workload for run in runs}
    bases = [name for name in targets if name not in rules.held_out]
    workloads = (*bases, *(name for name in rules.held_out if name in present))
    pairs = []
    for column, held in enumerate(workloads[len(bases) :], len(bases)):
        base = max((name for name in bases if held.startswith(name)), key=len, default=None)
        if base is not None:
            pairs.append((bases.index(base), column))
    return ProfileBoard(machines, workloads, tuple(pairs), cells, rules)


# --- standings, scores, findings ------------------------------------------------------------------


def _different(board: ProfileBoard, drawn: "Floats") -> set[tuple[int, int]]:
    """Pairs of submissions whose order nearly every resample repeats, after Holm's correction.

    A submission that has single studies only has no spread to resample, so it differs from none.
    """
    repeated = [any(cell and len(cell.times_s) > 1 for cell in row) for row in board.table()]
    pairs = list(combinations(range(drawn.shape[1]), 2))
    p_values = []
    for i, j in pairs:
        lead = drawn[:, i] - drawn[:, j]
        fewer = float(min((lead <= 0).sum(), (lead >= 0).sum()))
        known = repeated[i] and repeated[j]
        p_values.append(min(1.0, 2 * (fewer + 1) / (len(lead) + 1)) if known else 1.0)
    alpha = board.rules.separation_alpha
    return {pair for pair, p in zip(pairs, holm(p_values), strict=True) if p < alpha}


def _leaderboard(board: ProfileBoard) -> list[ImportedStanding]:
    values = board.score(board.medians()).tolist()
    drawn = board.score(board.resample())
    tail = (1 - board.rules.confidence) / 2
    ends = np.quantile(drawn, [tail, 1 - tail], axis=0).T.tolist()
    keys = [EntryKey("", who, machine) for who, machine in board.machines.items()]
    # Where no resample moves a score there is no interval, since that shows no certainty.
    entries = [
        BoardEntry(
            key, value, *((min(low, value), max(high, value)) if low < high else (None, None))
        )
        for key, value, (low, high) in zip(keys, values, ends, strict=True)
    ]
    different = {(keys[i], keys[j]) for i, j in _different(board, drawn)}
    return standings(entries, different, "profile", "higher")


def _score(key: EntryKey, cell: CellStudies, ratio: float, rules: ImportedRules) -> ImportedScore:
    time_s = float(np.median(cell.times_s)) if cell.times_s else math.inf
    hits = [time_s for time_s in cell.times_s if math.isfinite(time_s)]
    count, failures = len(cell.times_s), len(cell.times_s) - len(hits)
    reason = f"{len(hits)} of {count} studies hit the target"
    if cell.missing_count:
        fate = "dropped, as the shipped code does" if rules.as_shipped else "counted as misses"
        reason += f"; {cell.missing_count} left no log and were {fate}"
    reached = math.isfinite(time_s)
    cost = figure(time_s, hits, rules.confidence, open_ended=failures > 0) if reached else None
    return ImportedScore(
        **key._asdict(),
        n=count,
        due_count=rules.studies_count,
        failures=failures,
        status="scored" if reached else "target_missed",
        reason=reason,
        time_to_target_s=cost,
        energy_to_target_j=None,
        best_ratio=ratio if math.isfinite(ratio) else None,
        facts={
            "held_out": key.workload in rules.held_out,
            "crashed_trials_count": cell.crashed_count,
            "training_s": cell.training_s,
            "training_without_hit_s": cell.training_without_hit_s,
        },
    )


def _scores(board: ProfileBoard) -> Iterator[ImportedScore]:
    ratio = np.full((len(board.machines), len(board.workloads)), np.inf)
    ratio[:, board.bases] = board.ratio(board.medians())
    for row, (who, machine) in enumerate(board.machines.items()):
        for column, name in enumerate(board.workloads):
            if cell := board.cells.get((who, name)):
                key = EntryKey(name, who, machine)
                yield _score(key, cell, float(ratio[row, column]), board.rules)


def _check(board: ProfileBoard, studies: pd.DataFrame) -> Iterator[Finding]:
    rules = board.rules
    absent = [name for name in rules.held_out if name not in board.workloads]
    if absent:
        message = f"no submission ran the held-out workloads {', '.join(absent)}: they gate none"
        yield make_finding("algoperf-no-held-out", message)
    studies = studies[studies.workload.isin(board.workloads)]
    slower = (studies.time_s > studies.fastest_s) & np.isfinite(studies.time_s)
    counts = studies.assign(slower=slower).groupby("submission")[["slower", "tied"]].sum()
    totals = studies.groupby("submission").size()
    for who in board.machines:
        missing = sum(cell.missing_count for (name, _), cell in board.cells.items() if name == who)
        n, late, tied = totals.get(who, 0), *counts.reindex([who], fill_value=0).iloc[0]
        if late:
            message = f"{who}: in {late} of {n} studies the chosen trial is not the fastest"
            yield make_finding("algoperf-trial-choice", message, "info")
        if tied and rules.as_shipped:
            message = (
                f"{who}: in {tied} of {n} studies trials hit at the same evaluation; the shipped "
                f"code leaves the choice to the order of folders, here ties = {rules.ties}"
            )
            advice = "--set imported.ties=earliest, latest or last shows what depends on it"
            yield make_finding("algoperf-tie", message, "info", advice)
        if missing:
            fate = "dropped" if rules.as_shipped else "counted as infinite"
            message = f"{who}: {missing} studies are due and left no log; they are {fate}"
            yield make_finding("algoperf-missing", message)


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score all submissions against each other.

    Raises:
        ValueError: a target of the rules cannot be read.
    """
    rules = imported_rules(ruleset)
    targets = read_targets(rules.targets)
    trials = trials_frame(runs, targets, rules)
    studies = studies_frame(trials, rules)
    board = make_board(runs, targets, collect_cells(trials, studies, rules), rules)
    findings = report_without_target(runs, targets, "algoperf-no-target")
    return Outcome(
        tuple(_scores(board)), tuple(_leaderboard(board)), (*findings, *_check(board, studies))
    )
