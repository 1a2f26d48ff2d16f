"""Waits for what another thread or process does, for as long as a busy machine needs."""

import time
from collections.abc import Callable
from typing import TypeVar

from harness.clock import NS_PER_S, now_ns

Value = TypeVar("Value")


def until(look: Callable[[], Value | None], limit_s: float = 60.0) -> Value:
    """The first answer that is true of anything.

    Raises:
        AssertionError: there was none within the limit, which no busy machine explains.
    """
    deadline_ns = now_ns() + int(limit_s * NS_PER_S)
    while not (seen := look()):
        assert now_ns() < deadline_ns, f"nothing came within {limit_s:g} s"
        time.sleep(0.01)
    return seen
