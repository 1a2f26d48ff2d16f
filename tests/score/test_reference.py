"""Entries that are paired with the reference are comparable, whenever they ran."""

from pathlib import Path

import pytest

from harness.prizes import awards, boards, markdown
from harness.records import Award, Score
from harness.registry import find
from harness.rules.load import load_ruleset
from harness.score.costs import energy_costs, time_costs
from harness.score.score import score_results
from tests.lab.results import Plan, alternating, series

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]
RULES = load_ruleset("default")


def entry(name: str, **changes: object) -> Plan:
    return Plan(name=name, source=f"source of {name}").but(**changes)


REFERENCE = entry("toy-adamw")


def contest(results: Path, plan: Plan, factor: float, load: float, session: int) -> None:
    """Eight pairs with the reference, in an session in which all takes `load` times as long."""
    times = [load * item for item in EIGHT]
    changes = {"started_s": 3600 * session, "secret": f"session {session}"}
    alternating(
        results,
        (plan.but(**changes), [factor * t * (1 + 0.002 * (i % 3)) for i, t in enumerate(times)]),
        (REFERENCE.but(**changes), times),
        first_seed=100 * session,
    )  # fmt: skip


def scores(results: Path) -> dict[str, Score]:
    return {
        score_result.entry.submission: score_result
        for score_result in score_results(results, RULES)
    }


def decided(results: Path) -> Award:
    (award,) = awards(score_results(results, RULES), find("prizes", "speed").value, RULES)
    return award


def test_every_run_has_the_cost_of_its_reference_run(tmp_path: Path) -> None:
    contest(tmp_path, entry("fast"), 0.5, 1.0, 1)
    contest(tmp_path, entry("steady"), 0.8, 1.6, 5)
    by_name = scores(tmp_path)
    assert len(by_name["toy-adamw"].runs) == 16
    assert {run.reference for run in by_name["toy-adamw"].runs} == {None}
    for name, factor in (("fast", 0.5), ("steady", 0.8)):
        for run in by_name[name].runs:
            assert run.reference is not None
            assert run.reference.submission_sha256 == by_name["toy-adamw"].entry.sha256
            assert run.reference.time_s is not None
            assert run.time_s == pytest.approx(factor * run.reference.time_s, rel=0.005)
        for costs in (time_costs, energy_costs):
            made = costs(by_name[name].runs)
            assert made is not None
            assert made.reference_ratios is not None
            assert set(made.reference_ratios.logs) == set(made.values)


def test_a_busy_session_does_not_decide_between_two_contests(tmp_path: Path) -> None:
    """The faster one ran while the machine was slower: by seconds alone it would be behind."""
    contest(tmp_path, entry("quiet session"), 0.8, 1.0, 1)
    contest(tmp_path, entry("busy session"), 0.75, 1.6, 5)
    award = decided(tmp_path)
    tests = {challenge.challenger: challenge for challenge in award.challenges}
    assert award.board.standings[0].entry.submission == "quiet session"
    assert (award.outcome, award.winner) == ("tied", None)
    assert tests["busy session"].test == "via_reference"
    assert not tests["busy session"].significant
    assert tests["toy-adamw"].test == "paired"
    assert tests["toy-adamw"].significant
    first, other = (candidate.p_first for candidate in award.board.standings[:2])
    assert first is not None
    assert other is not None
    assert first < 0.05, "in multiples of the reference the other one leads"


def test_the_better_one_of_two_contests_is_awarded(tmp_path: Path) -> None:
    contest(tmp_path, entry("fast"), 0.6, 1.0, 1)
    contest(tmp_path, entry("slow"), 0.8, 1.1, 5)
    award = decided(tmp_path)
    assert award.winner == "fast"
    assert {challenge.challenger: challenge.test for challenge in award.challenges} == {
        "slow": "via_reference", "toy-adamw": "paired"
    }  # fmt: skip
    text = markdown(award)
    assert "divided by those of the paired reference runs" in text
    (board,) = (item for item in boards(score_results(tmp_path, RULES)) if item.prize == "speed")
    assert board.note.endswith("of the paired reference runs")


def test_a_run_without_its_partner_leaves_no_bridge(tmp_path: Path) -> None:
    contest(tmp_path, entry("fast"), 0.6, 1.0, 1)
    series(tmp_path, entry("fast", started_s=40000), [6.0])
    by_name = time_costs(scores(tmp_path)["fast"].runs)
    assert by_name is not None
    assert by_name.reference_ratios is None


def test_another_version_of_the_reference_is_another_unit(tmp_path: Path) -> None:
    contest(tmp_path, entry("fast"), 0.6, 1.0, 1)
    changes = {"started_s": 18000, "secret": "later"}
    other = REFERENCE.but(source="another source", **changes)
    times = [0.8 * item for item in EIGHT]
    alternating(tmp_path, (entry("slow", **changes), times), (other, EIGHT), first_seed=500)
    by_name = {
        score_result.entry.submission: score_result
        for score_result in score_results(tmp_path, RULES)
    }
    units = {run.reference.submission_sha256 for name in ("fast", "slow")
             for run in by_name[name].runs if run.reference}  # fmt: skip
    assert len(units) == 2
    (award,) = awards(score_results(tmp_path, RULES), find("prizes", "speed").value, RULES)
    assert {e.challenger: e.test for e in award.challenges}["slow"] == "not_comparable"
    assert "run them interleaved with each other or with the reference" in award.reason


def test_joules_of_other_domains_are_no_unit(tmp_path: Path) -> None:
    changes = {"started_s": 3600, "secret": "h"}
    bare = REFERENCE.but(watts=None, **changes)
    alternating(tmp_path, (entry("fast", **changes), [5.0] * 4), (bare, [9.0] * 4))
    for run in scores(tmp_path)["fast"].runs:
        assert run.reference is not None
        assert run.reference.energy_j is None
        assert run.reference.time_s == pytest.approx(9.0)
