"""What a started sandbox reports of itself: JSON objects on a pipe, one after the other."""

import json
import os
import select
from typing import Any

from harness.clock import NS_PER_S, now_ns

_DECODER = json.JSONDecoder()


class StatusPipe:
    """Reads objects as bubblewrap's `--json-status-fd` writes them, in pieces and over lines."""

    def __init__(self, descriptor: int) -> None:
        """Take over the reading end of a pipe."""
        self._descriptor = descriptor
        self._text = ""
        self._open = True
        self.values: dict[str, Any] = {}
        """Everything reported so far; later objects win."""
        os.set_blocking(descriptor, False)

    def wait_for(self, keys: set[str], timeout_s: float) -> bool:
        """Read until one of the keys was reported; False at the end of the pipe or of the time."""
        deadline_ns = now_ns() + int(timeout_s * NS_PER_S)
        while not (keys & self.values.keys()):
            left_s = (deadline_ns - now_ns()) / NS_PER_S
            if left_s <= 0 or not self._open:
                return False
            select.select([self._descriptor], [], [], left_s)
            self.read()
        return True

    def read(self) -> None:
        """Take in what is there, without waiting."""
        while self._open:
            try:
                data = os.read(self._descriptor, 65536)
            except BlockingIOError:
                break
            if not data:
                self.close()
            self._text += data.decode("utf-8", "replace")
        self._take()

    def _take(self) -> None:
        while text := self._text.lstrip():
            try:
                found, end = _DECODER.raw_decode(text)
            except json.JSONDecodeError:
                return
            self._text = text[end:]
            if isinstance(found, dict):
                self.values.update(found)

    def close(self) -> None:
        """Let the pipe go; what was read stays."""
        if self._open:
            self._open = False
            os.close(self._descriptor)
