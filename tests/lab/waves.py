"""Courses of power with an exact integral, and virtual sensors that look at them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.measure.series import Series
from harness.measure.trace import Trace
from harness.meters.fake import Wave as Course
from harness.records import Domain

Float = npt.NDArray[np.float64]


class Wave(Protocol):
    """Power over time, from 0 s on."""

    def energy_j(self, t_s: Float) -> Float:
        """Exact integral from 0."""
        ...


@dataclass(frozen=True)
class Steps:
    """Any course of power at all, as pieces of constant power."""

    edges_s: Float
    watts: Float

    def energy_j(self, t_s: Float) -> Float:
        sums = np.concatenate(([0.0], np.cumsum(np.diff(self.edges_s) * self.watts)))
        return np.interp(t_s, self.edges_s, sums)


@dataclass(frozen=True)
class Sines:
    """A band-limited course: a mean and a few waves, each (watts, hertz, phase)."""

    mean_w: float
    parts: tuple[tuple[float, float, float], ...]

    def energy_j(self, t_s: Float) -> Float:
        total = self.mean_w * t_s
        for watts, hertz, phase in self.parts:
            omega = 2 * np.pi * hertz
            total = total + watts / omega * (np.cos(phase) - np.cos(omega * t_s + phase))
        return np.asarray(total, dtype=np.float64)


@dataclass(frozen=True)
class Shaped:
    """One of the courses that the stand-ins of the lab play."""

    course: Course

    def energy_j(self, t_s: Float) -> Float:
        return np.array([self.course.energy_j(float(item)) for item in np.atleast_1d(t_s)])


SHAPES = {
    "constant": Shaped(Course("constant", 250.0)),
    "square": Shaped(Course("square", 300.0, 100.0, 0.7)),
    "pulse": Shaped(Course("pulse", 300.0, 100.0, 1.1)),
    "ramp": Shaped(Course("ramp", 300.0, 100.0, 0.9)),
    "sine": Shaped(Course("sine", 300.0, 100.0, 1.7)),
}
"""As `tests/lab/test_run.py` plays them."""


def constant(watts: float, until_s: float = 1e4) -> Steps:
    """The same power all the time."""
    return Steps(np.array([-1e3, until_s]), np.array([watts]))


@dataclass(frozen=True)
class Sensor:
    """A sensor with all of its imperfections."""

    update_s: float = 0.1
    window_s: float = 0.1
    phase_s: float = 0.0
    gain: float = 1.0
    step: float = 0.001
    """Of the counter in joules, or of the power in watts."""
    wrap_j: float | None = None
    flicker_w: float = 0.005
    """Noise of the power reading: no real sensor stands still to the milliwatt."""

    def _updates(self, t_s: Float) -> Float:
        """Time of the last update before each read."""
        return np.floor((t_s - self.phase_s) / self.update_s) * self.update_s + self.phase_s

    def joules(self, wave: Wave, t_s: Float) -> Float:
        """What the counter shows."""
        shown = self.gain * wave.energy_j(self._updates(t_s))
        shown = np.floor(shown / self.step) * self.step
        return shown if self.wrap_j is None else np.mod(shown, self.wrap_j)

    def watts(self, wave: Wave, t_s: Float) -> Float:
        """What the power reading shows: the mean over the window before the last update."""
        ends = self._updates(t_s)
        mean = (wave.energy_j(ends) - wave.energy_j(ends - self.window_s)) / self.window_s
        noise = self.flicker_w * np.mod(43758.5453 * np.sin(12.9898 * ends), 1.0)
        shown = np.floor((self.gain * mean + noise) / self.step) * self.step
        return np.asarray(np.maximum(shown, 0.0))


@dataclass(frozen=True)
class Setting:
    """One measurement: a wave, a sensor, a window, and how it is read."""

    wave: Wave
    sensor: Sensor
    method: str
    window_s: tuple[float, float]
    period_s: float = 0.1
    grid_phase_s: float = 0.0
    high_w: float = 400.0
    low_w: float = 0.0
    gain_error: float = 0.05
    lead_s: float = 2.0
    """Reading goes on for this long before and after the window."""
    followed: bool = False
    """Whether the next update after each edge is watched for, as the sampler does it."""

    @property
    def truth_j(self) -> float:
        begin, end = self.wave.energy_j(np.array(self.window_s))
        return float(end - begin)

    @property
    def window_ns(self) -> tuple[int, int]:
        begin_s, end_s = self.window_s
        return round(begin_s * 1e9), round(end_s * 1e9)

    def domain(self, **changes: object) -> Domain:
        counts = self.method == "counter"
        fields: dict[str, object] = {
            "name": "gpu-0",
            "kind": "gpu",
            "method": self.method,
            "meter": "virtual",
            "source": "virtual",
            "wrap_j": self.sensor.wrap_j,
            "resolution_j": self.sensor.step if counts else None,
            "resolution_w": None if counts else self.sensor.step,
            "update_period_s": self.sensor.update_s,
            "averaging_window_s": None if counts else self.sensor.window_s,
            "power_low_w": self.low_w,
            "power_high_w": self.high_w,
            "gain_error_ratio": self.gain_error,
        }
        return Domain(**(fields | changes))  # type: ignore[arg-type]

    def stamps_s(self) -> Float:
        """When it is read: a grid, and readings right after each edge, as the conductor asks."""
        begin_s, end_s = self.window_s
        grid = np.arange(
            begin_s - self.lead_s + self.grid_phase_s, end_s + self.lead_s, self.period_s
        )
        edges = [begin_s - 5e-4, end_s + 5e-4]
        if self.followed:
            looks = np.arange(26) * self.sensor.update_s / 20
            edges = [edge + look for edge in edges for look in looks]
        return np.unique(np.concatenate((grid, edges)))

    def beside(self) -> Trace:
        """A counter and a power sensor of one card, read together."""
        counter = replace(self, method="counter", sensor=replace(self.sensor, wrap_j=None))
        columns = [item.trace().columns["gpu-0"] for item in (counter, self.sampled())]
        return Trace(dict(zip(("gpu-0", "gpu-0-instant"), columns, strict=True)))

    def sampled(self) -> "Setting":
        """The power sensor of that card."""
        return replace(self, method="sampled")

    def trace(self, spoil: Callable[[Series], Series] | None = None) -> Trace:
        """What the sampler would have written, with a fault if one is given."""
        t_s = self.stamps_s()
        missing = np.full(len(t_s), np.nan)
        counts = self.method == "counter"
        look = self.sensor.joules if counts else self.sensor.watts
        shown = look(self.wave, t_s)
        t_ns = np.round(t_s * 1e9).astype(np.int64)
        joules, watts = (shown, missing) if counts else (missing, shown)
        series = Series(t_ns, joules, watts, np.full(len(t_s), 1000.0))
        return Trace({"gpu-0": spoil(series) if spoil else series})


def random_steps(rng: np.random.Generator, until_s: float, low_w: float, high_w: float) -> Steps:
    """Anything whatsoever within the range: pieces of a millisecond to seconds, often extremes."""
    count = int(rng.integers(1, 200))
    lengths = 10 ** rng.uniform(-3, 0.5, count)
    edges = np.concatenate(([-10.0], -10.0 + np.cumsum(lengths), [until_s + 1000.0]))
    watts = rng.uniform(low_w, high_w, count + 1)
    extreme = rng.random(count + 1) < 0.5
    watts[extreme] = rng.choice([low_w, high_w], int(extreme.sum()))
    return Steps(np.sort(edges), watts)


def random_sines(rng: np.random.Generator, highest_hz: float, high_w: float) -> Sines:
    """A band-limited course that stays within 0..high_w."""
    mean = rng.uniform(0.2, 0.7) * high_w
    count = int(rng.integers(0, 5))
    room = 0.9 * min(mean, high_w - mean)
    watts = rng.dirichlet(np.ones(count)) * rng.uniform(0.1, 1) * room if count else np.zeros(0)
    hertz = highest_hz * 10 ** rng.uniform(-2.5, 0, count)
    phases = rng.uniform(0, 2 * np.pi, count)
    return Sines(mean, tuple(zip(watts, hertz, phases, strict=True)))
