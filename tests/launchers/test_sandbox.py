"""The account of a started tree: code or signal, processor time, peak, and its end in time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.clock import NS_PER_S, now_ns
from harness.launchers._cgroup import Cgroup
from harness.launchers._sandbox import RunningSandbox, own_peak_bytes, wait_readable
from harness.launchers._status import StatusPipe

PATIENCE_S = 20.0
FOREVER = "import time; time.sleep(100)"
BUSY = "import time\nwhile time.process_time() < 0.2: pass"
LARGE = "x = bytearray(b'x') * (300 << 20)"


@dataclass
class Tree:
    """A supervised process of ours, the other end of its status pipe, and what was asked of it."""

    sandbox: RunningSandbox
    status: int
    asked: list[str] = field(default_factory=list)

    def report(self, text: str) -> None:
        os.write(self.status, text.encode())


Start = Callable[..., Tree]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Tree] = []

    def begin(program: str, **fields: Any) -> Tree:
        child = subprocess.Popen([sys.executable, "-I", "-S", "-c", program])
        reading, writing = os.pipe()
        asked: list[str] = []

        def end() -> None:
            asked.append("end")
            os.kill(child.pid, signal.SIGKILL)

        fields = {"end": end, "clean": lambda: asked.append("clean"), **fields}
        sandbox = RunningSandbox(
            root=child.pid,
            pidfd=os.pidfd_open(child.pid),
            child=child,
            status=StatusPipe(reading),
            group=Cgroup(),
            uid=None,
            inside_source="/source",
            unmet=(),
            **fields,
        )
        made.append(Tree(sandbox, writing, asked))
        return made[-1]

    yield begin
    for item in made:
        if item.sandbox.child.returncode is None:
            item.sandbox.child.kill()
            item.sandbox.reap(PATIENCE_S)
        os.close(item.status)


@pytest.mark.parametrize(
    ("report", "code", "sign"),
    [
        ('{"exit-code": 0}', 0, None),
        ('{"exit-code": 3}', 3, None),
        ('{"exit-code": 137}', 137, 9),
        ('{"exit-code": 137, "signal": null}', 137, None),
        ('{"exit-code": 139, "signal": 11}', None, 11),
        ('{"exit-code": 255}', 255, None),
        ('{"exit-code": 128}', 128, None),
        ("", None, None),
        ('{"exit-code": "rubbish"}', None, None),
    ],
)
def test_the_outcome_is_what_was_reported(
    start: Start, report: str, code: int | None, sign: int | None
) -> None:
    tree = start("pass")
    tree.report(report)
    end = tree.sandbox.reap(PATIENCE_S)
    assert (end.code, end.signal) == (code, sign)


def test_killed_by_us_is_a_kill(start: Start) -> None:
    tree = start(FOREVER)
    tree.sandbox.kill()
    tree.report('{"exit-code": 0}')
    end = tree.sandbox.reap(PATIENCE_S)
    assert (end.code, end.signal) == (None, signal.SIGKILL)
    assert tree.asked == ["end", "clean"]


def test_what_ended_before_the_kill_keeps_its_code(start: Start) -> None:
    tree = start(FOREVER)
    tree.report('{"exit-code": 4}')
    tree.sandbox.kill()
    # A second kill sees the code as well and must not change the result.
    tree.sandbox.kill()
    end = tree.sandbox.reap(PATIENCE_S)
    assert (end.code, end.signal) == (4, None)


def test_a_kill_of_the_dead_does_nothing(start: Start) -> None:
    tree = start("pass")
    tree.report('{"exit-code": 0}')
    first = tree.sandbox.reap(PATIENCE_S)
    tree.sandbox.kill()
    assert tree.asked == ["clean"]
    assert tree.sandbox.reap(0.0) is first


def test_the_living_are_reported_after_the_time_and_stay_alive(start: Start) -> None:
    tree = start(FOREVER)
    begin_ns = now_ns()
    with pytest.raises(TimeoutError, match=rf"{tree.sandbox.root} .* still alive after 0\.1 s"):
        tree.sandbox.reap(0.1)
    assert 0.09 < (now_ns() - begin_ns) / NS_PER_S < 50.0, "not to the end of its 100 s"
    assert tree.asked == []
    assert not wait_readable(tree.sandbox.pidfd, 0.0)


def test_an_end_that_does_not_help_is_insisted_on(start: Start) -> None:
    pids: list[int] = []
    tree = start(FOREVER, end=lambda: None, insist=lambda: os.kill(pids[0], signal.SIGKILL))
    pids.append(tree.sandbox.root)
    tree.sandbox.kill()
    assert tree.sandbox.reap(PATIENCE_S).signal == signal.SIGKILL


def test_nothing_is_insisted_on_before_a_kill(start: Start) -> None:
    insisted: list[int] = []
    tree = start(FOREVER, insist=lambda: insisted.append(1))
    with pytest.raises(TimeoutError):
        tree.sandbox.reap(0.3)
    assert insisted == []


def test_processor_time_is_the_kernels_and_stays(start: Start) -> None:
    tree = start(BUSY)
    tree.report('{"exit-code": 0}')
    end = tree.sandbox.reap(PATIENCE_S)
    assert end.cpu_s is not None
    assert 0.19 < end.cpu_s < 1.0
    assert tree.sandbox.cpu_s() == end.cpu_s


def test_what_was_used_before_the_command_is_not_the_commands(start: Start) -> None:
    tree = start(BUSY, base_s=1000.0)
    tree.report('{"exit-code": 0}')
    assert tree.sandbox.cpu_s() == 0.0
    end = tree.sandbox.reap(PATIENCE_S)
    assert end.cpu_s == 0.0


def test_what_the_watcher_reports_of_itself_is_taken_off(start: Start) -> None:
    tree = start(BUSY)
    tree.report('{"exit-code": 0, "own-cpu-s": 0.1}')
    end = tree.sandbox.reap(PATIENCE_S)
    assert end.cpu_s is not None
    assert 0.09 < end.cpu_s < 0.9


def test_a_peak_above_our_own_is_the_childs(start: Start) -> None:
    tree = start(LARGE, floor_bytes=0)
    end = tree.sandbox.reap(PATIENCE_S)
    assert end.peak_rss_bytes is not None
    assert 300 << 20 < end.peak_rss_bytes < own_peak_bytes() + (1 << 30)


def test_a_peak_that_may_be_our_own_is_not_claimed(start: Start) -> None:
    tree = start("pass", floor_bytes=1 << 50)
    peak = tree.sandbox.reap(PATIENCE_S).peak_rss_bytes
    assert peak is None or peak < own_peak_bytes()


def test_descriptors_are_let_go(start: Start) -> None:
    tree = start("pass")
    pidfd, child_pidfd = tree.sandbox.pidfd, tree.sandbox._child_pidfd
    tree.sandbox.reap(PATIENCE_S)
    for item in (pidfd, child_pidfd):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(item)
    assert tree.sandbox.child.returncode == 0


def test_another_child_of_ours_keeps_its_exit(start: Start) -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", "raise SystemExit(6)"]) as other:
        start("pass").sandbox.reap(PATIENCE_S)
        assert other.wait(PATIENCE_S) == 6


def test_a_time_below_zero_is_a_look() -> None:
    reading, writing = os.pipe()
    assert not wait_readable(reading, -5.0)
    os.write(writing, b"x")
    assert wait_readable(reading, -5.0)
    os.close(reading)
    os.close(writing)
