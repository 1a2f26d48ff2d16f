"""A sandbox in name only: a bare child process, for tests of those who watch one."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from harness.plugins import Exit
from harness.run import protocol

PRELUDE = """
import array, fcntl, json, os, socket, sys, time

s = socket.socket(fileno=int(sys.argv[1]))


def send(kind, fds=(), **fields):
    raw(json.dumps({"type": kind, **fields}).encode(), fds)


def raw(data, fds=()):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    s.sendmsg([data], rights)


def memfd(data=b"weights", seals=15):
    fd = os.memfd_create("m", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, 1033, seals)
    return fd


def ready(**more):
    send("ready", **{"protocol": 1, "runtime": "test", **more})


def word(fds=8):
    data, ancillary, *_ = s.recvmsg(65536, socket.CMSG_SPACE(4 * fds))
    found = array.array("i")
    for _, _, payload in ancillary:
        found.frombytes(payload)
    return (json.loads(data) if data else None), list(found)


def start():
    ready()
    return word()


def snapshot(data=b"weights", seals=15, **fields):
    fd = memfd(data, seals)
    send("snapshot", [fd], **fields)
    os.close(fd)


"""


class StandIn:
    """A child process as a `Sandbox`; it is dead when its pidfd is readable."""

    uid: int | None = None
    inside_source = ""
    unmet: tuple[str, ...] = ()

    def __init__(self, program: str) -> None:
        self.channel, there = protocol.pair()
        number = there.fileno()
        text = PRELUDE + dedent(program)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", text, str(number)],
            pass_fds=(number,),
            stderr=subprocess.PIPE,
        )
        there.close()
        self.pidfd = os.pidfd_open(self.process.pid)
        self.kills = 0
        self.cpu: float | None = None
        """What `cpu_s` tells; None reads the process's own clock."""
        self._exit: Exit | None = None

    def cpu_s(self) -> float | None:
        """CPU seconds of the child, from /proc."""
        if self.cpu is not None:
            return self.cpu
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """SIGKILL it."""
        self.kills += 1
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def dead(self) -> bool:
        """Whether the kernel says so."""
        return self._exit is not None or bool(select.select([self.pidfd], [], [], 0)[0])

    def reap(self, timeout_s: float) -> Exit:
        """Wait for its end."""
        if self._exit is None:
            code = self.process.wait(timeout_s)
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            own, sign = (code, None) if code >= 0 else (None, -code)
            self._exit = Exit(own, sign, usage.ru_utime + usage.ru_stime, None)
        return self._exit

    def said(self) -> str:
        """Its standard error, after its end."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def close(self) -> None:
        """Leave nothing behind."""
        if self._exit is None:
            self.kill()
            self.reap(10)
        self.channel.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self.pidfd)
