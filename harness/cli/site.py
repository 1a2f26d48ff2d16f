"""Scores a folder of results and renders its site."""

from pathlib import Path
from typing import NamedTuple

from harness.bundle import Bundle, find_bundles
from harness.cli.documents import ReportDocument
from harness.prizes import boards
from harness.records import Leaderboard, Ruleset, Score
from harness.report.ci import write_ci
from harness.report.site import render
from harness.score.score import score_all

INDEX = "index.html"


def rulesets_below(results: Path) -> list[Ruleset]:
    """The distinct rulesets that bundles ran under, by name."""
    found = {}
    for folder in find_bundles(results):
        try:
            rules = Bundle(folder).ruleset
        except ValueError:
            continue  # scoring reports it as a finding
        found[rules.model_dump_json()] = rules
    return sorted(found.values(), key=lambda each: each.name)


class Beside(NamedTuple):
    """What is written beside the site, from the same scores."""

    figures: Path | None = None
    """Folder of figures for papers."""
    formats: tuple[str, ...] = ()
    """Of the figures; all there are where none is named."""
    ci: Path | None = None
    """Folder of what a CI job shows: summary, JUnit, badges."""


def _figures(
    results: Path, scores: list[Score], ranked: list[Leaderboard], beside: Beside
) -> list[Path]:
    if beside.figures is None:
        return []
    # Slow to import: only those who draw pay for it.
    from harness.report.figures import FORMATS, write_figures

    return write_figures(results, beside.figures, scores, ranked, beside.formats or FORMATS)


def render_site(
    results: Path, out: Path, ruleset: Ruleset | None, beside: Beside | None = None
) -> ReportDocument:
    """Write the site of all results, and what shall lie beside it; returns what was written.

    Raises:
        SiteError: two pages want one path.
        OSError: a file could not be written.
    """
    beside = beside or Beside()
    found = score_all(results, ruleset)
    ranked = boards(found.scores)
    rulesets = [ruleset] if ruleset else rulesets_below(results)
    files = render(results, out, found.scores, ranked, rulesets)
    ci = write_ci(beside.ci, found.scores, ranked) if beside.ci else []
    return ReportDocument(
        index=str((out / INDEX).resolve()),
        files=tuple(map(str, files)),
        figures=tuple(map(str, _figures(results, found.scores, ranked, beside))),
        ci=tuple(map(str, ci)),
    )
