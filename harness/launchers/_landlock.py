"""Landlock by system calls: what a process may reach by path, from its start to its end.

There are no deny rules: a mask is a grant of everything beside it on the way down.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.launchers import _adoption, _mounts, _seccomp
from harness.launchers.interpreter import below, outermost, python_paths
from harness.plugins import SandboxRequest

# `linux/landlock.h`; the three calls have the same numbers on every processor.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
# Version of the interface to the number of rights on files; later ones add nothing there.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET, _SCOPED = 0b11, 0b11
_NET_SINCE, _SCOPED_SINCE = 4, 6
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_O_PATH = os.O_PATH | os.O_CLOEXEC

_NODES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# What runtimes read to size their thread pools. `/proc/self` is that of the first process alone.
_ABOUT = (
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems"),
    *("/proc/loadavg", "/proc/version", "/sys/devices/system/cpu", "/sys/devices/system/node"),
)


class _RulesetAttr(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _call(number: int, *arguments: Any) -> int:
    """A system call.

    Raises:
        OSError: the kernel refused it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    answer = int(libc.syscall(ctypes.c_long(number), *arguments))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def version() -> int:
    """Of the kernel's interface; 0 where there is none, or it is switched off."""
    try:
        return _call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    except OSError:
        return 0


def _all_rights(abi: int) -> int:
    return (1 << _RIGHTS[min(abi, max(_RIGHTS))]) - 1


def around(folder: Path, masks: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """Rules that make a folder readable, but for the masked ones in it.

    On the way to a masked folder names can be listed (Python's import finds nothing otherwise),
    the masked one's too, but nothing in it can be opened. Symbolic links are left out: what they
    point to must be granted in its own right.
    """
    inside = [mask for mask in masks if below(mask, folder)]
    if not inside:
        yield folder, _READ
        return
    yield folder, _READ_DIR
    if folder in inside:
        return
    for child in sorted(folder.iterdir()):
        if child.is_symlink():
            continue
        if child.is_dir():
            yield from around(child, inside)
        else:
            yield child, _READ


def _rules(request: SandboxRequest, scratch: Path, abi: int) -> Iterator[tuple[Path, int]]:
    masks = [_mounts.masked(mask) for mask in request.masks]
    system = [Path("/", name) for name in ("usr", "bin", "lib", "lib64")]
    paths = [*system, *_mounts.ETC, *map(Path, _ABOUT)]
    paths += [Path("/sys")] if request.devices else []
    wanted = {path.resolve() for path in paths if path.exists()} - {Path("/proc/self").resolve()}
    wanted |= {
        path.resolve(strict=True) for path in (request.source, *request.readable, *python_paths())
    }
    for path in outermost(wanted):
        yield from around(path, masks) if path.is_dir() else iter([(path, _READ)])
    # By this name, since the process that opens it is not the one that asks here.
    yield Path("/proc/self"), _READ
    for node in (*map(Path, _NODES), *request.devices):
        yield node, _DEVICE
    yield scratch.resolve(), _all_rights(abi)


def bounds(request: SandboxRequest, scratch: Path) -> dict[str, Any]:
    """All that `bind` needs, as plain values.

    Raises:
        OSError: something asked for does not exist.
    """
    abi = version()
    return {
        "abi": abi,
        "rules": [(str(path), access) for path, access in _rules(request, scratch, abi)],
        "seccomp": _seccomp.build(denied=(*_seccomp.DENIED, *_seccomp.UNGOVERNED)).hex(),
    }


def _ruleset(abi: int) -> int:
    attr = _RulesetAttr(_all_rights(abi), _NET, _SCOPED)
    size = 8 if abi < _NET_SINCE else 16 if abi < _SCOPED_SINCE else 24
    return _call(_CREATE, ctypes.byref(attr), ctypes.c_size_t(size), ctypes.c_uint32(0))


def _grant(ruleset: int, path: str, access: int) -> None:
    try:
        parent = os.open(path, _O_PATH)
    except FileNotFoundError:
        return  # what is not there needs no grant
    try:
        usable = access if os.path.isdir(f"/proc/self/fd/{parent}") else access & _OF_FILES  # noqa: PTH112 - before exec, as light as can be
        rule = _PathBeneath(usable, parent)
        kind = ctypes.c_int(_PATH_BENEATH)
        _call(_ADD, ctypes.c_int(ruleset), kind, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(parent)


def bind(found: dict[str, Any]) -> None:
    """Bind the calling thread and all that it will start; there is no way back.

    Raises:
        OSError: the kernel refused.
    """
    ruleset = _ruleset(found["abi"])
    for path, access in found["rules"]:
        _grant(ruleset, path, access & _all_rights(found["abi"]))
    _adoption.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    text = bytes.fromhex(found["seccomp"])
    program = _Program(
        len(text) // 8, ctypes.cast(ctypes.create_string_buffer(text), ctypes.c_void_p)
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program), 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
