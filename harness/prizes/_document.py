"""The document that `joulemark score --json` prints."""

from pathlib import Path

from harness.formats.imported import left_unscored
from harness.prizes._board import boards
from harness.prizes._front import fronts
from harness.records import Leaderboard, Ruleset
from harness.records.document import BoardRow, ScoreDocument
from harness.score.multi.record import rank_workloads
from harness.score.score import gc_paused, score_all

AS_RUN = "as-run"


def board_rows(leaderboards: list[Leaderboard]) -> tuple[BoardRow, ...]:
    """Every standing of every board, with the keys of its board."""
    return tuple(
        BoardRow(
            **dict(standing),
            prize=board.prize,
            quantity=board.quantity,
            unit=board.unit,
            ruleset=board.ruleset,
        )
        for board in leaderboards
        for standing in board.standings
    )


@gc_paused()
def score_document(results: Path, ruleset: Ruleset | None = None) -> ScoreDocument:
    """Score and rank the bundles of a folder.

    Args:
        results: Folder of bundles, or one bundle.
        ruleset: Rules to apply; None scores each run under the rules it ran under.
    """
    scored = score_all(results, ruleset, kept=True)
    leaderboards = boards(scored.scores)
    return ScoreDocument(
        ruleset=ruleset.name if ruleset else AS_RUN,
        scores=tuple(scored.scores),
        leaderboard=board_rows(leaderboards),
        boards=tuple(leaderboards),
        fronts=tuple(fronts(scored.scores)),
        across=tuple(rank_workloads(scored.scores, ruleset)),
        findings=(*scored.findings, *left_unscored(results)),
    )
