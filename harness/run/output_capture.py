"""Captures a sandbox's output: counts all bytes, keeps the beginning and the end."""

import os
from collections import deque
from threading import Thread

_PIECE_BYTES = 1 << 16


class OutputCapture:
    """One pipe, read by its own thread, so that a flood of output never delays a stamp."""

    def __init__(self, name: str, keep_bytes: int) -> None:
        """Create the pipe; `write_end` goes to the sandbox.

        Args:
            name: Heading in the log.
            keep_bytes: Bytes to keep: half from the beginning, half from the end.
        """
        self.name = name
        self._half = max(1, keep_bytes // 2)
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        self.total_bytes = 0
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._thread = Thread(target=self._run, name=f"capture-{name}", daemon=True)

    def start(self) -> None:
        """Begin to read; call it after the sandbox has its end, which is closed here."""
        os.close(self.write_end)
        self._thread.start()

    def finish(self, timeout_s: float = 5.0) -> None:
        """Wait until every writer is gone and the pipe is empty."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while piece := os.read(self._read_end, _PIECE_BYTES):
            self._take(piece)
        os.close(self._read_end)

    def _take(self, piece: bytes) -> None:
        self.total_bytes += len(piece)
        room = self._half - len(self._head)
        self._head += piece[:room]
        if rest := piece[room:] if room > 0 else piece:
            self._tail.append(rest)
            self._tail_bytes += len(rest)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= self._half:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def kept(self) -> bytes:
        """Beginning and end, with a line between them if something is missing."""
        tail = b"".join(self._tail)[-self._half :]
        missing = self.total_bytes - len(self._head) - len(tail)
        gap = f"\n[... {missing} bytes not kept ...]\n".encode() if missing else b""
        return bytes(self._head) + gap + tail

    def last_line(self, limit: int = 200) -> str:
        """The last line that is not blank, made safe to print; empty if there is none."""
        text = self.kept[-4000:].decode(errors="backslashreplace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        last = lines[-1] if lines else ""
        clean = "".join(character if character.isprintable() else "?" for character in last)
        return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def log_text(captures: list[OutputCapture]) -> bytes:
    """All outputs as one text, each under a heading with its size."""
    parts = [
        f"==== {capture.name}: {capture.total_bytes} bytes ====\n".encode() + capture.kept + b"\n"
        for capture in captures
    ]
    return b"".join(parts).decode(errors="backslashreplace").encode()
