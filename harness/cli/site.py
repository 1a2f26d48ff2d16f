"""Scores a folder of results and renders its site."""

from pathlib import Path

from harness.bundle import Bundle, find_bundles
from harness.cli.documents import ReportDocument
from harness.prizes import boards
from harness.records import Ruleset
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


def render_site(results: Path, out: Path, ruleset: Ruleset | None) -> ReportDocument:
    """Write the site of all results; returns what was written.

    Raises:
        SiteError: two pages want one path.
        OSError: a file could not be written.
    """
    found = score_all(results, ruleset)
    rulesets = [ruleset] if ruleset else rulesets_below(results)
    files = render(results, out, found.scores, boards(found.scores), rulesets)
    return ReportDocument(
        index=str((out / INDEX).resolve()), files=tuple(str(path) for path in files)
    )
