"""Starts a command below a reaper process, for launchers that do not make a namespace."""

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
from harness.launchers._sandbox import RunningSandbox, memory_file
from harness.launchers._status import StatusPipe
from harness.launchers.interpreter import python_paths
from harness.plugins import SandboxRequest

TRUST = "JOULEMARK_TRUST_SOURCES"
"""Environment variable: if it is 1, code may run as root without isolation. For tests."""
_START_S = 10.0
_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from harness.launchers._reaper import main; main(int(sys.argv[2]))"
)


class ClosedToOthers(OSError):
    """A needed path can be read only by its owner; `advice` says what to change."""

    def __init__(self, path: Path) -> None:
        """Name the first such path."""
        self.reason = f"{path}: closed to other users, and root's submissions run as another user"
        self.advice = f"chmod o+rX {path}, or keep the interpreter where others can read it"
        super().__init__(f"{self.reason}; {self.advice}")


@dataclass
class _Setup:
    """What was made for a sandbox without namespaces."""

    request: SandboxRequest
    scratch: Path
    """The sandbox's HOME and TMPDIR."""
    uid: int | None
    """The user that the command changes to; None: our own."""
    group: _cgroup.Cgroup
    restricted: bool
    """Whether Landlock and seccomp restrict the command."""

    def processes(self) -> int | None:
        """The process limit of the user; None for root, to whom it does not apply."""
        limit = self.request.limits.processes
        if self.uid is not None:
            return limit
        return None if _identity.is_root() else limit + _identity.own_threads()

    def plan(self) -> dict[str, object]:
        """What the reaper has to know, except descriptors."""
        request, home = self.request, str(self.scratch)
        source = str(request.source.resolve())
        base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        user = {"HOME": home, "TMPDIR": home, "USER": "submission", "LOGNAME": "submission"}
        return {
            "command": [word.replace("{source}", source) for word in request.command],
            "env": {**base, **user, **request.env},
            "cwd": home,
            "fds": list(request.pass_fds),
            "rlimits": _rlimits.limits_table(request.limits, processes=self.processes()),
            "uid": self.uid,
            "parent": os.getpid(),
            "restrictions": _landlock_rules.restrictions(request, self.scratch)
            if self.restricted
            else None,
        }

    def unmet(self) -> tuple[str, ...]:
        """The limits that were requested and are not set."""
        missing = {
            "uid": _identity.is_root() and self.uid is None,
            "tmp_bytes": True,
            "masks": bool(self.request.masks) and not self.restricted,
            "memory_bytes": self.request.limits.memory_bytes is not None
            and "memory" not in self.group.enforced,
            "processes": self.processes() is None and "pids" not in self.group.enforced,
        }
        return tuple(name for name, is_missing in missing.items() if is_missing)

    def remove(self) -> None:
        """Remove the group and the scratch folder."""
        self.group.remove()
        shutil.rmtree(self.scratch, ignore_errors=True)


def _first_closed(request: SandboxRequest) -> Path | None:
    """The first needed path that another user cannot read; None if there is none."""
    program = Path(request.command[0].replace("{source}", str(request.source)))
    needed = [request.source, *request.readable, *python_paths()]
    if program.is_file():
        needed.append(program)
    return _identity.unreachable(needed)


def _popen(setup: _Setup, stack: ExitStack) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start the reaper, which waits; returns it, and our ends of its status and release pipes."""
    status, release = os.pipe(), os.pipe()
    stack.callback(os.close, status[1])
    stack.callback(os.close, release[0])
    with ExitStack() as failed:
        failed.callback(os.close, status[0])
        failed.callback(os.close, release[1])
        text = marshal.dumps({**setup.plan(), "status": status[1], "release": release[0]})
        plan = memory_file(stack, "plan", text)
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_ROOT), str(plan)],
            stdin=subprocess.DEVNULL,
            stdout=setup.request.stdout,
            stderr=setup.request.stderr,
            env={},
            start_new_session=True,
            pass_fds=(*setup.request.pass_fds, status[1], release[0], plan),
        )
        failed.pop_all()
    return child, status[0], release[1]


def _start_reaper(setup: _Setup) -> tuple[subprocess.Popen[bytes], int, StatusPipe]:
    """Start the reaper, limit it, then let it start the command; returns also its pidfd.

    Raises:
        OSError: the command could not be started.
    """
    with ExitStack() as after, ExitStack() as failed:
        child, status_end, release = _popen(setup, after)
        after.callback(os.close, release)
        status = StatusPipe(status_end)
        failed.callback(status.close)
        failed.callback(child.wait)
        failed.callback(child.kill)
        pidfd = os.pidfd_open(child.pid)
        failed.callback(os.close, pidfd)
        setup.group.attach(child.pid)
        _rlimits.prefer_for_oom_kill(child.pid)
        os.write(release, b"x")
        status.wait_for({"started", "error"}, _START_S)
        if "started" not in status.values:
            reason = status.values.get("error", "the reaper ended; its message is in the output")
            raise OSError(f"the command could not be started: {reason}")
        failed.pop_all()
    return child, pidfd, status


def _end(pidfd: int) -> None:
    """Make the reaper end all processes; one of them may have stopped it."""
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    signal.pidfd_send_signal(pidfd, signal.SIGCONT)


def trusted() -> bool:
    """Whether the user declared that all code that is run can be trusted."""
    return os.environ.get(TRUST) == "1"


def start(request: SandboxRequest, *, restricted: bool) -> RunningSandbox:
    """Start a command below a reaper.

    Args:
        request: What to start.
        restricted: Whether Landlock and seccomp restrict it.

    A root conductor needs a user of its own for the command: Landlock does not govern the modes of
    files, which root could change, and without Landlock root could do anything.

    Raises:
        OSError: the command could not be started; the message says why.
    """
    closed = _first_closed(request) if _identity.is_root() else None
    if closed and (restricted or not trusted()):
        raise ClosedToOthers(closed)
    uid = _identity.free_uid() if _identity.is_root() and not closed else None
    scratch = Path(tempfile.mkdtemp(prefix="joulemark-"))
    group = _cgroup.create(request.limits, count_processes=_identity.is_root() and uid is None)
    setup = _Setup(request, scratch, uid, group, restricted)
    try:
        if uid is not None:
            os.chown(scratch, uid, uid)
            _identity.hand_over((request.stdout, request.stderr), uid)
        child, pidfd, status = _start_reaper(setup)
    except BaseException:
        setup.remove()
        raise
    return RunningSandbox(
        root=child.pid,
        pidfd=pidfd,
        child=child,
        status=status,
        group=group,
        uid=os.geteuid() if uid is None else uid,
        inside_source=str(request.source.resolve()),
        unmet=setup.unmet(),
        end=partial(_end, pidfd),
        base_s=group.cpu_s() or _tree.own_cpu_s(child.pid),
        insist=partial(_tree.kill_below, child.pid),
        clean=setup.remove,
    )
