"""Drains a sandbox's output without end: counts all of it, keeps its beginning and its end."""

import os
from collections import deque
from threading import Thread

_PIECE_BYTES = 1 << 16


class OutputCapture:
    """One pipe, read by a thread of its own, so that a flood never delays a stamp."""

    def __init__(self, name: str, keep_bytes: int) -> None:
        """Make the pipe; `write_end` goes to the sandbox.

        Args:
            name: Heading in the log.
            keep_bytes: Bytes kept: half from the beginning, half from the end.
        """
        self.name = name
        self._half = max(1, keep_bytes // 2)
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        self.total_bytes = 0
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._thread = Thread(target=self._run, name=f"drain-{name}", daemon=True)

    def start(self) -> None:
        """Begin; call after the sandbox has its end, which is closed here."""
        os.close(self.write_end)
        self._thread.start()

    def finish(self, timeout_s: float = 5.0) -> None:
        """Wait until the pipe is empty and every writer gone."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while piece := os.read(self._read_end, _PIECE_BYTES):
            self._take(piece)
        os.close(self._read_end)

    def _take(self, piece: bytes) -> None:
        self.total_bytes += len(piece)
        room = self._half - len(self._head)
        self._head += piece[:room]
        rest = piece[room:] if room > 0 else piece
        if rest:
            self._tail.append(rest)
            self._tail_bytes += len(rest)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= self._half:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def kept(self) -> bytes:
        """Beginning and end, with a line between them where something is missing."""
        tail = b"".join(self._tail)[-self._half :]
        missing = self.total_bytes - len(self._head) - len(tail)
        gap = f"\n[... {missing} bytes not kept ...]\n".encode() if missing else b""
        return bytes(self._head) + gap + tail

    def last_line(self, limit: int = 200) -> str:
        """The last line that is not blank, made safe to print; empty where there is none."""
        text = self.kept[-4000:].decode(errors="backslashreplace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        last = lines[-1] if lines else ""
        clean = "".join(item if item.isprintable() else "?" for item in last)
        return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def log_text(captures: list[OutputCapture]) -> bytes:
    """All outputs as one text, each under a heading with its size."""
    parts = [
        f"==== {capture.name}: {capture.total_bytes} bytes ====\n".encode() + capture.kept + b"\n"
        for capture in captures
    ]
    return b"".join(parts).decode(errors="backslashreplace").encode()
