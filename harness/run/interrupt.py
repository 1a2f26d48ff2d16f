"""Turns Ctrl-C and SIGTERM into a question that the run asks a few times a second."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While entered, the first signal asks to abort in order; a second one raises at once."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for item in _SIGNALS:
                self._before[item] = signal.signal(item, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for item, handler in self._before.items():
            signal.signal(item, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
