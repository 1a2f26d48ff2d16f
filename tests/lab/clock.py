"""A clock that moves only when a test moves it."""

from harness.clock import NS_PER_S, Anchor


class VirtualClock:
    """A clock that moves only when it is told to, so that a test of a long run takes no time."""

    def __init__(self, start_ns: int = 0, wall_ns: int = 1_700_000_000 * NS_PER_S) -> None:
        """Start at ``start_ns``, with the wall clock at ``wall_ns``."""
        self._now_ns = start_ns
        self._wall_offset_ns = wall_ns - start_ns
        self._suspended_ns = 0

    def now_ns(self) -> int:
        """Virtual monotonic nanoseconds."""
        return self._now_ns

    def sleep_until(self, deadline_ns: int) -> None:
        """Jump to the deadline."""
        self._now_ns = max(self._now_ns, deadline_ns)

    def advance(self, duration_ns: int) -> None:
        """Let time pass."""
        self._now_ns += duration_ns

    def step_wall(self, by_ns: int) -> None:
        """Set the wall clock forward or back, as an administrator would."""
        self._wall_offset_ns += by_ns

    def suspend(self, duration_ns: int) -> None:
        """Sleep the machine: boottime and wall time go on, monotonic time does not."""
        self._suspended_ns += duration_ns
        self._wall_offset_ns += duration_ns

    def anchor(self) -> Anchor:
        """All four virtual clocks."""
        now = self._now_ns
        return Anchor(now, now, now + self._suspended_ns, now + self._wall_offset_ns)
