"""A conductor that kills itself, its sampler or its submission at a named point of a real run.

python -m tests.faults.victim ROOT POINT WHOM      with `-` for no one

Writes what it struck to ROOT/struck, and the process ids below it at that moment to ROOT/pids.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S, SystemClock, now_ns
from harness.run import bundle_writer, conductor, supervisor, train
from harness.run.interrupt import Interrupt
from tests.run.made import Folder, Silent

POINTS = (
    "launch",
    "ready",
    "gun",
    "mid-snapshot",
    "first snapshot",
    "done",
    "await exit",
    "evaluation",
    "before manifest",
    "before ledger row",
)
WHOM = ("conductor", "sampler", "submission")
WAIT_S = 0.3
"""How long the submission trains between its snapshots."""


def below(pid: int) -> Iterator[int]:
    """Every process below one, children first."""
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            yield child
            yield from below(child)


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _is(whom: str, pid: int) -> bool:
    words = _words(pid)
    if whom == "sampler":
        return b"harness.measure.sampler" in words
    is_python = b"python" in words[0] if words else False
    return (
        is_python
        and any(word.endswith(b"/sandbox_main.py") for word in words)
        and b"train" in words
    )


class Killer:
    """Strikes once."""

    def __init__(self, root: Path, whom: str, patience_s: float) -> None:
        self._root = root
        self._whom = whom
        self._patience_ns = int(patience_s * NS_PER_S)
        """How long to wait for whom to strike: right after the launch no one may be there yet."""
        self._done = False

    def strike(self) -> None:
        if self._done:
            return
        self._done = True
        pids = self._targets()
        (self._root / "pids").write_text(" ".join(map(str, pids)))
        if self._whom == "conductor":
            os.kill(os.getpid(), signal.SIGKILL)
        struck = [pid for pid in pids if _is(self._whom, pid)]
        for pid in struck:
            os.kill(pid, signal.SIGKILL)
        (self._root / "struck").write_text(" ".join(map(str, struck)))

    def _targets(self) -> list[int]:
        """Everybody below, once the one who is to be struck is among them."""
        end_ns = now_ns() + self._patience_ns
        while True:
            pids = list(below(os.getpid()))
            result = self._whom == "conductor" or any(_is(self._whom, pid) for pid in pids)
            if result or now_ns() >= end_ns:
                return pids
            SystemClock().sleep_until(now_ns() + NS_PER_S // 500)


def _wrapped(real: Callable[..., Any], strike: Callable[[], None], *, before: bool) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        if before:
            strike()
        result = real(*arguments, **named)
        if not before:
            strike()
        return result

    return call


PLACES: dict[str, tuple[Any, str, bool]] = {
    "launch": (train, "launch_submission", False),
    "ready": (supervisor.Supervisor, "until_ready", False),
    "gun": (supervisor.Supervisor, "start", False),
    "mid-snapshot": (supervisor, "check_sealed", True),
    "first snapshot": (supervisor.Supervisor, "_take_snapshot", False),
    "done": (supervisor.Supervisor, "stop", True),
    "await exit": (supervisor.Supervisor, "await_exit", True),
    "evaluation": (conductor, "evaluate", True),
    "before manifest": (bundle_writer, "seal", True),
    "before ledger row": (bundle_writer, "seal", False),
}
"""Module or class, function, and whether the blow falls before it or after."""


def main(root: Path, point: str, whom: str) -> None:
    """Run once, struck, and where the conductor lives on, once more."""
    folder = object.__new__(Folder)
    folder.root, folder.results = root, root / "results"
    named = {"launcher": "bubblewrap", "meters": ("fake:watts=50",)}
    order = folder.order("entry", hyperparameters={"wait_s": WAIT_S}, **named)
    if whom != "-":
        # A person who is struck while it trains must not be done by itself before the blow falls.
        early = whom == "submission" and point in POINTS[: POINTS.index("done")]
        wait_s = 8.0 if early else WAIT_S
        struck = folder.order("entry", hyperparameters={"wait_s": wait_s}, **named)
        place, name, before = PLACES[point]
        real = getattr(place, name)
        killer = Killer(root, whom, 30.0 if point == "launch" else 0.0)
        setattr(place, name, _wrapped(real, killer.strike, before=before))
        print(conductor.run_one(struck, Silent(), Interrupt()).run.status, flush=True)  # noqa: T201 - read by the test
    print(conductor.run_one(order, Silent(), Interrupt()).run.status, flush=True)  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
