"""Orphans become our children while the flag is set, and no other child is reaped."""

import os
import subprocess
import sys

from harness.launchers import _subreaper

# Its child writes its own number and that of its parent once it is an orphan.
ORPHAN = """
import os, time
if os.fork() == 0:
    mother = os.getppid()
    while os.getppid() == mother:
        time.sleep(0.005)
    print(os.getpid(), os.getppid(), flush=True)
"""


def _orphan() -> tuple[int, int]:
    with subprocess.Popen([sys.executable, "-I", "-c", ORPHAN], stdout=subprocess.PIPE) as mother:
        assert mother.stdout
        pid, parent = mother.stdout.readline().split()
    return int(pid), int(parent)


def test_holds_as_long_as_one_holder_is_left() -> None:
    _subreaper.acquire()
    _subreaper.acquire()
    _subreaper.release()
    pid, parent = _orphan()
    _subreaper.release()
    assert parent == os.getpid()
    pidfd = os.pidfd_open(pid)
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    usage = _subreaper.reap(pid, pidfd)
    assert usage is not None
    assert usage.ru_maxrss > 0
    # Once is all.
    assert _subreaper.reap(pid, pidfd) is None
    os.close(pidfd)
    assert _orphan()[1] != os.getpid()


def test_the_living_are_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-I", "-c", "input()"], stdin=subprocess.PIPE) as child:
        pidfd = os.pidfd_open(child.pid)
        assert _subreaper.reap(child.pid, pidfd) is None
        os.close(pidfd)
    assert child.returncode == 1  # its own: EOFError
