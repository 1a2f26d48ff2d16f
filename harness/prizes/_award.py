"""The decision on a prize: the leader is tested against every challenger, and shaken."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from harness.measure.energy import INTEGRATION_RULES
from harness.prizes._board import board, by_ground, rival_of
from harness.prizes._prize import Prize
from harness.records import Leaderboard, Ruleset, Score
from harness.records.award import Award, BundleRef, Challenge, SensitivityCheck
from harness.rules.load import RulesetError, as_toml
from harness.score.costs import valid_runs
from harness.score.integration import energies_by_rule
from harness.score.stats.comparison import (
    INTERLEAVE_ADVICE,
    TEST_NAMES,
    differ_p,
    pairwise_test,
    seeds_to_settle,
)
from harness.score.stats.intervals import holm
from harness.score.stats.rank_stability import by_other_means, without_a_run
from harness.score.stats.sample import Sample, mean_log

EXAMPLES = {"cost_to_target": "default", "quality_at_budget": "haet-2021"}
"""A ruleset of each mode."""

Outcome = Literal["awarded", "tied", "unopposed", "not_awarded"]


class Contest(NamedTuple):
    """A board with the scores behind its places."""

    board: Leaderboard
    prize: Prize
    scores: tuple[Score, ...]
    """In the order of the standings."""

    @property
    def names(self) -> list[str]:
        """Of those with a place."""
        return [rival_of(standing, self.prize) for standing in self.board.standings]

    @property
    def samples(self) -> list[Sample]:
        """Their costs."""
        return [self.prize.sample(score) for score in self.scores]


def contest(scores: Sequence[Score], prize: Prize) -> Contest:
    """Rank scores of one workload version, machine, ruleset and division."""
    found = board(scores, prize)
    known = {score.entry: score for score in scores}
    placed = tuple(known[standing.entry] for standing in found.standings)
    return Contest(found, prize, placed)


class Test(NamedTuple):
    """The leader against one other entry."""

    p_differ: float
    p_holm: float
    significant: bool


def leader_tests(samples: Sequence[Sample], alpha: float) -> list[Test]:
    """The leader, who is first, against each of the others.

    Two-sided, since the leader was picked by the same data: of two equals one-sided tests would
    crown somebody twice as often as alpha. Holm's correction runs over the challengers.
    """
    raw = [differ_p(samples[0], other) for other in samples[1:]]
    lead = [
        mean_log(samples[0]) < mean_log(other) and pairwise_test(samples[0], other).difference < 0
        for other in samples[1:]
    ]
    return [
        Test(p, adjusted, adjusted < alpha and ahead)
        for p, adjusted, ahead in zip(raw, holm(raw), lead, strict=True)
    ]


def challenges(
    names: Sequence[str], samples: Sequence[Sample], alpha: float, *, ratios: bool = True
) -> list[Challenge]:
    """The same tests with what a reader wants to know besides.

    Args:
        names: Of the entries, the leader first.
        samples: Their costs, or metrics.
        alpha: Two-sided level over all tests together.
        ratios: Whether leads are ratios of costs; else differences of metrics.
    """
    found = []
    for name, other, test in zip(names[1:], samples[1:], leader_tests(samples, alpha), strict=True):
        lead = mean_log(other) - mean_log(samples[0])
        compared = pairwise_test(samples[0], other)
        needed = seeds_to_settle(samples[0], other, -compared.difference, alpha / 2)
        found.append(
            Challenge(
                challenger=name,
                lead_ratio=math.expm1(lead) if ratios else lead,
                p_differ=test.p_differ,
                p_holm=test.p_holm,
                test=compared.kind,
                significant=test.significant,
                seeds_count=None if test.significant else needed,
            )
        )
    return found


# --- sensitivity ----------------------------------------------------------------------------------


def _of_runs(contest_: Contest) -> Iterator[SensitivityCheck]:
    names = contest_.names
    changes = without_a_run(names, contest_.samples)
    yield SensitivityCheck(
        variation="any one run left out",
        holds=not changes,
        leader=names[changes[0].leader] if changes else names[0],
        note=f"without {', '.join(change.without for change in changes[:5])}" if changes else "",
    )
    if not contest_.prize.unit:
        return
    others = by_other_means(contest_.samples)
    yield SensitivityCheck(
        variation="another mean than the geometric one",
        holds=not others,
        leader=names[others[0].leader] if others else names[0],
        note=f"with {', '.join(other.without for other in others)}" if others else "",
    )


def _of_meter(contest_: Contest) -> Iterator[SensitivityCheck]:
    """Opposite errors of the meter: the leader reads too low, everybody else too high."""
    figures = [score.costs.energy_to_target_j for score in contest_.scores]
    if any(figure is None or figure.uncertainty is None for figure in figures):
        yield SensitivityCheck(
            variation="meters off by their uncertainty, each against the leader",
            holds=None,
            leader=contest_.names[0],
            note="the uncertainty of a meter is unknown",
        )
        return
    known = [(figure.value, figure.uncertainty or 0.0) for figure in figures if figure is not None]
    shifted = [known[0][0] + known[0][1], *(value - u for value, u in known[1:])]
    best = shifted.index(min(shifted))
    error = math.sqrt(known[1][0] / known[0][0]) - 1
    yield SensitivityCheck(
        variation="meters off by their uncertainty, each against the leader",
        holds=best == 0,
        leader=contest_.names[best],
        note=f"opposite errors of {error:.2%} would turn the first two",
    )


def _of_idle(contest_: Contest) -> Iterator[SensitivityCheck]:
    """Idle power counts here; how much would have to be subtracted for another to lead?"""
    pairs = [
        (score.costs.energy_to_target_j.value, score.costs.time_to_target_s.value)
        for score in contest_.scores
        if score.costs.energy_to_target_j and score.costs.time_to_target_s
    ]
    if len(pairs) < len(contest_.scores):
        return
    (energy, time), least = pairs[0], min(e / t for e, t in pairs)
    turns = [
        ((e - energy) / (t - time), index) for index, (e, t) in enumerate(pairs[1:], 1) if t > time
    ]
    watts, index = min(turns, default=(math.inf, 0))
    holds = watts >= least
    yield SensitivityCheck(
        variation="idle power subtracted, whatever it is",
        holds=holds,
        leader=contest_.names[0 if holds else index],
        note="" if holds else f"from {watts:.3g} W on",
    )


def _otherwise(contest_: Contest, results: Path) -> list[list[dict[str, float | None]]]:
    """Joules of every run that counts by each other rule, by contender."""
    return [
        [energies_by_rule(run, results) for run in valid_runs(score)] for score in contest_.scores
    ]


def _of_integration(contest_: Contest, results: Path) -> Iterator[SensitivityCheck]:
    """Other ways to make joules of the same readings, recomputed from the traces."""
    found = _otherwise(contest_, results)
    told = 0
    for rule in INTEGRATION_RULES:
        table = [[run[rule] for run in runs] for runs in found]
        known = [[value for value in row if value is not None and value > 0] for row in table]
        if any(len(few) < len(row) for few, row in zip(known, table, strict=True)):
            continue
        told += 1
        means = [statistics.fmean(math.log(value) for value in row) for row in known]
        shift = max(
            abs(mean - mean_log(sample))
            for mean, sample in zip(means, contest_.samples, strict=True)
        )
        best = means.index(min(means))
        yield SensitivityCheck(
            variation=f"another integration rule: {rule}",
            holds=best == 0,
            leader=contest_.names[best],
            note=f"moves a cost by {math.expm1(shift):.2%} at most",
        )
    if not told:
        yield SensitivityCheck(
            variation="another integration rule",
            holds=None,
            leader=contest_.names[0],
            note="the traces do not allow one for every run",
        )


def sensitivity(contest_: Contest, results: Path | None = None) -> list[SensitivityCheck]:
    """What the lead hangs on; nothing where fewer than two have a place.

    Args:
        contest_: The board with its scores.
        results: Where the bundles lie, for what is recomputed from traces; None leaves that out.
    """
    if len(contest_.scores) < 2:  # noqa: PLR2004 - one has nobody to lose to
        return []
    shakes: list[Callable[[Contest], Iterator[SensitivityCheck]]] = [_of_runs]
    if contest_.prize.unit == "J":
        shakes += [_of_meter, _of_idle]
    found = [item for shake in shakes for item in shake(contest_)]
    if contest_.prize.unit == "J" and results is not None:
        found += _of_integration(contest_, results)
    return found


# --- the decision ---------------------------------------------------------------------------------


def _not_comparable(names: Sequence[str]) -> str:
    """What to do about entries that are not paired with the first."""
    if not names:
        return ""
    return f"; {', '.join(names)} cannot be compared with it: {INTERLEAVE_ADVICE}"


def _decided(contest_: Contest, tests: Sequence[Challenge]) -> tuple[Outcome, list[str], str]:
    """Outcome, leaders, and the reason."""
    names = contest_.names
    if not names:
        return "not_awarded", [], contest_.board.note
    if len(names) == 1:
        return "unopposed", names, f"{names[0]} is the only entry with a place; nothing is compared"
    tied = [test.challenger for test in tests if not test.significant]
    if tied:
        told = (
            f"{names[0]} is first by value, but not significantly different from {', '.join(tied)}"
        )
        untested = [test.challenger for test in tests if test.test == "not_comparable"]
        return "tied", [names[0], *tied], told + _not_comparable(untested)
    worst = max(test.p_holm for test in tests)
    closest = min(test.lead_ratio for test in tests)
    told = f"{names[0]} costs less than every other entry, by {closest:.1%} at least"
    if not contest_.prize.unit:
        told = f"{names[0]} is better than every other entry, by {closest:.4g} at least"
    kind = " and ".join(sorted({TEST_NAMES[test.test] for test in tests}))
    return "awarded", [names[0]], f"{told} (largest adjusted p = {worst:.2g}, {kind})"


def _evidence(scores: Sequence[Score]) -> Iterator[BundleRef]:
    for score in sorted(scores, key=lambda each: (each.entry.submission, each.entry.sha256)):
        for run in (*score.runs, *score.trials):
            yield BundleRef(
                submission=score.entry.submission,
                run_id=run.run_id,
                bundle=run.bundle,
                manifest_sha256=run.manifest_sha256,
            )


def decide(
    scores: Sequence[Score], prize: Prize, ruleset: Ruleset, results: Path | None = None
) -> Award:
    """The decision on a prize among scores of one workload version, machine and division.

    Args:
        scores: All entries, at least one, scored under the ruleset.
        prize: What is awarded.
        ruleset: The rules in force.
        results: Where the bundles lie, for what is recomputed from traces.
    """
    held = contest(scores, prize)
    alpha, found = ruleset.score.separation_alpha, held.board
    many, ratios = len(held.names) > 1, bool(prize.unit)
    tests = challenges(held.names, held.samples, alpha, ratios=ratios) if many else []
    outcome, leaders, reason = _decided(held, tests)
    return Award(
        prize=prize.name,
        title=prize.title,
        question=prize.question,
        workload=found.workload,
        workload_version=found.workload_version,
        machine=found.machine,
        division=found.division,
        ruleset=found.ruleset,
        rules_text=as_toml(ruleset),
        quantity=prize.quantity,
        unit=prize.unit,
        outcome=outcome,
        winner=leaders[0] if outcome == "awarded" else None,
        leaders=tuple(leaders),
        reason=reason,
        confidence=ruleset.score.confidence,
        separation_alpha=alpha,
        standings=found.standings,
        not_ranked=found.unranked,
        challenges=tuple(tests),
        resolvable_ratio=found.resolvable_ratio,
        resolvable_lead=found.resolvable_lead,
        sensitivity=tuple(sensitivity(held, results)),
        evidence=tuple(_evidence(scores)),
    )


def awards(
    scores: Sequence[Score], prize: Prize, ruleset: Ruleset, results: Path | None = None
) -> list[Award]:
    """One decision for each workload version, machine and division, in order.

    A prize over several workloads has one for each machine and division.

    Args:
        scores: Of a folder of results, under the ruleset.
        prize: What is awarded.
        ruleset: The rules in force.
        results: That folder, for what is recomputed from traces; None leaves that out.

    Raises:
        RulesetError: the ruleset counts the first snapshot that passes: a contestant who chooses
            his moments takes the best of the noise, so that no prize can hang on it.
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
    if prize.decide is not None:
        return prize.decide(scores, prize, ruleset)
    return [decide(group, prize, ruleset, results) for group in by_ground(scores, prize)]
