"""Starts a command below a reaper: for launchers that cannot make a namespace."""

import marshal
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.launchers import _cgroup, _identity, _landlock_rules, _rlimits, _tree
from harness.launchers._sandbox import RunningSandbox
from harness.launchers._status import StatusPipe
from harness.launchers.interpreter import python_paths
from harness.plugins import SandboxRequest

_START_S = 10.0
_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from harness.launchers._reaper import main; main(int(sys.argv[2]))"
)


class ClosedToOthers(OSError):
    """Something that is needed can be read by its owner alone; `advice` says what changes that."""

    def __init__(self, path: Path) -> None:
        """Name the first thing that is closed."""
        self.reason = f"{path}: closed to other users, and root's submissions run as one"
        self.advice = f"chmod o+rX {path}, or keep the interpreter where others can read it"
        super().__init__(f"{self.reason}; {self.advice}")


@dataclass
class _Parts:
    """What a sandbox without namespaces is made of."""

    request: SandboxRequest
    scratch: Path
    """Its own HOME and TMPDIR."""
    uid: int | None
    """The user that the command becomes; None: it stays who we are."""
    group: _cgroup.Cgroup
    bound: bool
    """Whether Landlock and seccomp hold it."""

    def environment(self) -> dict[str, str]:
        """The whole environment of the command."""
        home = str(self.scratch)
        base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        named = {"HOME": home, "TMPDIR": home, "USER": "submission", "LOGNAME": "submission"}
        return {**base, **named, **self.request.env}

    def processes(self) -> int | None:
        """What to set as the user's limit: nothing for root, for whom it would not hold."""
        limit = self.request.limits.processes
        if self.uid is not None:
            return limit
        return None if _identity.is_root() else limit + _identity.own_threads()

    def plan(self) -> dict[str, object]:
        """All that the reaper has to know, but for descriptors."""
        source = str(self.request.source.resolve())
        return {
            "command": [word.replace("{source}", source) for word in self.request.command],
            "env": self.environment(),
            "cwd": str(self.scratch),
            "fds": list(self.request.pass_fds),
            "rlimits": _rlimits.wanted(self.request.limits, processes=self.processes()),
            "uid": self.uid,
            "parent": os.getpid(),
            "bounds": _landlock_rules.bounds(self.request, self.scratch) if self.bound else None,
        }

    def unmet(self) -> tuple[str, ...]:
        """What was asked for and does not hold."""
        missing = {
            "uid": _identity.is_root() and self.uid is None,
            "tmp_bytes": True,
            "masks": bool(self.request.masks) and not self.bound,
            "memory_bytes": self.request.limits.memory_bytes is not None
            and "memory" not in self.group.held,
            "processes": self.processes() is None and "pids" not in self.group.held,
        }
        return tuple(name for name, holds in missing.items() if holds)

    def remove(self) -> None:
        """Delete what was made."""
        self.group.remove()
        shutil.rmtree(self.scratch, ignore_errors=True)


def _closed(request: SandboxRequest) -> Path | None:
    """The first thing needed that another user could not read."""
    program = Path(request.command[0].replace("{source}", str(request.source)))
    needed = [request.source, *request.readable, *python_paths()]
    if program.is_file():
        needed.append(program)
    return _identity.unreachable(needed)


def _popen(parts: _Parts, stack: ExitStack) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start the reaper, held back; with our ends of its status and release pipes."""
    status, release = os.pipe(), os.pipe()
    stack.callback(os.close, status[1])
    stack.callback(os.close, release[0])
    with ExitStack() as failed:
        failed.callback(os.close, status[0])
        failed.callback(os.close, release[1])
        text = marshal.dumps({**parts.plan(), "status": status[1], "release": release[0]})
        plan = os.memfd_create("plan", os.MFD_CLOEXEC)
        stack.callback(os.close, plan)
        os.write(plan, text)
        os.lseek(plan, 0, os.SEEK_SET)
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_ROOT), str(plan)],
            stdin=subprocess.DEVNULL,
            stdout=parts.request.stdout,
            stderr=parts.request.stderr,
            env={},
            start_new_session=True,
            pass_fds=(*parts.request.pass_fds, status[1], release[0], plan),
        )
        failed.pop_all()
    return child, status[0], release[1]


def _let_go(status: StatusPipe, release: int) -> None:
    """Start the command.

    Raises:
        OSError: it could not be started.
    """
    os.write(release, b"x")
    status.wait_for({"started", "error"}, _START_S)
    if "started" not in status.values:
        reason = status.values.get("error", "the reaper ended; its message is in the output")
        raise OSError(f"the command could not be started: {reason}")


def _started(parts: _Parts) -> tuple[subprocess.Popen[bytes], int, StatusPipe]:
    with ExitStack() as after, ExitStack() as failed:
        child, status_end, release = _popen(parts, after)
        after.callback(os.close, release)
        status = StatusPipe(status_end)
        failed.callback(status.close)
        failed.callback(child.wait)
        failed.callback(child.kill)
        pidfd = os.pidfd_open(child.pid)
        failed.callback(os.close, pidfd)
        parts.group.attach(child.pid)
        _rlimits.offer_first(child.pid)
        _let_go(status, release)
        failed.pop_all()
    return child, pidfd, status


def _end(pidfd: int) -> None:
    """Tell the reaper; it may have been stopped by one of its own."""
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    signal.pidfd_send_signal(pidfd, signal.SIGCONT)


def start(request: SandboxRequest, *, bound: bool) -> RunningSandbox:
    """Start a command below a reaper.

    Args:
        request: what to start.
        bound: hold it by Landlock and seccomp; for root, only as a user of its own, since what
            Landlock leaves open (the mode of any file of the same user) is too much for root.

    Raises:
        OSError: it could not be started; the message says why.
    """
    closed = _closed(request) if _identity.is_root() else None
    if bound and closed:
        raise ClosedToOthers(closed)
    uid = _identity.free_uid() if _identity.is_root() and not closed else None
    scratch = Path(tempfile.mkdtemp(prefix="joulemark-"))
    group = _cgroup.create(request.limits, count_processes=_identity.is_root() and uid is None)
    parts = _Parts(request, scratch, uid, group, bound)
    try:
        if uid is not None:
            os.chown(scratch, uid, uid)
            _identity.hand_over((request.stdout, request.stderr), uid)
        child, pidfd, status = _started(parts)
    except BaseException:
        parts.remove()
        raise
    return RunningSandbox(
        root=child.pid,
        pidfd=pidfd,
        child=child,
        status=status,
        group=parts.group,
        uid=os.geteuid() if uid is None else uid,
        inside_source=str(request.source.resolve()),
        unmet=parts.unmet(),
        end=partial(_end, pidfd),
        base_s=parts.group.cpu_s() or _tree.own_cpu_s(child.pid),
        insist=partial(_tree.end_below, child.pid),
        clean=parts.remove,
    )
