"""What a decision is made of: a ranking, the tests of its leader, and the sensitivity checks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from harness.prizes._board import board, entry_name
from harness.prizes._prize import Prize
from harness.prizes._sensitivity import board_checks
from harness.records import Leaderboard, MultiRanking, Score
from harness.records.award import SensitivityCheck
from harness.records.compare import TestKind
from harness.score.stats.comparison import pairwise_test, seeds_to_settle, two_sided_p
from harness.score.stats.sample import Sample, mean_log


class LeaderTest(NamedTuple):
    """The leader against one challenger, before the correction for the number of challengers."""

    challenger: str
    lead: float
    """As `Challenge.lead_ratio`."""
    p_differ: float
    """Two-sided."""
    ahead: bool
    """Whether the leader is ahead, by value and by what is tested."""
    kind: TestKind
    seeds_needed: Callable[[], int | None]
    """Computes the seeds with which the lead would be significant."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A ranking with the tests of its leader: what a decision is made of."""

    prize: Prize
    board: Leaderboard
    names: Sequence[str]
    """Names of the entries with a place, best first."""
    tests: Sequence[LeaderTest]
    checks: Sequence[SensitivityCheck]
    scores: Sequence[Score]
    """All entries, with and without a place."""
    across: MultiRanking | None = None


def leader_tests(names: Sequence[str], samples: Sequence[Sample], alpha: float) -> list[LeaderTest]:
    """Test the first entry against each other one.

    The tests are two-sided, since the same data chose the leader: of two equal entries one-sided
    tests would award one twice as often as alpha.

    Args:
        names: Names of the entries, the leader first.
        samples: Their costs, or metrics.
        alpha: Two-sided level.
    """
    tests = []
    leader = samples[0] if samples else None
    for name, other in zip(names[1:], samples[1:], strict=True):
        assert leader is not None
        lead, test = mean_log(other) - mean_log(leader), pairwise_test(leader, other)
        tests.append(
            LeaderTest(
                challenger=name,
                lead=lead,
                p_differ=two_sided_p(test, leader, other),
                ahead=lead > 0 and test.difference < 0,
                kind=test.kind,
                seeds_needed=partial(seeds_to_settle, leader, other, -test.difference, alpha / 2),
            )
        )
    return tests


def board_contest(scores: Sequence[Score], prize: Prize, results: Path | None) -> Contest:
    """Rank scores of one workload version, machine, ruleset and division.

    Args:
        scores: At least one.
        prize: What is awarded.
        results: Folder of the bundles, for checks that read traces; None leaves them out.
    """
    ranked = board(scores, prize)
    by_entry = {score.entry: score for score in scores}
    placed = [by_entry[standing.entry] for standing in ranked.standings]
    names = [entry_name(score.entry, prize) for score in placed]
    tests = leader_tests(
        names, [prize.sample(score) for score in placed], scores[0].rules.separation_alpha
    )
    if prize.unit:
        tests = [test._replace(lead=math.expm1(test.lead)) for test in tests]
    return Contest(
        prize=prize,
        board=ranked,
        names=names,
        tests=tests,
        checks=board_checks(placed, names, prize, results),
        scores=scores,
    )
