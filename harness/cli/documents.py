"""The document of `joulemark score`."""

from typing import Literal

from harness.records import Finding, Front, Leaderboard, MultiRanking, Score, Standing
from harness.records.base import FORMAT, Record


class BoardRow(Standing):
    """A place on a leaderboard, with the keys of its board."""

    prize: str
    quantity: str
    unit: Literal["J", "s", ""]
    ruleset: str


class ScoreDocument(Record):
    """`joulemark score`."""

    format: int = FORMAT
    ruleset: str
    """Name of the rules that were applied; `as-run`: to each run those that it ran under."""
    scores: tuple[Score, ...]
    leaderboard: tuple[BoardRow, ...]
    """Every standing of every board."""
    boards: tuple[Leaderboard, ...]
    """Whole, with who is unranked and why."""
    fronts: tuple[Front, ...] = ()
    """Pareto fronts of seconds and joules, with the chance of each entry to be on them."""
    across: tuple[MultiRanking, ...] = ()
    """Contests over several workloads, by every cost that ranks anybody."""
    findings: tuple[Finding, ...]
    """About bundles and runs that are in no score."""
