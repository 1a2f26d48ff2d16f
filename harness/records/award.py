"""The decision record of a prize, which an organizer publishes with the hash of every bundle."""

from typing import Literal

from harness.records.base import FORMAT, Record
from harness.records.compare import TestKind
from harness.records.multi import MultiRanking
from harness.records.score import Leaderboard


class Challenge(Record):
    """The test of the leader against one challenger."""

    challenger: str
    lead_ratio: float
    """By how much the challenger costs more, as 0.06 for 6 %; of a metric, or of a score over
    several workloads, the difference."""
    p_differ: float
    """Two-sided p; two-sided because the same data chose the leader."""
    p_holm: float
    """The same after Holm's correction over all challengers."""
    test: TestKind = "independent"
    """Which test was made; over several workloads the least powerful of them."""
    significant: bool
    """Whether the leader is significantly better."""
    seeds_count: int | None
    """Seeds of each entry with which a lead of this size would be significant; None where it is,
    where no test is possible, or where a thousand seeds are not enough."""


class SensitivityCheck(Record):
    """Whether the leader stays the same when one choice is changed."""

    variation: str
    """What is changed."""
    holds: bool | None
    """None where that is unknown."""
    leader: str
    """Who leads with the change."""
    note: str = ""


class BundleRef(Record):
    """One bundle that a decision is based on."""

    submission: str
    run_id: str
    bundle: str
    """Folder, relative to the results folder."""
    manifest_sha256: str
    """Identifies the bundle: a reader who has it can verify that it is the same."""


class Award(Record):
    """The decision on one prize, on one workload or several, one machine and one division."""

    format: int = FORMAT
    prize: str
    title: str
    question: str
    board: Leaderboard
    """The ranking that is decided on."""
    rules_text: str
    """The ruleset in force, resolved, as TOML."""
    outcome: Literal["awarded", "tied", "unopposed", "not_awarded"]
    """`unopposed`: a single entry has a place, so that nothing is compared."""
    winner: str | None
    """None unless one entry is significantly better than all others."""
    leaders: tuple[str, ...]
    """The first by value, and all that are not significantly different from it."""
    reason: str
    """The decision in a sentence."""
    confidence: float
    """Level of the intervals."""
    separation_alpha: float
    """Level of the tests, over all challengers together."""
    challenges: tuple[Challenge, ...]
    sensitivity: tuple[SensitivityCheck, ...]
    evidence: tuple[BundleRef, ...]
    """Every bundle that was used, those of entries without a place included."""
    across: MultiRanking | None = None
    """For a prize over several workloads: every algorithm on every workload."""
