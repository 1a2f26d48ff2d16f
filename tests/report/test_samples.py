import base64
import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.energy import PowerSeries
from harness.report.charts.power import Track
from harness.report.samples import CHARS_A_READING, samples_json, thinned, thinning

watts = st.lists(st.floats(0.0, 500.0), min_size=1, max_size=300)


def series(values: list[float], step_s: float = 0.1, start_s: float = 0.0) -> PowerSeries:
    t_s = start_s + np.cumsum(np.full(len(values), step_s))
    return PowerSeries("cpu", t_s, np.array(values, dtype=float))


def decoded(track: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """As the page's script reads it."""
    t = np.frombuffer(base64.b64decode(track["t"]), "<u4")
    w = np.frombuffer(base64.b64decode(track["w"]), "<u2")
    return track["start"] + t * track["step_s"], w * track["step_w"]


def coded(made: PowerSeries, chars_max: int = 10**6, zero_s: float = 0.0) -> dict[str, Any]:
    text = samples_json([Track(made, None, 2)], zero_s, chars_max)
    assert text is not None
    (track,) = json.loads(text)
    return dict(track)


@given(watts, st.floats(0.001, 100.0), st.floats(0.0, 1e5))
def test_readings_come_back_to_within_a_step(
    values: list[float], step_s: float, start_s: float
) -> None:
    made = series(values, step_s, start_s)
    track = coded(made, zero_s=start_s)
    t_s, power_w = decoded(track)
    span_s = made.t_s[-1] - made.t_s[0]
    # Nine digits of the start and of each step, and the rounding to whole steps.
    assert np.abs(t_s - (made.t_s - start_s)).max() <= 1e-8 * (span_s + step_s) + 1e-9 * start_s
    assert np.abs(power_w - made.power_w).max() <= (max(values) + 1e-300) / 65535
    assert track["every"] == 1.0


@given(watts, st.integers(4, 60))
def test_thinned_traces_keep_their_extremes_in_order(values: list[float], most: int) -> None:
    made = series(values)
    kept = thinned(made, most)
    assert len(kept.t_s) <= max(most, len(values) if len(values) <= most else 0)
    assert kept.power_w.max() == max(values)
    assert kept.power_w.min() == min(values)
    assert (np.diff(kept.t_s) > 0).all()
    assert set(zip(kept.t_s, kept.power_w, strict=True)) <= set(
        zip(made.t_s, made.power_w, strict=True)
    )


def test_what_is_kept_fits_the_page_however_long_the_trace() -> None:
    made = series([float(i % 97) for i in range(100_000)])
    for chars_max in (4_000, 40_000, 400_000):
        tracks = [Track(made, None, colour) for colour in range(3)]
        text = samples_json(tracks, 0.0, chars_max)
        assert text is not None
        assert len(text) <= chars_max + 3 * 200
        assert thinning(tracks, chars_max) * chars_max / 3 / CHARS_A_READING >= 99_000


def test_a_trace_of_zeros_and_one_of_a_single_reading_are_readings() -> None:
    assert decoded(coded(series([0.0, 0.0])))[1].tolist() == [0.0, 0.0]
    t_s, power_w = decoded(coded(series([7.0], 2.0)))
    assert t_s.tolist() == [2.0]
    assert abs(power_w[0] - 7.0) < 1e-4


def test_no_tracks_no_readings() -> None:
    assert samples_json([], 0.0, 1000) is None
    assert thinning([], 1000) == 1.0
