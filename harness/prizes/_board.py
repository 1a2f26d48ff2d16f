"""Leaderboards of scores, and the document that `joulemark score --json` prints."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from harness.prizes._prize import Prize
from harness.records import Figure, Leaderboard, Score, Standing, Unranked
from harness.registry import Broken, discover
from harness.score.reference import REFERENCE_SUFFIX
from harness.score.stats.comparison import INTERLEAVE_ADVICE, TEST_NAMES, pairwise_test
from harness.score.stats.rank_stability import RankChance, rank_chances
from harness.score.stats.ranking import Place, RankedEntry, Ranking, rank
from harness.score.stats.sample import Sample

AS_RUN = "as-run"

ANY_MACHINE = "any"
"""In place of a machine's name where machines compete."""


def prizes() -> list[Prize]:
    """Every prize plug-in that loads, by name."""
    found = [item.value for item in discover("prizes") if not isinstance(item, Broken)]
    return sorted(found, key=lambda prize: prize.name)


def _contender(score: Score, figure: Figure, prize: Prize) -> RankedEntry:
    key = (score.entry.submission, score.entry.sha256, score.entry.machine)
    upward = not prize.unit and score.quality.better == "higher"
    return RankedEntry(key, -figure.value if upward else figure.value, prize.sample(score))


def _standing(score: Score, figure: Figure, place: Place, chance: RankChance | None) -> Standing:
    return Standing(
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


def _unranked(score: Score, prize: Prize, reason: str) -> Unranked:
    figure = prize.figure(score)
    return Unranked(
        entry=score.entry,
        status=score.status,
        reason=reason,
        score=figure.value if figure else None,
        method=figure.method if figure else None,
    )


def _boundary(figure: Figure) -> tuple[str, ...]:
    """What a figure covers; seconds cover the same everywhere."""
    return figure.domains


def widest(boundaries: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The boundary of the board: most domains, then most entries, then by name."""
    count = Counter(boundaries)
    return min(count, key=lambda each: (-len(each), -count[each], each), default=())


def _sorted_out(
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
    main = widest([_boundary(figure) for _, figure in ranked])
    for score, figure in ranked:
        if _boundary(figure) != main:
            covers = f"covers {', '.join(_boundary(figure))}; the board covers {', '.join(main)}"
            others.append((score, covers))
    return [item for item in ranked if _boundary(item[1]) == main], others


def rival_of(each: Score | Standing, prize: Prize) -> str:
    """What competes: the name of a submission, or of a machine."""
    return each.entry.machine if prize.compares == "machines" else each.entry.submission


def _note(ranking: Ranking, names: Sequence[str], samples: Sequence[Sample]) -> str:
    """Who leads, and by which test."""
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


def _as_lead(ratio: float | None) -> float | None:
    """The difference that a ratio stands for: of metrics no logarithm was taken."""
    return None if ratio is None else math.log1p(ratio)


def board(scores: Sequence[Score], prize: Prize) -> Leaderboard:
    """The ranking of scores that share workload, version, machine, ruleset and division.

    Args:
        scores: At least one, in any order.
        prize: What ranks.
    """
    ordered = sorted(
        scores, key=lambda each: (each.entry.submission, each.entry.sha256, each.entry.machine)
    )
    ranked, others = _sorted_out(ordered, prize)
    contenders = [_contender(score, figure, prize) for score, figure in ranked]
    first = ordered[0]
    ranking = rank(contenders, first.rules.separation_alpha)
    placed = [ranked[index] for index in ranking.order]
    samples = [contenders[index].sample for index in ranking.order]
    chances = rank_chances(samples)
    standings = tuple(
        _standing(score, figure, place, chance)
        for (score, figure), place, chance in zip(placed, ranking.places, chances, strict=True)
    )
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
        resolvable_ratio=ranking.detectable_ratio if prize.unit else None,
        resolvable_lead=None if prize.unit else _as_lead(ranking.detectable_ratio),
        note=_note(ranking, [rival_of(each, prize) for each in standings], samples)
        if standings
        else prize.explain_empty(ordered),
    )


def stands_for_hardware(score: Score) -> bool:
    """Whether a score is of the fixed submission that machines compete with."""
    reference = f"{score.entry.workload}{REFERENCE_SUFFIX}"
    return score.entry.division == "hardware" or score.entry.submission == reference


def by_ground(scores: Sequence[Score], prize: Prize) -> list[list[Score]]:
    """The scores that a prize ranks together, each group of one mode.

    Submissions compete on one machine in one division; machines compete where at least two of
    them ran the same version of a workload's reference, or of an entry of the hardware division.
    """
    together: dict[tuple[str, ...], list[Score]] = defaultdict(list)
    for score in scores:
        if score.rules.mode != prize.mode:
            continue
        base = (score.entry.workload, score.entry.workload_version, score.rules.ruleset)
        if prize.compares == "submissions":
            together[(*base, score.entry.machine, score.entry.division)].append(score)
        elif stands_for_hardware(score):
            together[(*base, score.entry.submission, score.entry.sha256)].append(score)
    least = 2 if prize.compares == "machines" else 1
    return [group for _, group in sorted(together.items()) if len(group) >= least]


def boards(scores: Sequence[Score]) -> list[Leaderboard]:
    """One leaderboard for each workload version, machine, ruleset and division, and each prize.

    Neither the order of the scores nor the unit of a cost changes a place.
    """
    alone = [prize for prize in prizes() if prize.decide is None]
    found = [board(group, prize) for prize in alone for group in by_ground(scores, prize)]
    return sorted(found, key=_place)


def _place(found: Leaderboard) -> tuple[str, ...]:
    place = (found.workload, found.workload_version, found.machine, found.ruleset)
    return (*place, found.division, found.prize)


def standing_rows(leaderboards: Sequence[Leaderboard]) -> Iterator[dict[str, Any]]:
    """Every standing of every board, with the board's own keys."""
    for leaderboard in leaderboards:
        own = {
            "prize": leaderboard.prize,
            "quantity": leaderboard.quantity,
            "unit": leaderboard.unit,
            "ruleset": leaderboard.ruleset,
        }
        for standing in leaderboard.standings:
            yield standing.model_dump(mode="json") | own
