"""A simulated meter of exactly known energy, for rehearsals and tests; it never wins a prize."""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from harness.clock import NS_PER_S, now_ns
from harness.plugins import Availability, Domain, DomainKind, Reader, Reading

Shape = Literal["constant", "square", "pulse", "ramp", "sine"]
_DUTY: dict[str, float] = {"square": 0.5, "pulse": 0.2}
"""Part of the period at full power."""

_FAULTS = ("none", "nan", "negative", "frozen", "reset", "vanish", "block", "backwards")


@dataclass(frozen=True)
class Wave:
    """Power over time in closed form, so that its integral is known exactly.

    `square` is `watts` for half of the period and `low_w` for the rest, `pulse` for a fifth and the
    rest; `ramp` rises from `low_w` to `watts` and starts again; `sine` oscillates between the two.
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
class FakeOptions:
    """The options of `--meter fake:key=value,...`."""

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
    """Joules shown for one true joule."""
    gain_error: float = 0.01
    fault: str = "none"
    fault_after: int = 20
    """Reads before the fault begins."""


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
    "shape": _one_of(*get_args(Shape)),
    "fault": _one_of(*_FAULTS),
}


def parse(options: Mapping[str, str]) -> FakeOptions:
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
    parsed = FakeOptions(**values)  # type: ignore[arg-type]
    if not 0 <= parsed.low_w <= max(parsed.watts, parsed.low_w) or parsed.watts < 0:
        raise ValueError("fake meter: watts and low_w must not be negative")
    if parsed.update_s <= 0 or parsed.wave_s <= 0:
        raise ValueError("fake meter: update_s and wave_s must be above zero seconds")
    if not (parsed.counter or parsed.power):
        raise ValueError("fake meter: counter and power cannot both be false")
    return parsed


def kind_of(name: str) -> DomainKind:
    """The kind at the start of a domain's name, as `gpu` for `gpu-0`.

    Raises:
        ValueError: it starts with no kind.
    """
    kinds: tuple[DomainKind, ...] = get_args(DomainKind)
    for kind in kinds:
        if name == kind or name.startswith(f"{kind}-"):
            return kind
    raise ValueError(f"fake meter: domain '{name}' must begin with one of {', '.join(kinds)}")


@dataclass
class FakeReader(Reader):
    """Reads the wave at a clock, with the errors that the options request."""

    options: FakeOptions
    now: Callable[[], int] = now_ns
    domains: Sequence[Domain] = field(init=False)
    reads_count: int = 0

    def __post_init__(self) -> None:
        options = self.options
        self.domains = tuple(self._domain(name) for name in options.domains)
        self._random = random.Random(options.seed)  # noqa: S311 - noise, not a secret
        self._start_ns = self.now()
        self._wave = Wave(options.shape, options.watts, options.low_w, options.wave_s)

    def _domain(self, name: str) -> Domain:
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
        """True energy of one domain between two times of the monotonic clock, J."""
        begin_s, end_s = ((t - self._start_ns) / NS_PER_S for t in (begin_ns, end_ns))
        return self._wave.energy_j(end_s) - self._wave.energy_j(begin_s)

    def read(self) -> Sequence[Reading]:
        """Read every domain, with the requested fault once it has begun."""
        self.reads_count += 1
        t_ns = self.now()
        fault = self.options.fault if self.reads_count > self.options.fault_after else "none"
        if fault == "vanish":
            raise OSError("the simulated device is gone")
        if fault == "block" and self.reads_count == self.options.fault_after + 1:
            time.sleep(30)
        return [self._reading(domain.name, t_ns, fault) for domain in self.domains]

    def _reading(self, name: str, t_ns: int, fault: str) -> Reading:
        updates = (t_ns - self._start_ns) // (self.options.update_s * NS_PER_S)
        shown_s = self.options.update_s * (1 if fault == "frozen" else updates)
        power_w = self._power_w(shown_s, fault)
        energy_j = self._energy_j(shown_s, fault) if self.options.counter else None
        return Reading(t_ns, name, energy_j, power_w if self.options.power else None, 1000)

    def _power_w(self, shown_s: float, fault: str) -> float:
        before_s = max(shown_s - self.options.update_s, 0.0)
        span_s = max(shown_s - before_s, 1e-9)
        mean_w = (self._wave.energy_j(shown_s) - self._wave.energy_j(before_s)) / span_s
        if shown_s <= 0:
            mean_w = self._wave.power_w(0.0)
        noise = self._random.gauss(0.0, self.options.noise) if self.options.noise else 0.0
        broken = {"nan": math.nan, "negative": -1.0}
        return broken.get(fault, max(0.0, self.options.gain * mean_w * (1 + noise)))

    def _energy_j(self, shown_s: float, fault: str) -> float:
        energy_j = self.options.gain * self._wave.energy_j(shown_s)
        if fault == "reset":
            energy_j -= self.options.gain * self._wave.energy_j(shown_s // 1.0)
        if fault == "backwards":
            energy_j = max(0.0, 2 * self.options.watts - energy_j)
        if fault in ("nan", "negative"):
            return math.nan if fault == "nan" else -1.0
        if self.options.wrap_j is not None:
            energy_j %= self.options.wrap_j
        return math.floor(energy_j / self.options.resolution_j) * self.options.resolution_j


class FakeMeter:
    """The plug-in; it is available on every machine and chosen only by name."""

    origin = "simulated"
    kinds = ("node",)

    def probe(self) -> Availability:
        """Always available."""
        return Availability(ok=True, reason="simulated, chosen only by name")

    def open(self, options: Mapping[str, str]) -> FakeReader:
        """Start; options as in `FakeOptions`."""
        return FakeReader(parse(options))


METER = FakeMeter()
