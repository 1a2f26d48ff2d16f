"""What several meters do alike: stamp a read, watch how often a value changes, check options."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from harness.clock import NS_PER_S, now_ns

Value = TypeVar("Value")

_CLOSE_STEPS = 2
"""So many steps that were watched closely are trusted before any that were not."""

_CLOSE_SHARE = 5
"""A step is watched closely where the looks that saw its ends took less than this part of it."""


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
    return update_periods_s(lambda: [look()], 1, limit_s, pause_s, needed)[0]


def update_periods_s(
    look: Callable[[], Sequence[object]],
    count: int,
    limit_s: float,
    pause_s: float,
    needed: int = 4,
) -> list[float | None]:
    """The same for several values that one look gives; the looks are shared by all of them.

    Args:
        look: gives `count` values.
        count: how many.
        limit_s: for how long to look at most.
        pause_s: between two looks.
        needed: changes of a value without which its period stays unknown.
    """
    begin_ns = last_ns = now_ns()
    watched = [_Changes(begin_ns) for _ in range(count)]
    before = look()
    while (
        last_ns - begin_ns < limit_s * NS_PER_S
        and min(len(item.stamps) for item in watched) < 8 * needed
    ):
        time.sleep(pause_s)
        seen, last_ns = look(), now_ns()
        for element, old, new in zip(watched, before, seen, strict=True):
            element.looked(last_ns, changed=new != old)
        before = seen
    return [item.period_s() if len(item.stamps) > needed else None for item in watched]


class _Changes:
    """When a value was seen to change, and which of the steps between were watched closely."""

    def __init__(self, begin_ns: int) -> None:
        self.stamps: list[int] = []
        self._close: list[int] = []
        self._looked_ns = begin_ns
        self._longest_ns = 0
        self._before_ns = 0

    def looked(self, now: int, *, changed: bool) -> None:
        """Take the next look in."""
        pause_ns = now - self._looked_ns
        self._looked_ns = now
        self._longest_ns = max(self._longest_ns, pause_ns)
        if not changed:
            return
        step_ns = now - self.stamps[-1] if self.stamps else 0
        # On a busy machine a look may come late, and two changes pass for one.
        both_seen = 2 * self._longest_ns <= step_ns
        if both_seen and _CLOSE_SHARE * max(pause_ns, self._before_ns) <= step_ns:
            self._close.append(step_ns)
        self.stamps.append(now)
        self._longest_ns, self._before_ns = 0, pause_ns

    def period_s(self) -> float:
        """Mean step that was watched closely; of all steps where hardly any was."""
        if len(self._close) >= _CLOSE_STEPS:
            # A sensor may say the same twice, and a step then passes for a longer one.
            single = [item for item in self._close if 2 * item <= 3 * min(self._close)]
            return sum(single) / len(single) / NS_PER_S
        return (self.stamps[-1] - self.stamps[0]) / (len(self.stamps) - 1) / NS_PER_S


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

    Args:
        meter: name of the plug-in, for the message.
        options: all of them, as text.
        name: of the option.
        least: what it must be above.

    Raises:
        ValueError: it is no finite number, or not above `least`.
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
