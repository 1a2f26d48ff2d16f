"""System calls that fail on purpose: the nth one, in the way that is asked for."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

WATCHED = ("write", "fsync", "fdatasync", "replace", "open", "ftruncate")
"""What can fail; each call of any of them counts."""


class Failing:
    """Counts calls and makes one of them fail.

    Attributes:
        calls: names of the calls so far.
    """

    def __init__(self, at: int | None, kind: str = "error") -> None:
        """Fail call number `at` from 0: `error` raises ENOSPC, `short` writes half and goes on."""
        self._at = at
        self._kind = kind
        self.calls: list[str] = []

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """The call, counted."""

        def call(*args: Any, **kwargs: Any) -> Any:
            number = len(self.calls)
            self.calls.append(name)
            if number != self._at:
                return real(*args, **kwargs)
            if self._kind == "short" and name == "write":
                descriptor, data = args
                return real(descriptor, data[: max(1, len(data) // 2)])
            if self._kind == "torn" and name == "write":
                real(args[0], args[1][: len(args[1]) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return call


@contextmanager
def failing(at: int | None, kind: str = "error") -> Iterator[Failing]:
    """Within the block, call number `at` of the watched ones fails; None: none does, but counts."""
    plan = Failing(at, kind)
    real = {name: getattr(os, name) for name in WATCHED}
    try:
        for name, call in real.items():
            setattr(os, name, plan.wrap(name, call))
        yield plan
    finally:
        for name, call in real.items():
            setattr(os, name, call)


def count_calls(action: Callable[[], Any]) -> list[str]:
    """Names of the watched calls that an action makes."""
    with failing(None) as plan:
        action()
    return plan.calls
