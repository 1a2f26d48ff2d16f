"""What one run costs: which snapshot counts, and the seconds and joules until its stamp."""

import gzip
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundle import Bundle, BundleError
from harness.records import Ruleset, RunScore
from harness.rules.load import load_ruleset
from harness.score.run.cost import check_findings, run_score
from harness.score.run.snapshots import counting_snapshots
from tests.lab.results import Plan, finding, rules, rules_of, run_record, write_run

FINAL = rules(snapshot_rule="final")
FIRST = rules(snapshot_rule="first_passing", snapshots_max=6)
THREE = Plan(snapshots=((10.0, 0.85), (20.0, 0.92), (30.0, 0.95)))


def scored(tmp_path: Path, plan: Plan, ruleset: Ruleset | None = None) -> RunScore:
    bundle = Bundle(write_run(tmp_path, plan), checked=True)
    return run_score(bundle, ruleset or bundle.ruleset, tmp_path)


def rule_ids(score: RunScore) -> set[str]:
    return {finding.rule for finding in score.findings}


# --- which snapshot counts ------------------------------------------------------------------------


def test_final_counts_the_last(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE, FINAL)
    assert (score.snapshot, score.time_s, score.metric, score.step) == (2, 30.0, 0.95, 300)
    assert (score.status, score.reached, score.time_low_s) == ("ok", True, None)


def test_final_counts_the_last_even_where_an_earlier_one_was_better(tmp_path: Path) -> None:
    plan = Plan(snapshots=((10.0, 0.95), (20.0, 0.85)))
    score = scored(tmp_path, plan, FINAL)
    assert (score.snapshot, score.reached, score.status) == (1, False, "target_missed")
    assert "0.85" in score.reason


def test_first_passing_counts_the_first_that_passes(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE, FIRST)
    assert (score.snapshot, score.time_s, score.time_low_s) == (1, 20.0, 10.0)
    assert score.time_step_s == 10.0


def test_the_first_snapshot_has_passed_at_any_time_since_the_gun(tmp_path: Path) -> None:
    score = scored(tmp_path, Plan(snapshots=((10.0, 0.95),)), FIRST)
    assert (score.time_s, score.time_low_s) == (10.0, 0.0)


def test_lower_is_better_where_the_workload_says_so(tmp_path: Path) -> None:
    plan = Plan(better="lower", target=1.5, unit="nat", snapshots=((5.0, 1.6), (15.0, 1.4)))
    assert scored(tmp_path, plan, FIRST).snapshot == 1


def test_a_snapshot_without_a_metric_never_passes(tmp_path: Path) -> None:
    score = scored(tmp_path, Plan(snapshots=((10.0, None),)), FIRST)
    assert (score.reached, score.snapshot, score.time_s) == (False, None, None)
    assert scored(tmp_path, Plan(seed=2, snapshots=((10.0, None),)), FINAL).reached is False


def test_no_snapshot_is_no_cost(tmp_path: Path) -> None:
    score = scored(tmp_path, Plan(snapshots=(), status="target_missed"), FINAL)
    assert (score.time_s, score.energy.energy_j, score.reached) == (None, None, False)
    assert score.energy.window_j is not None


def test_refused_snapshots_do_not_count(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE.but(refused=(2,)), FINAL)
    assert score.snapshot == 1


def test_snapshots_after_the_budget_do_not_count(tmp_path: Path) -> None:
    plan = THREE.but(budget_s=25.0, end_s=31.0)
    assert scored(tmp_path, plan, FINAL).snapshot == 1
    assert scored(tmp_path, plan.but(budget_s=5.0, seed=2), FINAL).snapshot is None


def test_another_budget_ratio_moves_the_end(tmp_path: Path) -> None:
    half = rules(snapshot_rule="final", budget_ratio=0.5)
    assert scored(tmp_path, THREE.but(budget_s=50.0), half).snapshot == 1


def test_a_run_that_never_started_has_no_cost(tmp_path: Path) -> None:
    plan = Plan(gun=False, snapshots=(), status="crashed")
    score = scored(tmp_path, plan, FINAL)
    assert (score.time_s, score.window_s, score.status) == (None, None, "crashed")


stamps = st.lists(st.floats(0.01, 59.9), min_size=1, max_size=12, unique=True).map(sorted)


@given(stamps)
def test_under_another_rule_snapshots_are_thinned_to_its_spacing(times: list[float]) -> None:
    plan = Plan(snapshots=tuple((time, 0.95) for time in times))
    run = run_record(plan, "r")
    counted = counting_snapshots(run, FINAL, FIRST)
    gaps = [b.stamp_ns - a.stamp_ns for a, b in pairwise(counted[:-1])]
    assert all(gap >= 0.9 * 10e9 for gap in gaps)
    assert len(counted) <= FIRST.run.snapshots_max + 1
    assert counted[0].index == 0
    assert counted[-1].index == len(times) - 1


@given(stamps)
def test_the_conductors_word_stands_under_its_own_rule(times: list[float]) -> None:
    run = run_record(Plan(snapshots=tuple((time, 0.95) for time in times)), "r")
    assert len(counting_snapshots(run, FIRST, FIRST)) == len(times)
    assert len(counting_snapshots(run, FIRST, FINAL)) == len(times)


# --- status ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["invalid", "aborted", "crashed", "oom", "killed"])
def test_a_broken_run_reaches_nothing_whatever_it_handed_over(tmp_path: Path, status: Any) -> None:
    score = scored(tmp_path, THREE.but(status=status), FINAL)
    assert (score.status, score.reached, score.reason) == (status, False, "as planned")


def test_a_degraded_run_reaches_its_target_and_stays_degraded(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE.but(status="degraded"), FINAL)
    assert (score.status, score.reached) == ("degraded", True)


def test_a_run_killed_at_the_budget_counts_by_its_snapshots(tmp_path: Path) -> None:
    plan = THREE.but(status="budget_exceeded")
    assert scored(tmp_path, plan, FINAL).status == "ok"
    short = scored(tmp_path, plan.but(seed=2, target=0.99), FINAL)
    assert (short.status, short.reached) == ("budget_exceeded", False)


# --- joules ---------------------------------------------------------------------------------------


def test_final_charges_everything_until_the_last_process_is_dead(tmp_path: Path) -> None:
    """Work after the last snapshot costs as much as work before it."""
    score = scored(tmp_path, THREE.but(watts=120.0, end_s=40.0), FINAL)
    assert (score.time_s, score.snapshot) == (40.0, 2)
    assert score.energy.energy_j == pytest.approx(4800, rel=1e-6)
    assert score.energy.window_j == score.energy.energy_j
    assert score.energy.by_domain_j == {"cpu-package-0": pytest.approx(4800, rel=1e-6)}
    assert (score.energy.method, score.energy.domains) == ("counter", ("cpu-package-0",))
    assert score.energy.u_j is not None
    assert score.energy.u_j >= 0.02 * 3600


def test_joules_of_a_snapshot_are_those_of_its_own_window(tmp_path: Path) -> None:
    assert scored(tmp_path, THREE, FIRST).energy.energy_j == pytest.approx(2000, rel=1e-6)


def test_without_a_meter_joules_are_missing_not_zero(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE.but(watts=None), FINAL)
    assert (score.energy.energy_j, score.energy.method, score.energy.by_domain_j) == (
        None,
        None,
        {},
    )
    assert score.time_s == 30.0


def test_a_counter_that_does_not_move_has_measured_nothing(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE.but(watts=0.0), FINAL)
    assert score.energy.energy_j is None
    assert "energy-missing" in rule_ids(score)


def test_a_simulated_meter_is_marked(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE.but(simulated=True), load_ruleset("default"))
    assert score.energy.simulated
    assert "energy-simulated" in rule_ids(score)


def test_readings_that_stop_early_are_detected(tmp_path: Path) -> None:
    folder = write_run(tmp_path, THREE)
    path = folder / "trace.csv.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[: len(lines) // 2]), mtime=0))
    score = run_score(Bundle(folder), FINAL, tmp_path)
    assert {"energy-coverage", "energy-missing"} & rule_ids(score)


def test_a_trace_that_is_none_is_a_finding_and_time_still_counts(tmp_path: Path) -> None:
    folder = write_run(tmp_path, THREE)
    (folder / "trace.csv.gz").write_bytes(gzip.compress(b"no trace\n", mtime=0))
    score = run_score(Bundle(folder), FINAL, tmp_path)
    assert "energy-trace-unreadable" in rule_ids(score)
    assert (score.energy.energy_j, score.time_s) == (None, 30.0)


def test_a_trace_that_cannot_be_unpacked_spoils_the_bundle(tmp_path: Path) -> None:
    folder = write_run(tmp_path, THREE)
    (folder / "trace.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(BundleError, match=r"trace\.csv\.gz"):
        run_score(Bundle(folder), FINAL, tmp_path)


def test_a_suspended_machine_spoils_the_seconds_too(tmp_path: Path) -> None:
    plan = THREE.but(status="degraded", changes={"findings": (finding("suspended"),)})
    assert "suspended" in rule_ids(scored(tmp_path, plan, FINAL))


# --- checks ---------------------------------------------------------------------------------------


def test_checks_are_those_that_the_ruleset_names(tmp_path: Path) -> None:
    plan = THREE.but(changes={"provenance": "self"})
    bundle = Bundle(write_run(tmp_path, plan))
    strict = load_ruleset("default", ['score.provenance=["organizer"]'])
    assert {check_finding.rule for check_finding in check_findings(bundle, strict)} == {
        "provenance"
    }
    assert check_findings(bundle, strict.model_copy(update={"checks": ()})) == ()


def test_the_path_is_relative_to_the_results(tmp_path: Path) -> None:
    score = scored(tmp_path, THREE, FINAL)
    assert (tmp_path / score.bundle / "run.json").exists()
    assert not Path(score.bundle).is_absolute()


def test_the_ruleset_in_force_is_the_one_in_the_bundle(tmp_path: Path) -> None:
    bundle = Bundle(write_run(tmp_path, THREE.but(ruleset="smoke")))
    assert bundle.ruleset == rules_of(THREE.but(ruleset="smoke"))
    assert run_score(bundle, bundle.ruleset, tmp_path).snapshot == 1


# --- what a slower hour would have left -----------------------------------------------------------

CURVE = ((10.0, 0.3), (25.0, 0.6), (31.0, 0.7), (58.0, 0.8))
