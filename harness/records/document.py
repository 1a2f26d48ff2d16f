"""The document that `joulemark score --json` prints."""

from typing import Literal

from harness.records.base import FORMAT, Record
from harness.records.multi import Front, MultiRanking
from harness.records.run import Finding
from harness.records.score import Leaderboard, Score, Standing


class BoardRow(Standing):
    """A place on a leaderboard, with the keys of its board."""

    prize: str
    quantity: str
    unit: Literal["J", "s", ""]
    ruleset: str


class ScoreDocument(Record):
    """Scores, leaderboards and rankings of a folder of results."""

    format: int = FORMAT
    ruleset: str
    """Name of the rules that were applied; `as-run`: each run is scored under its own."""
    scores: tuple[Score, ...]
    leaderboard: tuple[BoardRow, ...]
    """Every standing of every board."""
    boards: tuple[Leaderboard, ...]
    """Whole leaderboards, with the entries that are not ranked and the reasons."""
    fronts: tuple[Front, ...] = ()
    """Pareto fronts of seconds and joules, with the probability of each entry to be on them."""
    across: tuple[MultiRanking, ...] = ()
    """Rankings over several workloads, by every cost that ranks an algorithm."""
    findings: tuple[Finding, ...]
    """About bundles and runs that are in no score."""
