"""Restricts the calling process by Landlock and seccomp; this cannot be undone.

It imports little, since it runs between the start of a submission and its first line.
"""

import ctypes
import os
import stat
from typing import Any

from harness.launchers._subreaper import prctl

# From `linux/landlock.h`; the numbers of the three calls are the same on every processor.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
# Number of file rights by version of the interface; later versions add none.
_RIGHTS_COUNT = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
# TCP bind and connect; abstract sockets of, and signals to, processes outside of the domain.
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
    """Make a system call.

    Raises:
        OSError: the kernel refused the call.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def version() -> int:
    """Version of the kernel's Landlock interface; 0 if it is missing or switched off."""
    try:
        return _call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    except OSError:
        return 0


def all_rights(abi: int) -> int:
    """All file rights of a version of the interface, as bits."""
    return (1 << _RIGHTS_COUNT[min(abi, max(_RIGHTS_COUNT))]) - 1


def _create_ruleset(abi: int) -> int:
    """Descriptor of a Landlock ruleset that handles all rights."""
    attr = _RulesetAttr(all_rights(abi), _NET, _SCOPED)
    size = 8 if abi < _NET_SINCE else 16 if abi < _SCOPED_SINCE else 24
    return _call(_CREATE, ctypes.byref(attr), ctypes.c_size_t(size), ctypes.c_uint32(0))


def _grant(ruleset: int, path: str, access: int) -> None:
    """Allow some rights below a path; a path that does not exist is ignored."""
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        is_folder = stat.S_ISDIR(os.fstat(parent).st_mode)
        rule = _PathBeneath(access if is_folder else access & _FILE_RIGHTS, parent)
        kind = ctypes.c_int(_PATH_BENEATH)
        _call(_ADD, ctypes.c_int(ruleset), kind, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(parent)


def restrict(restrictions: dict[str, Any]) -> None:
    """Restrict the calling thread and all processes that it will start.

    Args:
        restrictions: `abi`, `rules` (pairs of path and rights), `seccomp` (bytes of the filter).

    Raises:
        OSError: the kernel refused a call.
    """
    ruleset = _create_ruleset(restrictions["abi"])
    for path, access in restrictions["rules"]:
        _grant(ruleset, path, access & all_rights(restrictions["abi"]))
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)
    code = ctypes.create_string_buffer(restrictions["seccomp"])
    count = len(restrictions["seccomp"]) // 8
    program = _Program(count, ctypes.cast(code, ctypes.c_void_p))
    prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(program))
