"""Records of a decision on a prize: what an organizer publishes, with the hash of every bundle."""

from typing import Literal

from harness.records.base import FORMAT, Record
from harness.records.compare import TestKind
from harness.records.multi import MultiRanking
from harness.records.score import Standing, Unranked


class Challenge(Record):
    """The test of the leader against one other entry."""

    challenger: str
    lead_ratio: float
    """By how much the challenger costs more, as 0.06 for 6 %; of a metric, the difference."""
    p_differ: float
    """Two-sided p; two-sided, since the leader was picked by the same data."""
    p_holm: float
    """The same after Holm's correction over all challengers."""
    test: TestKind
    """The test behind `p_differ`; over several workloads the weakest one used."""
    significant: bool
    seeds_count: int | None
    """Seeds of each that would settle a lead of this size; None where it is settled, or where a
    thousand would not do."""


class SensitivityCheck(Record):
    """Whether the leader stays when something is done otherwise."""

    variation: str
    holds: bool | None
    """None where that cannot be told."""
    leader: str
    """Who leads then."""
    note: str = ""


class BundleRef(Record):
    """One bundle behind a decision."""

    submission: str
    run_id: str
    bundle: str
    """Folder, relative to the results folder."""
    manifest_sha256: str
    """The bundle's identity: whoever has the bundle can check that it is the one."""


class Award(Record):
    """A decision on one prize, on one workload, machine and division."""

    format: int = FORMAT
    prize: str
    title: str
    question: str
    workload: str
    workload_version: str
    machine: str
    division: str = ""
    """Of the standings; divisions compete apart."""
    ruleset: str
    rules_text: str
    """The ruleset in force, resolved, as TOML."""
    quantity: str
    unit: Literal["J", "s", ""]
    """Empty: a metric, in its own unit."""
    outcome: Literal["awarded", "tied", "unopposed", "not_awarded"]
    """`unopposed`: a single entry has a place; there is nothing to compare it with."""
    winner: str | None
    """None unless one entry is told apart from all others."""
    leaders: tuple[str, ...]
    """The first by value and all that cannot be told apart from it."""
    reason: str
    """The decision in a sentence."""
    confidence: float
    separation_alpha: float
    """Level of the tests, over all challengers together."""
    standings: tuple[Standing, ...]
    not_ranked: tuple[Unranked, ...]
    """Who has no place, and why."""
    challenges: tuple[Challenge, ...]
    resolvable_ratio: float | None
    """Lead that these data could have seen, as 0.06 for 6 %, power 0.9."""
    resolvable_lead: float | None = None
    """The same as a difference in the metric's unit, where a metric ranks."""
    sensitivity: tuple[SensitivityCheck, ...]
    evidence: tuple[BundleRef, ...]
    """Every bundle that was used, also of those who have no place."""
    across: MultiRanking | None = None
    """Of a prize over several workloads: every contender on every workload."""
