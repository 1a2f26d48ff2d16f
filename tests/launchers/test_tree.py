"""Processes are found, added up and ended, against what the kernel says of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, now_ns
from harness.launchers import _tree

FAMILY = """
import os, sys, time
sys.stdout.reconfigure(line_buffering=True)
for _ in range(3):
    if os.fork() == 0:
        os.fork()
        break
print("up")
time.sleep(100)
"""


def start(program: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", "-c", program]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    with start(FAMILY) as top:
        assert top.stdout
        for _ in range(7):
            top.stdout.readline()
        yield top
        _tree.kill_below(top.pid)
        top.kill()


def test_finds_everyone_below(family: subprocess.Popen[bytes]) -> None:
    processes = _tree.scan_descendants(family.pid)
    assert processes[0].pid == family.pid
    assert len(processes) == 7
    pids = {item.pid for item in processes}
    assert all(item.parent in pids for item in processes[1:])
    assert {item.pid for item in _tree.descendants(family.pid)} == pids


def test_knows_itself() -> None:
    me = _tree.process_stat(os.getpid())
    assert me is not None
    assert (me.pid, me.parent, me.session) == (os.getpid(), os.getppid(), os.getsid(0))


def test_names_of_programs_may_hold_anything() -> None:
    program = "import sys, time\nopen('/proc/self/comm', 'w').write(') R 1 (')\n"
    with start(program + "print('up', flush=True)\ntime.sleep(100)") as odd:
        assert odd.stdout
        odd.stdout.readline()
        processes = _tree.process_stat(odd.pid)
        odd.kill()
    assert processes is not None
    assert processes.parent == os.getpid()


def test_a_process_that_ended_is_none() -> None:
    done = start("pass")
    done.communicate()
    assert _tree.process_stat(done.pid) is None
    assert _tree.scan_descendants(done.pid) == []
    assert _tree.descendants(done.pid) == []
    assert _tree.own_cpu_s(done.pid) == 0.0
    assert _tree.peak_rss_bytes(done.pid) == 0


def test_ends_all_below_and_not_the_top(family: subprocess.Popen[bytes]) -> None:
    below = [descendant.pid for descendant in _tree.scan_descendants(family.pid)[1:]]
    _tree.kill_below(family.pid)
    assert family.poll() is None
    deadline_ns = now_ns() + 60 * NS_PER_S
    while _running(below) and now_ns() < deadline_ns:
        time.sleep(0.01)
    assert _running(below) == []


def _running(pids: list[int]) -> list[int]:
    """Those that are no zombies yet (their parent here never waits for them)."""
    processes = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            processes.append(pid)
    return processes


def test_own_cpu_is_the_kernels() -> None:
    before = time.process_time()
    until = before + 0.05
    while time.process_time() < until:
        pass
    after = time.process_time()
    assert until <= after <= _tree.own_cpu_s(os.getpid()) <= time.process_time()


def test_meter_keeps_what_was_seen_of_the_lost() -> None:
    """The kernel drops the figures of a child without a reaper; the meter keeps them."""
    program = """
import os, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    print("burnt", flush=True)
    signal.pause()
time.sleep(100)
"""
    with start(program) as top:
        assert top.stdout
        top.stdout.readline()
        meter = _tree.TreeMeter(top.pid)
        seen = meter.cpu_s()
        assert seen > 0.2
        child = _tree.scan_descendants(top.pid)[1].pid
        os.kill(child, signal.SIGKILL)
        while _tree.process_stat(child):
            time.sleep(0.005)
        kernels = _tree.own_cpu_s(top.pid)
        after = meter.cpu_s()
        top.kill()
    assert meter.lossy
    assert kernels < 0.2
    assert seen <= after < seen + 0.1


def test_who_waits_for_children_loses_nothing(family: subprocess.Popen[bytes]) -> None:
    meter = _tree.TreeMeter(family.pid)
    meter.cpu_s()
    assert not meter.lossy
    assert not _tree.ignores_children(os.getpid())
    assert not _tree.ignores_children(1 << 22)


def test_peaks_stay(family: subprocess.Popen[bytes]) -> None:
    meter = _tree.TreeMeter(family.pid)
    meter.update_peaks()
    assert meter.peak_rss_bytes >= _tree.peak_rss_bytes(family.pid) > 1 << 20
    without = _tree.TreeMeter(os.getpid(), ours=True)
    without.update_peaks()
    assert 0 < without.peak_rss_bytes < _tree.peak_rss_bytes(os.getpid())
