"""The document that `joulemark score --json` prints: scores, boards, fronts, contests, findings."""

from pathlib import Path
from typing import Any

from harness.formats.imported import left_unscored, score_imported, scores_imports
from harness.prizes._board import AS_RUN, boards, standing_rows
from harness.prizes._front import fronts
from harness.records import Ruleset
from harness.score.multi.record import rank_workloads
from harness.score.score import gc_paused, score_all


@gc_paused()
def score_document(results: Path, ruleset: Ruleset | None = None) -> dict[str, Any]:
    """What `joulemark score --json` prints: scores, standings and findings of a folder.

    Args:
        results: Folder of bundles, or one bundle.
        ruleset: Rules to apply; None scores each run under the rules it ran under.

    Returns:
        Plain values, ready for JSON: `ruleset`, `scores`, `leaderboard` (one row a standing),
        `boards` (whole, with who is unranked and why), `fronts` (the Pareto front of seconds and
        joules, with the chance of each entry to be on it), `across` (profiles over several
        workloads by every cost) and `findings`.
    """
    if ruleset is not None and scores_imports(results, ruleset):
        return score_imported(results, ruleset).model_dump(mode="json")
    found = score_all(results, ruleset, kept=True)
    ranked, left = boards(found.scores), left_unscored(results)
    return {
        "ruleset": ruleset.name if ruleset else AS_RUN,
        "scores": [score.model_dump(mode="json") for score in found.scores],
        "leaderboard": list(standing_rows(ranked)),
        "boards": [item.model_dump(mode="json") for item in ranked],
        "fronts": [front.model_dump(mode="json") for front in fronts(found.scores)],
        "across": [item.model_dump(mode="json") for item in rank_workloads(found.scores, ruleset)],
        "findings": [item.model_dump(mode="json") for item in (*found.findings, *left)],
    }
