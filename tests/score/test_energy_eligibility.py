"""Joules that may win and joules that may not, each with the reason."""

from pathlib import Path
from typing import Any

import pytest

from harness.records import Ruleset, RunEnergy, RunScore, Score
from harness.records.measure import weakest_method
from harness.rules.load import load_ruleset
from harness.score.energy_eligibility import assess_energy
from harness.score.score import score_results
from tests.lab.results import Plan, finding, rules, series, write_run

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


def run(**changes: Any) -> RunScore:
    fields: dict[str, Any] = {
        "run_id": "r", "bundle": "b", "manifest_sha256": "0", "seed": 1, "status": "ok",
        "reason": "", "reached": True, "snapshot": 0, "step": 1, "metric": 0.9, "time_s": 10.0,
        "time_low_s": None, "window_s": 11.0, "cpu_s": 1.0, "peak_rss_bytes": 1,
    }  # fmt: skip
    energy: dict[str, Any] = {
        "energy_j": 1000.0, "u_j": 20.0, "method": "counter", "domains": ("gpu-0",)
    }  # fmt: skip
    for name, value in changes.items():
        (energy if name in RunEnergy.model_fields else fields)[name] = value
    return RunScore(energy=RunEnergy(**energy), **fields)


def score_of(results: Path, plan: Plan, sets: tuple[str, ...] = ()) -> Score:
    series(results, plan, EIGHT)
    (score,) = score_results(results, load_ruleset("default", sets) if sets else None)
    return score


def test_counted_joules_may_win() -> None:
    assessment = assess_energy([run(), run(seed=2)], rules())
    assert (assessment.eligible, assessment.complete, assessment.method) == (True, True, "counter")
    assert assessment.note == "gpu-0 by counter"
    assert assessment.uncertainty == 20.0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"method": "modelled"}, "modelled, not measured"),
        ({"method": "declared"}, "declared, not measured"),
        ({"simulated": True}, "simulated"),
        ({"status": "degraded"}, "degraded in 1 of 2 runs"),
        ({"findings": (finding("energy-coverage"),)}, "energy-coverage"),
    ],
)
def test_one_doubtful_run_keeps_all_joules_from_winning(changes: dict[str, Any], word: str) -> None:
    assessment = assess_energy([run(), run(**changes)], rules())
    assert assessment.complete
    assert not assessment.eligible
    assert word in assessment.note


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"energy_j": None, "method": None}, "no joules in 1 of 2 runs"),
        ({"domains": ("gpu-0", "cpu-0")}, "different domains"),
    ],
)
def test_joules_that_cannot_be_averaged_give_no_figure(changes: dict[str, Any], word: str) -> None:
    assessment = assess_energy([run(), run(**changes)], rules())
    assert not assessment.complete
    assert not assessment.eligible
    assert word in assessment.note


def test_no_run_has_no_joules() -> None:
    assert assess_energy([], rules()).note == "no run counts"
    assert assess_energy([run(energy_j=None)], rules()).note == "no joules were measured"


def test_findings_about_other_things_leave_joules_alone() -> None:
    assert assess_energy([run(findings=(finding("stamp-late"),))], rules()).eligible
    assert assess_energy([run(findings=(finding("energy-gap", "warn"),))], rules()).eligible


@pytest.mark.parametrize(("u_j", "eligible"), [(40.0, True), (60.0, False), (None, False)])
def test_unknown_uncertainty_is_over_every_limit(u_j: float | None, eligible: bool) -> None:
    def limited(**changes: Any) -> Ruleset:
        measure = rules().measure.model_copy(update={"uncertainty_ratio_max": 0.05} | changes)
        return rules().model_copy(update={"measure": measure})

    assert assess_energy([run(own_u_j=u_j, u_j=500.0)], limited()).eligible is eligible
    machines = limited(common_uncertainty=True)
    assert assess_energy([run(own_u_j=0.0, u_j=u_j)], machines).eligible is eligible
    assert assess_energy([run(own_u_j=u_j)], rules()).eligible


def test_the_weakest_method_speaks_for_all() -> None:
    assert weakest_method(["counter", "sampled"]) == "sampled"
    assert weakest_method(["declared", "modelled", "counter"]) == "modelled"
    assert weakest_method([]) is None


def test_a_modelled_figure_is_shown_and_marked(tmp_path: Path) -> None:
    score = score_of(tmp_path, Plan(method="modelled"))
    assert score.status == "scored"
    assert not score.energy.eligible
    assert score.costs.energy_to_target_j is not None
    assert score.costs.energy_to_target_j.method == "modelled"
    assert score.energy.by_domain_j["cpu-package-0"].method == "modelled"


def test_simulated_joules_may_win_only_where_the_ruleset_says_so(tmp_path: Path) -> None:
    score = score_of(tmp_path, Plan(simulated=True), ("score.simulated=true",))
    assert score.energy.eligible
    assert score.costs.energy_to_target_j is not None
    assert score.costs.energy_to_target_j.simulated
    (strict,) = score_results(tmp_path)
    assert not strict.energy.eligible
    assert strict.status == "scored", "a fake meter takes out joules, not seconds"


def test_without_meters_there_are_no_joules_at_all(tmp_path: Path) -> None:
    score = score_of(tmp_path, Plan(watts=None))
    assert score.costs.energy_to_target_j is None
    assert score.energy.by_domain_j == {}
    assert score.energy.note == "no joules were measured"


def test_one_run_without_a_meter_leaves_no_figure(tmp_path: Path) -> None:
    series(tmp_path, Plan(), EIGHT)
    write_run(tmp_path, Plan(seed=9, watts=None))
    (score,) = score_results(tmp_path)
    assert score.costs.energy_to_target_j is None
    assert score.energy.note == "no joules in 1 of 9 runs"
    assert score.status == "scored"
