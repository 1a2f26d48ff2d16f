"""Memory files: only sealed ones are taken, and what is sealed stays as it was."""

import fcntl
import io
import math
import mmap
import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.run.memory import (
    Unsealed,
    check_sealed,
    map_array,
    read_array,
    read_bytes,
    reopened,
    sealed,
    sealed_array,
)
from harness.storage import write_all

BIG = 1 << 20


def filled(data: bytes) -> int:
    return sealed("test", lambda descriptor: write_all(descriptor, data))


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    return file.getvalue()


@pytest.fixture
def keep() -> Iterator[Callable[[int], int]]:
    """Closes what a test opened."""
    kept: list[int] = []

    def remember(descriptor: int) -> int:
        kept.append(descriptor)
        return descriptor

    yield remember
    for descriptor in kept:
        os.close(descriptor)


# --- odd descriptors -----------------------------------------------------------------------------


def _pipe(_: Path) -> list[int]:
    return list(os.pipe())


def _fifo(tmp_path: Path) -> list[int]:
    os.mkfifo(tmp_path / "fifo")
    return [os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)]


def _socket(_: Path) -> list[int]:
    return [item.detach() for item in socket.socketpair()]


def _file(tmp_path: Path) -> list[int]:
    (tmp_path / "file").write_bytes(b"x")
    return [os.open(tmp_path / "file", os.O_RDONLY)]


def _path_only(tmp_path: Path) -> list[int]:
    (tmp_path / "file").write_bytes(b"x")
    return [os.open(tmp_path / "file", os.O_PATH)]


def _unsealed(_: Path) -> list[int]:
    return [os.memfd_create("m", os.MFD_ALLOW_SEALING)]


def _unsealable(_: Path) -> list[int]:
    return [os.memfd_create("m")]


def _half_sealed(_: Path) -> list[int]:
    descriptor = os.memfd_create("m", os.MFD_ALLOW_SEALING)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE  # more could be added
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return [descriptor]


def _sparse(_: Path) -> list[int]:
    return [sealed("sparse", lambda descriptor: os.ftruncate(descriptor, 4 << 40))]


def _epoll(_: Path) -> list[int]:
    with select.epoll() as poll:
        return [os.dup(poll.fileno())]


ODD: dict[str, Callable[[Path], list[int]]] = {
    "pipe": _pipe,
    "fifo": _fifo,
    "socket": _socket,
    "file": _file,
    "path-only": _path_only,
    "unsealed": _unsealed,
    "unsealable": _unsealable,
    "half-sealed": _half_sealed,
    "sparse-4-tib": _sparse,
    "folder": lambda tmp_path: [os.open(tmp_path, os.O_RDONLY)],
    "null-device": lambda _: [os.open(os.devnull, os.O_RDWR)],
    "endless-device": lambda _: [os.open("/dev/zero", os.O_RDWR)],
    "epoll": _epoll,
    "eventfd": lambda _: [os.eventfd(0)],
    "pidfd": lambda _: [os.pidfd_open(os.getpid())],
    "proc": lambda _: [os.open("/proc/self/status", os.O_RDONLY)],
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(5)
@pytest.mark.parametrize("kind", ODD)
def test_odd_descriptor_is_refused_without_waiting(kind: str, tmp_path: Path, keep) -> None:
    descriptors = ODD[kind](tmp_path)
    for descriptor in descriptors:
        keep(descriptor)
    with pytest.raises(Unsealed):
        check_sealed(descriptors[0], BIG)
    with pytest.raises(Unsealed):
        read_array(descriptors[0], BIG)


def test_size_limit_is_inclusive(keep) -> None:
    descriptor = keep(filled(b"x" * 100))
    assert check_sealed(descriptor, 100) == 100
    with pytest.raises(Unsealed, match="100 bytes; at most 99"):
        check_sealed(descriptor, 99)


@pytest.mark.parametrize("written", [0, 1, 4096, BIG - 4097])
def test_a_file_with_holes_costs_its_maker_nothing_and_is_refused(keep, written: int) -> None:
    def fill(descriptor: int) -> None:
        os.ftruncate(descriptor, BIG)
        os.pwrite(descriptor, bytes(written), 0)

    with pytest.raises(Unsealed, match="holes"):
        check_sealed(keep(sealed("test", fill)), BIG)
    assert check_sealed(keep(filled(bytes(BIG))), BIG) == BIG, "zeros that are written are there"


def test_sealing_fails_where_a_writable_map_is_left_behind(keep) -> None:
    maps: list[mmap.mmap] = []

    def fill(descriptor: int) -> None:
        os.ftruncate(descriptor, 4096)
        maps.append(mmap.mmap(descriptor, 4096))

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="busy"):
        sealed("held", fill)
    for item in maps:
        item.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- what is sealed stays ------------------------------------------------------------------------


def test_no_one_alters_a_sealed_file_any_more(keep) -> None:
    maker = keep(filled(b"weights"))
    other = keep(os.open(f"/proc/self/fd/{maker}", os.O_RDWR))
    for descriptor in (maker, other):
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"W", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 3)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 30)
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, 7, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    assert read_bytes(maker) == b"weights"


def test_seals_cannot_be_taken_off(keep) -> None:
    descriptor = keep(filled(b"x"))
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0x20)
    assert check_sealed(descriptor, 1) == 1


def test_reopened_descriptor_is_read_only_and_has_its_own_offset(keep) -> None:
    maker = keep(filled(b"0123456789"))
    os.lseek(maker, 7, os.SEEK_SET)
    reader = keep(reopened(maker))
    assert os.read(reader, 3) == b"012"
    assert os.lseek(maker, 0, os.SEEK_CUR) == 7
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(reader, b"x")
    with pytest.raises(ValueError, match=r"[Pp]ermission|denied|access"):
        _writable_map(reader)
    assert not os.get_inheritable(reader)


def _writable_map(descriptor: int) -> None:
    try:
        mmap.mmap(descriptor, 4, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    except PermissionError as error:
        raise ValueError(str(error)) from error


def test_reading_does_not_depend_on_the_shared_offset(keep) -> None:
    descriptor = keep(filled(npy(np.arange(5))))
    os.lseek(descriptor, 999, os.SEEK_SET)
    assert read_array(descriptor, BIG).tolist() == [0, 1, 2, 3, 4]


# --- arrays --------------------------------------------------------------------------------------

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="<") | hnp.integer_dtypes(endianness=">"),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(endianness="<", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(sizes=(64, 128)),
)
arrays = dtypes.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0))
)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    alike = left.dtype == right.dtype and left.shape == right.shape
    return alike and np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()


@given(arrays, st.sampled_from(["C", "F", "reversed", "strided"]))
def test_array_round_trip(array: np.ndarray, layout: str) -> None:
    given_array = {
        "C": array,
        "F": np.asfortranarray(array).reshape(array.shape),
        "reversed": array[::-1] if array.ndim else array,
        "strided": np.repeat(array, 2, axis=0)[::2] if array.ndim else array,
    }[layout]
    descriptor = sealed_array("x", given_array)
    try:
        assert same(read_array(descriptor, BIG), given_array)
        assert same(np.array(map_array(descriptor)), given_array)
        assert same(np.load(io.BytesIO(read_bytes(descriptor))), given_array), "numpy is the peer"
    finally:
        os.close(descriptor)


@given(arrays, st.sampled_from([(1, 0), (2, 0)]), st.booleans())
def test_what_numpy_wrote_is_read_the_same(
    array: np.ndarray, version: tuple[int, int], fortran: bool
) -> None:
    array = np.asfortranarray(array).reshape(array.shape, order="A") if fortran else array
    descriptor = filled(npy(array, version))
    try:
        assert same(read_array(descriptor, BIG), array)
        assert same(np.array(map_array(descriptor)), array)
    finally:
        os.close(descriptor)


def test_writes_to_a_mapped_array_stay_in_this_process(keep) -> None:
    descriptor = keep(sealed_array("x", np.zeros(4)))
    mapped = map_array(keep(reopened(descriptor)))
    mapped[:] = 7
    assert mapped.tolist() == [7] * 4
    assert map_array(descriptor).tolist() == [0] * 4


def test_an_array_that_was_read_can_be_written(keep) -> None:
    array = read_array(keep(sealed_array("x", np.zeros(4))), BIG)
    array[0] = 1
    assert array.tolist() == [1, 0, 0, 0]


def test_python_objects_are_never_handed_over() -> None:
    with pytest.raises(ValueError, match="'labels' contains Python objects"):
        sealed_array("labels", np.array([{}], dtype=object))


def _header(text: bytes, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return (os.system, ("touch pickled",))


def _pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Evil()], dtype=object), allow_pickle=True)
    return file.getvalue()


def _archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


HOSTILE = {
    "pickle-in-npy": _pickled(),
    "archive": _archive(),
    "broken-archive": b"PK\x03\x04" + b"\x00" * 64,
    "pickle": b"\x80\x04\x95.",
    "empty": b"",
    "magic-only": b"\x93NUMPY",
    "version-3": b"\x93NUMPY\x03\x00" + npy(np.zeros(3))[8:],
    "cut-header": npy(np.zeros(3))[:40],
    "cut-body": npy(np.zeros(3))[:-1],
    "longer-body": npy(np.zeros(3)) + b"\x00",
    "petabytes": _header(b"{'descr':'<f4','fortran_order':False,'shape':(10**3, 999999999999,)}"),
    "exabytes": _header(b"{'descr':'<f4','fortran_order':False,'shape':(999999999999999999,)}"),
    "beyond-64-bits": _header(b"{'descr':'<f4','fortran_order':False,'shape':(%d,)}" % 10**40),
    "negative": _header(b"{'descr':'<f4','fortran_order':False,'shape':(-1,-1)}", b"\x00" * 4),
    "shape-of-text": _header(b"{'descr':'<f4','fortran_order':False,'shape':('a',)}"),
    "shape-of-true": _header(b"{'descr':'<f4','fortran_order':False,'shape':(2.0,)}", b"\x00" * 8),
    "huge-item": _header(b"{'descr':'V9999999999999','fortran_order':False,'shape':(1,)}"),
    "nested-item": _header(b"{'descr':" + b"[" * 200 + b",'shape':(1,)}"),
    "parentheses": _header(b"(" * 9000),
    "open-text": _header(b"{'descr':'''"),
    "indent": _header(b"  {\n 'descr'"),
    "no-dictionary": _header(b"[1,2,3]"),
    "other-keys": _header(b"{'a':1}"),
    "zero-bytes": _header(b"\x00" * 50),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_is_refused(name: str, keep, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    descriptor = keep(filled(HOSTILE[name]))
    with pytest.raises(ValueError, match=r"^(no \.npy file|the array)"):
        read_array(descriptor, BIG)
    assert list(tmp_path.iterdir()) == [], "nothing was executed"


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_an_array_or_a_value_error(at: int, noise: bytes) -> None:
    data = npy(np.arange(6.0).reshape(2, 3))
    descriptor = filled(data[:at] + noise + data[at + len(noise) :])
    try:
        array = read_array(descriptor, BIG)
        assert math.prod(array.shape) * array.itemsize <= len(data)
    except ValueError:
        pass
    finally:
        os.close(descriptor)


@given(st.text(st.sampled_from(list("{}()[],:'\"descrfotanoshape<f4 \n\\0123_TrueFalse"))))
def test_any_header_text_is_refused_or_read(text: str) -> None:
    descriptor = filled(_header(text.encode()))
    try:
        with pytest.raises(ValueError, match=r"^(no \.npy|the array)"):
            read_array(descriptor, BIG)
    finally:
        os.close(descriptor)
