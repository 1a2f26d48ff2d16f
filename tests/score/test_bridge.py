"""The energy bridge: causes add up to the difference, whichever end one begins at."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.bridge import Effort, bridge, log_mean, sentence

positive = st.floats(1e-3, 1e6)
efforts = st.builds(Effort, positive, positive, positive | st.none())


@given(positive, positive)
def test_the_logarithmic_mean_lies_between(a: float, b: float) -> None:
    assert min(a, b) * 0.999 <= log_mean(a, b) <= max(a, b) * 1.001
    assert math.isclose(log_mean(a, b), log_mean(b, a), rel_tol=1e-6)


@given(efforts, efforts)
def test_the_bars_add_up_to_the_difference(a: Effort, b: Effort) -> None:
    total = math.fsum(bar.energy_j for bar in bridge(a, b).bars)
    assert total == pytest.approx(b.energy_j - a.energy_j, rel=1e-6, abs=1e-6 * a.energy_j)


@given(efforts, efforts)
def test_the_ratios_multiply_to_that_of_the_joules(a: Effort, b: Effort) -> None:
    product = math.prod(bar.ratio for bar in bridge(a, b).bars)
    assert product == pytest.approx(b.energy_j / a.energy_j, rel=1e-6)


@given(efforts, efforts)
def test_the_way_back_is_the_same_bridge(a: Effort, b: Effort) -> None:
    there, back = bridge(a, b), bridge(b, a)
    for one, other in zip(there.bars, back.bars, strict=True):
        assert one.energy_j == pytest.approx(-other.energy_j, rel=1e-6, abs=1e-9)


def test_the_published_example() -> None:
    """1,000 steps of 0.1 s at 300 W against 1,200 of 0.09 s at 310 W."""
    a = Effort(30_000.0, 100.0, 1000.0)
    time_s = 100.0 * 1.2 * 0.9
    b = Effort(310.0 * time_s, time_s, 1200.0)
    bars = {bar.factor: bar for bar in bridge(a, b).bars}
    assert [round(bars[f].ratio, 4) for f in ("steps", "step_s", "watts")] == [1.2, 0.9, 1.0333]
    assert bars["steps"].energy_j == pytest.approx(5781, abs=1)
    assert bars["step_s"].energy_j == pytest.approx(-3341, abs=1)
    assert bars["watts"].energy_j == pytest.approx(1040, abs=1)
    assert sentence(bridge(a, b), "A", "B") == (
        "B needs 3.48e+03 J more than A: 20.0% more steps, steps 10.0% faster, power 3.3% higher"
    )


def test_equals_have_no_reason() -> None:
    a = Effort(100.0, 10.0, 5.0)
    assert sentence(bridge(a, a), "A", "B").startswith("B needs as much energy as A")
    assert log_mean(3.0, 3.0) == 3.0


def test_steps_that_one_side_never_reported_are_left_out() -> None:
    bars = bridge(Effort(100.0, 10.0, None), Effort(200.0, 20.0, 7.0)).bars
    assert [bar.factor for bar in bars] == ["time_s", "watts"]


def test_a_bridge_from_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        bridge(Effort(0.0, 1.0, None), Effort(1.0, 1.0, None))
