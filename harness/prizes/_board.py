"""Leaderboards: the ranking of scores by one prize."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.prizes._prize import Prize
from harness.records import EntryRef, Figure, Leaderboard, Score, Standing, Unranked
from harness.records.run import reference_of
from harness.registry import Broken, discover
from harness.score.stats.comparison import INTERLEAVE_ADVICE, TEST_NAMES, pairwise_test
from harness.score.stats.rank_stability import rank_chances
from harness.score.stats.ranking import RankedEntry, Ranking, rank
from harness.score.stats.sample import Sample

ANY_MACHINE = "any"
"""In place of a machine's name where machines compete."""


def prizes() -> list[Prize]:
    """Every prize plug-in that loads, by name."""
    plugins = [plugin.value for plugin in discover("prizes") if not isinstance(plugin, Broken)]
    return sorted(plugins, key=lambda prize: prize.name)


def entry_name(entry: EntryRef, prize: Prize) -> str:
    """What competes: the name of a submission, or of a machine."""
    return entry.machine if prize.compares == "machines" else entry.submission


def widest(domains: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The domains of the board: the most domains, then the most entries, then by name."""
    count = Counter(domains)
    return min(count, key=lambda names: (-len(names), -count[names], names), default=())


def _split(
    scores: Sequence[Score], prize: Prize
) -> tuple[list[tuple[Score, Figure]], list[tuple[Score, str]]]:
    """Scores that are ranked, with their figures, and those that are not, with the reason."""
    ranked: list[tuple[Score, Figure]] = []
    others: list[tuple[Score, str]] = []
    for score in scores:
        admission, figure = prize.admit(score), prize.figure(score)
        if admission.admitted and figure is not None:
            ranked.append((score, figure))
        else:
            others.append((score, admission.reason or "no figure"))
    domains = widest([figure.domains for _, figure in ranked])
    others += [
        (score, f"covers {', '.join(figure.domains)}; the board covers {', '.join(domains)}")
        for score, figure in ranked
        if figure.domains != domains
    ]
    return [pair for pair in ranked if pair[1].domains == domains], others


def _note(ranking: Ranking, names: Sequence[str], samples: Sequence[Sample]) -> str:
    """Which entry leads, and by which test."""
    if len(names) == 1:
        return f"{names[0]} is the only entry with a place"
    kind = pairwise_test(samples[0], samples[1]).kind
    if kind == "not_comparable":
        return (
            f"{names[0]} is first by value, but not comparable with {names[1]}: {INTERLEAVE_ADVICE}"
        )
    if ranking.separated:
        return f"{names[0]} leads, significantly different from {names[1]} by {TEST_NAMES[kind]}"
    tied = ranking.places[0].rank_high
    return (
        f"{names[0]} is first by value but tied: {tied} entries are not significantly different "
        f"by {TEST_NAMES[kind]}"
    )


def board(scores: Sequence[Score], prize: Prize) -> Leaderboard:
    """Rank scores that share workload, version, machine, ruleset and division.

    Args:
        scores: At least one, in any order.
        prize: What ranks.
    """
    scores = sorted(scores, key=lambda score: _key(score.entry))
    placed, others = _split(scores, prize)
    samples = [prize.sample(score) for score, _ in placed]
    upward = not prize.unit and scores[0].quality.better == "higher"
    ranking = rank(
        [
            RankedEntry(_key(score.entry), -figure.value if upward else figure.value, sample)
            for (score, figure), sample in zip(placed, samples, strict=True)
        ],
        scores[0].rules.separation_alpha,
    )
    placed = [placed[index] for index in ranking.order]
    samples = [samples[index] for index in ranking.order]
    standings = tuple(
        Standing(
            entry=score.entry,
            score=figure.value,
            low=figure.low,
            high=figure.high,
            n=figure.n,
            rank=place.rank,
            rank_low=place.rank_low,
            rank_high=place.rank_high,
            tie_group=place.letters,
            p_first=chance.first if chance else None,
        )
        for (score, figure), place, chance in zip(
            placed, ranking.places, rank_chances(samples), strict=True
        )
    )
    names = [entry_name(score.entry, prize) for score, _ in placed]
    ratio, first = ranking.detectable_ratio, scores[0]
    return Leaderboard(
        workload=first.entry.workload,
        workload_version=first.entry.workload_version,
        machine=ANY_MACHINE if prize.compares == "machines" else first.entry.machine,
        ruleset=first.rules.ruleset,
        division=first.entry.division,
        prize=prize.name,
        quantity=prize.quantity,
        unit=prize.unit,
        standings=standings,
        unranked=tuple(_unranked(score, prize, reason) for score, reason in others),
        separated=ranking.separated,
        resolvable_ratio=ratio if prize.unit else None,
        # Metrics are compared without logarithms.
        resolvable_lead=None if prize.unit or ratio is None else math.log1p(ratio),
        note=_note(ranking, names, samples) if names else prize.explain_empty(scores),
    )


def _key(entry: EntryRef) -> tuple[str, ...]:
    return entry.submission, entry.sha256, entry.machine


def _unranked(score: Score, prize: Prize, reason: str) -> Unranked:
    figure = prize.figure(score)
    return Unranked(
        entry=score.entry,
        status=score.status,
        reason=reason,
        score=figure.value if figure else None,
        method=figure.method if figure else None,
    )


def _is_fixed_submission(score: Score) -> bool:
    """Whether machines compete with this entry: a reference, or one of the hardware division."""
    reference = reference_of(score.entry.workload)
    return score.entry.division == "hardware" or score.entry.submission == reference


def group_scores(scores: Sequence[Score], prize: Prize) -> list[list[Score]]:
    """Group the scores that a prize ranks together.

    Submissions compete on one machine in one division; machines compete where at least two of
    them ran the same version of a workload's reference, or of an entry of the hardware division.
    """
    groups: dict[tuple[str, ...], list[Score]] = defaultdict(list)
    for score in scores:
        entry = score.entry
        if score.rules.mode != prize.mode:
            continue
        key = (entry.workload, entry.workload_version, score.rules.ruleset)
        if prize.compares == "submissions":
            groups[(*key, entry.machine, entry.division)].append(score)
        elif _is_fixed_submission(score):
            groups[(*key, entry.submission, entry.sha256)].append(score)
    least = 2 if prize.compares == "machines" else 1
    return [group for _, group in sorted(groups.items()) if len(group) >= least]


def boards(scores: Sequence[Score]) -> list[Leaderboard]:
    """Make a leaderboard for each workload version, machine, ruleset and division, and each prize.

    Neither the order of the scores nor the unit of a cost changes a place.
    """
    return sorted(
        (
            board(group, prize)
            for prize in prizes()
            if not prize.across
            for group in group_scores(scores, prize)
        ),
        key=lambda leaderboard: (
            leaderboard.workload,
            leaderboard.workload_version,
            leaderboard.machine,
            leaderboard.ruleset,
            leaderboard.division,
            leaderboard.prize,
        ),
    )
