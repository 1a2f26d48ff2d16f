"""Prizes: one plug-in a file, and the leaderboards that they rank."""

from harness.prizes._award import awards, challenges, decide, leader_tests
from harness.prizes._board import board, boards, prizes, standing_rows
from harness.prizes._decision import markdown
from harness.prizes._document import score_document
from harness.prizes._front import fronts
from harness.prizes._prize import Admission, Prize, admit_scored
from harness.score.multi.record import rank_workloads

__all__ = [
    "Admission",
    "Prize",
    "admit_scored",
    "awards",
    "board",
    "boards",
    "challenges",
    "decide",
    "fronts",
    "leader_tests",
    "markdown",
    "prizes",
    "rank_workloads",
    "score_document",
    "standing_rows",
]
