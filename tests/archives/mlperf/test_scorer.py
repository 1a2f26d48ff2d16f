"""MLPerf's scores: olympic means by hand, joules of the same runs, failures by code and by rule."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives.mlperf.scorer import score_entry, sort_runs
from harness.archives.scoring import EntryKey, due_runs
from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.records import ImportedScore, ImportedScoreDocument
from harness.rules.load import load_ruleset
from tests.archives.mlperf.made import Power, Run, write_package

TIMES_S = [100.0, 130.0, 110.0, 120.0, 500.0]
"""Five runs of resnet: the mean of the middle three is 120 s."""


def document(root: Path, *sets: str) -> ImportedScoreDocument:
    import_archive("mlperf-training", root / "acme", root / "results")
    return score_imported(root / "results", load_ruleset("mlperf-training", sets))


def only(root: Path, *sets: str) -> ImportedScore:
    (score,) = document(root, *sets).scores
    return score


def five(**changes: object) -> list[Run]:
    return [Run(run_s=time_s).but(**changes) for time_s in TIMES_S]


def test_the_fastest_and_the_slowest_are_dropped(tmp_path: Path) -> None:
    write_package(tmp_path / "acme", five())
    score = only(tmp_path)
    assert (score.status, score.n, score.due_count, score.failures) == ("scored", 5, 5, 0)
    assert score.time_to_target_s is not None
    assert score.time_to_target_s.value == pytest.approx(120.0)
    assert score.time_to_target_s.low is not None
    assert score.time_to_target_s.low < 120 < (score.time_to_target_s.high or 0)
    assert score.energy_to_target_j is None
    assert (score.energy_method, score.energy_by_method_j) == (None, {})


def test_joules_are_those_of_the_same_runs(tmp_path: Path) -> None:
    runs = [
        Run(run_s=time_s, nodes=(Power(watts=100.0 if time_s == 100.0 else 1000.0),))
        for time_s in TIMES_S
    ]
    write_package(tmp_path / "acme", runs)
    score = only(tmp_path)
    assert score.energy_method == "mlperf-current"
    assert score.energy_to_target_j is not None
    assert score.energy_to_target_j.value == pytest.approx(120_000)
    assert set(score.energy_by_method_j) == {"window", "mlperf-current", "mlperf-2024-06"}


@pytest.mark.parametrize("method", ["window", "mlperf-current", "mlperf-2024-06"])
def test_the_method_is_a_named_constant(tmp_path: Path, method: str) -> None:
    node = Power(watts=lambda at_s: 1000.0 if at_s > 0 else 500.0)
    write_package(tmp_path / "acme", five(nodes=(node,)))
    score = only(tmp_path, f"energy_method={method}")
    assert score.energy_method == method
    assert score.energy_to_target_j is not None
    assert score.energy_to_target_j.value == score.energy_by_method_j[method]


def test_the_reviews_factor_counts_for_time_and_joules(tmp_path: Path) -> None:
    write_package(tmp_path / "acme", five(nodes=(Power(),)), scaling=1.05)
    score = only(tmp_path)
    assert score.scaling_ratio == 1.05
    assert score.time_to_target_s is not None
    assert score.time_to_target_s.value == pytest.approx(126.0)
    assert score.energy_to_target_j is not None
    assert score.energy_to_target_j.value == pytest.approx(126_000)


@pytest.mark.parametrize("as_shipped", [True, False])
def test_one_failed_run_is_the_dropped_slowest(tmp_path: Path, as_shipped: bool) -> None:
    runs = [*five()[:4], Run(run_s=1.0, status="aborted")]
    write_package(tmp_path / "acme", runs)
    score = only(tmp_path, f"as_shipped={str(as_shipped).lower()}")
    assert (score.n, score.failures) == (4, 1)
    assert score.time_to_target_s is not None
    assert score.time_to_target_s.value == pytest.approx(120.0)


def test_two_failed_runs_are_no_score(tmp_path: Path) -> None:
    runs = [*five()[:3], Run(status="aborted"), Run(stop=False)]
    write_package(tmp_path / "acme", runs)
    score = only(tmp_path)
    assert (score.status, score.time_to_target_s) == ("target_missed", None)


def test_missing_runs_are_infinite_by_the_rules_only(tmp_path: Path) -> None:
    write_package(tmp_path / "acme", five()[:3])
    assert only(tmp_path).time_to_target_s is not None
    result = document(tmp_path, "as_shipped=false")
    assert (result.scores[0].status, result.scores[0].failures) == ("too_few_runs", 2)
    assert result.scores[0].time_to_target_s is None
    assert any(finding.rule == "mlperf-run-count" for finding in result.findings)


@pytest.mark.parametrize(("as_shipped", "n"), [("true", 5), ("false", 4)])
def test_an_aborted_open_run_counts_in_shipped_code(
    tmp_path: Path, as_shipped: str, n: int
) -> None:
    runs = [*five(division="open")[:4], Run(run_s=105.0, status="aborted", division="open")]
    write_package(tmp_path / "acme", runs)
    assert only(tmp_path, f"as_shipped={as_shipped}").n == n


def test_joules_that_are_not_in_every_run_are_missing(tmp_path: Path) -> None:
    runs = five(nodes=(Power(),))
    runs[2] = runs[2].but(nodes=(Power(stop_is_start=True),))
    write_package(tmp_path / "acme", runs)
    result = document(tmp_path)
    assert result.scores[0].energy_to_target_j is None
    assert result.scores[0].energy_by_method_j["mlperf-current"] is None
    assert result.scores[0].energy_by_method_j["window"] == pytest.approx(120_000)
    assert any(finding.rule == "mlperf-energy-undefined" for finding in result.findings)


def test_systems_are_ranked_with_ties(tmp_path: Path) -> None:
    for system, factor in (("fast", 1.0), ("near", 1.01), ("slow", 4.0)):
        runs = [Run(run_s=factor * (100 + i), nodes=(Power(),)) for i in range(5)]
        write_package(tmp_path / "acme", runs, system)
    rows = [row for row in document(tmp_path).leaderboard if row.quantity == "time_to_target_s"]
    assert [row.machine for row in rows] == ["fast", "near", "slow"]
    assert rows[0].tie_group == rows[1].tie_group != rows[2].tie_group
    assert {row.quantity for row in document(tmp_path).leaderboard} == {
        "time_to_target_s", "energy_to_target_j",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("workload", "due"), [("unet3d", (40, 4)), ("gpt3", (3, 1)), ("bert", (10, 1))]
)
def test_numbers_of_runs(workload: str, due: tuple[int, int]) -> None:
    rules = load_ruleset("mlperf-training").imported
    assert rules is not None
    assert due_runs(rules.due, workload) == due


def test_a_bad_number_of_runs_is_named() -> None:
    with pytest.raises(ValueError, match="WORKLOAD: RUNS DROPPED"):
        due_runs(["bert: ten"], "bert")


@given(st.permutations(range(5)), st.floats(0.5, 2.0))
def test_order_and_unit_do_not_matter(order: list[int], factor: float) -> None:
    rules = load_ruleset("mlperf-training").imported
    assert rules is not None
    cell = EntryKey("resnet", "acme", "one")
    runs = [stand_in(i, TIMES_S[i]) for i in range(5)]
    one = score_entry(cell, runs, rules).time_to_target_s
    turned = [stand_in(i, factor * TIMES_S[i]) for i in order]
    two = score_entry(cell, turned, rules).time_to_target_s
    assert one is not None
    assert two is not None
    assert two.value == pytest.approx(factor * one.value)
    assert len(sort_runs("resnet", turned, rules).counted) == 3


def stand_in(index: int, time_s: float):
    """A record without logs."""
    from harness.records import ImportedRun

    return ImportedRun(
        source_format="mlperf-training", workload="resnet", submission="acme", machine="one",
        run=f"result_{index}", status="ok", time_s=time_s, source="x", sha256="",
    )  # fmt: skip
