"""The clock of the harness: monotonic nanoseconds, and anchors that relate them to other clocks.

All durations are differences of ``CLOCK_MONOTONIC``, which is the same in all processes. Wall time
is used only in an :class:`Anchor`, never in a difference.
"""

import time
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

NS_PER_S = 1_000_000_000


def now_ns() -> int:
    """Nanoseconds of ``CLOCK_MONOTONIC``, the same in every process of this machine."""
    return time.monotonic_ns()


class Anchor(NamedTuple):
    """One moment on four clocks, in nanoseconds.

    Between two anchors, a step of the wall clock or a suspend changes the differences of clocks.
    """

    monotonic_ns: int
    raw_ns: int
    boottime_ns: int
    wall_ns: int


def anchor() -> Anchor:
    """Read the four clocks within about a microsecond."""
    return Anchor(
        time.monotonic_ns(),
        time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW),
        time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        time.time_ns(),
    )


def utc_text(wall_ns: int) -> str:
    """ISO 8601 text with nanoseconds, such as ``2026-11-22T00:07:25.000000001Z``."""
    seconds, rest = divmod(wall_ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def utc_compact(wall_ns: int) -> str:
    """Time in seconds for folder names, such as ``20261122T000725Z``."""
    return f"{datetime.fromtimestamp(wall_ns // NS_PER_S, UTC):%Y%m%dT%H%M%SZ}"


class Clock(Protocol):
    """A clock that can wait; tests use a virtual one."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        ...

    def sleep_until(self, deadline_ns: int) -> None:
        """Sleep until a time of `now_ns`."""
        ...

    def anchor(self) -> Anchor:
        """Read the four clocks."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""
        return now_ns()

    def sleep_until(self, deadline_ns: int) -> None:
        """Sleep until a time of `now_ns`; an absolute time, so that errors do not add up."""
        while (left_ns := deadline_ns - now_ns()) > 0:
            time.sleep(left_ns / NS_PER_S)

    def anchor(self) -> Anchor:
        """Read the four clocks."""
        return anchor()
