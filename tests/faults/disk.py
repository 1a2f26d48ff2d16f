"""A disk that fails, fills up, writes too little, and forgets what was never synced.

Calls of the harness are counted; the n-th does what the schedule says. What `fsync` was asked for
is remembered, so that a power cut can take everything else away, in whole or in part.
"""

import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

CALLS = (
    "open",
    "write",
    "fsync",
    "fdatasync",
    "ftruncate",
    "replace",
    "mkdir",
    "unlink",
    "sendfile",
)
_TAKES_ROOM = ("sendfile", "mkdir")
"""Calls that a full disk refuses; a write it takes in part at first."""
REAL = {name: getattr(os, name) for name in CALLS}

Kind = Literal["error", "full", "short", "torn", "kill", "power"]


class Killed(BaseException):
    """The conductor is dead: no line of it runs any more, as far as the disk can tell."""


class Strike(NamedTuple):
    """What befalls the n-th call."""

    nth: int
    kind: Kind
    code: int = 0
    call: str = ""
    """Name of the only calls that count; empty where all do."""


class Disk:
    """The system calls of the harness, with what befalls them."""

    def __init__(self, root: Path, strike: Strike | None, chance: random.Random) -> None:
        self.root = root
        self.count = 0
        self.struck = ""
        """Name of the call that was struck."""
        self.dead = False
        self._strike = strike
        self._aimed = 0
        """Calls that the strike counts."""
        self._torn = False
        self._chance = chance
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {root.stat().st_ino: {}}

    def patched(self) -> dict[str, Callable[..., Any]]:
        """Each call by name, as it behaves now."""
        return {name: self._counted(name) for name in CALLS}

    def _counted(self, name: str) -> Callable[..., Any]:
        real = REAL[name]

        def call(*arguments: Any, **named: Any) -> Any:
            if self.dead:
                raise Killed
            self.count += 1
            strike = self._strike
            if strike is not None and self._falls(strike, name):
                written = self._befall(strike, name, arguments)
                if written is not None:
                    return written
            result = real(*arguments, **named)
            if name in ("fsync", "fdatasync"):
                self._remember(arguments[0])
            return result

        return call

    def _falls(self, strike: Strike, name: str) -> bool:
        """Whether this call is the n-th that counts, or a later one of any name."""
        aimed = strike.call in ("", name)
        self._aimed += aimed
        return self._aimed >= strike.nth and (aimed or bool(self.struck))

    def _befall(self, strike: Strike, name: str, arguments: Any) -> int | None:
        """Do it; returns how many bytes were taken where the call was a short write."""
        first = not self.struck
        if not first and not self._goes_on(strike, name):
            return None
        self.struck = self.struck or name
        if not first or strike.kind == "error" or (strike.kind == "full" and name in _TAKES_ROOM):
            raise OSError(strike.code, os.strerror(strike.code))
        written = self._write_less(*arguments) if name == "write" else None
        if strike.kind in ("kill", "power"):
            self.dead = True
            raise Killed
        return written

    def _goes_on(self, strike: Strike, name: str) -> bool:
        """Whether a call after the struck one fails too: a torn write's rest once, a full disk."""
        if strike.kind == "torn" and name == "write" and not self._torn:
            self._torn = True
            return self.struck == "write"
        return strike.kind == "full" and name in ("write", *_TAKES_ROOM)

    def _write_less(self, descriptor: int, data: Any) -> int:
        view = memoryview(data).cast("B")
        written: int = REAL["write"](descriptor, view[: self._chance.randrange(len(view) + 1)])
        return written

    # --- power cuts -----------------------------------------------------------------------------

    def _remember(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        place = Path(f"/proc/self/fd/{descriptor}")
        if stat.S_ISDIR(status.st_mode):
            self._folders[status.st_ino] = _listing(place)
        else:
            self._files[status.st_ino] = place.read_bytes()

    def cut_power(self) -> None:
        """Leave on the disk what was synced, and of the rest what chance leaves there."""
        after = self.root.with_name(f"{self.root.name}-after")
        after.mkdir()
        self._rebuild(self.root, self.root.stat().st_ino, after)
        shutil.rmtree(self.root)
        after.rename(self.root)

    def _rebuild(self, folder: Path, inode: int, target: Path) -> None:
        """One folder as it is found after the cut; with all its changes or without them."""
        now = _listing(folder) if folder.is_dir() else {}
        safe = self._folders.get(inode, {})
        entries = now if self._chance.random() < 0.5 else safe
        for name, child in entries.items():
            here = folder / name
            current = here if now.get(name) == child else None
            if child in self._folders or (current is not None and current.is_dir()):
                (target / name).mkdir()
                self._rebuild(here, child, target / name)
            else:
                (target / name).write_bytes(self._content(child, current))

    def _content(self, inode: int, current: Path | None) -> bytes:
        safe = self._files.get(inode, b"")
        data = safe if current is None else current.read_bytes()
        if data == safe or self._chance.random() < 0.3:
            return data
        if self._chance.random() < 0.5:
            return safe
        return (
            data[: self._chance.randrange(len(safe), len(data) + 1)]
            if len(data) > len(safe)
            else safe
        )


def _listing(folder: Path) -> dict[str, int]:
    with os.scandir(folder) as entries:
        return {entry.name: entry.inode() for entry in entries}
