"""Reads the JSON objects that a sandbox writes to its status pipe."""

import json
import os
import select
from typing import Any

from harness.clock import NS_PER_S, now_ns

_DECODER = json.JSONDecoder()


class StatusPipe:
    """Reads objects in pieces and over several lines, as bubblewrap's `--json-status-fd` writes."""

    def __init__(self, descriptor: int) -> None:
        """Own the reading end of a pipe."""
        self._descriptor = descriptor
        self._text = ""
        self._open = True
        self.values: dict[str, Any] = {}
        """All reported keys; a later object replaces values of earlier ones."""
        os.set_blocking(descriptor, False)

    def wait_for(self, keys: set[str], timeout_s: float) -> bool:
        """Read until one of the keys is reported; False if the pipe is closed or time is up."""
        deadline_ns = now_ns() + int(timeout_s * NS_PER_S)
        while not (keys & self.values.keys()):
            left_s = (deadline_ns - now_ns()) / NS_PER_S
            if left_s <= 0 or not self._open:
                return False
            select.select([self._descriptor], [], [], left_s)
            self.read()
        return True

    def read(self) -> None:
        """Read what is available, without waiting."""
        while self._open:
            try:
                data = os.read(self._descriptor, 65536)
            except BlockingIOError:
                break
            if not data:
                self.close()
            self._text += data.decode("utf-8", "replace")
        while text := self._text.lstrip():
            try:
                value, end = _DECODER.raw_decode(text)
            except json.JSONDecodeError:
                return
            self._text = text[end:]
            if isinstance(value, dict):
                self.values.update(value)

    def close(self) -> None:
        """Close the pipe; the values that were read are kept."""
        if self._open:
            self._open = False
            os.close(self._descriptor)
