"""Who plays against the conductor: submissions and predictors of every kind, by a script.

A snapshot's bytes state its quality, and an honest predictor answers by them: so what each snapshot
is worth is known before the judge has seen it.
"""

import fcntl
import io
import os
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from harness.clock import NS_PER_S
from harness.plugins import Exit
from harness.run import protocol
from tests.faults.world import Agent

SEALS = 15
"""`F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE`."""
QUALITY = struct.Struct("<d")


class Act(NamedTuple):
    """One thing that a submission does."""

    t_ns: int
    """After the launch, or after the start signal."""
    kind: str
    value: float = 0.0


@dataclass
class Script:
    """What a submission does before and after the start signal, and how it dies."""

    before: list[Act] = field(default_factory=list)
    after: list[Act] = field(default_factory=list)
    death_ns: int = 2_000_000
    """How long the tree takes to die once it is killed."""
    honest: bool = True


def memory(data: bytes, seals: int = SEALS) -> int:
    """A memory file with these bytes."""
    descriptor = os.memfd_create("m", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    if seals:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


class Player(Agent):
    """A submission."""

    def play(self, script: Script) -> None:
        self.script = script
        self.killed_after_ns = script.death_ns
        for act in script.before:
            self.world.after(act.t_ns, partial(self._perform, act))

    def heard(self, word: dict[str, Any], fds: list[int]) -> None:
        if word["type"] == "setup":
            self.world.after(NS_PER_S // 10, lambda: self._act_setup_done(0))
        elif word["type"] == "go":
            self.world.history.go_ns = self.world.now
            for act in self.script.after:
                self.world.after(act.t_ns, partial(self._perform, act))

    def died(self) -> None:
        self.world.history.death_ns = self.world.now

    def _perform(self, act: Act) -> None:
        if self.alive:
            self.cpu_used_s += 0.01
            getattr(self, f"_act_{act.kind}")(act.value)

    def _misdeed(self, text: str) -> None:
        self.world.history.misdeeds.append(text)

    # --- acts, by name ----------------------------------------------------------------------------

    def _act_ready(self, _value: float) -> None:
        self.say("ready", protocol=1, runtime=protocol.runtime())

    def _act_setup_done(self, _value: float) -> None:
        self.say("setup_done")

    def _act_odd_ready(self, _value: float) -> None:
        self._misdeed("speaks another protocol")
        self.say("ready", protocol=7, runtime=protocol.runtime())

    def _act_other_python(self, _value: float) -> None:
        self.say("ready", protocol=1, runtime="python 2.7")

    def _act_snapshot(self, quality: float) -> None:
        self._snapshot(quality, QUALITY.pack(quality) + b"w" * 64, SEALS)

    def _act_large(self, quality: float) -> None:
        self._misdeed("a snapshot beyond the limit")
        self._snapshot(quality, QUALITY.pack(quality) + b"w" * 5000, SEALS)

    def _act_unsealed(self, quality: float) -> None:
        self._misdeed("an unsealed snapshot")
        self._snapshot(quality, QUALITY.pack(quality), 0)

    def _snapshot(self, quality: float, data: bytes, seals: int) -> None:
        descriptor = memory(data, seals)
        if self.say("snapshot", [descriptor], step=1):
            sent = {"t_ns": self.world.now, "quality": quality, "sound": seals == SEALS}
            self.world.history.sent.append(sent | {"size": len(data)})
        os.close(descriptor)

    def _act_empty_handed(self, _value: float) -> None:
        self._misdeed("a snapshot without its descriptor")
        self.say("snapshot", step=1)

    def _act_pipe(self, _value: float) -> None:
        self._misdeed("a pipe for a snapshot")
        ends = os.pipe2(os.O_CLOEXEC)
        self.say("snapshot", [ends[0]], step=1)
        for end in ends:
            os.close(end)

    def _act_log(self, _value: float) -> None:
        self.say("log", step=1, scalars={"loss": 1.0})

    def _act_burst(self, count: float) -> None:
        """So many logs at once, as fast as the socket takes them."""
        for done in range(int(count)):
            if not self.say("log", step=done, scalars={"loss": 1.0}):
                rest = Act(0, "burst", count - done)
                self.world.after(1_000_000, partial(self._perform, rest))
                return

    def _act_junk(self, _value: float) -> None:
        self._misdeed("junk")
        self.raw(b'{"type": "log", "scalars": {"loss": NaN}}')

    def _act_empty(self, _value: float) -> None:
        self.raw(b"")

    def _act_print(self, size: float) -> None:
        self.write(b"\x1b[31m<b>\xff" * (int(size) // 8))

    def _act_done(self, _value: float) -> None:
        self.say("done")

    def _act_hang_up(self, _value: float) -> None:
        self.hang_up()

    def _act_exit(self, code: float) -> None:
        self.die(Exit(int(code), None, None, 20 << 20))

    def _act_signal(self, number: float) -> None:
        self.die(Exit(None, int(number), None, 20 << 20))

    def _act_oom(self, _value: float) -> None:
        self.die(Exit(None, 9, None, 20 << 20, oom=True))


class Oracle(Agent):
    """A predictor: answers by the quality that the weights state, or misbehaves."""

    labels: np.ndarray
    manner = "honest"
    _quality = 0.0

    def play(self, labels: np.ndarray, manner: str) -> None:
        self.labels = labels
        self.manner = manner
        self.killed_after_ns = 1_000_000
        if manner != "never_ready":
            self.world.after(200_000_000, self._ready)

    def _ready(self) -> None:
        self.say("ready", protocol=1, runtime=protocol.runtime())

    def heard(self, word: dict[str, Any], fds: list[int]) -> None:
        if word["type"] == "weights":
            (self._quality,) = QUALITY.unpack(os.pread(fds[0], QUALITY.size, 0))
            self.world.after(5_000_000, lambda: self._load(word["id"]))
        elif word["type"] == "predict":
            self.world.after(5_000_000, lambda: self._answer(word["id"]))

    def _load(self, index: int) -> None:
        self.cpu_used_s += 0.01
        if self.manner == "crash":
            self.die(Exit(1, None, None, None))
        elif self.manner == "hog":
            self.cpu_used_s += 100.0
        elif self.manner == "failed":
            self.say("failed", id=index, reason="no such weights\x1b[2J")
        elif self.manner != "silent":
            self.say("loaded", id=index)

    def _answer(self, index: int) -> None:
        if self.manner == "hang":
            return
        if self.manner == "garbage":
            self._send(index, b"\x93NUMPY garbage")
            return
        outputs = self._outputs()
        if self.manner == "shape":
            outputs = outputs[1:]
        if self.manner == "nan" or np.isnan(self._quality):
            outputs[0, 0] = np.nan
        self._send(index, _npy(outputs), 0 if self.manner == "unsealed" else SEALS)

    def _send(self, index: int, data: bytes, seals: int = SEALS) -> None:
        descriptor = memory(data, seals)
        self.say("outputs", [descriptor], id=index)
        os.close(descriptor)

    def _outputs(self) -> np.ndarray:
        """As many right answers as the quality says."""
        right = self.labels.copy()
        count = 0 if np.isnan(self._quality) else round(self._quality * len(right))
        right[count:] = 1 - right[count:]
        return np.eye(2, dtype=np.float32)[right]


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0))
    return file.getvalue()


# --- drawing --------------------------------------------------------------------------------------

MANNERS = (
    "never_ready",
    "crash",
    "hog",
    "failed",
    "silent",
    "hang",
    "garbage",
    "unsealed",
    "shape",
)
"""Predictors that misbehave."""


def _s(chance: random.Random, low_s: float, high_s: float) -> int:
    return int(chance.uniform(low_s, high_s) * NS_PER_S)


def honest_script(chance: random.Random) -> Script:
    """Two snapshots that get better, the last one good, well within ten seconds."""
    first, second = sorted((_s(chance, 0.5, 4.0), _s(chance, 4.5, 8.0)))
    acts = [
        Act(first, "snapshot", chance.uniform(0.3, 0.7)),
        Act(first + 1000, "log"),
        Act(second, "snapshot", chance.uniform(0.85, 1.0)),
        Act(second + _s(chance, 0.001, 0.2), chance.choice(("done", "exit"))),
    ]
    return Script([Act(_s(chance, 0.01, 1.0), "ready")], acts)


EARLY = (
    "junk",
    "odd_ready",
    "other_python",
    "exit",
    "signal",
    "hang_up",
    "snapshot",
    "done",
    "oom",
)
WHOLE = ("snapshot",) * 8 + ("log", "print", "burst", "empty")
BROKEN = (
    "large",
    "unsealed",
    "empty_handed",
    "pipe",
    "junk",
    "ready",
    "setup_done",
    "hang_up",
    "oom",
    "exit",
    "signal",
)
VALUES: dict[str, Callable[[random.Random], float]] = {
    "snapshot": lambda chance: chance.choice((chance.uniform(0, 1), 0.5, 0.9, float("nan"))),
    "large": lambda chance: 0.9,
    "unsealed": lambda chance: 0.9,
    "burst": lambda chance: chance.choice((50, 300, 2600)),
    "print": lambda chance: chance.choice((80, 20_000, 60_000)),
    "exit": lambda chance: chance.choice((0, 1, 77)),
    "signal": lambda chance: chance.choice((9, 11, 15)),
}


def _act(kind: str, t_ns: int, chance: random.Random) -> Act:
    return Act(t_ns, kind, VALUES.get(kind, lambda _: 0.0)(chance))


def wild_script(chance: random.Random) -> Script:
    """Anything: early, late, malformed, at the very edge of the budget, after `done`."""
    before = [Act(_s(chance, 0.01, 2.0), "ready")]
    if chance.random() < 0.15:
        before = [_act(chance.choice(EARLY), _s(chance, 0.01, 1.0), chance)]
    elif chance.random() < 0.03:
        before = []
    kinds = [chance.choice(WHOLE) for _ in range(chance.randrange(8))]
    if chance.random() < 0.5:
        kinds.append(chance.choice(BROKEN))
    after = [_act(kind, _moment(chance), chance) for kind in kinds]
    if chance.random() < 0.7:
        after.append(_act(chance.choice(("done", "exit")), _moment(chance), chance))
    return Script(before, after, _s(chance, 0.0, chance.choice((0.01, 1.0))), honest=False)


def _moment(chance: random.Random) -> int:
    """Mostly within the budget of ten seconds, often close to its end or just after it."""
    where = chance.random()
    if where < 0.7:
        return _s(chance, 0.0, 10.0)
    return _s(chance, 9.95, 10.05) if where < 0.9 else _s(chance, 10.0, 11.5)
