"""Builds the seccomp filter, in BPF, that forbids system calls in a sandbox."""

import errno
import platform
import struct
from collections.abc import Sequence

# Offsets in `struct seccomp_data`; arguments are 64 bits wide, little-endian on both machines.
_NR, _ARCH, _ARG0 = 0, 4, 16
# BPF: load a word, jump if equal / if any bit is set / if at least, return (`linux/bpf_common.h`).
_LD, _JEQ, _JSET, _JGE, _RET = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32_BIT = 0x40000000
_AF_UNIX = 1
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME exists for unshare only,
# since clone takes the low byte as the exit signal.
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000
_NAMESPACES |= 0x40000000
_NEWTIME = 0x00000080


# Call numbers on x86_64 (`asm/unistd_64.h`) and aarch64 (`asm-generic/unistd.h`); None where the
# call does not exist.
_CALLS = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "clone": (56, 220),
    "semget": (64, 190),
    "semop": (65, 193),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "fchownat": (260, 54),
    "fchmodat": (268, 53),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "clone3": (435, 435),
    "mount_setattr": (442, 442),
    "fchmodat2": (452, 452),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "open_tree_attr": (467, 467),
}
# Processor type to its constant in `linux/audit.h` and its call numbers.
_MACHINES = {
    "x86_64": (0xC000003E, {name: x86 for name, (x86, _) in _CALLS.items() if x86 is not None}),
    "aarch64": (0xC00000B7, {name: arm for name, (_, arm) in _CALLS.items() if arm is not None}),
}
# New namespaces and mounts; parts of the kernel with a history of holes; keys, which outlive a run.
DENIED = (
    *("setns", "mount", "umount2", "pivot_root", "open_tree", "move_mount", "open_tree_attr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_by_handle_at"),
    *("bpf", "userfaultfd", "perf_event_open", "keyctl", "add_key", "request_key"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
)

# What Landlock does not govern, forbidden where it is the only isolation: sockets, since one with a
# path may belong to a service that starts programs; modes and owners of files of the same user;
# System V and POSIX shared objects.
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
    """Refuse a call if its first argument has any of the flags; then reload the call number."""
    body = _op(_LD, _ARG0) + _op(_JSET, flags, no=1) + _refuse(errno.EPERM) + _op(_LD, _NR)
    return _op(_JEQ, number, no=len(body) // 8) + body


def _deny_families(number: int) -> bytes:
    """Refuse sockets except AF_UNIX, with the error of a kernel that does not have them."""
    body = _op(_LD, _ARG0) + _op(_JEQ, _AF_UNIX, yes=1) + _refuse(errno.EAFNOSUPPORT)
    body += _op(_LD, _NR)
    return _op(_JEQ, number, no=len(body) // 8) + body


def supported(machine: str = "") -> bool:
    """Whether the call numbers of this processor type are known."""
    return (machine or platform.machine()) in _MACHINES


def build(machine: str = "", denied: Sequence[str] = DENIED) -> bytes:
    """The filter as an array of `struct sock_filter`, for bubblewrap's `--seccomp`.

    Forbidden are other system call tables, new namespaces, sockets other than AF_UNIX, and
    `denied`. A filter cannot read the flags of `clone3`, so this call reports that it does not
    exist, and libraries use `clone`.

    Raises:
        OSError: the call numbers of this processor type are not known.
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
