"""What all prizes share: admission, and samples of valid runs only."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.prizes._prize import Prize, admit_scored, cost_sample
from harness.prizes.hardware import PRIZE as HARDWARE
from harness.registry import find, sources
from harness.score.costs import energy_costs, time_costs, valid_runs
from tests.prizes.made_scores import run, score

COSTS = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=8)
PRIZES: list[Prize] = [find("prizes", source.name).value for source in sources("prizes")]


@pytest.mark.parametrize("prize", PRIZES, ids=lambda prize: prize.name)
@pytest.mark.parametrize("status", ["target_missed", "runs_failed", "too_few_runs", "excluded"])
def test_no_prize_admits_what_its_ruleset_refused(prize: Prize, status: str) -> None:
    admission = prize.admit(score(run(1), status=status, reason="so it is"))
    assert admission == (False, "so it is")


@pytest.mark.parametrize("prize", PRIZES, ids=lambda prize: prize.name)
def test_every_prize_admits_a_scored_entry_with_joules(prize: Prize) -> None:
    assert prize.admit(score(run(1))).admitted
    assert prize.question.endswith("?")
    assert prize.explain_empty([]).startswith("no eligible entry")


@pytest.mark.parametrize(
    ("changes", "valid"),
    [({}, True), ({"reached": False}, False), ({"time_s": None}, False), ({"time_s": 0.0}, False),
     ({"status": "crashed"}, False), ({"status": "invalid"}, False),
     ({"status": "degraded"}, True)],
)  # fmt: skip
def test_runs_without_a_result_are_left_out(changes: dict[str, object], valid: bool) -> None:
    runs = valid_runs(score(run(1), run(2, **changes)))
    assert [item.seed for item in runs] == ([1, 2] if valid else [1])


def test_under_the_final_rule_a_miss_has_a_result_and_no_metric_has_none() -> None:
    missed, mute = run(1, reached=False), run(2, metric=None)
    assert valid_runs(score(missed, mute, snapshot_rule="final")) == [missed]


@given(COSTS, st.sampled_from([1e-3, 60.0, 3.6e6]))
def test_a_change_of_unit_moves_a_sample_and_nothing_else(times: list[float], unit: float) -> None:
    plain, scaled = (
        cost_sample(score(*(run(i, time_s=x * k) for i, x in enumerate(times))), time_costs)
        for k in (1.0, unit)
    )
    assert plain.logs.keys() == scaled.logs.keys()
    for seed, log in plain.logs.items():
        assert scaled.logs[seed] - log == pytest.approx(math.log(unit))


@given(COSTS, st.data())
def test_the_order_of_runs_does_not_matter(joules: list[float], data: st.DataObject) -> None:
    runs = [run(i, energy_j=item) for i, item in enumerate(joules)]
    shuffled = data.draw(st.permutations(runs))
    assert cost_sample(score(*runs), energy_costs) == cost_sample(score(*shuffled), energy_costs)


def test_a_run_without_joules_leaves_no_sample_of_joules() -> None:
    entry = score(run(1), run(2, energy_j=None))
    sample = cost_sample(entry, energy_costs)
    assert (dict(sample.logs), sample.open_ended) == ({}, True)
    assert set(cost_sample(entry, time_costs).logs) == {1, 2}


@pytest.mark.parametrize("failures", [0, 1])
def test_failed_runs_leave_the_end_open(failures: int) -> None:
    assert cost_sample(score(run(1), failures=failures), time_costs).open_ended is (failures > 0)


def test_a_seed_that_was_run_twice_counts_once_and_makes_no_pairs() -> None:
    sample = cost_sample(score(run(1, time_s=4.0), run(1, time_s=9.0)), time_costs)
    assert sample.logs == {1: pytest.approx(math.log(6.0))}
    assert sample.moments is not None
    assert sample.moments[1].block == ""


def test_machines_are_never_paired_and_submissions_are() -> None:
    entry = score(run(1), run(2))
    energy: Prize = find("prizes", "energy").value
    assert HARDWARE.compares == "machines"
    assert HARDWARE.sample(entry).moments is None
    moments = energy.sample(entry).moments
    assert moments is not None
    assert [moments[seed].block for seed in (1, 2)] == ["block-1", "block-2"]
    assert HARDWARE.sample(entry).logs == energy.sample(entry).logs


def test_a_scored_entry_is_admitted_with_its_reason() -> None:
    assert admit_scored(score(run(1), reason="fine")) == (True, "fine")
