"""Rankings over several workloads as records."""

import math
from collections.abc import Sequence
from typing import get_args

from harness.records import (
    AcrossRules,
    EntryRef,
    MultiCell,
    MultiRanking,
    MultiRow,
    Ruleset,
    Score,
    Standing,
)
from harness.records.ruleset import AcrossQuantity
from harness.score.multi.aggregate import (
    best_profile_intervals,
    cost_matrix,
    difference_of,
    leaders_without_a_workload,
    log_ratios,
    rank_rows,
    redrawn_ranks,
    score_interval,
    to_score,
    utility,
    without_workload,
)
from harness.score.multi.profile import cost_ratios, profile_gain
from harness.score.multi.table import MultiTable, tables

ALL_WORKLOADS = "all-workloads"
"""In place of a workload's name."""

WORKLOADS_MIN = 2
"""Workloads, and rows with a place, below which nothing is compared."""


class RankedTable:
    """A table with its ranking; algorithms without a place come last, by name."""

    def __init__(self, table: MultiTable, alpha: float) -> None:
        self.table, self.alpha, self.spec = table, alpha, table.spec
        rows, titles = table.rows, table.titles
        placed = [at for at, row in enumerate(rows) if any(row) and self._is_ranked(row)]
        self.ranking = rank_rows(
            [rows[at] for at in placed], [titles[at] for at in placed], self.spec, alpha
        )
        self.order = [placed[at] for at in self.ranking.order]
        """Indices of the algorithms with a place, best first."""
        self.rows = [rows[at] for at in self.order]
        self.names = [titles[at] for at in self.order]

    def _is_ranked(self, row: Sequence[object]) -> bool:
        return self.spec.aggregate == "profile" or all(row)

    def minimum_detectable(self) -> float | None:
        """Smallest difference of scores of the first two that these data would show, power 0.9."""
        count = len(self.rows)
        if count < WORKLOADS_MIN:
            return None
        alpha = 2 * self.alpha / (count * (count - 1))
        lead = difference_of(self.rows[0], self.rows[1], self.spec).minimum_detectable(alpha)
        if lead is None or self.spec.aggregate == "profile":
            return lead
        return math.exp(-utility(self.rows[0], self.spec)) * math.expm1(lead)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cells(table: MultiTable, at: int, best_ratios: Sequence[float]) -> tuple[MultiCell, ...]:
    logs = log_ratios(table.rows[at], table.spec)
    costs = cost_matrix(table.rows[at : at + 1])[0].tolist()
    return tuple(
        MultiCell(
            workload=table.workloads[column],
            workload_version=table.versions[column],
            submission=cell.score.entry.submission if cell.score else "",
            submission_sha256=cell.score.entry.sha256 if cell.score else "",
            status=cell.score.status if cell.score else "missing",
            reason=cell.reason,
            cost=_finite(costs[column]),
            n=len(cell.sample.logs) if cell.sample else 0,
            reference_ratio=_finite(math.exp(logs[column])),
            best_ratio=_finite(best_ratios[column]),
            gain_fraction=float(profile_gain(logs[column], table.spec.ratio_max)),
        )
        for column, cell in enumerate(table.cells[at])
    )


def _entry(table: MultiTable, at: int) -> EntryRef:
    title, algorithm = table.titles[at], table.algorithms[at]
    return EntryRef(
        workload=ALL_WORKLOADS,
        submission=title,
        title=title,
        team=algorithm.team,
        division=table.key.division,
        machine=table.key.machine,
    )


def _standings(ranked: RankedTable, level: float) -> dict[int, Standing]:
    """The place of each algorithm that has one, by its index."""
    chances = redrawn_ranks(ranked.rows, ranked.spec)
    standings = {}
    for at, row, place, chance in zip(
        ranked.order, ranked.rows, ranked.ranking.places, chances, strict=True
    ):
        interval = score_interval(row, ranked.spec, level)
        assert interval is not None
        standings[at] = Standing(
            entry=_entry(ranked.table, at),
            score=interval.value,
            low=interval.low,
            high=interval.high,
            n=min(len(cell.logs) for cell in row if cell),
            rank=place.rank,
            rank_low=place.rank_low,
            rank_high=place.rank_high,
            tie_group=place.letters,
            p_first=chance.first if chance else None,
        )
    return standings


def _rows(ranked: RankedTable, level: float) -> list[MultiRow]:
    """One row for each algorithm, those with a place first."""
    table, spec = ranked.table, ranked.spec
    titles = table.titles
    others = sorted(set(range(len(titles))) - set(ranked.order), key=titles.__getitem__)
    standings = _standings(ranked, level)
    best_ratios = cost_ratios(cost_matrix(table.rows)).tolist()
    best_profiles = best_profile_intervals(table.rows, spec.ratio_max, level)
    geometric, profile = (spec._replace(aggregate=name) for name in ("geometric_mean", "profile"))
    rows = []
    for at in (*ranked.order, *others):
        row = table.rows[at]
        without = {
            name: to_score(utility(without_workload(row, column), spec.without(column)), spec)
            for column, name in enumerate(table.workloads)
            if spec.workloads_count >= WORKLOADS_MIN
        }
        rows.append(
            MultiRow(
                entry=_entry(table, at),
                tuning=table.algorithms[at].tuning,
                standing=standings.get(at),
                solved_count=sum(cell is not None for cell in row),
                profile_fraction=utility(row, profile),
                geometric_ratio=_finite(math.exp(-utility(row, geometric))),
                best_profile_fraction=best_profiles[at].value,
                best_low_fraction=best_profiles[at].low,
                best_high_fraction=best_profiles[at].high,
                without=without,
                cells=_cells(table, at, best_ratios[at]),
            )
        )
    return rows


def notes_of(table: MultiTable) -> list[str]:
    """The rules that the figures of a table follow, in sentences."""
    rules, top = table.rules, f"{table.rules.cost_ratio_max:g}"
    unit = f"that of {rules.reference} on the same workload and machine"
    notes = [f"each {rules.quantity} is divided by {unit}, which is a constant"]
    if rules.aggregate == "profile":
        notes.append(
            f"a score is the mean over workloads of 1/2 - ln(ratio) / (2 ln {top}), at least 0 and "
            f"at most 1: the mean height of the performance profile over ratios from 1/{top} to "
            f"{top}; the reference has one half"
        )
        notes.append("a workload without a cost, entered or not, counts as infinite and adds 0")
    else:
        notes.append("a score is the geometric mean of the ratios; lower is better")
        notes.append("an algorithm without a cost on every workload has no place")
    if rules.tuning_included:
        notes.append("the cost of the other trials of a tuning study is added")
    return [
        *notes,
        "of several versions of a submission the one that was sealed last counts",
        "intervals cover the variation over seeds; the workloads are not a sample of others",
    ]


def record_of(ranked: RankedTable, level: float) -> MultiRanking:
    """The record of a ranked table; `level` is the confidence of its intervals."""
    table = ranked.table
    leaders = [ranked.names[at] for at in leaders_without_a_workload(ranked.rows, table.spec)]
    return MultiRanking(
        machine=table.key.machine,
        division=table.key.division,
        ruleset=table.key.ruleset,
        rules=table.rules,
        level=level,
        workloads=table.workloads,
        left_out=table.left_out,
        rows=tuple(_rows(ranked, level)) if table.workloads else (),
        leaders_without=dict(zip(table.workloads, leaders, strict=False)),
        separated=ranked.ranking.separated,
        minimum_detectable_difference=ranked.minimum_detectable(),
        notes=tuple(notes_of(table)),
    )


def rank_workloads(scores: Sequence[Score], ruleset: Ruleset | None = None) -> list[MultiRanking]:
    """Rank algorithms over all workloads together, by every cost that ranks any of them.

    Args:
        scores: Of any workloads, machines and rules.
        ruleset: Its section `across` is applied; without one, the defaults.
    """
    rules = (ruleset.across if ruleset else None) or AcrossRules()
    level = ruleset.score.confidence if ruleset else 0.95
    alpha = ruleset.score.separation_alpha if ruleset else 0.05
    rankings = []
    for quantity in get_args(AcrossQuantity):
        for table in tables(scores, rules.model_copy(update={"quantity": quantity})):
            if len(table.workloads) >= WORKLOADS_MIN and table.algorithms:
                ranked = RankedTable(table, alpha)
                if ranked.rows:
                    rankings.append(record_of(ranked, level))
    return rankings
