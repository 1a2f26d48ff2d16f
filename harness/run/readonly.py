"""Descriptors that nobody can open anew for writing: opened by a helper on a read-only mount.

A plain read-only descriptor can be reopened through /proc by whoever owns the file; one that was
opened on a read-only mount carries that mount wherever it is sent, and reopening it gives EROFS.
"""

import array
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
from harness.run.protocol import close_all

_TIMEOUT_S = 20.0
_FILES_MAX = 128
# Runs in a mount namespace in which everything is read-only; only its descriptors come out.
_HELPER = """
import array, os, socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
fds = array.array("i", [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in sys.argv[2:]])
channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
"""
_OPTIONS = ("--ro-bind", "/", "/", "--unshare-net", "--die-with-parent", "--cap-drop", "ALL")


def file_of(mapped: npt.NDArray[Any]) -> Path | None:
    """The `.npy` file that an array maps whole and unaltered; None for every other array."""
    name = getattr(mapped, "filename", None)
    # A copy-on-write map may differ from its file; a writable one may yet change.
    if name is None or getattr(mapped, "mode", "") != "r" or not mapped.flags.c_contiguous:
        return None
    path = Path(name)
    try:
        whole = np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        return None
    same = whole.shape == mapped.shape and whole.dtype == mapped.dtype
    return path if same and getattr(mapped, "offset", None) == whole.offset else None


def _received(channel: socket.socket) -> list[int]:
    """What the helper sent; nothing where it ended or stalled."""
    room = socket.CMSG_SPACE(4 * _FILES_MAX)
    try:
        _, ancillary, _, _ = channel.recvmsg(1, room, socket.MSG_CMSG_CLOEXEC)
    except TimeoutError:
        return []
    fds = array.array("i")
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(payload[: len(payload) - len(payload) % 4])
    return list(fds)


def _asked(program: Path, paths: Sequence[Path]) -> list[int]:
    """One helper's descriptors, in the order of the paths; nothing where it failed."""
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
            return _received(here)
        finally:
            helper.kill()
            helper.wait()


def _is_that_file(descriptor: int, path: Path) -> bool:
    """Whether it is this very file, and on a read-only mount: what the helper says is checked."""
    status, wanted = os.fstat(descriptor), path.stat()
    mount = os.fstatvfs(descriptor).f_flag & os.ST_RDONLY
    return bool(mount) and (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino)


def open_readonly(paths: Sequence[Path]) -> list[int] | None:
    """A descriptor of each file, none of which can be opened anew for writing, or altered.

    Returns:
        Descriptors in the order of the paths, or None where no program can make the mount.
    """
    if not paths:
        return []
    places = [path.resolve() for path in paths]
    for program in _programs():
        fds = _asked(program, places)
        fits = len(fds) == len(places)
        if fits and all(_is_that_file(fd, path) for fd, path in zip(fds, places, strict=True)):
            for descriptor in fds:
                # Nobody is to meet colder data than another.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
            return fds
        close_all(fds)
    return None


def _programs() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from bubblewrap.programs()
