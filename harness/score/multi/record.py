"""Contests over several workloads as records: ratios, profiles, places, and what hangs on what."""

import math
from collections.abc import Iterator, Sequence
from typing import get_args

from harness.records import AcrossRules, MultiCell, MultiRanking, MultiRow, Ruleset, Score
from harness.records.multi import AcrossQuantity
from harness.score.multi import profile as profiles
from harness.score.multi.aggregate import (
    Ranking,
    Row,
    gain,
    log_ratios,
    merit,
    rank,
    rank_chances,
    resolvable_lead,
    score_interval,
    shown,
    without_workload,
)
from harness.score.multi.table import KINDS, Cell, Field, fields
from harness.score.stats.rank_stability import RankChance
from harness.score.stats.sample import mean_log

ANY = 2
"""Workloads below which nothing is across."""


class Ranked:
    """A field with its places; contenders without one come last, by name."""

    def __init__(self, field: Field, alpha: float) -> None:
        """Rank the contenders of a field at a two-sided level."""
        self.field, self.alpha, self.terms = field, alpha, field.terms
        self.titles = field.titles
        table = field.table
        self.places = [i for i, row in enumerate(table) if self._has_place(row)]
        rows = [table[i] for i in self.places]
        self.ranking: Ranking = rank(rows, [self.titles[i] for i in self.places], self.terms, alpha)
        self.order = [self.places[at] for at in self.ranking.order]
        """Indices of the contenders with a place, best first."""
        self.rows: list[Row] = [table[i] for i in self.order]
        self.names = [self.titles[i] for i in self.order]

    def _has_place(self, row: Row) -> bool:
        return any(cell is not None for cell in row) and math.isfinite(merit(row, self.terms))

    @property
    def lead(self) -> float | None:
        """Difference of merits from the second that these data could have seen."""
        if len(self.rows) < ANY:
            return None
        count = len(self.rows)
        alpha = 2 * self.alpha / (count * (count - 1))
        return resolvable_lead(self.rows[0], self.rows[1], self.terms, alpha)


def _ratio(log_ratio: float) -> float | None:
    return math.exp(log_ratio) if math.isfinite(log_ratio) else None


def _cell(
    cell: Cell, place: tuple[str, str], log_ratio: float, best: float, top: float
) -> MultiCell:
    score, sample = cell.score, cell.sample
    return MultiCell(
        workload=place[0],
        workload_version=place[1],
        submission=score.entry.submission if score else "",
        submission_sha256=score.entry.sha256 if score else "",
        status=score.status if score else "missing",
        reason=cell.reason,
        cost=math.exp(mean_log(sample)) if sample else None,
        n=len(sample.logs) if sample else 0,
        reference_ratio=_ratio(log_ratio),
        best_ratio=best if math.isfinite(best) else None,
        gain_fraction=gain(log_ratio, top),
    )


def _cells(field: Field, at: int, best: Sequence[float]) -> tuple[MultiCell, ...]:
    found = log_ratios(field.table[at], field.terms)
    places = zip(field.workloads, field.versions, strict=True)
    rows = zip(field.cells[at], places, found, best, strict=True)
    return tuple(_cell(*row, field.terms.ratio_max) for row in rows)


def _without(field: Field, row: Row) -> dict[str, float | None]:
    if field.terms.workloads_count < ANY:
        return {}
    return {
        name: shown(merit(without_workload(row, place), field.terms.without(place)), field.terms)
        for place, name in enumerate(field.workloads)
    }


class _Rest:
    """What the rows of one field are made from, computed once for all of them."""

    def __init__(self, held: Ranked, level: float) -> None:
        table = held.field.table
        self.held, self.level = held, level
        self.best = profiles.ratios(table)
        self.areas = profiles.areas(table, held.terms.ratio_max)
        self.intervals = profiles.area_intervals(table, held.terms.ratio_max, level)
        chances = rank_chances(held.rows, held.terms) if held.rows else []
        self.chances: dict[int, RankChance | None] = dict(zip(held.order, chances, strict=True))

    def row(self, at: int) -> MultiRow:
        """One contender."""
        field, held = self.held.field, self.held
        row, who = field.table[at], field.contenders[at]
        place = held.ranking.places[held.order.index(at)] if at in held.order else None
        interval = score_interval(row, held.terms, self.level) if place else None
        chance, best = self.chances.get(at), self.intervals[at]
        mean = merit(row, held.terms._replace(aggregate="geometric_mean"))
        return MultiRow(
            name=held.titles[at],
            team=who.team,
            tuning=who.tuning,
            score=interval.value if interval else None,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            rank=place.rank if place else None,
            rank_low=place.rank_low if place else None,
            rank_high=place.rank_high if place else None,
            tie_group=place.letters if place else "",
            p_first=chance.first if chance else None,
            solved_count=sum(cell is not None for cell in row),
            n=min((len(cell.logs) for cell in row if cell), default=0),
            profile_fraction=merit(row, held.terms._replace(aggregate="profile")),
            geometric_ratio=_ratio(-mean),
            best_profile_fraction=self.areas[at],
            best_low_fraction=best.low if best else None,
            best_high_fraction=best.high if best else None,
            without=_without(field, row),
            cells=_cells(field, at, self.best[at]),
        )


def notes_of(field: Field) -> Iterator[str]:
    """The rules that the figures of a field follow, in sentences."""
    rules = field.rules
    yield (
        f"each {rules.quantity} is divided by that of {rules.reference} on the same workload and "
        "machine, whose costs are constants"
    )
    if rules.aggregate == "profile":
        top = rules.cost_ratio_max
        yield (
            "a score is the mean over workloads of 1/2 - ln(ratio) / (2 ln "
            f"{top:g}), at least 0 and at most 1: the mean height of the performance profile over "
            f"ratios from 1/{top:g} to {top:g}; the reference has one half"
        )
        yield "a workload without a cost, entered or not, counts as infinite and adds 0"
    else:
        yield "a score is the geometric mean of the ratios; lower is better"
        yield "a workload without a cost, entered or not, counts as infinite and leaves no place"
    if rules.tuning_included:
        yield "where hyperparameters were tuned, what the other trials of each study spent is added"
    yield "of several versions of a submission the one that ran last counts"
    yield "what is uncertain is each cost over seeds; the workloads are taken as they are"


def _shown_lead(held: Ranked) -> float | None:
    """As a difference of scores: of mean ratios, those above the first one's."""
    lead = held.lead
    if lead is None or held.terms.aggregate == "profile":
        return lead
    return math.exp(-merit(held.rows[0], held.terms)) * math.expm1(lead)


def record_of(held: Ranked, level: float) -> MultiRanking:
    """The record of a ranked field."""
    field, rest = held.field, _Rest(held, level)
    others = [at for at in range(len(field.contenders)) if at not in held.order]
    others.sort(key=lambda at: held.titles[at])
    ratio = field.terms.aggregate == "geometric_mean"
    return MultiRanking(
        machine=field.ground.machine,
        division=field.ground.division,
        ruleset=field.ground.ruleset,
        quantity=field.rules.quantity,
        unit=KINDS[field.rules.quantity].unit,
        aggregate=field.rules.aggregate,
        better="lower" if ratio else "higher",
        cost_ratio_max=field.rules.cost_ratio_max,
        reference=field.rules.reference,
        level=level,
        workloads=field.workloads,
        left_out=field.left_out,
        rows=tuple(rest.row(at) for at in (*held.order, *others)),
        separated=held.ranking.separated,
        resolvable_lead=_shown_lead(held),
        notes=tuple(notes_of(field)),
    )


def rank_workloads(scores: Sequence[Score], ruleset: Ruleset | None = None) -> list[MultiRanking]:
    """Every contest over at least two workloads, by every cost that ranks anybody.

    Args:
        scores: Of any workloads, machines and rules.
        ruleset: Whose section `across` counts; without one, or without a section, the defaults.
    """
    rules = (ruleset.across if ruleset else None) or AcrossRules()
    level = ruleset.score.confidence if ruleset else 0.95
    found = []
    for quantity in get_args(AcrossQuantity):
        for field in fields(scores, rules.model_copy(update={"quantity": quantity})):
            if len(field.workloads) < ANY or not field.contenders:
                continue
            held = Ranked(field, ruleset.score.separation_alpha if ruleset else 0.05)
            if held.rows:
                found.append(record_of(held, level))
    return found
