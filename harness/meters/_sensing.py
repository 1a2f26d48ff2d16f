"""What several meters do alike: time a read, check options, state classes of accuracy."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from harness.clock import now_ns

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


def midpoint(begin_ns: int, end_ns: int) -> tuple[int, int]:
    """The middle of a read and half of its duration, ns."""
    return (begin_ns + end_ns) // 2, (end_ns - begin_ns + 1) // 2


def timed(read: Callable[[], Value]) -> tuple[Value, int, int]:
    """A value with the middle of its read and half of the duration, ns."""
    begin_ns = now_ns()
    value = read()
    return value, *midpoint(begin_ns, now_ns())


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
