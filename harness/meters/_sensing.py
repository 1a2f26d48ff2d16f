"""What several meters do alike: stamp a read, watch how often a value changes, check options."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from harness.clock import NS_PER_S, now_ns

Value = TypeVar("Value")


def stamped(look: Callable[[], Value]) -> tuple[Value, int, int]:
    """A value with the middle of the time that reading it took, and half of that time (ns)."""
    begin_ns = now_ns()
    value = look()
    end_ns = now_ns()
    return value, (begin_ns + end_ns) // 2, (end_ns - begin_ns + 1) // 2


def update_period_s(
    look: Callable[[], object], limit_s: float, pause_s: float, needed: int = 4
) -> float | None:
    """Mean time between two changes of a value, by looking for at most `limit_s`.

    None where it changed fewer than `needed` times: an idle sensor need not move at all.
    """
    begin_ns = last_ns = now_ns()
    stamps: list[int] = []
    value = look()
    while (last_ns - begin_ns) < limit_s * NS_PER_S and len(stamps) < 8 * needed:
        time.sleep(pause_s)
        seen, last_ns = look(), now_ns()
        if seen != value:
            value = seen
            stamps.append(last_ns)
    if len(stamps) <= needed:
        return None
    return (stamps[-1] - stamps[0]) / (len(stamps) - 1) / NS_PER_S


def check_options(meter: str, options: Mapping[str, str], known: Iterable[str]) -> None:
    """Refuse options that the meter does not have.

    Raises:
        ValueError: names the first unknown one and lists the known ones.
    """
    names = tuple(known)
    unknown = sorted(set(options) - set(names))
    if unknown:
        there = f"there are: {', '.join(names)}" if names else "it has none"
        message = f"{meter} meter: unknown option '{unknown[0]}'; {there}"
        raise ValueError(message)
