"""The prize for quality: metrics rank as they are, the better direction first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.prizes.budget import PRIZE, sample
from harness.records import ReferenceRun
from tests.prizes.made_scores import run, score

FINAL = {"snapshot_rule": "final", "mode": "quality_at_budget"}


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_better_metric_has_the_lower_sample(one: float, two: float) -> None:
    for better in ("higher", "lower"):
        a, b = (
            sample(score(run(1, metric=item), better=better, **FINAL)).logs[1]
            for item in (one, two)
        )
        wins = one > two if better == "higher" else one < two
        assert (a < b) == wins


def test_a_metric_of_nothing_or_below_is_a_metric() -> None:
    values = sample(score(run(1, metric=0.0), run(2, metric=-3.0), better="lower", **FINAL))
    assert values.logs == {1: 0.0, 2: -3.0}


def test_a_run_without_a_metric_is_missing_and_not_zero() -> None:
    values = sample(score(run(1), run(2, metric=None), failures=1, **FINAL))
    assert values.logs == {1: -0.9}
    assert values.open_ended


def test_a_seed_that_was_run_twice_is_a_mean_and_makes_no_pairs() -> None:
    values = sample(score(run(1, metric=0.5), run(1, metric=0.75), better="lower", **FINAL))
    assert values.logs == {1: pytest.approx(0.625)}
    assert values.moments is not None
    assert values.moments[1].block == ""


def test_the_floor_is_that_of_the_metric() -> None:
    assert sample(score(run(1), sd_floor=0.25, **FINAL)).sd_floor == 0.25
    assert (PRIZE.mode, PRIZE.unit, PRIZE.quantity) == ("quality_at_budget", "", "metric")


@pytest.mark.parametrize(("better", "sign"), [("higher", -1), ("lower", 1)])
def test_metrics_beside_the_reference_are_differences(better: str, sign: int) -> None:
    unit = ReferenceRun(submission_sha256="v1", time_s=9.0, energy_j=None, metric=0.5)
    beside = [run(seed, metric=0.5 + 0.1 * seed, reference=unit) for seed in (1, 2)]
    values = sample(score(*beside, better=better, **FINAL)).reference_ratios
    assert values is not None
    assert values.logs == {1: pytest.approx(sign * 0.1), 2: pytest.approx(sign * 0.2)}
    assert sample(score(*beside, run(3), better=better, **FINAL)).reference_ratios is None
