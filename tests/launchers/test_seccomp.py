"""The filter, run in an interpreter of BPF, and its numbers against the kernel's own headers."""

import errno
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.launchers import _seccomp

MACHINES = ("x86_64", "aarch64")
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003, "arm": 0x40000028}
KILLED, ALLOWED = "killed", "allowed"
NEWUSER, NEWNS, NEWNET, THREAD, VM = 0x10000000, 0x20000, 0x40000000, 0x10000, 0x100


def run(program: bytes, machine: str, number: int, *arguments: int) -> str | int:
    """What the kernel would do with a call: allowed, killed, or the error number."""
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, ARCH[machine], 0, *words)
    steps = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at, held = 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x06:
            action = value & 0xFFFF0000
            names = {0x7FFF0000: ALLOWED, 0x80000000: KILLED}
            return names.get(action, value & 0xFFFF)
        if code == 0x20:
            held = struct.unpack_from("<I", data, value)[0]
            continue
        holds = {0x15: held == value, 0x45: bool(held & value), 0x35: held >= value}[code]
        at += yes if holds else no


def number(machine: str, name: str) -> int:
    return _seccomp._MACHINES[machine][1][name]


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_denies_every_named_call(machine: str) -> None:
    program = _seccomp.build(machine)
    for name in _seccomp.DENIED:
        assert run(program, machine, number(machine, name)) == errno.EPERM, name


def test_denies_more_where_landlock_stands_alone(machine: str) -> None:
    plain = _seccomp.build(machine)
    alone = _seccomp.build(machine, denied=(*_seccomp.DENIED, *_seccomp.UNGOVERNED))
    known = [name for name in _seccomp.UNGOVERNED if name in _seccomp._MACHINES[machine][1]]
    assert len(known) > 20
    for name in known:
        assert run(plain, machine, number(machine, name), 1) == ALLOWED, name
        assert run(alone, machine, number(machine, name), 1) == errno.EPERM, name


@given(st.data())
def test_allows_every_other_call(data: st.DataObject) -> None:
    machine = data.draw(st.sampled_from(MACHINES))
    treated = {"clone", "clone3", "unshare", "socket", "socketpair", "madvise", "preadv2"}
    treated |= {*_seccomp.DENIED, *_seccomp._CACHE_QUERIES, *_seccomp._CACHE_ADVICE}
    treated |= {*_seccomp._ON_PROCESSES, *_seccomp._ON_TARGETS}
    numbers = {number(machine, name) for name in treated}
    call = data.draw(st.integers(0, 600).filter(lambda number: number not in numbers))
    words = data.draw(st.lists(st.integers(0, 2**64 - 1), max_size=6))
    assert run(_seccomp.build(machine), machine, call, *words) == ALLOWED


@given(st.integers(0, 2**32 - 1), st.sampled_from(MACHINES))
def test_clone_makes_threads_but_no_namespaces(flags: int, machine: str) -> None:
    program = _seccomp.build(machine)
    new = 0x7E020000  # every CLONE_NEW* flag that clone knows
    expected = errno.EPERM if flags & new else ALLOWED
    assert run(program, machine, number(machine, "clone"), flags) == expected
    unshared = errno.EPERM if flags & (new | 0x80) else ALLOWED
    assert run(program, machine, number(machine, "unshare"), flags) == unshared


def test_well_known_flags(machine: str) -> None:
    program, clone = _seccomp.build(machine), number(machine, "clone")
    assert run(program, machine, clone, THREAD | VM) == ALLOWED
    assert run(program, machine, clone, 17) == ALLOWED  # fork: SIGCHLD
    for flag in (NEWUSER, NEWNS, NEWNET):
        assert run(program, machine, clone, flag | 17) == errno.EPERM
    assert run(program, machine, number(machine, "clone3")) == errno.ENOSYS


@given(st.integers(0, 60), st.sampled_from(MACHINES))
def test_sockets_of_one_family(family: int, machine: str) -> None:
    program = _seccomp.build(machine)
    for name in ("socket", "socketpair"):
        expected = ALLOWED if family == 1 else errno.EAFNOSUPPORT
        assert run(program, machine, number(machine, name), family) == expected


@given(st.integers(0, 60), st.integers(1, 15), st.integers(0, 20), st.sampled_from(MACHINES))
def test_loopback_has_streams_datagrams_and_the_route_socket(
    family: int, kind: int, protocol: int, machine: str
) -> None:
    program = _seccomp.build(machine, namespaces=True)
    usual = kind in (1, 2, 3)  # a raw socket needs a capability that no submission has
    allowed = family == 1 or (family in (2, 10) and usual)
    allowed = allowed or (family == 16 and usual and protocol == 0)
    for name in ("socket", "socketpair"):
        result = run(program, machine, number(machine, name), family, kind, protocol)
        assert result == (ALLOWED if allowed else errno.EAFNOSUPPORT)


def test_the_page_cache_cannot_be_asked_about(machine: str) -> None:
    program = _seccomp.build(machine)
    for name in ("mincore", "cachestat"):
        assert run(program, machine, number(machine, name)) == errno.ENOSYS
    read = number(machine, "preadv2")
    assert run(program, machine, read, 3, 0, 1, 0, 0, 0x8 | 0x1) == errno.EOPNOTSUPP
    assert run(program, machine, read, 3, 0, 1, 0, 0, 0x1) == ALLOWED


def test_advice_on_pages_of_files_is_accepted_and_ignored(machine: str) -> None:
    program = _seccomp.build(machine)
    for name in ("fadvise64", "readahead"):
        assert run(program, machine, number(machine, name), 3, 0, 4096, 4) == 0
    advise = number(machine, "madvise")
    for advice in range(30):
        expected = 0 if advice in (3, 20, 21) else ALLOWED
        assert run(program, machine, advise, 0, 4096, advice) == expected


def test_scheduling_and_limits_are_changed_of_oneself_only(machine: str) -> None:
    program = _seccomp.build(machine)
    for name in _seccomp._ON_PROCESSES:
        assert run(program, machine, number(machine, name), 0, 1) == ALLOWED
        assert run(program, machine, number(machine, name), 4711, 1) == errno.EPERM
    for name, kind in _seccomp._ON_TARGETS.items():
        call = number(machine, name)
        assert run(program, machine, call, kind, 0) == ALLOWED
        assert run(program, machine, call, kind, 4711) == errno.EPERM
        assert run(program, machine, call, kind + 1, 0) == errno.EPERM
    own = _seccomp.build(machine, namespaces=True)
    for name in (*_seccomp._ON_PROCESSES, *_seccomp._ON_TARGETS):
        assert run(own, machine, number(machine, name), 1, 4711) == ALLOWED, "as OpenMP does"


@given(st.integers(0, 600), st.sampled_from(MACHINES))
def test_other_tables_of_calls_are_closed(call: int, machine: str) -> None:
    program = _seccomp.build(machine)
    for foreign in set(ARCH) - {machine}:
        assert run(program, foreign, call) == KILLED
    assert run(program, machine, call | 0x40000000) == errno.ENOSYS


def test_unknown_processors_are_refused_by_name() -> None:
    assert not _seccomp.supported("riscv64")
    with pytest.raises(OSError, match=r"riscv64.*x86_64, aarch64"):
        _seccomp.build("riscv64")


def _header(machine: str) -> Iterator[tuple[str, int]]:
    places = {
        "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
        "aarch64": ("/usr/include/asm-generic/unistd.h",),
    }
    for place in places[machine]:
        if Path(place).is_file():
            pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
            for name, value in re.findall(pattern, Path(place).read_text()):
                yield name, int(value)
            return


def test_numbers_are_the_kernels(machine: str) -> None:
    header = dict(_header(machine))
    if not header:
        pytest.skip("needs the kernel's headers (apt-get install linux-libc-dev)")
    ours = _seccomp._MACHINES[machine][1]
    known = {name: value for name, value in ours.items() if name in header}
    # Calls newer than the headers cannot be compared.
    assert len(known) > len(ours) - 8
    assert known == {name: header[name] for name in known}
