"""Faulty and healthy sensors on a virtual clock, and what has to come of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.plugins import Domain, DomainKind, Method
from tests.lab.virtual_run import Sensor, Shown

LENGTHS_S = (2.2, 8.0)
TURNS_HZ = 1.3
RIPPLE = 0.05

Meters = Sequence[Sequence[Sensor]]
Build = Callable[[float], Meters]
"""The meters of a machine for a run of so many seconds."""


@dataclass(frozen=True)
class Course:
    """Idle power before and after the run, and a ripple around another power during it."""

    length_s: float
    load_w: float
    idle_w: float

    def energy_j(self, t_s: float) -> float:
        inside_s = min(max(t_s, 0.0), self.length_s)
        omega = 2 * math.pi * TURNS_HZ
        ripple_j = RIPPLE * self.load_w / omega * (1 - math.cos(omega * inside_s))
        return 1000.0 + self.idle_w * (t_s - inside_s) + self.load_w * inside_s + ripple_j

    @property
    def run_j(self) -> float:
        return self.energy_j(self.length_s) - self.energy_j(0.0)


Change = Callable[[float, float], float | None]
"""What a sensor shows in place of its value at a time; None for an error."""


def domain(name: str, method: Method, **fields: Any) -> Domain:
    kinds: dict[str, DomainKind] = {"cpu": "cpu", "dram": "dram", "gpu": "gpu", "node": "node"}
    known: dict[str, Any] = {
        "kind": kinds.get(name.partition("-")[0], "wall"),
        "meter": "virtual",
        "source": "virtual",
        "power_low_w": 0.0,
        "gain_error_ratio": 0.2 if name.startswith("dram") else 0.05,
    }
    return Domain(name=name, method=method, **(known | fields))


def updated_s(t_s: float, update_s: float) -> float:
    """Time of the last update, which has no relation to the start signal."""
    phase_s = 0.63 * update_s
    return math.floor((t_s - phase_s) / update_s) * update_s + phase_s


def counter(
    name: str,
    course: Course,
    change: Change = lambda t_s, value: value,
    *,
    update_s: float | None = None,
    real_update_s: float | None = None,
    offset_j: float = 0.0,
    **fields: Any,
) -> Sensor:
    """An energy counter: of a card every 100 ms in mJ, else every millisecond in 61 uJ."""
    card = name.startswith("gpu")
    update_s = update_s or (0.1 if card else 0.001)
    step_j, every_s = 0.001 if card else 2**-14, real_update_s or update_s
    described = domain(
        name,
        "counter",
        resolution_j=step_j,
        update_period_s=update_s,
        **({"power_high_w": 1500.0} if name.startswith("cpu") else {}) | fields,
    )

    def shown(t_s: float) -> Shown:
        at_s = updated_s(t_s, every_s)
        value = change(at_s, course.energy_j(at_s) + offset_j)
        return (None if value is None else math.floor(value / step_j) * step_j), None

    return Sensor(described, shown)


def power(
    name: str,
    course: Course,
    change: Change = lambda t_s, value: value,
    *,
    update_s: float = 0.1,
    window_s: float | None = 0.1,
    step_w: float = 0.001,
    **fields: Any,
) -> Sensor:
    """A power sensor with noise of 0.2 %."""
    described = domain(
        name,
        "sampled",
        resolution_w=step_w,
        update_period_s=update_s,
        averaging_window_s=window_s,
        **fields,
    )

    def shown(t_s: float) -> Shown:
        at_s = updated_s(t_s, update_s)
        before_s = at_s - (window_s or update_s)
        mean_w = (course.energy_j(at_s) - course.energy_j(before_s)) / (at_s - before_s)
        noise = 0.002 * math.sin(1e4 * at_s)
        value = change(at_s, mean_w * (1 + noise))
        return None, None if value is None else math.floor(value / step_w) * step_w

    return Sensor(described, shown)


# --- changes --------------------------------------------------------------------------------------


def always(value: float | None) -> Change:
    return lambda t_s, true: value


def scaled(factor: float) -> Change:
    return lambda t_s, true: true * factor


LIVE = scaled(1.0)


def stopped(at_s: float, before: Change = LIVE) -> Change:
    """Shows the value of that time from then on."""
    held: list[float | None] = []

    def change(t_s: float, true: float) -> float | None:
        if t_s < at_s:
            return before(t_s, true)
        held.append(before(t_s, true))
        return held[0]

    return change


def then(at_s: float, value: float | None) -> Change:
    return lambda t_s, true: true if t_s < at_s else value


def wrapped(t_s: float, true: float) -> float:
    """Wraps half a second into the run."""
    return (true + 262_143.0 - 1040.0) % 262_143.0


def once(at_s: float, value: float) -> Change:
    return lambda t_s, true: value if at_s <= t_s < at_s + 0.1 else true


# --- machines -------------------------------------------------------------------------------------


def server(length_s: float) -> dict[str, Course]:
    return {
        "cpu-package-0": Course(length_s, 81.0, 25.0),
        "dram-0": Course(length_s, 13.0, 6.0),
        "gpu-0": Course(length_s, 240.0, 60.0),
    }


def rapl(length_s: float, *, package: Change = LIVE, dram: Change = LIVE) -> list[Sensor]:
    courses = server(length_s)
    return [
        counter("cpu-package-0", courses["cpu-package-0"], package),
        counter("dram-0", courses["dram-0"], dram, offset_j=37.0),
    ]


def with_package(change: Change) -> Build:
    return lambda length_s: [rapl(length_s, package=change)]


def with_stop(before_s: float) -> Build:
    """The package's counter stops so long before the end, but after the opening."""
    return lambda length_s: [rapl(length_s, package=stopped(max(length_s - before_s, -0.5)))]


def with_cards(third: tuple[Change, Change]) -> Build:
    return lambda length_s: [rapl(length_s), cards(length_s, third)]


def with_dram(change: Change) -> Build:
    return lambda length_s: [rapl(length_s, dram=change)]


def with_psys(change: Change) -> Build:
    return lambda length_s: [psys(length_s, change)]


def with_grace(change: Change) -> Build:
    return lambda length_s: [[grace(length_s, change)]]


def card(
    length_s: float,
    energy: Change | None = None,
    watts: Change | None = None,
    *,
    index: int = 0,
    course: Course | None = None,
    **fields: Any,
) -> list[Sensor]:
    """Counter and power of one card; a sensor without a change is missing."""
    course = course or server(length_s)["gpu-0"]
    name = f"gpu-{index}"
    others = {key: value for key, value in fields.items() if key != "real_update_s"}
    made = []
    if energy is not None:
        made.append(counter(name, course, energy, offset_j=50.0 * index, **fields))
    if watts is not None:
        beside = {"parents": (name,)} if energy is not None else {}
        label = f"{name}-instant" if energy is not None else f"{name}-power"
        made.append(power(label, course, watts, **(others | beside)))
    return made


LIMIT: dict[str, Any] = {"power_high_w": 450.0}


# --- outcomes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """What a row must show."""

    truth: Callable[[float], float | None]
    """Joules of the total by the length of the run; None where there must be no figure."""
    rules: frozenset[str] = frozenset()
    """One of these must be found, where there are any."""
    eligible: bool | None = True
    """None where it depends on the length of the run."""
    clean: bool = False
    """Whether there must be no finding at all."""
    near: float = 0.08
    """Greatest relative error; the bound must always hold."""


def true_j(*names: str, **others: float) -> Callable[[float], float]:
    def total(length_s: float) -> float:
        courses = server(length_s)
        extra = sum(Course(length_s, watts, 0.0).run_j for watts in others.values())
        return sum(courses[name].run_j for name in names) + extra

    return total


CPU = ("cpu-package-0", "dram-0")
ALL = (*CPU, "gpu-0")


def healthy(*names: str, **others: float) -> Expected:
    return Expected(true_j(*names, **others), clean=True)


def slow(*names: str, **others: float) -> Expected:
    """A healthy machine whose figure is coarse in a short run."""
    return replace(healthy(*names, **others), near=0.6)


def right(rule: str, *names: str, **others: float) -> Expected:
    """A right figure in spite of a fault that is named."""
    return Expected(true_j(*names, **others), frozenset({rule}))


def missing(*rules: str) -> Expected:
    return Expected(lambda length_s: None, frozenset(rules), eligible=False)


def named(*rules: str) -> Expected:
    """A figure of whatever value, which is named as wrong and may not win."""
    return Expected(lambda length_s: math.nan, frozenset(rules), eligible=False)


Row = tuple[str, Build, Expected]


def psys(length_s: float, change: Change) -> list[Sensor]:
    """Platform, package and memory, of which the platform contains the others."""
    package, dram = rapl(length_s)
    course = Course(length_s, 110.0, 45.0)
    inside = [
        replace(item, domain=replace(item.domain, parents=("cpu-psys",)))
        for item in (package, dram)
    ]
    return [counter("cpu-psys", course, change, power_high_w=3000.0), *inside]


def cards(length_s: float, third: tuple[Change, Change]) -> list[Sensor]:
    """Eight cards in one meter, of which one is broken."""
    made = []
    for index in range(8):
        made += card(length_s, *(third if index == 3 else (LIVE, LIVE)), index=index)
    return made


def blind(length_s: float) -> list[Sensor]:
    """A sensor that sees the high half of pulses of 50 ms, in 25 of each 100 ms."""
    (energy,) = card(length_s, LIVE, **LIMIT)
    fields: dict[str, Any] = {"parents": ("gpu-0",), "averaging_window_low_s": 0.017, **LIMIT}
    course = server(length_s)["gpu-0"]
    return [energy, power("gpu-0-instant", course, scaled(1.4), window_s=0.025, **fields)]


def grace(length_s: float, change: Change) -> Sensor:
    course = server(length_s)["cpu-package-0"]
    return power("cpu-grace-0", course, change, window_s=0.05, power_high_w=1000.0)
