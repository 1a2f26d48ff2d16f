"""The first process of a sandbox without namespaces: parent of last resort, and its end.

It adopts every orphan below it and ends when none is left, as process 1 of a namespace does. So
a process that leaves its session is found all the same, and is told apart from other children of
the conductor. It runs as a program of its own, from the standard library alone.
"""

import contextlib
import fcntl
import marshal
import os
import resource
import signal
import sys
import time
from typing import Any, NoReturn

from harness.launchers import _subreaper, _tree

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_HEARD = (signal.SIGCHLD, signal.SIGTERM)
# How long it waits for a signal before it looks around all the same.
_LOOK_S = 0.05


def _report(descriptor: int, **fields: object) -> None:
    """One object a line, as JSON."""
    words = ", ".join(f'"{key}": {_json(value)}' for key, value in fields.items())
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, f"{{{words}}}\n".encode())


def _json(value: object) -> str:
    if isinstance(value, str):
        # Only a failure has text in it, so a start does without.
        import json

        return json.dumps(value)
    return "null" if value is None else str(value)


def _become(uid: int | None) -> None:
    """Another user, for good; None stays the same."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def _begin(plan: dict[str, Any], failure: int) -> NoReturn:
    """In the child: bind itself, then become the command."""
    try:
        os.setsid()
        for key, pair in plan["rlimits"].items():
            resource.setrlimit(int(key), tuple(pair))
        os.chdir(plan["cwd"])
        _become(plan["uid"])
        if plan["bounds"]:
            from harness.launchers import _restrict

            _restrict.bind(plan["bounds"])
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        command = plan["command"]
        os.execve(command[0], command, plan["env"])  # noqa: S606 - a list, no shell
    except BaseException as error:  # noqa: BLE001 - it must never return into the parent's code
        os.write(failure, f"{plan['command'][0]}: {error}".encode())
    os._exit(127)


def _start(plan: dict[str, Any]) -> tuple[int, str]:
    """The command's process id, and why it could not be started (empty if it was)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _begin(plan, writing)
    os.close(writing)
    with open(reading, "rb") as text:  # noqa: PTH123 - a descriptor
        return pid, text.read().decode("utf-8", "replace")


def _collect(first: int, status: int) -> tuple[bool, bool]:
    """Wait for whoever is dead: whether the first was among them, and whether any are left."""
    ended = False
    while True:
        try:
            pid, state = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended, False
        if pid == 0:
            return ended, True
        if pid == first:
            ended = True
            code = os.waitstatus_to_exitcode(state)
            sign = -code if code < 0 else None
            _report(status, **{"exit-code": 128 - code if sign else code, "signal": sign})


def _watch(first: int, status: int) -> None:
    """Until nobody is left; the end of the first is the end of all."""
    ending = False
    while True:
        heard = signal.sigtimedwait(_HEARD, _LOOK_S if ending else 3600.0)
        ended, some_left = _collect(first, status)
        if not some_left:
            return
        ending = ending or ended or (heard is not None and heard.si_signo == signal.SIGTERM)
        if ending:
            _tree.end_below(os.getpid())


def _remove_scratch(plan: dict[str, Any]) -> None:
    """Where the conductor died, nobody else is left to do it."""
    if os.getppid() != plan["parent"]:
        import shutil

        shutil.rmtree(plan["cwd"], ignore_errors=True)


def main(descriptor: int) -> NoReturn:
    """Read the plan from a descriptor, wait to be let go, start the command, stay to the end."""
    with open(descriptor, "rb") as text:
        plan = marshal.load(text)  # noqa: S302 - written by the conductor that started this
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    _subreaper.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _subreaper.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Empty where the conductor died before it could let go.
    if os.getppid() != plan["parent"] or not os.read(plan["release"], 1):
        _remove_scratch(plan)
        sys.exit(1)
    os.close(plan["release"])
    fcntl.fcntl(plan["status"], fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    first, failure = _start(plan)
    _report(plan["status"], **({"error": failure} if failure else {"started": 1}))
    for item in plan["fds"]:
        os.close(item)
    _watch(first, plan["status"])
    # What watching cost is not the command's.
    _report(plan["status"], **{"own-cpu-s": time.process_time()})
    _remove_scratch(plan)
    # Its death ends the window: no time for the interpreter's own end.
    os._exit(0)
