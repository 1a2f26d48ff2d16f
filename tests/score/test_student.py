"""Student's t against scipy's, over every size that scores may meet."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from harness.score.student import cdf, cdfs, quantile

degrees = st.floats(1.0, 1e4) | st.integers(1, 200).map(float)


@given(st.floats(-60, 60), degrees)
def test_the_distribution(t: float, df: float) -> None:
    assert cdf(t, df) == pytest.approx(float(stdtr(df, t)), rel=1e-8, abs=1e-14)


@given(st.floats(1e-6, 1 - 1e-6), degrees)
def test_the_quantile(p: float, df: float) -> None:
    assert quantile(p, df) == pytest.approx(float(stdtrit(df, p)), rel=1e-7, abs=1e-9)


@given(st.floats(0.5001, 0.9999), degrees)
def test_the_quantile_inverts_the_distribution(p: float, df: float) -> None:
    assert cdf(quantile(p, df), df) == pytest.approx(p, abs=1e-10)


@pytest.mark.parametrize(
    ("df", "expected"), [(1, 12.7062047), (2, 4.30265273), (4, 2.77644511), (9, 2.26215716)]
)
def test_the_table_that_everybody_knows(df: int, expected: float) -> None:
    assert quantile(0.975, df) == pytest.approx(expected, abs=5e-9 * expected)


def test_edges() -> None:
    assert cdf(0.0, 3) == 0.5
    assert (cdf(math.inf, 3), cdf(-math.inf, 3)) == (1.0, 0.0)
    assert math.isnan(cdf(math.nan, 3))
    assert (quantile(0.5, 3), quantile(1.0, 3), quantile(0.0, 3)) == (0.0, math.inf, -math.inf)
    assert math.isnan(quantile(1.5, 3))
    assert cdf(1.959963984540054, math.inf) == pytest.approx(0.975)


def test_intervals_load_no_scipy() -> None:
    code = (
        "import sys; from harness.score.stats import log_t_interval;"
        "log_t_interval([1.0, 2.0], 0.95, 0.0); assert 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True),
            st.one_of(st.floats(0.01, 1e6), st.just(math.inf)),
        )
        | st.tuples(st.floats(-50, 50), st.floats(0.5, 40)),
        max_size=20,
    )
)
def test_many_at_once_are_each_by_itself(drawn: list[tuple[float, float]]) -> None:
    t, df = np.array(drawn).reshape(-1, 2).T
    expected = np.array([cdf(*item) for item in drawn])
    assert cdfs(t, df).tobytes() == expected.tobytes()
