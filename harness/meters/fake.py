"""A simulated meter of exactly known truth, for rehearsals and tests; its joules never win."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.clock import NS_PER_S, now_ns
from harness.plugins import Availability, Domain, Reader, Reading

Shape = Literal["constant", "square", "pulse", "ramp", "sine"]
_DUTY: dict[str, float] = {"square": 0.5, "pulse": 0.2}
"""Part of the period at full power."""

_FAULTS = ("none", "nan", "negative", "frozen", "reset", "vanish", "block", "backwards")


@dataclass(frozen=True)
class Wave:
    """Power over time in closed form, so that its integral is known exactly.

    `square` stands at `watts` for half of the period and at `low_w` for the other, `pulse` for a
    fifth and the rest, `ramp` rises from `low_w` to `watts` and starts
    again, `sine` swings between the two; all have the period `period_s`.
    """

    shape: Shape = "constant"
    watts: float = 100.0
    low_w: float = 0.0
    period_s: float = 2.0

    def power_w(self, t_s: float) -> float:
        """Power at a time, W."""
        phase = t_s / self.period_s % 1.0
        span = self.watts - self.low_w
        if self.shape in _DUTY:
            return self.watts if phase < _DUTY[self.shape] else self.low_w
        if self.shape == "ramp":
            return self.low_w + span * phase
        if self.shape == "sine":
            return self.low_w + span * (1 - math.cos(2 * math.pi * phase)) / 2
        return self.watts

    def energy_j(self, t_s: float) -> float:
        """Integral of the power from 0, J."""
        periods, phase = divmod(t_s / self.period_s, 1.0)
        span = self.watts - self.low_w
        if self.shape == "constant":
            return self.watts * t_s
        duty = _DUTY.get(self.shape, 0.5)
        if self.shape == "ramp":
            part = phase * phase / 2
        elif self.shape == "sine":
            part = phase / 2 - math.sin(2 * math.pi * phase) / (4 * math.pi)
        else:
            part = min(phase, duty)
        return self.low_w * t_s + span * self.period_s * (periods * duty + part)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `--meter fake:key=value,...` may set."""

    watts: float = 100.0
    low_w: float = 0.0
    shape: Shape = "constant"
    wave_s: float = 2.0
    domains: tuple[str, ...] = ("node",)
    counter: bool = True
    power: bool = True
    noise: float = 0.0
    """Standard deviation of the power reading, relative."""
    seed: int = 0
    wrap_j: float | None = None
    resolution_j: float = 0.001
    update_s: float = 0.01
    gain: float = 1.0
    """What the sensor tells for one true joule."""
    gain_error: float = 0.01
    fault: str = "none"
    fault_after: int = 20
    """Reads before the fault sets in."""


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"'{text}' is neither true nor false")
    return text == "true"


def _one_of(*known: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in known:
            raise ValueError(f"'{text}' is none of {', '.join(known)}")
        return text

    return check


_PARSERS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(
        ("watts", "low_w", "wave_s", "noise", "wrap_j", "update_s", "gain", "gain_error"), float
    ),
    "resolution_j": float,
    "seed": int,
    "fault_after": int,
    "counter": _flag,
    "power": _flag,
    "domains": lambda text: tuple(text.split("+")),
    "shape": _one_of("constant", "square", "pulse", "ramp", "sine"),
    "fault": _one_of(*_FAULTS),
}


def parse(options: Mapping[str, str]) -> Options:
    """Options from text.

    Raises:
        ValueError: a key is unknown or a value out of range; the message names it.
    """
    values: dict[str, object] = {}
    for key, text in options.items():
        if key not in _PARSERS:
            raise ValueError(
                f"fake meter: unknown option '{key}'; there are: {', '.join(_PARSERS)}"
            )
        try:
            values[key] = _PARSERS[key](text)
        except ValueError as error:
            raise ValueError(f"fake meter: option {key}: {error}") from error
    parsed = Options(**values)  # type: ignore[arg-type]
    _check(parsed)
    return parsed


def _check(options: Options) -> None:
    if not 0 <= options.low_w <= max(options.watts, options.low_w) or options.watts < 0:
        raise ValueError("fake meter: watts and low_w must not be negative")
    if options.update_s <= 0 or options.wave_s <= 0:
        raise ValueError("fake meter: update_s and wave_s must be above zero seconds")
    if not (options.counter or options.power):
        raise ValueError("fake meter: counter and power cannot both be false")


_KINDS: tuple[Literal["gpu", "cpu", "dram", "node", "wall"], ...] = (
    "gpu",
    "cpu",
    "dram",
    "node",
    "wall",
)


def kind_of(name: str) -> Literal["gpu", "cpu", "dram", "node", "wall"]:
    """The kind that a domain name begins with, as `gpu` for `gpu-0`.

    Raises:
        ValueError: it begins with none of them.
    """
    for kind in _KINDS:
        if name == kind or name.startswith(f"{kind}-"):
            return kind
    raise ValueError(f"fake meter: domain '{name}' must begin with one of {', '.join(_KINDS)}")


@dataclass
class FakeReader(Reader):
    """Reads the wave at a clock, with the imperfections that the options ask for."""

    options: Options
    now: Callable[[], int] = now_ns
    domains: Sequence[Domain] = field(init=False)
    reads_count: int = 0

    def __post_init__(self) -> None:
        self.domains = tuple(self._spec(name) for name in self.options.domains)
        self._random = random.Random(self.options.seed)  # noqa: S311 - noise, not a secret
        self._start_ns = self.now()
        options = self.options
        self._wave = Wave(options.shape, options.watts, options.low_w, options.wave_s)

    def _spec(self, name: str) -> Domain:
        options = self.options
        return Domain(
            name=name,
            kind=kind_of(name),
            method="counter" if options.counter else "sampled",
            meter="fake",
            source=f"simulated {options.shape} of {options.watts:g} W",
            simulated=True,
            wrap_j=options.wrap_j,
            resolution_j=options.resolution_j if options.counter else None,
            resolution_w=0.001,
            update_period_s=options.update_s,
            averaging_window_s=options.update_s,
            power_low_w=0.0,
            power_high_w=max(1.5 * options.watts, 1.0),
            gain_error_ratio=options.gain_error,
        )

    def truth_j(self, begin_ns: int, end_ns: int) -> float:
        """True joules of one domain between two monotonic stamps."""
        begin_s, end_s = ((t - self._start_ns) / NS_PER_S for t in (begin_ns, end_ns))
        return self._wave.energy_j(end_s) - self._wave.energy_j(begin_s)

    def read(self) -> Sequence[Reading]:
        """Look at every domain, with the fault that was asked for once it has set in."""
        self.reads_count += 1
        t_ns = self.now()
        fault = self.options.fault if self.reads_count > self.options.fault_after else "none"
        if fault == "vanish":
            raise OSError("the simulated device is gone")
        if fault == "block" and self.reads_count == self.options.fault_after + 1:
            import time

            time.sleep(10)
        return [self._reading(spec.name, t_ns, fault) for spec in self.domains]

    def _reading(self, name: str, t_ns: int, fault: str) -> Reading:
        update_ns = self.options.update_s * NS_PER_S
        steps = (t_ns - self._start_ns) // update_ns
        seen_s = steps * self.options.update_s
        if fault == "frozen":
            seen_s = self.options.update_s
        power_w = self._power_w(seen_s, fault)
        energy_j = self._energy_j(seen_s, fault) if self.options.counter else None
        return Reading(t_ns, name, energy_j, power_w if self.options.power else None, 1000)

    def _power_w(self, seen_s: float, fault: str) -> float:
        before_s = max(seen_s - self.options.update_s, 0.0)
        span_s = max(seen_s - before_s, 1e-9)
        mean_w = (self._wave.energy_j(seen_s) - self._wave.energy_j(before_s)) / span_s
        if seen_s <= 0:
            mean_w = self._wave.power_w(0.0)
        noise = self._random.gauss(0.0, self.options.noise) if self.options.noise else 0.0
        broken = {"nan": math.nan, "negative": -1.0}
        return broken.get(fault, max(0.0, self.options.gain * mean_w * (1 + noise)))

    def _energy_j(self, seen_s: float, fault: str) -> float:
        energy_j = self.options.gain * self._wave.energy_j(seen_s)
        if fault == "reset":
            energy_j -= self.options.gain * self._wave.energy_j(seen_s // 1.0)
        if fault == "backwards":
            energy_j = max(0.0, 2 * self.options.watts - energy_j)
        if fault in ("nan", "negative"):
            return math.nan if fault == "nan" else -1.0
        if self.options.wrap_j is not None:
            energy_j %= self.options.wrap_j
        return math.floor(energy_j / self.options.resolution_j) * self.options.resolution_j

    def close(self) -> Mapping[str, float]:
        """Nothing to let go."""
        return {}


class FakeMeter:
    """The plug-in; there on every machine, chosen only by name."""

    origin = "simulated"
    kinds = ("node",)

    def probe(self) -> Availability:
        """Always there."""
        return Availability(ok=True, reason="simulated, chosen only where it is asked for")

    def open(self, options: Mapping[str, str]) -> FakeReader:
        """Start; options as in `Options`."""
        return FakeReader(parse(options))


METER = FakeMeter()
