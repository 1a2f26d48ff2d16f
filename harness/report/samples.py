"""Every reading of a power trace in few bytes, for the script that looks closer at a chart."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from harness.measure.energy import PowerSeries
from harness.report.charts.power import Track
from harness.report.text import embedded_json

CHARS_MAX = 800_000
"""Characters of readings on a page; traces that need more are thinned to their extremes."""

CHARS_A_READING = 8
"""Four bytes of time and two of power, as base64."""

TIME_STEPS = (1 << 32) - 1
POWER_STEPS = (1 << 16) - 1


def thinned(series: PowerSeries, points_max: int) -> PowerSeries:
    """At most so many readings, and of each stretch that was thinned out least and greatest."""
    count = len(series.t_s)
    if count <= points_max:
        return series
    width = -(-2 * count // max(points_max - 2, 2))
    whole = count // width * width
    blocks = series.power_w[:whole].reshape(-1, width)
    starts = np.arange(0, whole, width)
    rest = series.power_w[whole:]
    tail = [whole + rest.argmin(), whole + rest.argmax()] if len(rest) else []
    kept = np.unique(np.r_[starts + blocks.argmin(axis=1), starts + blocks.argmax(axis=1), tail])
    kept = kept.astype(np.int64)
    return PowerSeries(series.domain, series.t_s[kept], series.power_w[kept])


def _packed(values: Any, kind: str) -> str:
    return base64.b64encode(np.round(values).astype(kind).tobytes()).decode()


def _coded(track: Track, points_max: int, zero_s: float) -> dict[str, Any]:
    """Times and watts as whole steps: little-endian, 32 and 16 bits."""
    kept = thinned(track.series, points_max)
    start_s, span_s = float(kept.t_s[0]), float(kept.t_s[-1] - kept.t_s[0])
    step_s, step_w = span_s / TIME_STEPS, float(kept.power_w.max()) / POWER_STEPS
    return {
        "style": f"d{track.colour}{' modelled' if track.modelled else ''}",
        "start": float(f"{start_s - zero_s:.9g}"),
        "step_s": float(f"{step_s:.9g}"),
        "step_w": float(f"{step_w:.9g}"),
        "every": round(len(track.series.t_s) / len(kept.t_s), 1),
        "t": _packed((kept.t_s - start_s) / (step_s or 1.0), "<u4"),
        "w": _packed(np.maximum(kept.power_w, 0.0) / (step_w or 1.0), "<u2"),
    }


def samples_json(tracks: Sequence[Track], zero_s: float, chars_max: int) -> Markup | None:
    """The readings of a chart's tracks for its script; None where there are none.

    Args:
        tracks: the domains that the chart draws.
        zero_s: moment that the chart's clock counts from, seconds after the run's origin.
        chars_max: length of the text, about.
    """
    if not tracks:
        return None
    points_max = max(chars_max // CHARS_A_READING // len(tracks), 4)
    return embedded_json([_coded(track, points_max, zero_s) for track in tracks])


def thinning(tracks: Sequence[Track], chars_max: int) -> float:
    """How many readings stand behind each one kept, in the longest of the tracks; 1 for all."""
    points_max = max(chars_max // CHARS_A_READING // max(len(tracks), 1), 4)
    longest = max((len(track.series.t_s) for track in tracks), default=0)
    return max(longest / points_max, 1.0)
