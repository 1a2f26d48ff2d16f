"""The first process of a sandbox without namespaces, watched from outside through its pipes."""

import contextlib
import json
import marshal
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.launchers import _reaper, _without_namespace

PATIENCE_S = 20.0
ORPHAN = """
import os, time
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writing, str(os.getpid()).encode())
        time.sleep(100)
    os._exit(0)
os.wait()
print(os.read(reading, 20).decode(), "first", flush=True)
"""


class Watched:
    """A reaper that we started, and what it reports."""

    def __init__(self, scratch: Path, *command: str, **plan: Any) -> None:
        self.status, writing = os.pipe()
        held, self.release = os.pipe()
        fields = {
            "command": list(command),
            "env": {"WORD": "given"},
            "cwd": str(scratch),
            "fds": [],
            "rlimits": {},
            "uid": None,
            "parent": os.getpid(),
            "restrictions": None,
            "status": writing,
            "release": held,
        }
        reading, sending = os.pipe()
        os.write(sending, marshal.dumps({**fields, **plan}))
        os.close(sending)
        root = str(Path(_without_namespace.__file__).resolve().parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _without_namespace._PROGRAM, root, str(reading)],
            stdout=subprocess.PIPE,
            env={},
            pass_fds=(reading, writing, held),
        )
        for item in (reading, writing, held):
            os.close(item)

    def let_go(self, word: bytes = b"x") -> None:
        """Start the command; an empty word is a conductor that died."""
        # It may have ended already, for a reason of its own.
        with contextlib.suppress(BrokenPipeError):
            os.write(self.release, word)
        os.close(self.release)

    def end(self) -> tuple[dict[str, Any], str]:
        """Everything it reported, and what was printed."""
        printed, _ = self.process.communicate(timeout=PATIENCE_S)
        with open(self.status, "rb") as text:  # noqa: PTH123 - a descriptor
            lines = text.read().decode().splitlines()
        merged: dict[str, Any] = {}
        for line in lines:
            merged.update(json.loads(line))
        return merged, printed.decode()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", program)


@pytest.mark.parametrize("code", [0, 1, 77, 255])
def test_the_commands_code_is_reported(scratch: Path, code: int) -> None:
    watched = Watched(scratch, "/bin/sh", "-c", f"exit {code}")
    watched.let_go()
    status, _ = watched.end()
    assert status["started"] == 1
    assert status["exit-code"] == code
    assert status["signal"] is None
    assert status["own-cpu-s"] > 0
    assert watched.process.returncode == 0


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_differs_from_a_code(scratch: Path, sign: signal.Signals) -> None:
    watched = Watched(scratch, "/bin/sh", "-c", f"kill -{int(sign)} $$")
    watched.let_go()
    status, _ = watched.end()
    assert status["signal"] == sign
    assert status["exit-code"] == 128 + sign


def test_a_command_that_is_not_there_is_reported_by_its_name(scratch: Path) -> None:
    watched = Watched(scratch, '/no/such "program"')
    watched.let_go()
    status, _ = watched.end()
    assert "started" not in status
    assert status["error"].startswith('/no/such "program": ')
    assert "No such file" in status["error"]


def test_nothing_begins_before_it_is_let_go(scratch: Path) -> None:
    watched = Watched(scratch, "/bin/sh", "-c", "echo ran")
    watched.let_go(b"")
    status, printed = watched.end()
    assert status == {}
    assert printed == ""
    assert watched.process.returncode == 1
    assert scratch.exists()


def test_a_conductor_that_is_gone_leaves_no_scratch(scratch: Path) -> None:
    (scratch / "left.txt").write_text("x")
    watched = Watched(scratch, "/bin/sh", "-c", "echo ran", parent=1)
    watched.let_go()
    status, printed = watched.end()
    assert (status, printed) == ({}, "")
    assert not scratch.exists()


def test_the_command_has_the_plans_place_environment_and_limits(scratch: Path) -> None:
    limit = str(int(resource.RLIMIT_NOFILE))
    program = (
        "import os, resource as r; "
        "print(os.getcwd(), os.environ['WORD'], 'PATH' in os.environ, "
        "r.getrlimit(r.RLIMIT_NOFILE), os.getsid(0) == os.getpid())"
    )
    watched = Watched(scratch, *python(program), rlimits={limit: (41, 43)})
    watched.let_go()
    _, printed = watched.end()
    assert printed.strip() == f"{scratch} given False (41, 43) True"


def test_the_command_blocks_no_signal_and_holds_no_status_pipe(scratch: Path) -> None:
    program = (
        "import os, signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), "
        "[n for n in map(int, os.listdir('/proc/self/fd')) if n > 2 and "
        "os.path.exists(f'/proc/self/fd/{n}') and 'pipe' in os.readlink(f'/proc/self/fd/{n}')])"
    )
    watched = Watched(scratch, *python(program))
    watched.let_go()
    _, printed = watched.end()
    assert printed.strip() == "set() []"


def test_an_orphan_in_a_session_of_its_own_ends_with_the_first(scratch: Path) -> None:
    watched = Watched(scratch, *python(ORPHAN))
    watched.let_go()
    status, printed = watched.end()
    pid, word = printed.split()
    assert word == "first"
    assert status["exit-code"] == 0
    assert not Path(f"/proc/{pid}").exists()


def test_asked_to_end_it_ends_all_below_it(scratch: Path) -> None:
    watched = Watched(scratch, *python("import time; print('up', flush=True); time.sleep(100)"))
    watched.let_go()
    assert watched.process.stdout
    assert watched.process.stdout.readline() == b"up\n"
    watched.process.send_signal(signal.SIGTERM)
    status, _ = watched.end()
    assert status["signal"] == signal.SIGKILL


def test_a_report_is_json_whatever_is_in_it() -> None:
    reading, writing = os.pipe()
    words = 'a "quoted"\nline \N{SNOWMAN} \\'
    _reaper._report(writing, error=words, code=3, sign=None, cpu=0.25)
    status = os.read(reading, 4096)
    assert status.count(b"\n") == 1
    assert json.loads(status) == {"error": words, "code": 3, "sign": None, "cpu": 0.25}
    os.close(reading)
    # No one reads the pipe any more, and the reaper must continue.
    _reaper._report(writing, started=1)
    os.close(writing)
