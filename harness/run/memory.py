"""Sealed memory files: arrays and weights cross the sandbox without a path and without trust."""

import fcntl
import io
import math
import os
import stat
import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from harness.storage import write_all

Array = npt.NDArray[Any]

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
"""With these seals no process, not even the one that made it, can alter the bytes or length."""


class Unsealed(ValueError):
    """A descriptor that is not a sealed memory file; the message says what it is."""


def sealed(name: str, fill: Callable[[int], None]) -> int:
    """Create a memory file, fill it, and seal it; returns its descriptor.

    Raises:
        OSError: there is no memory, or `fill` left a writable map.
    """
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        fill(descriptor)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def sealed_array(name: str, array: Array) -> int:
    """Write an array as `.npy` to a sealed memory file; returns its descriptor."""
    contiguous = np.ascontiguousarray(array).reshape(np.shape(array))
    if contiguous.dtype.hasobject:
        raise ValueError(f"array '{name}' contains Python objects; only numbers can be handed over")

    def fill(descriptor: int) -> None:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, np.lib.format.header_data_from_array_1_0(contiguous)
        )
        write_all(descriptor, header.getvalue())
        if contiguous.size:
            write_all(descriptor, contiguous.reshape(-1).view(np.uint8).data)

    return sealed(name, fill)


def reopened(descriptor: int) -> int:
    """Open a read-only descriptor of the same file with its own offset."""
    return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)


def check_sealed(descriptor: int, size_max: int) -> int:
    """The size of a sealed memory file.

    This never blocks: pipes, folders and devices are recognised by their mode.

    Raises:
        Unsealed: not a regular file, not sealed, or larger than `size_max`.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise Unsealed("the descriptor is no memory file")
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError as error:
        raise Unsealed("the descriptor is no memory file that can be sealed") from error
    if seals & SEALS != SEALS:
        raise Unsealed("the memory file is not sealed against writing and resizing")
    if status.st_size > size_max:
        raise Unsealed(
            f"the memory file has {status.st_size} bytes; at most {size_max} are allowed"
        )
    if 512 * status.st_blocks < status.st_size:
        raise Unsealed("the memory file has holes: write every byte of it")
    return status.st_size


def read_bytes(descriptor: int) -> bytes:
    """Read all bytes of a sealed file by position, independent of a shared offset."""
    size = os.fstat(descriptor).st_size
    parts: list[bytes] = []
    offset = 0
    while offset < size:
        part = os.pread(descriptor, min(size - offset, 1 << 24), offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def read_array(descriptor: int, size_max: int) -> Array:
    """Read an array from a sandbox: seals, size and header are checked, objects refused.

    Raises:
        Unsealed: not a sealed memory file within the limit.
        ValueError: not a plain `.npy` file.
    """
    check_sealed(descriptor, size_max)
    return _parsed(read_bytes(descriptor))


def _parsed(data: bytes) -> Array:
    """Parse the bytes of a `.npy` file; `np.load` would also open archives."""
    file = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, on unusual literals in the header
            shape, fortran, dtype = _read_header(file)
    except Exception as error:  # a hostile header can raise anything
        raise ValueError("no .npy file of version 1 or 2") from error
    if dtype.hasobject:
        raise ValueError("the array holds Python objects")
    # Compared before an array is made: a header can claim more than the memory.
    size_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size_bytes != len(data) - file.tell():
        raise ValueError("the array's header does not fit its size")
    flat = np.frombuffer(data, np.uint8, size_bytes, file.tell())
    return np.ndarray(shape, dtype, flat.copy().data, order="F" if fortran else "C")


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read shape, whether in Fortran order, and type; the file is then at the first number."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"no .npy file of version 1 or 2, but {version}")


def map_array(descriptor: int) -> Array:
    """Map a `.npy` file copy-on-write: reads need no copy, writes stay in this process.

    Raises:
        ValueError: not a `.npy` file of version 1 or 2.
    """
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        shape, fortran, dtype = _read_header(file)
        if not all(shape):
            return np.empty(shape, dtype)
        array: Array = np.memmap(file, dtype, "c", file.tell(), shape, "F" if fortran else "C")
        return array
