"""Read-only descriptors that cannot be reopened for writing.

The owner of a file can reopen a plain read-only descriptor for writing through /proc. A descriptor
that was opened on a read-only mount keeps that mount wherever it is sent, and reopening it gives
EROFS. So a helper opens the files inside a mount namespace in which everything is read-only.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.launchers import bubblewrap
from harness.run.protocol import close_all, receive

_TIMEOUT_S = 20.0
_FILES_MAX = 128
_HELPER = """
import array, os, socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
fds = array.array("i", [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in sys.argv[2:]])
channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
"""
_OPTIONS = ("--ro-bind", "/", "/", "--unshare-net", "--die-with-parent", "--cap-drop", "ALL")


def file_of(mapped: npt.NDArray[Any]) -> Path | None:
    """The `.npy` file that an array maps completely; None for every other array."""
    name = getattr(mapped, "filename", None)
    # A copy-on-write map can differ from its file; a writable one can change.
    if name is None or getattr(mapped, "mode", "") != "r" or not mapped.flags.c_contiguous:
        return None
    path = Path(name)
    try:
        whole = np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        return None
    same = whole.shape == mapped.shape and whole.dtype == mapped.dtype
    return path if same and getattr(mapped, "offset", None) == whole.offset else None


def _open_in_helper(program: Path, paths: Sequence[Path]) -> list[int]:
    """Descriptors in the order of the paths; none if the helper failed."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        here.settimeout(_TIMEOUT_S)
        command = (sys.executable, "-I", "-S", "-c", _HELPER, str(there.fileno()))
        helper = subprocess.Popen(
            [str(program), *_OPTIONS, "--", *command, *map(str, paths)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(there.fileno(),),
        )
        there.close()
        try:
            return receive(here, _FILES_MAX).fds
        except TimeoutError:
            return []
        finally:
            helper.kill()
            helper.wait()


def _is_that_file(descriptor: int, path: Path) -> bool:
    """Whether it is this file, on a read-only mount; the helper is not trusted."""
    status, wanted = os.fstat(descriptor), path.stat()
    mount = os.fstatvfs(descriptor).f_flag & os.ST_RDONLY
    return bool(mount) and (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino)


def open_readonly(paths: Sequence[Path]) -> list[int] | None:
    """Open files so that no process can reopen the descriptors for writing.

    Returns:
        Descriptors in the order of the paths, or None if no program can make the mount.
    """
    if not paths:
        return []
    resolved = [path.resolve() for path in paths]
    for program in _programs():
        fds = _open_in_helper(program, resolved)
        fits = len(fds) == len(resolved)
        if fits and all(_is_that_file(fd, path) for fd, path in zip(fds, resolved, strict=True)):
            for descriptor in fds:
                # Read ahead, so that every entry has the data in the page cache.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
            return fds
        close_all(fds)
    return None


def _programs() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from bubblewrap.programs()
