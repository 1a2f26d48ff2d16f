"""Costs by seed: seconds, joules, steps, and dollars at a declared price."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundle import Bundle
from harness.records import Score, dump
from harness.rules.load import load_ruleset
from harness.score.costs import dollar_costs, dollars_of, is_valid, step_costs, time_costs
from harness.score.run.cost import NO_PRICE
from harness.score.score import score_results
from tests.lab.results import Plan, machine_of, reseal, series
from tests.prizes.made_scores import run

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


@given(st.lists(st.floats(0.1, 1e4), min_size=1, max_size=8), st.floats(0.01, 100.0))
def test_dollars_are_seconds_at_the_price(times: list[float], price: float) -> None:
    runs = [run(seed, time_s=item).model_copy(update={"price_usd_per_h": price})
            for seed, item in enumerate(times)]  # fmt: skip
    dollars, seconds = dollar_costs(runs), time_costs(runs)
    assert dollars is not None
    assert seconds is not None
    for seed, value in seconds.values.items():
        assert dollars.values[seed] == pytest.approx(value * price / 3600)
    assert dollars.sd_floor == pytest.approx(seconds.sd_floor)


def test_without_a_price_there_are_no_dollars() -> None:
    priced = run(1).model_copy(update={"price_usd_per_h": 2.0})
    assert dollar_costs([priced, run(2)]) is None, "of some runs is of none"
    assert dollars_of(run(1), 10.0) is None
    assert dollars_of(priced, None) is None


def test_steps_are_a_cost_where_every_run_claims_them() -> None:
    values = step_costs([run(1, step=10), run(2, step=40)])
    assert values is not None
    assert list(values.values.values()) == pytest.approx([10.0, 40.0])
    assert step_costs([run(1), run(2, step=None)]) is None


@pytest.mark.parametrize("status", ["invalid", "aborted", "crashed", "oom", "killed"])
def test_broken_runs_have_no_result(status: str) -> None:
    assert not is_valid(run(1, status=status), "final")
    assert is_valid(run(1), "final")


def priced(results: Path, price: float | None) -> Score:
    for folder in series(results, Plan(), EIGHT):
        machine = machine_of(Plan()).model_copy(update={"price_usd_per_h": price})
        (folder / "machine.json").write_bytes(dump(machine))
        reseal(folder, "ok", Bundle(folder).run.id)
    (values,) = score_results(results, load_ruleset("default"))
    return values


def test_a_declared_price_reaches_the_score(tmp_path: Path) -> None:
    score = priced(tmp_path, 3.6)
    seconds, dollars = score.costs.time_to_target_s, score.costs.cost_to_target_usd
    assert seconds is not None
    assert dollars is not None
    assert dollars.value == pytest.approx(seconds.value / 1000)
    assert dollars.low == pytest.approx((seconds.low or 0) / 1000)
    assert dollars.n == 8


def test_no_price_is_no_cost_and_never_zero(tmp_path: Path) -> None:
    score = priced(tmp_path, None)
    assert score.costs.cost_to_target_usd is None
    assert NO_PRICE in dump(machine_of(Plan())), "how the scorer knows without reading it all"
