"""The decision on a prize over several workloads: tests, ties, and what the lead hangs on."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

from harness.prizes._prize import Prize
from harness.records import AcrossRules, EntryRef, MultiRow, Ruleset, Score, Standing, Unranked
from harness.records.award import Award, BundleRef, Challenge, SensitivityCheck
from harness.rules.load import RulesetError, as_toml
from harness.score.multi import profile as profiles
from harness.score.multi.aggregate import (
    Row,
    differ_p,
    leader,
    leaders_without_a_run,
    merit,
    seeds_to_settle,
    shown,
    weakest_test,
    without_workload,
)
from harness.score.multi.record import ANY, Ranked, record_of
from harness.score.multi.table import Field, fields
from harness.score.stats.intervals import holm

Outcome = Literal["awarded", "tied", "unopposed", "not_awarded"]

ALL_WORKLOADS = "all-workloads"
"""In place of a workload's name."""

SHOWN = 5
"""Cases that a note names."""

# --- tests ----------------------------------------------------------------------------------------


def challenges(held: Ranked) -> list[Challenge]:
    """The leader against each other contender with a place: two-sided, Holm over all of them."""
    if not held.rows:
        return []
    first, terms = held.rows[0], held.terms
    raw = [differ_p(first, row, terms) for row in held.rows[1:]]
    found = []
    rest = zip(held.names[1:], held.rows[1:], raw, holm(raw), strict=True)
    for name, row, p, adjusted in rest:
        apart = adjusted < held.alpha and merit(first, terms) > merit(row, terms)
        needed = None if apart else seeds_to_settle(first, row, terms, held.alpha)
        found.append(
            Challenge(
                challenger=name,
                lead_ratio=abs(_score(first, held) - _score(row, held)),
                p_differ=p,
                p_holm=adjusted,
                test=weakest_test(first, row),
                significant=apart,
                seeds_count=needed,
            )
        )
    return found


def _score(row: Row, held: Ranked) -> float:
    return shown(merit(row, held.terms), held.terms) or 0.0


# --- sensitivity ----------------------------------------------------------------------------------


def _shaken(held: Ranked, variation: str, changes: Sequence[tuple[str, int]]) -> SensitivityCheck:
    """A variation with the cases in which somebody else leads."""
    names = [name for name, _ in changes]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return SensitivityCheck(
        variation=variation,
        holds=not changes,
        leader=held.names[changes[0][1]] if changes else held.names[0],
        note=f"without {', '.join(names[:SHOWN])}{more}" if changes else "",
    )


def _without_workloads(held: Ranked) -> SensitivityCheck:
    field, changes = held.field, []
    for place, name in enumerate(field.workloads):
        rows = [without_workload(row, place) for row in held.rows]
        now = leader(rows, held.names, held.terms.without(place))
        if now:
            changes.append((name, now))
    return _shaken(held, "any one workload left out", changes)


def _without_runs(held: Ranked) -> SensitivityCheck:
    changes = [
        (f"seed {seed} of {held.names[at]} on {held.field.workloads[place]}", now)
        for at, place, seed, now in leaders_without_a_run(held.rows, held.names, held.terms)
    ]
    return _shaken(held, "any one run left out", changes)


def _by(held: Ranked, variation: str, now: int) -> SensitivityCheck:
    return SensitivityCheck(variation=variation, holds=now == 0, leader=held.names[now])


def _against_the_best(held: Ranked) -> SensitivityCheck:
    heights = profiles.areas(held.rows, held.terms.ratio_max)
    now = min(range(len(heights)), key=lambda i: (-heights[i], i))
    return _by(held, "profiles against the best present, as AlgoPerf takes them", now)


def _other_aggregate(held: Ranked) -> SensitivityCheck:
    profile = held.terms.aggregate == "profile"
    told = "the geometric mean of the ratios" if profile else "profiles against the reference"
    terms = held.terms._replace(aggregate="geometric_mean" if profile else "profile")
    return _by(held, told, leader(held.rows, held.names, terms))


def _other_rules(
    held: Ranked, variation: str, rules: AcrossRules, scores: Sequence[Score]
) -> SensitivityCheck | None:
    """Who leads by another cost; None where that leaves no contest."""
    found = next((e for e in fields(scores, rules) if e.ground == held.field.ground), None)
    if found is None or len(found.workloads) < ANY:
        return None
    other = Ranked(found, held.alpha)
    if len(other.rows) < ANY:
        return None
    holds = other.names[0] == held.names[0]
    return SensitivityCheck(variation=variation, holds=holds, leader=other.names[0])


def sensitivity(held: Ranked, scores: Sequence[Score]) -> Iterator[SensitivityCheck]:
    """What the lead hangs on; nothing where fewer than two have a place."""
    if len(held.rows) < ANY:
        return
    if held.terms.workloads_count >= ANY:
        yield _without_workloads(held)
    yield _without_runs(held)
    yield _against_the_best(held)
    yield _other_aggregate(held)
    rules = held.field.rules
    for quantity, word in (
        ("time_to_target_s", "seconds"),
        ("energy_to_target_j", "joules"),
        ("steps_to_target", "steps"),
    ):
        if quantity != rules.quantity:
            other = rules.model_copy(update={"quantity": quantity})
            found = _other_rules(held, f"by {word}", other, scores)
            yield from [found] if found else []
    if any(score.trials for score in scores):
        other = rules.model_copy(update={"tuning_included": not rules.tuning_included})
        how = "without" if rules.tuning_included else "with"
        found = _other_rules(held, f"{how} the cost of tuning", other, scores)
        yield from [found] if found else []


# --- the decision ---------------------------------------------------------------------------------


def _entry(row: MultiRow, machine: str) -> EntryRef:
    return EntryRef(
        workload=ALL_WORKLOADS,
        submission=row.name,
        title=row.name,
        team=row.team,
        machine=machine,
    )


def _standing(row: MultiRow, machine: str) -> Standing:
    assert row.score is not None
    assert row.rank is not None
    return Standing(
        entry=_entry(row, machine),
        score=row.score,
        low=row.low,
        high=row.high,
        n=row.n,
        rank=row.rank,
        rank_low=row.rank_low or row.rank,
        rank_high=row.rank_high or row.rank,
        tie_group=row.tie_group,
        p_first=row.p_first,
    )


def _unranked(row: MultiRow, machine: str) -> Unranked:
    lacking = [f"{cell.workload}: {cell.reason}" for cell in row.cells if cell.cost is None]
    reason = "; ".join(lacking) or "there is no contest"
    return Unranked(
        entry=_entry(row, machine),
        status="missing" if lacking else "scored",
        reason=reason,
        score=row.score,
    )


def _obstacle(field: Field) -> str:
    """Why there is no contest; empty where there is one."""
    rules, lacking = field.rules, [f"{k} ({v})" for k, v in field.left_out.items()]
    due = [name for name in rules.workloads if name in field.left_out]
    if due:
        told = ", ".join(f"{name} ({field.left_out[name]})" for name in due)
        return f"no eligible entry: nothing can be held against the reference on {told}"
    if len(field.workloads) < rules.workloads_count_min:
        count = f"{len(field.workloads)} of at least {rules.workloads_count_min} workloads"
        more = f"; it has none on {', '.join(lacking)}" if lacking else ""
        return f"no eligible entry: the reference has a cost on {count}{more}"
    return ""


def _decided(
    held: Ranked, tests: Sequence[Challenge], obstacle: str
) -> tuple[Outcome, list[str], str]:
    """Outcome, leaders, and the reason."""
    names = held.names
    if obstacle:
        return "not_awarded", [], obstacle
    if not names:
        return "not_awarded", [], "no eligible entry: none has the costs that a place asks for"
    if len(names) == 1:
        return "unopposed", names, f"{names[0]} is the only entry with a place; nothing is compared"
    tied = [test.challenger for test in tests if not test.significant]
    if tied:
        told = f"{names[0]} is first by value, but {', '.join(tied)} cannot be told apart from it"
        return "tied", [names[0], *tied], told
    closest = min(test.lead_ratio for test in tests)
    worst = max(test.p_holm for test in tests)
    told = (
        f"{names[0]} is better than every other entry over {held.terms.workloads_count} workloads"
    )
    return (
        "awarded",
        names[:1],
        f"{told}, by {closest:.3g} at least (largest adjusted p = {worst:.2g})",
    )


def _version(field: Field) -> str:
    """Digest of the workloads that count, with their versions."""
    named = zip(field.workloads, field.versions, strict=True)
    text = " ".join(f"{name}@{version}" for name, version in named)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _evidence(scores: Sequence[Score]) -> Iterator[BundleRef]:
    for score in sorted(
        scores, key=lambda e: (e.entry.submission, e.entry.workload, e.entry.sha256)
    ):
        for run in (*score.runs, *score.trials):
            yield BundleRef(
                submission=score.entry.submission,
                run_id=run.run_id,
                bundle=run.bundle,
                manifest_sha256=run.manifest_sha256,
            )


def decide_field(field: Field, prize: Prize, ruleset: Ruleset, scores: Sequence[Score]) -> Award:
    """The decision on one ground.

    Args:
        field: Who competes on what.
        prize: What is awarded.
        ruleset: The rules in force.
        scores: Everybody's on the machine: the evidence.
    """
    held = Ranked(field, ruleset.score.separation_alpha)
    obstacle = _obstacle(field)
    tests = [] if obstacle else challenges(held)
    outcome, leaders, reason = _decided(held, tests, obstacle)
    found = record_of(held, ruleset.score.confidence)
    machine, rules = field.ground.machine, field.rules
    ratio = rules.aggregate == "geometric_mean"
    placed = [] if obstacle else [row for row in found.rows if row.rank]
    shaken = [] if obstacle else list(sensitivity(held, scores))
    return Award(
        prize=prize.name,
        title=prize.title,
        question=prize.question,
        workload=ALL_WORKLOADS,
        workload_version=_version(field),
        machine=machine,
        division=field.ground.division,
        ruleset=field.ground.ruleset,
        rules_text=as_toml(ruleset),
        quantity=f"{'geometric mean' if ratio else 'profile'} of {rules.quantity}",
        unit="",
        outcome=outcome,
        winner=leaders[0] if outcome == "awarded" else None,
        leaders=tuple(leaders),
        reason=reason,
        confidence=ruleset.score.confidence,
        separation_alpha=ruleset.score.separation_alpha,
        standings=tuple(_standing(row, machine) for row in placed),
        not_ranked=tuple(_unranked(row, machine) for row in found.rows if row not in placed),
        challenges=tuple(tests),
        resolvable_ratio=None,
        resolvable_lead=found.resolvable_lead,
        sensitivity=tuple(shaken),
        evidence=tuple(_evidence(scores)),
        across=found,
    )


def decide_across(scores: Sequence[Score], prize: Prize, ruleset: Ruleset) -> list[Award]:
    """One decision for each machine and division that has something entered.

    Raises:
        RulesetError: the ruleset says nothing of contests over several workloads.
    """
    rules = ruleset.across
    if rules is None:
        raise RulesetError(
            f"{ruleset.name}: has no section [across]; the prize {prize.name} ranks over several "
            "workloads, as the ruleset hity-algorithms does"
        )
    found = []
    for field in fields(scores, rules):
        there = [score for score in scores if score.entry.machine == field.ground.machine]
        found.append(decide_field(field, prize, ruleset, there))
    return found
