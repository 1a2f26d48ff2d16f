"""A world in which the conductor runs alone: its clock, its agenda, its sockets, its processes.

Nothing here takes real time and nothing runs beside the conductor: the one who lives in this world
acts when the conductor waits, at moments that the schedule's seed has drawn. Sockets, memory files
and seals are the kernel's own.
"""

import array
import contextlib
import heapq
import json
import os
import select
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.clock import NS_PER_S
from harness.plugins import Exit
from harness.run import protocol
from tests.lab.clock import VirtualClock

LOOK_NS = 1_000
"""Every look at the clock takes a microsecond, so that no two stamps are the same."""
REAL_PAIR = protocol.pair


@dataclass
class History:
    """What really happened, told by those who did it: the truth that bundles are held against."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    """Snapshots as the submission sent them, with moment, quality and whether they were sound."""
    go_ns: int | None = None
    """When the submission had the data."""
    death_ns: int | None = None
    """When the last process of the submission was dead."""
    faults: list[str] = field(default_factory=list)
    """What was done to the harness itself, in words."""
    misdeeds: list[str] = field(default_factory=list)
    """What the submission did that the protocol does not allow."""
    acknowledged: list[str] = field(default_factory=list)
    """Hashes of ledger rows of which the harness was told that they are durable."""


class World:
    """One clock and an agenda of what will happen."""

    def __init__(self, start_s: int = 1000) -> None:
        start_ns = start_s * NS_PER_S
        self.clock = VirtualClock(start_ns, 1_700_000_000 * NS_PER_S + start_ns)
        self.history = History()
        self.dead = False
        """Whether the conductor itself was killed: then no one writes any more."""
        self.waits = 0
        self.on_wait: dict[int | tuple[str, int], Callable[[], None]] = {}
        """What happens at the n-th wait of the conductor, or at its n-th wait for somebody."""
        self._waits_for: Counter[str] = Counter()
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.threads: list[Thread] = []

    @property
    def now(self) -> int:
        return self.clock.now_ns()

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (self.now + max(0, delay_ns), self._count, action))

    def step(self, deadline_ns: int) -> None:
        """Let the next thing happen, or let time pass until the deadline."""
        if self._agenda and self._agenda[0][0] <= deadline_ns:
            moment, _, action = heapq.heappop(self._agenda)
            self.clock.sleep_until(moment)
            action()
        else:
            self.clock.sleep_until(deadline_ns)

    def let(self, duration_ns: int) -> None:
        """Let time pass with all that happens in it."""
        deadline_ns = self.now + duration_ns
        while self.now < deadline_ns:
            self.step(deadline_ns)

    def wait(self, whom: str) -> None:
        """The conductor goes to wait: the moment for whatever strikes it there."""
        self.waits += 1
        self._waits_for[whom] += 1
        for key in (self.waits, (whom, self._waits_for[whom])):
            strike = self.on_wait.pop(key, None)
            if strike is not None:
                strike()

    def settle(self) -> None:
        """Let threads that no one joined come to their end."""
        for thread in self.threads:
            thread.join(0)

    def forget(self) -> None:
        """What was planned does not happen any more."""
        self._agenda.clear()
        self.on_wait.clear()


class Time:
    """Replaces the module `time` in `harness.clock`."""

    CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME = 4, 7

    def __init__(self, world: World) -> None:
        self._world = world

    def monotonic_ns(self) -> int:
        self._world.clock.advance(LOOK_NS)
        return self._world.now

    def clock_gettime_ns(self, which: int) -> int:
        anchor = self._world.clock.anchor()
        return anchor.boottime_ns if which == self.CLOCK_BOOTTIME else anchor.raw_ns

    def time_ns(self) -> int:
        return self._world.clock.anchor().wall_ns

    def sleep(self, duration_s: float) -> None:
        self._world.wait("no one")
        self._world.let(int(duration_s * NS_PER_S))


class Poll:
    """Replaces `select.poll()`: what is ready is the kernel's word, waiting is the world's."""

    def __init__(self, world: World, whom: str) -> None:
        self._world = world
        self._whom = whom
        self._real = select.poll()

    def register(self, it: Any, mask: int) -> None:
        self._real.register(it, mask)

    def unregister(self, it: Any) -> None:
        self._real.unregister(it)

    def poll(self, timeout_ms: float) -> list[tuple[int, int]]:
        self._world.wait(self._whom)
        deadline_ns = self._world.now + int(timeout_ms * 1e6)
        while not (ready := self._real.poll(0)) and self._world.now < deadline_ns:
            self._world.step(deadline_ns)
        return ready


class Select:
    """Replaces the module `select`."""

    POLLIN = select.POLLIN

    def __init__(self, world: World, whom: str) -> None:
        self._world = world
        self._whom = whom

    def poll(self) -> Poll:
        return Poll(self._world, self._whom)


class Thread:
    """Replaces a thread that empties a pipe: it runs when it is waited for."""

    def __init__(self, world: World, target: Callable[[], None]) -> None:
        self._target: Callable[[], None] | None = target
        world.threads.append(self)

    def start(self) -> None:
        """Nothing has been written yet."""

    def join(self, _timeout_s: float) -> None:
        if self._target is None:
            return
        descriptor = self._target.__self__._read_end  # type: ignore[attr-defined]
        os.set_blocking(descriptor, False)
        try:
            self._target()
        except BlockingIOError:
            return  # somebody still holds the other end
        self._target = None


class Channel:
    """The conductor's end of a socket: a real one, but its stamps are of this world."""

    def __init__(self, world: World, end: socket.socket) -> None:
        self._world = world
        self._end = end
        self._walls: list[int] = []
        self.on_word: Callable[[], None] | None = None

    def fileno(self) -> int:
        return self._end.fileno()

    def close(self) -> None:
        self._end.close()

    def recv(self, size: int, flags: int) -> bytes:
        return self._end.recv(size, flags)

    def recvmsg(self, size: int, room: int, flags: int) -> Any:
        data, ancillary, seen, address = self._end.recvmsg(size, room, flags)
        if not (data or ancillary):
            return data, ancillary, seen, address
        stamp = protocol._TIMESPEC.pack(*divmod(self._walls.pop(0), NS_PER_S))
        reported = [
            (level, kind, stamp if kind == protocol._SO_TIMESTAMPNS else payload)
            for level, kind, payload in ancillary
        ]
        return data, reported, seen, address

    def sendmsg(self, buffers: Sequence[bytes], rights: Any = ()) -> int:
        size = self._end.sendmsg(buffers, rights)
        if self.on_word is not None:
            self._world.after(50_000, self.on_word)
        return size

    def stamped(self) -> None:
        """The other end sends something now."""
        self._walls.append(self._world.clock.anchor().wall_ns)


class Agent:
    """A process in a sandbox, as a `Sandbox`: it acts by the agenda and dies by it."""

    uid: int | None = 65534
    inside_source = "/submission"
    unmet: tuple[str, ...] = ()

    def __init__(self, world: World, there: int, stdout: int, channel: Channel) -> None:
        self.world = world
        self._end = socket.socket(fileno=os.dup(there))
        self._end.setblocking(False)
        self._stdout = os.dup(stdout)
        os.set_blocking(self._stdout, False)
        self.channel = channel
        channel.on_word = self._listen
        self.pidfd = os.eventfd(0, os.EFD_CLOEXEC)
        self.alive = True
        self.killed_after_ns = 2_000_000
        """How long the last process takes to die of SIGKILL."""
        self._dying = False
        self._exit = Exit(None, 9, 0.25, 20 << 20)
        self.cpu_used_s = 0.25

    # --- what the harness asks of a sandbox -------------------------------------------------------

    def cpu_s(self) -> float | None:
        return self.cpu_used_s

    def kill(self) -> None:
        if self.alive and not self._dying:
            self._dying = True
            self.world.after(self.killed_after_ns, lambda: self.die(self._exit))

    def reap(self, timeout_s: float) -> Exit:
        deadline_ns = self.world.now + int(timeout_s * NS_PER_S)
        while self.alive and self.world.now < deadline_ns:
            self.world.step(deadline_ns)
        if self.alive:
            raise TimeoutError("a process is alive after SIGKILL")
        os.close(self.pidfd)
        return self._exit

    # --- what it does ---------------------------------------------------------------------------

    def die(self, how: Exit) -> None:
        if not self.alive:
            return
        self.alive = False
        self._exit = how._replace(cpu_s=self.cpu_used_s)
        self._end.close()
        os.close(self._stdout)
        os.eventfd_write(self.pidfd, 1)
        self.died()

    def died(self) -> None:
        """For those who want to know."""

    def hang_up(self) -> None:
        """Close the socket and live on."""
        self._end.close()

    def raw(self, data: bytes, fds: Sequence[int] = ()) -> bool:
        """Send bytes; false where it is dead, hung up, or no one empties the socket."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        if not self.alive or self._end.fileno() < 0:
            return False
        try:
            self._end.sendmsg([data], rights)
        except OSError:
            return False
        self.channel.stamped()
        return True

    def say(self, kind: str, fds: Sequence[int] = (), **fields: Any) -> bool:
        return self.raw(json.dumps({"type": kind, **fields}).encode(), fds)

    def write(self, data: bytes) -> None:
        """Print something; what does not fit into the pipe is lost here."""
        if self.alive:
            with contextlib.suppress(OSError):
                os.write(self._stdout, data)

    def _listen(self) -> None:
        if not self.alive or self._end.fileno() < 0:
            return
        try:
            data, ancillary, *_ = self._end.recvmsg(1 << 16, socket.CMSG_SPACE(4 * 64))
        except OSError:
            return
        fds = array.array("i")
        for _, _, payload in ancillary:
            fds.frombytes(payload)
        if data:
            self.heard(json.loads(data), list(fds))
        for descriptor in fds:
            os.close(descriptor)

    def heard(self, word: dict[str, Any], fds: list[int]) -> None:
        """A word of the harness; its descriptors are closed afterwards."""


def pair(world: World) -> tuple[Channel, socket.socket]:
    """Replaces `protocol.pair`."""
    here, there = REAL_PAIR()
    return Channel(world, here), there
