"""What several meters do alike: time a read, watch how often a value changes, check options."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from harness.clock import NS_PER_S, now_ns

ONLY_PSYS = "offers only energy-psys, which does not measure the processor"
"""Why a set of RAPL counters without packages is no meter of the processor."""

RAPL_STEP_J = 2**-14
"""Coarsest usual energy unit (Intel SDM, MSR_RAPL_POWER_UNIT: 1/2^14 J, or finer)."""

RAPL_UPDATE_S = 0.001
"""Usual time between two updates; the trace shows where a hypervisor refreshes more slowly."""

PACKAGE_GAIN = 0.05
DRAM_GAIN = 0.2
"""DRAM domains have an offset; on Haswell-EP they are within about 20 % when idle."""

NODE_POWER_MAX_W = 20_000.0
"""Greatest power of a node: eight cards of the largest kind use 15 kW."""

UNKNOWN_GPU_GAIN = 0.12
"""Gain class of a card that was never compared with an external meter: covers the published ones
(GPU_Power_Benchmark beside arXiv 2312.02741: up to +10.9 %, but for a K620)."""

Value = TypeVar("Value")

_CLOSE_STEPS = 2
"""So many closely watched steps are preferred to all others."""

_CLOSE_PART = 5
"""A step is closely watched where the reads at its ends took less than this part of it."""


def midpoint(begin_ns: int, end_ns: int) -> tuple[int, int]:
    """The middle of a read and half of its duration, ns."""
    return (begin_ns + end_ns) // 2, (end_ns - begin_ns + 1) // 2


def timed(read: Callable[[], Value]) -> tuple[Value, int, int]:
    """A value with the middle of its read and half of the duration, ns."""
    begin_ns = now_ns()
    value = read()
    return value, *midpoint(begin_ns, now_ns())


def update_period_s(
    read: Callable[[], object], limit_s: float, pause_s: float, needed: int = 4
) -> float | None:
    """Mean time between two changes of a value, by reading it for at most `limit_s`.

    None where it changed fewer than `needed` times: the value of an idle sensor may be constant.
    """
    return update_periods_s(lambda: [read()], 1, limit_s, pause_s, needed)[0]


def update_periods_s(
    read: Callable[[], Sequence[object]],
    count: int,
    limit_s: float,
    pause_s: float,
    needed: int = 4,
) -> list[float | None]:
    """The same for several values that one read returns.

    Args:
        read: returns `count` values.
        count: how many.
        limit_s: for how long to read at most.
        pause_s: between two reads.
        needed: changes of a value without which its period stays unknown.
    """
    begin_ns = last_ns = now_ns()
    watched = [_Changes(begin_ns) for _ in range(count)]
    before = read()
    while (
        last_ns - begin_ns < limit_s * NS_PER_S
        and min(len(changes.times_ns) for changes in watched) < 8 * needed
    ):
        time.sleep(pause_s)
        after, last_ns = read(), now_ns()
        for changes, old, new in zip(watched, before, after, strict=True):
            changes.add(last_ns, changed=new != old)
        before = after
    return [changes.period_s() if len(changes.times_ns) > needed else None for changes in watched]


class _Changes:
    """When a value changed, and which of the steps between were closely watched."""

    def __init__(self, begin_ns: int) -> None:
        self.times_ns: list[int] = []
        self._close_ns: list[int] = []
        self._read_ns = begin_ns
        self._longest_ns = 0
        self._before_ns = 0

    def add(self, now: int, *, changed: bool) -> None:
        """Add the next read."""
        pause_ns = now - self._read_ns
        self._read_ns = now
        self._longest_ns = max(self._longest_ns, pause_ns)
        if not changed:
            return
        step_ns = now - self.times_ns[-1] if self.times_ns else 0
        # On a busy machine a read may be late, and two changes appear as one.
        both_seen = 2 * self._longest_ns <= step_ns
        if both_seen and _CLOSE_PART * max(pause_ns, self._before_ns) <= step_ns:
            self._close_ns.append(step_ns)
        self.times_ns.append(now)
        self._longest_ns, self._before_ns = 0, pause_ns

    def period_s(self) -> float:
        """Mean of the closely watched steps; of all steps where there are too few of them."""
        if len(self._close_ns) >= _CLOSE_STEPS:
            # A sensor may return the same value twice, which makes one step of two.
            single = [step for step in self._close_ns if 2 * step <= 3 * min(self._close_ns)]
            return sum(single) / len(single) / NS_PER_S
        return (self.times_ns[-1] - self.times_ns[0]) / (len(self.times_ns) - 1) / NS_PER_S


def check_options(meter: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse options that the meter does not have.

    Raises:
        ValueError: names the first unknown one and lists the known ones.
    """
    names = tuple(known)
    unknown = sorted(set(options) - set(names))
    if unknown:
        there = f"there are: {', '.join(names)}" if names else "it has none"
        raise ValueError(f"{meter} meter: unknown option '{unknown[0]}'; {there}")


def number_option(
    meter: str, options: Mapping[str, str], name: str, least: float = -math.inf
) -> float | None:
    """A numeric option; None where it is not given.

    Raises:
        ValueError: it is not a finite number, or not above `least`.
    """
    text = options.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{meter} meter: option {name}: '{text}' is no finite number")
    if value <= least:
        raise ValueError(f"{meter} meter: option {name}: {value:g} must be above {least:g}")
    return value
