"""Pareto fronts: who is on them by value, how surely, and whose joules share a plane."""

from pathlib import Path

from harness.prizes import fronts
from harness.records import Front
from harness.rules.load import load_ruleset
from harness.score.score import score_results
from tests.lab.results import Plan, series, write_run

RULES = load_ruleset("default")
EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


def entry(results: Path, name: str, factor: float, watts: float | None, **changes: object) -> None:
    plan = Plan(name=name, source=name, watts=watts).but(**changes)
    series(results, plan, [factor * item for item in EIGHT])


def only(results: Path) -> Front:
    (front,) = fronts(score_results(results, RULES))
    return front


def test_a_faster_and_a_thriftier_entry_are_both_on_the_front(tmp_path: Path) -> None:
    entry(tmp_path, "fast", 1.0, 200.0)
    entry(tmp_path, "thrifty", 2.0, 50.0)
    entry(tmp_path, "neither", 2.5, 300.0)
    points = {point.submission: point for point in only(tmp_path).points}
    assert {name for name, item in points.items() if item.on_front} == {"fast", "thrifty"}
    assert points["fast"].p_front == points["thrifty"].p_front == 1.0
    assert points["neither"].p_front == 0.0


def test_what_the_data_cannot_tell_has_a_chance_between(tmp_path: Path) -> None:
    entry(tmp_path, "one", 1.0, 100.0)
    entry(tmp_path, "two", 1.005, 100.0)
    chances = [point.p_front for point in only(tmp_path).points]
    assert all(chance is not None and 0.05 < chance < 0.95 for chance in chances)


def test_joules_of_other_boundaries_and_none_are_left_out(tmp_path: Path) -> None:
    entry(tmp_path, "measured", 1.0, 100.0)
    entry(tmp_path, "bare", 0.5, None)
    assert [point.submission for point in only(tmp_path).points] == ["measured"]
    assert only(tmp_path).points[0].method == "counter"


def test_a_single_run_leaves_the_chances_open(tmp_path: Path) -> None:
    rules = load_ruleset("smoke")
    entry(tmp_path, "many", 1.0, 100.0, ruleset="smoke")
    write_run(tmp_path, Plan(name="lone", source="lone", ruleset="smoke"))
    (front,) = fronts(score_results(tmp_path, rules))
    assert [point.p_front for point in front.points] == [None, None]
    assert all(point.on_front for point in front.points if point.submission == "lone")
