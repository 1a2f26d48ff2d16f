"""Prizes: one plug-in per file, and the leaderboards and decisions that they make."""

from harness.prizes._award import awards, awards_as_scored, decide
from harness.prizes._board import board, boards, prizes
from harness.prizes._contest import Contest, LeaderTest, leader_tests
from harness.prizes._document import score_document
from harness.prizes._front import fronts
from harness.prizes._markdown import markdown
from harness.prizes._prize import Admission, Prize, admit_scored

__all__ = [
    "Admission",
    "Contest",
    "LeaderTest",
    "Prize",
    "admit_scored",
    "awards",
    "awards_as_scored",
    "board",
    "boards",
    "decide",
    "fronts",
    "leader_tests",
    "markdown",
    "prizes",
    "score_document",
]
