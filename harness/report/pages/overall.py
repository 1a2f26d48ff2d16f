"""The rankings over several workloads."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.records import MultiRanking, MultiRow, Score
from harness.report.charts.steps import COLOURS, profile_chart
from harness.report.site import Site, single_page
from harness.score.multi.record import rank_workloads

QUANTITIES = {
    "time_to_target_s": "seconds",
    "energy_to_target_j": "joules",
    "cost_to_target_usd": "dollars",
}
"""What ranks, in a word."""


class RankingSection(NamedTuple):
    """One ranking over several workloads, with what its section needs beside it."""

    ident: str
    title: str
    ranking: MultiRanking
    chart: Markup | None


def best_ratios(row: MultiRow) -> list[float]:
    """Costs over the lowest cost present, by workload; infinite where there is none."""
    return [math.inf if cell.best_ratio is None else cell.best_ratio for cell in row.cells]


def sections_of(scores: Sequence[Score]) -> list[RankingSection]:
    """Every ranking that has two algorithms at least."""
    sections: list[RankingSection] = []
    for ranking in rank_workloads(scores):
        if len(ranking.rows) > 1:
            ident = f"o{len(sections) + 1}"
            rows = [(row.name, best_ratios(row)) for row in ranking.rows]
            chart = profile_chart(rows, ranking.rules.cost_ratio_max, f"{ident}-profile")
            title = QUANTITIES[ranking.rules.quantity]
            sections.append(RankingSection(ident, title, ranking, chart))
    return sections


def _values(site: Site) -> Mapping[str, object]:
    paths = {}
    for entry in site.entries:
        ref = entry.score.entry
        key = (ref.submission, ref.sha256, ref.machine, entry.score.rules.ruleset)
        paths[key] = entry.path
    return {"sections": sections_of(site.scores), "paths": paths, "drawn": COLOURS}


PAGE = single_page("overall", "Overall", 25, _values)
