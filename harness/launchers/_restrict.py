"""Binds the process that calls it by Landlock and seccomp, for good.

Light, since it runs between a submission's start and its first line.
"""

import ctypes
import os
import stat
from typing import Any

from harness.launchers import _subreaper

# `linux/landlock.h`; the three calls have the same numbers on every processor.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
# Version of the interface to the number of rights on files; later ones add nothing there.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
# Binding and connecting of TCP; abstract sockets of, and signals to, processes outside.
_NET, _SCOPED = 0b11, 0b11
_NET_SINCE, _SCOPED_SINCE = 4, 6
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2


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


def all_rights(abi: int) -> int:
    """Every right on files that this version of the interface knows, as bits."""
    return (1 << _RIGHTS[min(abi, max(_RIGHTS))]) - 1


def _ruleset(abi: int) -> int:
    attr = _RulesetAttr(all_rights(abi), _NET, _SCOPED)
    size = 8 if abi < _NET_SINCE else 16 if abi < _SCOPED_SINCE else 24
    return _call(_CREATE, ctypes.byref(attr), ctypes.c_size_t(size), ctypes.c_uint32(0))


def _grant(ruleset: int, path: str, access: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # what is not there needs no grant
    try:
        rule = _PathBeneath(access if _is_folder(parent) else access & _OF_FILES, parent)
        kind = ctypes.c_int(_PATH_BENEATH)
        _call(_ADD, ctypes.c_int(ruleset), kind, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(parent)


def _is_folder(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def _filter(program: bytes) -> None:
    """Install a seccomp filter."""
    text = ctypes.create_string_buffer(program)
    found = _Program(len(program) // 8, ctypes.cast(text, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(found), 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def bind(bounds: dict[str, Any]) -> None:
    """Bind the calling thread and all that it will start; there is no way back.

    Args:
        bounds: `abi`, `rules` (pairs of path and rights), `seccomp` (the filter's bytes).

    Raises:
        OSError: the kernel refused.
    """
    ruleset = _ruleset(bounds["abi"])
    for path, access in bounds["rules"]:
        _grant(ruleset, path, access & all_rights(bounds["abi"]))
    _subreaper.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    _filter(bounds["seccomp"])
