"""Prizes: one plug-in a file, and the leaderboards that they rank."""

from harness.prizes._award import awards, challenges, decide, leader_tests
from harness.prizes._board import board, boards, prizes, score_document, standing_rows
from harness.prizes._decision import markdown
from harness.prizes._prize import Admission, Prize, admit_scored

__all__ = [
    "Admission",
    "Prize",
    "admit_scored",
    "awards",
    "board",
    "boards",
    "challenges",
    "decide",
    "leader_tests",
    "markdown",
    "prizes",
    "score_document",
    "standing_rows",
]
