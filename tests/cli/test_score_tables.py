"""Printed boards: unit, interval and method stand beside every value."""

import io
from pathlib import Path

import pytest

from harness.cli.printer import Printer
from harness.cli.score_tables import show_scores
from harness.prizes import score_document
from harness.registry import find
from harness.run.workload_record import plugin_file, workload_version
from tests.lab.results import Plan, rules, series

MILD = rules("mild", seeds_count=3)
PLAN = Plan(rules=MILD, ruleset="mild")


def printed(results: Path) -> list[str]:
    stream = io.StringIO()
    show_scores(score_document(results), Printer(stream))
    return stream.getvalue().splitlines()


def rows(lines: list[str], name: str) -> list[list[str]]:
    cells = [line.split() for line in lines if f" {name} " in line]
    return [cell for cell in cells if cell[0].isdecimal() or cell[0] == "–"]


def test_every_prize_has_its_unit(tmp_path: Path) -> None:
    series(tmp_path, PLAN.but(name="one"), [4.0, 4.1, 4.2])
    energy, speed = rows(printed(tmp_path), "one")
    assert "J" in energy
    assert "s" in speed
    assert speed[-1] == "clock"


def test_scores_of_a_workload_that_has_changed_are_shown_as_stale(tmp_path: Path) -> None:
    now = workload_version(plugin_file(find("workloads", "digits-mlp")))
    for name, workload, version in (
        ("gone", "toy", "v1"),
        ("old", "digits-mlp", "0123456789ab"),
        ("new", "digits-mlp", now),
    ):
        series(tmp_path, PLAN.but(name=name, workload=workload, version=version), [4.0, 4.1, 4.2])
    (said,) = [line for line in printed(tmp_path) if "stale" in line]
    assert said.startswith("stale: digits-mlp: changed since")
    assert "run the entries again" in said


def test_the_order_is_that_of_the_values(tmp_path: Path) -> None:
    for name, times_s in (("b", [9.0, 9.1, 9.2]), ("a", [4.0, 4.1, 4.2])):
        series(tmp_path, PLAN.but(name=name, source=name), times_s)
    lines = printed(tmp_path)
    assert [rows(lines, "a")[0][0], rows(lines, "b")[0][0]] == ["1", "2"]


def test_ties_share_a_letter_and_say_so(tmp_path: Path) -> None:
    for name, times_s in (("a", [4.0, 6.1, 5.0]), ("b", [5.0, 4.1, 6.2])):
        series(tmp_path, PLAN.but(name=name, source=name), times_s)
    lines = printed(tmp_path)
    assert rows(lines, "a")[0][:3] == ["1", "1–2", "a"]
    assert any("not significantly different" in line for line in lines)
    assert any("minimum detectable difference" in line for line in lines)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (PLAN.but(name="x", watts=None), "not measured"),
        (PLAN.but(name="x", method="modelled"), "modelled: cpu-package-0"),
        (PLAN.but(name="x", simulated=True), "counter: cpu-package-0 (simulated)"),
    ],
)
def test_what_cannot_win_is_listed_with_its_method(tmp_path: Path, plan: Plan, said: str) -> None:
    series(tmp_path, plan, [4.0, 4.1, 4.2])
    lines = printed(tmp_path)
    energy = next(line for line in lines if " x " in line)
    assert energy.endswith(said)
    assert energy.split()[0] == "–"
    assert any(line.strip().startswith("not ranked: x: ") for line in lines)


def test_joules_that_are_missing_are_a_dash(tmp_path: Path) -> None:
    series(tmp_path, PLAN.but(name="x", watts=None), [4.0, 4.1, 4.2])
    energy = rows(printed(tmp_path), "x")[0]
    assert energy == ["–", "x", "–", "not", "measured"]


def test_two_names_of_one_source_keep_their_own_rows(tmp_path: Path) -> None:
    """As a copy of the reference that runs against it."""
    for name, times_s in (("a", [4.0, 4.1, 4.2]), ("b", [9.0, 9.1, 9.2])):
        series(tmp_path, PLAN.but(name=name, source="same"), times_s)
    lines = printed(tmp_path)
    (first, *_), (second, *_) = rows(lines, "a"), rows(lines, "b")
    assert (first[0], second[0]) == ("1", "2")
    assert first[3:] != second[3:]


def test_two_versions_of_one_name_keep_their_own_figures(tmp_path: Path) -> None:
    series(tmp_path, PLAN.but(name="x", source="old"), [4.0, 4.1, 4.2])
    series(tmp_path, PLAN.but(name="x", source="new"), [9.0, 9.1, 9.2])
    rows_ = [line.split() for line in printed(tmp_path) if " x@" in line and "clock" in line]
    assert len({row[3] for row in rows_}) == 2
    for row in rows_:
        low, _, high = row[7].partition("–")
        assert float(low) < float(row[5]) < float(high)


def test_damage_is_shown_below_the_boards(tmp_path: Path) -> None:
    folder = series(tmp_path, PLAN, [4.0, 4.1, 4.2])[0]
    (folder / "run.json").write_text("{}")
    assert any(line.startswith("fail: ") and "left out" in line for line in printed(tmp_path))
