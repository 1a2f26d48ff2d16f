"""Courses of power of many kinds, read by sensors of every class on a virtual clock.

The classes are those of real sensors: an energy counter that is updated every 100 ms (NVIDIA, AMD),
20 ms or 1 ms (RAPL), and power readings that average over all of their update period, over 25 of
100 ms (A100, H100), 10 of 20 ms (Pascal, Volta) or the last second. Updates jitter, reads are late,
and the edges of a window are read as the sampler reads them after a mark, or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.measure.energy import Energy, EnergyReader
from harness.measure.series import Series
from harness.measure.trace import Trace
from harness.records import Domain
from tests.lab.waves import Float, Sines, Steps, Wave, random_sines

UNTIL_S = 80.0
HIGH_W = 400.0


def _two_levels(rng: np.random.Generator) -> tuple[float, float]:
    low_w = rng.uniform(20, 150)
    return low_w, rng.uniform(low_w + 50, 380)


def _pieces(lengths_s: Float, watts: Float) -> Steps:
    """Pieces of constant power from 0 s on, repeated to the end."""
    repeats = int(np.ceil(UNTIL_S / lengths_s.sum())) + 1
    edges_s = np.concatenate(([0.0], np.cumsum(np.tile(lengths_s, repeats))))
    return Steps(edges_s, np.tile(watts, repeats))


def _bursts(period_s: float) -> Callable[[np.random.Generator], Wave]:
    """Two levels that alternate with one period, which may be a multiple of the sensor's."""

    def course(rng: np.random.Generator) -> Wave:
        share = rng.uniform(0.2, 0.8)
        steps = _pieces(period_s * np.array([share, 1 - share]), np.array(_two_levels(rng)))
        return Steps(steps.edges_s - rng.uniform(0, period_s), steps.watts)

    return course


def _random_pieces(
    rng: np.random.Generator, least_s: float, most_s: float, levels: Callable[[int], Float]
) -> Steps:
    count = int(2 * UNTIL_S / (least_s + most_s)) + 50
    lengths_s = rng.uniform(least_s, most_s, count)
    return _pieces(lengths_s, levels(count))


def _random_bursts(rng: np.random.Generator) -> Wave:
    levels_w = _two_levels(rng)
    return _random_pieces(rng, 0.005, 0.05, lambda n: np.resize(levels_w, n).astype(float))


def _slow_steps(rng: np.random.Generator) -> Wave:
    return _random_pieces(rng, 0.3, 4.0, lambda n: rng.uniform(20, 380, n))


def _fast_steps(rng: np.random.Generator) -> Wave:
    return _random_pieces(rng, 0.02, 0.4, lambda n: rng.uniform(20, 380, n))


def _training_steps(rng: np.random.Generator) -> Wave:
    """Steps of one length to within a few percent, each with three phases, and rarer long ones."""
    length_s, base_w = 10 ** rng.uniform(-1.5, 0), np.array([330.0, 220.0, 90.0])
    count = int(UNTIL_S / length_s) + 50
    parts = rng.dirichlet((5, 3, 2)) * length_s * rng.normal(1, 0.03, (count, 1)).clip(0.8)
    watts = np.tile(base_w * rng.uniform(0.7, 1.1), count)
    lengths_s = parts.ravel()
    lengths_s[:: 3 * int(rng.integers(5, 40))] += rng.uniform(0.1, 1)
    return _pieces(lengths_s, watts)


def _spikes(rng: np.random.Generator) -> Wave:
    """An idle device with rare spikes."""
    idle_w = rng.uniform(15, 60)
    count = 400
    lengths_s = np.empty(2 * count)
    lengths_s[0::2], lengths_s[1::2] = rng.exponential(0.6, count), rng.uniform(0.01, 0.15, count)
    watts = np.full(2 * count, idle_w)
    watts[1::2] = rng.uniform(150, 380, count)
    return _pieces(lengths_s, watts)


def _ramps(rng: np.random.Generator) -> Wave:
    """A sawtooth, in pieces of a hundredth of its period."""
    period_s = 10 ** rng.uniform(-0.8, 0.7)
    low_w, high_w = _two_levels(rng)
    return _pieces(np.full(100, period_s / 100), np.linspace(low_w, high_w, 100))


def _constant(rng: np.random.Generator) -> Wave:
    return Sines(rng.uniform(30, 380), ())


def _slow_sines(rng: np.random.Generator) -> Wave:
    return random_sines(rng, 2.0, HIGH_W)


def _fast_sines(rng: np.random.Generator) -> Wave:
    watts, hertz = rng.uniform(30, 150), rng.uniform(3, 60)
    return Sines(watts + rng.uniform(20, 80), ((watts, hertz, rng.uniform(0, 6)),))


COURSES: dict[str, Callable[[np.random.Generator], Wave]] = {
    "constant": _constant,
    "slow sines": _slow_sines,
    "fast sine": _fast_sines,
    "ramps": _ramps,
    "slow steps": _slow_steps,
    "fast steps": _fast_steps,
    "training steps": _training_steps,
    "random pulses": _random_bursts,
    "idle with spikes": _spikes,
    "bursts of 50 ms": _bursts(0.05),
    "bursts of 100 ms": _bursts(0.1),
    "bursts of 101 ms": _bursts(0.101),
    "bursts of 200 ms": _bursts(0.2),
    "bursts of 700 ms": _bursts(0.7),
}


@dataclass(frozen=True)
class SensorClass:
    """What a sensor does, and what its domain states of it."""

    method: str
    update_s: float
    window_s: float | None
    step: float
    """Of the counter in joules, or of the power in watts."""
    gain: float
    kind: str = "gpu"
    period_s: float = 0.1
    """Time between two reads."""
    stated_s: float | None = None
    """Update period that the domain states, where that is wrong."""
    marked: bool = True
    """Whether the end of a window is marked, as that of a run and a snapshot are."""

    def domain(self) -> Domain:
        """As a meter describes it."""
        counts = self.method == "counter"
        fields: dict[str, object] = {
            "name": "x", "kind": self.kind, "method": self.method, "meter": "virtual",
            "source": "virtual", "resolution_j": self.step if counts else None,
            "resolution_w": None if counts else self.step,
            "update_period_s": self.stated_s or self.update_s,
            "read_period_s": self.period_s, "averaging_window_s": self.window_s,
            "power_low_w": 0.0, "power_high_w": HIGH_W, "gain_error_ratio": self.gain,
        }  # fmt: skip
        return Domain(**fields)  # type: ignore[arg-type]


SENSORS = {
    "counter 100 ms": SensorClass("counter", 0.1, None, 0.001, 0.12),
    "counter 20 ms": SensorClass("counter", 0.02, None, 0.001, 0.12),
    "RAPL 1 ms": SensorClass("counter", 0.001, None, 2**-14, 0.05, "cpu"),
    "RAPL 1 ms, end not marked": SensorClass(
        "counter", 0.001, None, 2**-14, 0.05, "cpu", marked=False
    ),
    "RAPL 1 s, stated 1 ms": SensorClass("counter", 1, None, 2**-14, 0.05, "cpu", stated_s=0.001),
    "power 100/100 ms": SensorClass("sampled", 0.1, 0.1, 0.001, 0.12),
    "power 25/100 ms": SensorClass("sampled", 0.1, 0.025, 0.001, 0.12),
    "power 10/20 ms": SensorClass("sampled", 0.02, 0.01, 0.001, 0.12),
    "average 1 s": SensorClass("sampled", 0.1, 1.0, 0.001, 0.12),
    "ipmi 1 s": SensorClass("sampled", 1.0, 1.0, 1.0, 0.05, "node", 0.5),
}


class Drawn(NamedTuple):
    """One window of one course, as a sensor saw it."""

    trace: Trace
    window_ns: tuple[int, int]
    truth_j: float


def _looks_s(mark_s: float, stated_s: float, updates_s: Float) -> Float:
    """Reads of a counter after a mark until it shows its next update, as the sampler takes them."""
    looks_s = [mark_s]
    while looks_s[-1] < min(updates_s[updates_s > mark_s].min(initial=np.inf), mark_s + 1.5):
        pause_s = max(5e-4, stated_s / 20, (looks_s[-1] - mark_s) / 20)
        looks_s.append(looks_s[-1] + pause_s)
    return np.array(looks_s)


def draw(rng: np.random.Generator, course: str, sensor: SensorClass, gain: float) -> Drawn:
    """Draw a course, a window and a sensor's phase, and read it.

    Args:
        rng: the source of randomness.
        course: one of `COURSES`.
        sensor: the class of the sensor.
        gain: how much it shows of the truth.
    """
    wave = COURSES[course](rng)
    begin_s = rng.uniform(4.0, 6.0)
    end_s = begin_s + 10 ** rng.uniform(0, 1.7)
    period_s = sensor.update_s * rng.uniform(0.99, 1.04)
    count = int((end_s + 5) / period_s) + 2
    jitter = rng.uniform(-0.01, 0.01, count)
    updates_s: Float = rng.uniform(0, period_s) + period_s * (np.arange(count) + jitter)
    # The grid is late now and then.
    t_s = np.arange(begin_s - rng.uniform(1.0, 3.0), end_s + 1.5, sensor.period_s)
    t_s += rng.exponential(1e-4, len(t_s)) + 0.03 * rng.random(len(t_s)) * (
        rng.random(len(t_s)) < 0.02
    )
    for edge_s in (begin_s, end_s)[: 1 + sensor.marked]:
        mark_s, stated_s = edge_s + rng.uniform(1e-4, 1e-3), sensor.stated_s or sensor.update_s
        looks_s = _looks_s(mark_s, stated_s, updates_s) if sensor.window_s is None else [mark_s]
        t_s = np.concatenate((t_s, looks_s))
    t_s = np.unique(t_s).astype(np.float64)
    ends_s = updates_s[np.searchsorted(updates_s, t_s, side="right") - 1]
    missing = np.full(len(t_s), np.nan)
    if sensor.window_s is None:
        joules = np.floor(gain * wave.energy_j(ends_s) / sensor.step) * sensor.step
        columns = joules, missing
    else:
        # A sensor that averages over all of its update period does so whatever that is.
        span_s = period_s if sensor.window_s == sensor.update_s else sensor.window_s
        mean_w = (wave.energy_j(ends_s) - wave.energy_j(ends_s - span_s)) / span_s
        noise_w = max(0.3, sensor.step) * (2 * np.mod(43758.5453 * np.sin(12.9898 * ends_s), 1) - 1)
        columns = missing, np.floor((gain * mean_w + noise_w) / sensor.step) * sensor.step
    u_ns = rng.integers(2_000, 20_000, len(t_s)).astype(float)
    series = Series(np.round(t_s * 1e9).astype(np.int64), *columns, u_ns)
    first_j, last_j = wave.energy_j(np.array([begin_s, end_s]))
    window_ns = round(begin_s * 1e9), round(end_s * 1e9)
    return Drawn(Trace({"x": series}), window_ns, float(last_j - first_j))


def measure(drawn: Drawn, sensor: SensorClass) -> Energy:
    """The energy of the drawn window, as the harness computes it."""
    return EnergyReader(drawn.trace, [sensor.domain()]).energy("x", *drawn.window_ns)
