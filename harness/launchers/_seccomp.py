"""Builds the seccomp filter, in BPF, that forbids system calls in a sandbox."""

import errno
import platform
import struct
from collections.abc import Sequence

# Offsets in `struct seccomp_data`; arguments are 64 bits wide, little-endian on both machines.
_NR, _ARCH, _ARGUMENTS = 0, 4, 16
# BPF: load a word, jump if equal / if any bit is set / if at least, return (`linux/bpf_common.h`).
_LD, _JEQ, _JSET, _JGE, _RET = 0x20, 0x15, 0x45, 0x35, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_X32_BIT = 0x40000000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0
# The bits of a socket's type that stream and datagram sockets do not have.
_OTHER_TYPES = 0x0C
# Flag of preadv2 that fails where a page is not in memory.
_RWF_NOWAIT = 0x08
# Advice of madvise that reads or evicts pages of files: WILLNEED, COLD, PAGEOUT.
_PAGE_ADVICE = (3, 20, 21)
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. NEWTIME exists for unshare only,
# since clone takes the low byte as the exit signal.
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000
_NAMESPACES |= 0x40000000
_NEWTIME = 0x00000080


# Call numbers on x86_64 (`asm/unistd_64.h`) and aarch64 (`asm-generic/unistd.h`); None where the
# call does not exist.
_CALLS = {
    "mincore": (27, 232),
    "madvise": (28, 233),
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
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "readahead": (187, 213),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "sched_setaffinity": (203, 122),
    "semtimedop": (220, 192),
    "fadvise64": (221, 223),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "fchownat": (260, 54),
    "fchmodat": (268, 53),
    "unshare": (272, 97),
    "move_pages": (279, 239),
    "perf_event_open": (298, 241),
    "prlimit64": (302, 261),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "sched_setattr": (314, 274),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "preadv2": (327, 286),
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
    "process_madvise": (440, 440),
    "mount_setattr": (442, 442),
    "cachestat": (451, 451),
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
# New namespaces and mounts; parts of the kernel with a history of holes; keys, which outlive a run;
# advice on the memory of other processes.
DENIED = (
    *("setns", "mount", "umount2", "pivot_root", "open_tree", "move_mount", "open_tree_attr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_by_handle_at"),
    *("bpf", "userfaultfd", "perf_event_open", "keyctl", "add_key", "request_key"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "process_madvise"),
)
# The page cache is shared by all sandboxes: these calls tell which pages of a file are in memory.
_CACHE_QUERIES = ("mincore", "cachestat")
# These read or evict pages of a file. They are advice, so they report success and do nothing.
_CACHE_ADVICE = ("fadvise64", "readahead")
# With another process as argument these change the scheduling and the limits of that process.
_ON_PROCESSES = (
    *("prlimit64", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"),
    *("migrate_pages", "move_pages"),
)
# The same with a kind of target before it; 0 is one process, or for `ioprio_set` 1.
_ON_TARGETS = {"setpriority": 0, "ioprio_set": 1}

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


def _if_call(number: int, body: bytes) -> bytes:
    """Run a body for one call only; then reload the call number."""
    body += _op(_LD, _NR)
    return _op(_JEQ, number, no=len(body) // 8) + body


def _load(argument: int) -> bytes:
    """Load the low half of an argument, counted from 0."""
    return _op(_LD, _ARGUMENTS + 8 * argument)


def _deny_flags(number: int, flags: int, argument: int = 0, error: int = errno.EPERM) -> bytes:
    """Refuse a call if an argument has any of the flags."""
    return _if_call(number, _load(argument) + _op(_JSET, flags, no=1) + _refuse(error))


def _only_on_self(number: int, argument: int = 0) -> bytes:
    """Refuse a call for another process than the caller, which is 0."""
    return _if_call(number, _load(argument) + _op(_JEQ, 0, yes=1) + _refuse(errno.EPERM))


def _ignore_advice(number: int, advice: Sequence[int]) -> bytes:
    """Report success for some values of the third argument, and do nothing."""
    checks = b"".join(_op(_JEQ, value, no=1) + _refuse(0) for value in advice)
    return _if_call(number, _load(2) + checks)


def _deny_families(number: int, *, loopback: bool) -> bytes:
    """Refuse other socket families, with the error of a kernel that does not have them.

    Args:
        number: The call.
        loopback: Whether stream and datagram sockets of IP are allowed, and the route socket that
            lists interfaces. Without namespaces only AF_UNIX is.
    """
    refuse = _refuse(errno.EAFNOSUPPORT)
    if not loopback:
        return _if_call(number, _load(0) + _op(_JEQ, _AF_UNIX, yes=1) + refuse)
    route = _load(2) + _op(_JEQ, _NETLINK_ROUTE, yes=1) + refuse
    usual_type = _load(1) + _op(_JSET, _OTHER_TYPES, no=1) + refuse
    families = _op(_JEQ, _AF_UNIX, yes=10) + _op(_JEQ, _AF_INET, yes=6)
    families += _op(_JEQ, _AF_INET6, yes=5) + _op(_JEQ, _AF_NETLINK, yes=1) + refuse
    return _if_call(number, _load(0) + families + route + usual_type)


def supported(machine: str = "") -> bool:
    """Whether the call numbers of this processor type are known."""
    return (machine or platform.machine()) in _MACHINES


def build(machine: str = "", denied: Sequence[str] = DENIED, *, namespaces: bool = False) -> bytes:
    """The filter as an array of `struct sock_filter`, for bubblewrap's `--seccomp`.

    Forbidden are other system call tables, new namespaces, sockets of other families, calls that
    show or change the page cache or change other processes, and `denied`. A filter cannot read the
    flags of `clone3`, so this call reports that it does not exist, and libraries use `clone`.

    Args:
        machine: Processor type; default: this machine's.
        denied: Further calls to refuse.
        namespaces: Whether the sandbox has namespaces of its own: then IP sockets reach only its
            loopback, and there are no other processes that could be changed.

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
    for call in ("socket", "socketpair"):
        program += _deny_families(numbers[call], loopback=namespaces)
    program += b"".join(_deny(numbers[call], errno.ENOSYS) for call in _CACHE_QUERIES)
    program += b"".join(_deny(numbers[call], 0) for call in _CACHE_ADVICE)
    program += _ignore_advice(numbers["madvise"], _PAGE_ADVICE)
    program += _deny_flags(numbers["preadv2"], _RWF_NOWAIT, 5, errno.EOPNOTSUPP)
    program += b"".join(_only_on_self(numbers[call]) for call in _ON_PROCESSES if not namespaces)
    for call, kind in _ON_TARGETS.items() if not namespaces else ():
        other_kind = _load(0) + _op(_JEQ, kind, yes=1) + _refuse(errno.EPERM)
        program += _if_call(numbers[call], other_kind) + _only_on_self(numbers[call], 1)
    # A call that is not in the table does not exist on that processor.
    known = [numbers[call] for call in denied if call in numbers]
    program += b"".join(_deny(number, errno.EPERM) for number in known)
    return program + _op(_RET, _ALLOW)
