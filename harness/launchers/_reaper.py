"""The first process of a sandbox without namespaces: a subreaper that ends after its last child.

Orphans below it become its children, and it ends when none is left, like process 1 of a namespace.
So a process that leaves its session still belongs to the sandbox and cannot be confused with other
children of the conductor. It is a program of its own that uses only the standard library.
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

from harness.launchers import _tree
from harness.launchers._subreaper import prctl, set_subreaper

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM)
# Longest wait for a signal while the tree is being ended.
_POLL_S = 0.05


def _report(descriptor: int, **fields: object) -> None:
    """Write one JSON object as a line."""
    text = ", ".join(f'"{key}": {_json(value)}' for key, value in fields.items())
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, f"{{{text}}}\n".encode())


def _json(value: object) -> str:
    if isinstance(value, str):
        # Only a failure contains text, so a normal start need not import the package.
        import json

        return json.dumps(value)
    return "null" if value is None else str(value)


def _exec(plan: dict[str, Any], failure: int) -> NoReturn:
    """Restrict this process, then replace it by the command; errors are written to `failure`."""
    try:
        os.setsid()
        for key, pair in plan["rlimits"].items():
            resource.setrlimit(int(key), tuple(pair))
        os.chdir(plan["cwd"])
        if (uid := plan["uid"]) is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        if plan["restrictions"]:
            from harness.launchers._restrict import restrict

            restrict(plan["restrictions"])
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        command = plan["command"]
        os.execve(command[0], command, plan["env"])  # noqa: S606 - a list, no shell
    except BaseException as error:  # noqa: BLE001 - the child must not return from this function
        os.write(failure, f"{plan['command'][0]}: {error}".encode())
    os._exit(127)


def _start(plan: dict[str, Any]) -> tuple[int, str]:
    """Start the command; returns its process id, and the error if it could not be started."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _exec(plan, writing)
    os.close(writing)
    with open(reading, "rb") as text:  # noqa: PTH123 - a descriptor
        return pid, text.read().decode("utf-8", "replace")


def _reap_children(first: int, status: int) -> tuple[bool, bool]:
    """Reap dead children; returns whether the first is among them, and whether any child lives."""
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


def _wait_until_empty(first: int, status: int) -> None:
    """Wait until no child is left; all are killed when the first one ends, or on SIGTERM."""
    ending = False
    while True:
        info = signal.sigtimedwait(_SIGNALS, _POLL_S if ending else 3600.0)
        ended, any_left = _reap_children(first, status)
        if not any_left:
            return
        ending = ending or ended or (info is not None and info.si_signo == signal.SIGTERM)
        if ending:
            _tree.kill_below(os.getpid())


def _remove_scratch(plan: dict[str, Any]) -> None:
    """Remove the scratch folder if the conductor has died and cannot do it."""
    if os.getppid() != plan["parent"]:
        import shutil

        shutil.rmtree(plan["cwd"], ignore_errors=True)


def main(plan_descriptor: int) -> NoReturn:
    """Read the plan from a descriptor, wait for the release, run the command, wait for its tree."""
    with open(plan_descriptor, "rb") as text:
        plan = marshal.load(text)  # noqa: S302 - written by the conductor that started this
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    set_subreaper(on=True)
    prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The pipe is empty if the conductor died before it wrote the release.
    if os.getppid() != plan["parent"] or not os.read(plan["release"], 1):
        _remove_scratch(plan)
        sys.exit(1)
    os.close(plan["release"])
    fcntl.fcntl(plan["status"], fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    first, failure = _start(plan)
    _report(plan["status"], **({"error": failure} if failure else {"started": 1}))
    for descriptor in plan["fds"]:
        os.close(descriptor)
    _wait_until_empty(first, plan["status"])
    # The CPU time of this process is not charged to the command.
    _report(plan["status"], **{"own-cpu-s": time.process_time()})
    _remove_scratch(plan)
    # The run window lasts until this process is dead, so it skips the interpreter's shutdown.
    os._exit(0)
