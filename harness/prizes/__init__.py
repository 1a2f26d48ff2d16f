"""Prizes: one plug-in a file, and the leaderboards that they rank."""

from harness.prizes._board import board, boards, prizes, score_document, standing_rows
from harness.prizes._prize import Admission, Prize, admit_scored

__all__ = [
    "Admission",
    "Prize",
    "admit_scored",
    "board",
    "boards",
    "prizes",
    "score_document",
    "standing_rows",
]
