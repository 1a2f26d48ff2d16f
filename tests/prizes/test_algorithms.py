"""The prize over several workloads: decisions, reasons, and the laws of the ranking."""

import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.prizes import Prize, awards, boards, markdown
from harness.records import (
    AcrossRules,
    Award,
    EnergyStatus,
    Figure,
    MultiRanking,
    Ruleset,
    RunScore,
    Score,
    TrialOf,
    dump,
    load,
)
from harness.registry import find
from harness.rules.load import RulesetError, load_ruleset
from harness.score.costs import time_costs
from harness.score.multi.record import rank_workloads
from harness.score.multi.table import algorithm_of, tables
from harness.score.score import score_results
from tests.lab.results import Plan, changed, series
from tests.prizes.made_scores import run, score

OPEN = ['score.provenance=["self"]', 'score.secrecy=["seeded"]']
RULES = load_ruleset("hity-algorithms", OPEN)
EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]
WORKLOADS = ("alpha", "beta", "gamma")


def prize() -> Prize:
    plugin: Prize = find("prizes", "algorithms").value
    return plugin


def entry(method: str, workload: str, factor: float, **changes: Any) -> Score:
    """Eight runs around that multiple of ten seconds, as records alone."""
    runs: tuple[RunScore, ...] = tuple(
        run(
            seed,
            time_s=factor * item,
            energy_j=100.0 * factor * item,
            block=f"{seed}",
            started_utc=f"2026-01-01T00:{seed:02d}:00.{zlib.crc32(method.encode()):010d}Z",
        ).model_copy(update=changes)
        for seed, item in enumerate(EIGHT, 1)
    )
    assert time_costs(runs) is not None
    sha = f"{workload} {method}"
    return score(
        *runs, submission=f"{workload}-{method}", sha256=sha, workload=workload, team="t",
        ruleset="hity-algorithms", division="closed",
    )  # fmt: skip


def made(method: str, factor: float, *workloads: str, **changes: Any) -> list[Score]:
    """A method on some workloads, with fields of its scores set otherwise."""
    return [
        changed(entry(method, name, number * factor), **changes)
        for number, name in enumerate(workloads, 1)
    ]


def entered(results: Path, method: str, factor: float, **changes: Any) -> None:
    """Bundles of eight runs of a method on each of two workloads."""
    for workload in WORKLOADS[:2]:
        plan = Plan(name=f"{workload}-{method}", source=f"{workload} {method}", workload=workload)
        series(results, plan.but(**changes), [factor * item for item in EIGHT])


def decided(scores: list[Score], rules: Ruleset = RULES) -> Award:
    (award,) = awards(scores, prize(), rules)
    return award


def across(award: Award) -> MultiRanking:
    assert award.across is not None
    return award.across


# --- decisions ------------------------------------------------------------------------------------


def test_the_best_over_all_workloads_is_awarded() -> None:
    field = made("adamw", 1.0, *WORKLOADS) + made("muon", 0.7, *WORKLOADS)
    award = decided(field + made("sgd", 0.5, "alpha", "beta"))
    assert (award.outcome, award.winner, award.board.unit) == ("awarded", "muon", "")
    assert [candidate.entry.submission for candidate in award.board.standings] == [
        "muon",
        "adamw",
        "sgd",
    ]
    rows = {row.name: row for row in across(award).rows}
    assert rows["adamw"].standing is not None
    assert rows["adamw"].standing.score == pytest.approx(0.5)
    assert rows["sgd"].solved_count == 2
    assert rows["sgd"].geometric_ratio is None
    assert rows["sgd"].cells[2].reference_ratio is None
    assert rows["sgd"].cells[2].reason == "was not entered"
    assert rows["muon"].cells[0].reference_ratio == pytest.approx(0.7)
    note = "a workload without a cost, entered or not, counts as infinite and adds 0"
    assert note in across(award).notes
    assert len(award.evidence) == 8 * 8


def test_a_lead_that_depends_on_one_workload_is_reported() -> None:
    """Far ahead on one workload, behind on two."""
    field = made("adamw", 1.0, *WORKLOADS) + made("even", 0.85, *WORKLOADS)
    odd = [entry("odd", *item) for item in zip(WORKLOADS, (0.3, 1.9, 2.85), strict=True)]
    award = decided(field + odd)
    held = {item.variation: item for item in award.sensitivity}
    assert award.winner == "odd"
    left_out = held["any one workload left out"]
    assert (left_out.holds, left_out.leader, left_out.note) == (False, "even", "without alpha")
    assert held["any one run left out"].holds
    assert held["by joules"].holds
    without = {row.name: row.without for row in across(award).rows}
    assert (without["even"]["alpha"] or 0) > (without["odd"]["alpha"] or 0)


def test_equals_are_tied() -> None:
    award = decided(made("adamw", 1.0, *WORKLOADS) + made("twin", 1.0, *WORKLOADS))
    assert (award.outcome, award.winner, award.leaders) == ("tied", None, ("adamw", "twin"))
    assert {candidate.tie_group for candidate in award.board.standings} == {"a"}
    assert award.board.resolvable_lead is not None


def test_only_paired_runs_are_compared() -> None:
    field = made("adamw", 1.0, *WORKLOADS) + made("muon", 0.98, *WORKLOADS)
    award = decided(field)
    assert award.winner == "muon"
    assert [challenge.test for challenge in award.challenges] == ["paired"]
    alone = [
        item.model_copy(
            update={"runs": tuple(run.model_copy(update={"block": ""}) for run in item.runs)}
        )
        for item in field
    ]
    award = decided(alone)
    assert (award.outcome, award.leaders) == ("tied", ("muon", "adamw"))
    assert [(row.test, row.p_holm) for row in award.challenges] == [("not_comparable", 1.0)]
    assert "adamw cannot be compared with it: run them interleaved" in award.reason
    assert [standing.p_first for standing in award.board.standings] == [None, None]


def test_no_entry_wins_without_the_reference() -> None:
    award = decided(made("muon", 0.7, *WORKLOADS))
    assert (award.outcome, award.winner) == ("not_awarded", None)
    assert "the reference has a cost on 0 of at least 2 workloads" in award.reason
    assert "adamw: was not entered" in award.reason
    assert "not awarded" in markdown(award)


def test_a_named_workload_that_the_reference_misses_leaves_no_decision() -> None:
    field = made("adamw", 1.0, "alpha", "beta") + made("muon", 0.7, *WORKLOADS)
    rules = load_ruleset("hity-algorithms", [*OPEN, 'across.workloads=["alpha","beta","gamma"]'])
    award = decided(field, rules)
    assert award.outcome == "not_awarded"
    assert "the reference has no cost on gamma (adamw: was not entered)" in award.reason
    assert award.board.standings == ()
    assert {item.entry.submission for item in award.board.unranked} == {"adamw", "muon"}
    two = load_ruleset("hity-algorithms", [*OPEN, 'across.workloads=["alpha","beta"]'])
    assert decided(field, two).winner == "muon"
    assert across(decided(field)).left_out == {"gamma": "adamw: was not entered"}


def test_a_reference_that_missed_its_target_is_none() -> None:
    missed = made("adamw", 1.0, "gamma", status="target_missed", reason="too slow")
    field = made("adamw", 1.0, "alpha", "beta") + missed + made("muon", 0.7, *WORKLOADS)
    assert across(decided(field)).left_out == {"gamma": "adamw: too slow"}


def test_one_entry_is_no_winner() -> None:
    award = decided(made("adamw", 1.0, *WORKLOADS))
    assert (award.outcome, award.winner, award.sensitivity) == ("unopposed", None, ())


def test_the_geometric_mean_asks_for_every_workload() -> None:
    rules = load_ruleset("hity-algorithms", [*OPEN, "across.aggregate=geometric_mean"])
    field = made("adamw", 1.0, *WORKLOADS) + made("muon", 0.7, *WORKLOADS)
    award = decided(field + made("sgd", 0.5, "alpha", "beta"), rules)
    assert award.winner == "muon"
    assert award.board.standings[0].score == pytest.approx(0.7)
    (test,) = award.challenges
    assert test.lead_ratio == pytest.approx(0.3)
    assert award.board.resolvable_lead is not None
    (out,) = award.board.unranked
    assert (out.entry.submission, out.reason) == ("sgd", "gamma: was not entered")


def test_rules_without_the_section_award_nothing() -> None:
    with pytest.raises(RulesetError, match=r"no section \[across\].*hity-algorithms"):
        awards(made("adamw", 1.0, *WORKLOADS), prize(), load_ruleset("default"))


def test_it_has_no_board_of_a_single_workload() -> None:
    leaderboards = boards(made("adamw", 1.0, *WORKLOADS))
    assert {item.prize for item in leaderboards} == {"energy", "speed"}


def test_divisions_and_machines_compete_apart_against_one_reference() -> None:
    field = [
        *made("adamw", 1.0, *WORKLOADS),
        *made("wild", 0.5, *WORKLOADS, division="open"),
        *made("muon", 0.5, *WORKLOADS, machine="rack"),
    ]
    decisions = awards(field, prize(), RULES)
    places = {(item.board.machine, item.board.division): item for item in decisions}
    assert sorted(places) == [("m", "closed"), ("m", "open"), ("rack", "closed")]
    assert places["m", "open"].board.standings[0].score == pytest.approx(0.75)
    assert places["rack", "closed"].outcome == "not_awarded"


def test_quality_at_a_budget_is_no_cost() -> None:
    mixed = made("muon", 0.1, *WORKLOADS, mode="quality_at_budget")
    award = decided(made("adamw", 1.0, *WORKLOADS) + mixed)
    assert [candidate.entry.submission for candidate in award.board.standings] == ["adamw"]


def tuned(method: str, factor: float, others_s: float) -> list[Score]:
    """Studies of two trials: one counts, the other spent so many seconds."""

    def trial(index: int, counted: RunScore) -> dict[str, Any]:
        where = TrialOf(mode="external", study=f"a/{counted.seed}", index=index, trials_count=2)
        return {"trial": where, "window_s": others_s}

    scores = []
    for item in made(method, factor, *WORKLOADS):
        counting = [run.model_copy(update=trial(0, run)) for run in item.runs]
        others = [run.model_copy(update=trial(1, run)) for run in item.runs]
        label = f"{item.rules.ruleset} (external tuning, 2 trials)"
        change = {"runs": tuple(counting), "trials": tuple(others), "ruleset": label}
        scores.append(item.model_copy(update=change))
    return scores


def test_tuning_is_paid_for_and_meets_what_was_not_tuned() -> None:
    field = made("adamw", 1.0, *WORKLOADS) + tuned("muon", 0.5, 40.0)
    award = decided(field)
    assert award.winner == "adamw"
    names = [candidate.entry.submission for candidate in award.board.standings]
    assert names == ["adamw", "muon (external tuning, 2 trials)"]
    row = across(award).rows[1]
    assert row.cells[0].cost == pytest.approx(0.5 * 10.09 + 40.0, rel=1e-2)
    assert row.tuning == "external tuning, 2 trials"
    (free,) = [item for item in award.sensitivity if "cost of tuning" in item.variation]
    assert (free.holds, free.leader) == (False, "muon (external tuning, 2 trials)")
    rules = load_ruleset("hity-algorithms", [*OPEN, "across.tuning_included=false"])
    assert decided(field, rules).winner == "muon (external tuning, 2 trials)"
    assert len(award.evidence) == 3 * 8 + 2 * 3 * 8, "also of the trials that do not count"


def test_tuning_of_unknown_cost_leaves_no_cost() -> None:
    bare = [
        item.model_copy(
            update={"trials": tuple(t.model_copy(update={"window_s": None}) for t in item.trials)}
        )
        for item in tuned("muon", 0.5, 1.0)
    ]
    award = decided(made("adamw", 1.0, *WORKLOADS) + bare)
    (out,) = award.board.unranked
    assert "not every run and trial has a time_to_target_s" in out.reason


# --- of bundles -----------------------------------------------------------------------------------


def test_bundles_give_a_record_that_reads_back(tmp_path: Path) -> None:
    entered(tmp_path, "adamw", 1.0)
    entered(tmp_path, "muon", 0.7, watts=200.0)
    scores = score_results(tmp_path, RULES)
    award = decided(scores)
    assert load(Award, dump(award), "award.json") == award
    text = markdown(award)
    assert text == markdown(decided(score_results(tmp_path, RULES)))
    assert text.startswith("# Algorithms across workloads on all-workloads: awarded to muon\n")
    assert "| muon | 0.7 | 0.7 |" in text
    assert "any one workload left out" in text
    rankings = {item.rules.quantity: item for item in rank_workloads(scores, RULES)}
    assert sorted(rankings) == ["energy_to_target_j", "time_to_target_s"]
    leaders = {key: element.rows[0].name for key, element in rankings.items()}
    assert leaders["time_to_target_s"] == "muon"
    assert leaders["energy_to_target_j"] == "adamw", "twice the power for 0.7 of the time"
    best, second = rankings["time_to_target_s"].rows
    assert (best.best_profile_fraction, best.best_low_fraction) == (1.0, None), "no draw moves it"
    assert second.best_low_fraction is not None
    assert second.best_high_fraction is not None
    assert second.best_low_fraction < second.best_profile_fraction < second.best_high_fraction
    strict = load_ruleset("hity-algorithms")
    empty = decided(score_results(tmp_path, strict), strict)
    assert empty.outcome == "not_awarded"
    assert "(provenance)" in empty.reason


def test_the_text_says_where_a_cost_is_missing() -> None:
    field = made("adamw", 1.0, *WORKLOADS) + made("sgd", 0.9, "alpha")
    text = markdown(decided(field))
    assert "| sgd | 0.9 | infinite | infinite |" in text
    assert "| sgd | gamma | was not entered |" in text


def test_dollars_rank_where_a_price_was_declared() -> None:
    field = [
        entry(method, place, factor, price_usd_per_h=3.6)
        for method, factor in (("adamw", 1.0), ("muon", 0.5))
        for place in ("alpha", "beta")
    ]
    rankings = {item.rules.quantity: item for item in rank_workloads(field)}
    (first, second) = rankings["cost_to_target_usd"].rows
    assert (first.name, second.name) == ("muon", "adamw")
    assert second.cells[0].cost == pytest.approx(10.0 * 3.6 / 3600, rel=0.02)
    half = [*field[:-1], entry("muon", "beta", 0.5)]
    assert "cost_to_target_usd" in {item.rules.quantity for item in rank_workloads(half)}
    rows = {row.name: row for row in rank_workloads(half)[-1].rows}
    assert rows["muon"].solved_count == 1, "no price, no dollars"


# --- laws -----------------------------------------------------------------------------------------


FACTORS = st.dictionaries(
    st.sampled_from(["muon", "lion", "sgd", "soap"]),
    st.lists(st.none() | st.floats(0.1, 10.0), min_size=3, max_size=3),
    min_size=1,
)


def scores_of(factors: dict[str, list[float | None]]) -> list[Score]:
    whole: dict[str, list[float | None]] = {"adamw": [1.0, 1.0, 1.0], **factors}
    return [
        entry(method, workload, factor)
        for method, row in whole.items()
        for workload, factor in zip(WORKLOADS, row, strict=True)
        if factor is not None
    ]


def standings(scores: list[Score]) -> list[tuple[Any, ...]]:
    (award,) = awards(scores, prize(), RULES)
    return [
        (e.entry.submission, e.score, e.low, e.high, e.rank, e.tie_group)
        for e in award.board.standings
    ]


LAW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@LAW
@given(FACTORS, st.randoms())
def test_the_order_of_the_scores_changes_nothing(
    factors: dict[str, list[float | None]], random: Any
) -> None:
    there = scores_of(factors)
    turned = list(there)
    random.shuffle(turned)
    assert standings(turned) == standings(there)


@LAW
@given(FACTORS)
def test_a_removed_loser_changes_no_score_and_no_order(
    factors: dict[str, list[float | None]],
) -> None:
    before = standings(scores_of(factors))
    loser = before[-1][0]
    if loser == "adamw" or loser not in factors:
        return
    kept = {name: row for name, row in factors.items() if name != loser}
    if kept:
        after = standings(scores_of(kept))
        assert [row[:4] for row in after] == [row[:4] for row in before[:-1]]


@LAW
@given(FACTORS, st.floats(0.01, 100.0))
def test_a_faster_machine_changes_no_score(
    factors: dict[str, list[float | None]], speed: float
) -> None:
    """Relabelling the unit of time: all of one workload's seconds at once."""
    there = scores_of(factors)
    faster = [
        item.model_copy(
            update={
                "runs": tuple(
                    one.model_copy(update={"time_s": (one.time_s or 0.0) * speed})
                    for one in item.runs
                )
            }
        )
        if item.entry.workload == "alpha"
        else item
        for item in there
    ]
    before, after = standings(there), standings(faster)
    # By name: entries that are equal but for rounding may come in any order.
    assert {row[0] for row in after} == {row[0] for row in before}
    for one, other in zip(sorted(after), sorted(before), strict=True):
        assert one[:1] == other[:1]
        assert one[1:4] == pytest.approx(other[1:4], abs=1e-9)


@LAW
@given(FACTORS)
def test_other_names_of_workloads_change_nothing(factors: dict[str, list[float | None]]) -> None:
    there = scores_of(factors)
    names = dict(zip(WORKLOADS, ("zeta", "delta", "eta"), strict=True))
    renamed = [
        changed(
            item,
            workload=names[item.entry.workload],
            submission=item.entry.submission.replace(
                item.entry.workload, names[item.entry.workload]
            ),
        )
        for item in there
    ]
    before, after = standings(there), standings(renamed)
    # By name: entries that are equal but for rounding may come in any order.
    assert {row[0] for row in after} == {row[0] for row in before}
    for one, other in zip(sorted(after), sorted(before), strict=True):
        assert one[:1] == other[:1]
        assert one[1:4] == pytest.approx(other[1:4], abs=1e-12)


# --- the table -----------------------------------------------------------------------------------


def test_of_several_versions_the_last_one_counts() -> None:
    made = scores_of({"muon": [0.5, 0.5, 0.5]})
    later = entry("muon", "alpha", 0.8, started_utc="2026-02-01T00:00:00Z")
    again = changed(later, sha256="another")
    (table,) = tables([*made, again], AcrossRules())
    at = [algorithm.name for algorithm in table.algorithms].index("muon")
    chosen = table.cells[at][table.workloads.index("alpha")]
    assert chosen.score is not None
    assert chosen.score.entry.sha256 == "another"


def test_joules_of_another_boundary_are_no_cost() -> None:
    def covering(method: str, *domains: str, eligible: bool = True) -> list[Score]:
        figure = Figure(value=1.0, low=0.9, high=1.1, n=8, level=0.95, domains=domains)
        return made(
            method, 0.5, *WORKLOADS, energy_to_target_j=figure,
            energy=EnergyStatus(eligible=eligible, note="modelled: shown, cannot win"),
        )  # fmt: skip

    field = [*covering("adamw", "cpu"), *covering("part", "gpu"), *covering("like", "cpu")]
    (table,) = tables(
        [*field, *covering("guess", "cpu", eligible=False)],
        AcrossRules(quantity="energy_to_target_j"),
    )
    reasons = dict(zip(table.titles, ({c.reason for c in row} for row in table.cells), strict=True))
    assert reasons == {
        "adamw": {""},
        "like": {""},
        "part": {"covers gpu; the reference covers cpu"},
        "guess": {"modelled: shown, cannot win"},
    }


def test_names_of_several_teams_carry_the_team() -> None:
    made = scores_of({"muon": [0.5, 0.5, 0.5]})
    other = [changed(item, team="others") for item in made if "muon" in item.entry.submission]
    (table,) = tables([*made, *other], AcrossRules())
    assert table.titles == ["adamw", "muon of others", "muon of t"]
    assert algorithm_of(other[0]).team == "others"
