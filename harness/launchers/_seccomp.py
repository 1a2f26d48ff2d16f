"""A seccomp filter in BPF, put together by hand: which system calls a sandbox may not make."""

import errno
import platform
import struct
from collections.abc import Sequence
from typing import NamedTuple

# Offsets in `struct seccomp_data`; arguments are 64 bits wide, little-endian on both machines.
_NR, _ARCH, _ARG0 = 0, 4, 16
# BPF: load a word, jump if equal / if any bit is set / if at least, return (`linux/bpf_common.h`).
_LD, _JEQ, _JSET, _JGE, _RET = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32_BIT = 0x40000000
_AF_UNIX = 1
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME is unshare's alone,
# since clone reads its low byte as the exit signal.
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000
_NAMESPACES |= 0x40000000
_NEWTIME = 0x00000080


class _Machine(NamedTuple):
    audit_arch: int
    numbers: dict[str, int]


# Numbers from `asm/unistd_64.h` and `asm-generic/unistd.h`; those from 424 on are common to all.
_COMMON = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "mount_setattr": 442,
    "fchmodat2": 452,
    "setxattrat": 463,
    "removexattrat": 466,
    "open_tree_attr": 467,
}
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        {
            **_COMMON,
            "shmget": 29,
            "shmat": 30,
            "socket": 41,
            "socketpair": 53,
            "clone": 56,
            "semget": 64,
            "semop": 65,
            "msgget": 68,
            "msgsnd": 69,
            "msgrcv": 70,
            "chmod": 90,
            "fchmod": 91,
            "chown": 92,
            "fchown": 93,
            "lchown": 94,
            "pivot_root": 155,
            "mount": 165,
            "umount2": 166,
            "setxattr": 188,
            "lsetxattr": 189,
            "fsetxattr": 190,
            "removexattr": 197,
            "lremovexattr": 198,
            "fremovexattr": 199,
            "semtimedop": 220,
            "mq_open": 240,
            "mq_unlink": 241,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "fchownat": 260,
            "fchmodat": 268,
            "unshare": 272,
            "perf_event_open": 298,
            "open_by_handle_at": 304,
            "setns": 308,
            "bpf": 321,
            "userfaultfd": 323,
        },
    ),
    "aarch64": _Machine(
        0xC00000B7,
        {
            **_COMMON,
            "setxattr": 5,
            "lsetxattr": 6,
            "fsetxattr": 7,
            "removexattr": 14,
            "lremovexattr": 15,
            "fremovexattr": 16,
            "umount2": 39,
            "mount": 40,
            "pivot_root": 41,
            "fchmod": 52,
            "fchmodat": 53,
            "fchownat": 54,
            "fchown": 55,
            "unshare": 97,
            "mq_open": 180,
            "mq_unlink": 181,
            "msgget": 186,
            "msgrcv": 188,
            "msgsnd": 189,
            "semget": 190,
            "semtimedop": 192,
            "semop": 193,
            "shmget": 194,
            "shmat": 196,
            "socket": 198,
            "socketpair": 199,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "clone": 220,
            "perf_event_open": 241,
            "open_by_handle_at": 265,
            "setns": 268,
            "bpf": 280,
            "userfaultfd": 282,
        },
    ),
}
# Namespaces and mounts of its own; kernel parts with a history of holes; keys, which outlive it.
DENIED = (
    *("setns", "mount", "umount2", "pivot_root", "open_tree", "move_mount", "open_tree_attr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_by_handle_at"),
    *("bpf", "userfaultfd", "perf_event_open", "keyctl", "add_key", "request_key"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
)

# Where nothing but Landlock stands between: what it does not govern. Sockets, since one with a
# path may belong to a service that starts programs; modes and owners of any file of the same
# user; System V's and POSIX's shared objects.
UNGOVERNED = (
    *("socket", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown"),
    *("fchownat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr"),
    *("lremovexattr", "fremovexattr", "removexattrat", "shmget", "shmat", "semget", "semop"),
    *("semtimedop", "msgget", "msgsnd", "msgrcv", "mq_open", "mq_unlink"),
)


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


def _refuse(error: int) -> bytes:
    return _op(_RET, _ERRNO | error)


def _deny(number: int, error: int) -> bytes:
    return _op(_JEQ, number, no=1) + _refuse(error)


def _deny_flags(number: int, flags: int) -> bytes:
    """Refuse where the first argument has any of the flags; the number is loaded again after."""
    body = _op(_LD, _ARG0) + _op(_JSET, flags, no=1) + _refuse(errno.EPERM) + _op(_LD, _NR)
    return _op(_JEQ, number, no=len(body) // 8) + body


def _deny_families(number: int) -> bytes:
    """Refuse sockets of every family but AF_UNIX, as a kernel without them would."""
    body = _op(_LD, _ARG0) + _op(_JEQ, _AF_UNIX, yes=1) + _refuse(errno.EAFNOSUPPORT)
    body += _op(_LD, _NR)
    return _op(_JEQ, number, no=len(body) // 8) + body


def supported(machine: str = "") -> bool:
    """Whether the call numbers of this processor are known."""
    return (machine or platform.machine()) in _MACHINES


def build(machine: str = "", denied: Sequence[str] = DENIED) -> bytes:
    """The filter as an array of `struct sock_filter`, for bubblewrap's `--seccomp`.

    Everything is allowed but: other system call tables, new namespaces (`clone3`, whose flags
    lie in memory that a filter cannot read, does not exist, so libraries fall back to `clone`),
    sockets other than AF_UNIX, and `denied`.

    Raises:
        OSError: the call numbers of this processor are not known.
    """
    name = machine or platform.machine()
    if name not in _MACHINES:
        raise OSError(
            f"no seccomp filter for processors of type {name}, only {', '.join(_MACHINES)}"
        )
    arch, numbers = _MACHINES[name]
    program = _op(_LD, _ARCH) + _op(_JEQ, arch, yes=1) + _op(_RET, _KILL) + _op(_LD, _NR)
    program += _op(_JGE, _X32_BIT, no=1) + _refuse(errno.ENOSYS)
    program += _deny(numbers["clone3"], errno.ENOSYS)
    program += _deny_flags(numbers["clone"], _NAMESPACES)
    program += _deny_flags(numbers["unshare"], _NAMESPACES | _NEWTIME)
    program += _deny_families(numbers["socket"]) + _deny_families(numbers["socketpair"])
    # A call that is not in the table does not exist on that processor.
    known = [numbers[call] for call in denied if call in numbers]
    program += b"".join(_deny(number, errno.EPERM) for number in known)
    return program + _op(_RET, _ALLOW)
