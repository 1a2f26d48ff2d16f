"""The page of other projects' results, scored by their own rules and never ranked with ours."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.formats.imported import imported_documents
from harness.records import (
    Finding,
    ImportedFigure,
    ImportedScore,
    ImportedScoreDocument,
    ImportedStanding,
    Ruleset,
)
from harness.report import numbers
from harness.report.site import Page, Site
from harness.report.text import json_text

PATH = "imported.html"

QUANTITIES = {
    "time_to_target_s": ("Time to target", "s"),
    "energy_to_target_j": ("Energy to target", "J"),
    "cost_to_target_usd": ("Cost to target, US dollars", ""),
    "profile": ("Performance profile", ""),
}
"""Title and base unit of what ranks."""

METHODS = {
    "window": ("over the run", "joules integrated over the run's own window"),
    "mlperf-current": ("as MLPerf", "joules by the formula of MLPerf's summarizer, rescaled"),
    "mlperf-2024-06": ("as MLPerf 4.0", "joules by the formula that MLPerf 4.0 was published with"),
}
"""How joules were derived, in short and in full."""


class Board(NamedTuple):
    """One leaderboard of an archive."""

    ident: str
    title: str
    workload: str
    """Empty where it covers all workloads."""
    unit: numbers.Unit
    better: str
    rows: tuple[ImportedStanding, ...]


class Row(NamedTuple):
    """One imported score."""

    score: ImportedScore
    time: numbers.FormattedFigure
    energy: numbers.FormattedFigure
    how: tuple[str, str]
    """How the joules were derived, in short and in full; empty where there are none."""


class View(NamedTuple):
    """The scores of one ruleset."""

    ident: str
    rules: Ruleset
    as_shipped: bool
    boards: tuple[Board, ...]
    units: tuple[numbers.Unit, numbers.Unit]
    """Units of time and of energy."""
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]


def _shown(figure: ImportedFigure | None, unit: numbers.Unit) -> numbers.FormattedFigure:
    if figure is None:
        return numbers.FormattedFigure(numbers.MISSING, "")
    return numbers.figure(figure.value, figure.low, figure.high, unit)


def _row(score: ImportedScore, units: tuple[numbers.Unit, numbers.Unit]) -> Row:
    method = score.energy_method
    how = METHODS.get(method, (method, method)) if method else ("", "")
    time, energy = score.time_to_target_s, score.energy_to_target_j
    return Row(score, _shown(time, units[0]), _shown(energy, units[1]), how)


def _boards(rows: Sequence[ImportedStanding], ident: str) -> Iterator[Board]:
    together: dict[tuple[str, str], list[ImportedStanding]] = {}
    for row in rows:
        together.setdefault((row.quantity, row.workload), []).append(row)
    for number, ((quantity, workload), members) in enumerate(sorted(together.items()), 1):
        title, base = QUANTITIES.get(quantity, (quantity.replace("_", " "), ""))
        unit = numbers.unit_for((row.score for row in members), base)
        ordered = sorted(members, key=lambda row: (row.rank, row.submission, row.machine))
        name = f"{ident}-b{number}"
        yield Board(name, title, workload, unit, members[0].better, tuple(ordered))


def _units(scores: Sequence[ImportedScore]) -> tuple[numbers.Unit, numbers.Unit]:
    times = [score.time_to_target_s.value for score in scores if score.time_to_target_s]
    joules = [score.energy_to_target_j.value for score in scores if score.energy_to_target_j]
    return numbers.unit_for(times, "s"), numbers.unit_for(joules, "J")


def _view(document: ImportedScoreDocument, rules: Ruleset, ident: str) -> View:
    units = _units(document.scores)
    order = sorted(
        document.scores, key=lambda score: (score.workload, score.submission, score.machine)
    )
    return View(
        ident,
        rules,
        document.as_shipped,
        tuple(_boards(document.leaderboard, ident)),
        units,
        tuple(_row(score, units) for score in order),
        document.findings,
    )


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    documents = imported_documents(site.results)
    if documents:
        views = [_view(item, rules, f"i{at}") for at, (rules, item) in enumerate(documents, 1)]
        yield PATH, site.page(PATH, "Imported", "imported.html", {"views": views})
        tree = {rules.name: document.model_dump(mode="json") for rules, document in documents}
        yield "imported.json", json_text(tree)


PAGE = Page(name="imported", title="Imported", order=45, publish=_publish)
