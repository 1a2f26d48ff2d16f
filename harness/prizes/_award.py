"""The decision on a prize, for one workload or for several."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from harness.bundle import Bundle, BundleError
from harness.prizes._board import group_scores, prizes
from harness.prizes._contest import Contest, LeaderTest, board_contest
from harness.prizes._multi import multi_contests
from harness.prizes._prize import Prize
from harness.records import Ruleset, Score
from harness.records.award import Award, BundleRef, Challenge
from harness.rules.load import RulesetError, as_toml
from harness.score.stats.comparison import INTERLEAVE_ADVICE, TEST_NAMES
from harness.score.stats.intervals import holm

EXAMPLES = {"cost_to_target": "default", "quality_at_budget": "haet-2021"}
"""A ruleset of each mode."""

Outcome = Literal["awarded", "tied", "unopposed", "not_awarded"]


def challenges_of(tests: Sequence[LeaderTest], alpha: float) -> list[Challenge]:
    """Correct the tests for the number of challengers, by Holm's method."""
    challenges = []
    for test, p_holm in zip(tests, holm([test.p_differ for test in tests]), strict=True):
        significant = p_holm < alpha and test.ahead
        challenges.append(
            Challenge(
                challenger=test.challenger,
                lead_ratio=test.lead,
                p_differ=test.p_differ,
                p_holm=p_holm,
                test=test.kind,
                significant=significant,
                seeds_count=None if significant else test.seeds_needed(),
            )
        )
    return challenges


def _award_reason(contest: Contest, challenges: Sequence[Challenge]) -> str:
    closest = min(challenge.lead_ratio for challenge in challenges)
    p_max = max(challenge.p_holm for challenge in challenges)
    name = contest.names[0]
    if contest.across:
        workloads = f"{len(contest.across.workloads)} workloads"
        lead = f"{name} is better than every other entry over {workloads} by at least {closest:.3g}"
    elif contest.prize.unit:
        lead = f"{name} costs least; every other entry costs at least {closest:.1%} more"
    else:
        lead = f"{name} is better than every other entry by at least {closest:.4g}"
    kinds = " and ".join(sorted({TEST_NAMES[challenge.test] for challenge in challenges}))
    return f"{lead} (largest adjusted p = {p_max:.2g}, by {kinds})"


def _outcome(contest: Contest, challenges: Sequence[Challenge]) -> tuple[Outcome, list[str], str]:
    """Outcome, leaders, and the reason."""
    names = contest.names
    if not names:
        return "not_awarded", [], contest.board.note
    if len(names) == 1:
        reason = f"{names[0]} is the only entry with a place; nothing is compared"
        return "unopposed", [*names], reason
    tied = [challenge for challenge in challenges if not challenge.significant]
    if not tied:
        return "awarded", [names[0]], _award_reason(contest, challenges)
    tied_names = [challenge.challenger for challenge in tied]
    others = ", ".join(tied_names)
    reason = f"{names[0]} is first by value, but not significantly different from {others}"
    untested = [item.challenger for item in tied if item.test == "not_comparable"]
    if untested:
        reason += f"; {', '.join(untested)} cannot be compared with it: {INTERLEAVE_ADVICE}"
    return "tied", [names[0], *tied_names], reason


def _evidence(scores: Sequence[Score]) -> Iterator[BundleRef]:
    for score in sorted(
        scores,
        key=lambda score: (score.entry.submission, score.entry.workload, score.entry.sha256),
    ):
        for run in (*score.runs, *score.trials):
            yield BundleRef(
                submission=score.entry.submission,
                run_id=run.run_id,
                bundle=run.bundle,
                manifest_sha256=run.manifest_sha256,
            )


def decide(contest: Contest, ruleset: Ruleset) -> Award:
    """Decide on a prize: the award record with its tests, sensitivity checks and reasons.

    Args:
        contest: The ranking, of one workload or of several.
        ruleset: The rules in force.
    """
    alpha = ruleset.score.separation_alpha
    challenges = challenges_of(contest.tests, alpha)
    outcome, leaders, reason = _outcome(contest, challenges)
    return Award(
        prize=contest.prize.name,
        title=contest.prize.title,
        question=contest.prize.question,
        board=contest.board,
        rules_text=as_toml(ruleset),
        outcome=outcome,
        winner=leaders[0] if outcome == "awarded" else None,
        leaders=tuple(leaders),
        reason=reason,
        confidence=ruleset.score.confidence,
        separation_alpha=alpha,
        challenges=tuple(challenges),
        sensitivity=tuple(contest.checks),
        evidence=tuple(_evidence(contest.scores)),
        across=contest.across,
    )


def _contests(
    scores: Sequence[Score], prize: Prize, ruleset: Ruleset | None, results: Path | None
) -> list[Contest]:
    if not prize.across:
        return [board_contest(group, prize, results) for group in group_scores(scores, prize)]
    return multi_contests(scores, prize, ruleset) if ruleset and ruleset.across else []


def awards(
    scores: Sequence[Score], prize: Prize, ruleset: Ruleset, results: Path | None = None
) -> list[Award]:
    """Decide on a prize for each workload version, machine and division, in order.

    A prize over several workloads has one decision for each machine and division.

    Args:
        scores: All entries of a folder of results, scored under the ruleset.
        prize: What is awarded.
        ruleset: The rules in force.
        results: That folder, for checks that read traces; None leaves them out.

    Raises:
        RulesetError: the ruleset is not for this prize, or it scores the first snapshot that
            passes, which lets a competitor choose the best of many noisy evaluations.
    """
    if ruleset.run.snapshot_rule != "final":
        raise RulesetError(
            f"{ruleset.name}: run.snapshot_rule is '{ruleset.run.snapshot_rule}', which is for "
            "practice; prizes ask for 'final', as in the ruleset default"
        )
    if ruleset.run.mode != prize.mode:
        raise RulesetError(
            f"{ruleset.name}: run.mode is '{ruleset.run.mode}'; the prize {prize.name} ranks "
            f"'{prize.mode}', as in the ruleset {EXAMPLES[prize.mode]}"
        )
    if prize.across and ruleset.across is None:
        raise RulesetError(
            f"{ruleset.name}: has no section [across]; the prize {prize.name} ranks over several "
            "workloads, as in the ruleset hity-algorithms"
        )
    return [decide(contest, ruleset) for contest in _contests(scores, prize, ruleset, results)]


def awards_as_scored(
    scores: Sequence[Score], ruleset: Ruleset | None, results: Path
) -> list[Award]:
    """Decide on every prize for every group of scores, whatever rules they have.

    Args:
        scores: All entries of a folder of results.
        ruleset: The rules of all of them; None: each run was scored under those in its bundle.
        results: That folder.
    """
    decisions = []
    for prize in prizes():
        for contest in _contests(scores, prize, ruleset, results):
            rules = ruleset or _ruleset_in_bundle(contest.scores, results)
            if rules is not None:
                decisions.append(decide(contest, rules))
    return decisions


def _ruleset_in_bundle(scores: Sequence[Score], results: Path) -> Ruleset | None:
    for run in (run for score in scores for run in score.runs):
        try:
            return Bundle(results / run.bundle).ruleset
        except BundleError:
            continue
    return None
