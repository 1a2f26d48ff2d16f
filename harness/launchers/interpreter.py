"""The paths that a sandbox must show so that this Python interpreter and its packages run in it."""

import site
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_MAPS = Path("/proc/self/maps")
# Only these: other libraries may come from anywhere, and their whole folders would be shown.
_OWN_LIBRARIES = ("libpython", "libc.so", "libc-", "ld-", "libm.so")


def below(path: Path, folder: Path) -> bool:
    """Whether a path is the folder or below it; links are not resolved."""
    return path == folder or folder in path.parents


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths without those that are below another one, shortest first."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda path: (len(path.parts), path)):
        if not any(below(path, folder) for folder in kept):
            kept.append(path)
    return tuple(kept)


def _libraries() -> Iterator[Path]:
    """Folders of the interpreter's own shared libraries, as loaded in this process."""
    try:
        lines = _MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, name = line.partition("/")
        path = Path("/" + name)
        if path.name.startswith(_OWN_LIBRARIES):
            yield path.parent


def _links(path: Path) -> Iterator[Path]:
    """The `bin` folders of a program and of every program that it links to."""
    for _ in range(40):  # the kernel's limit on links
        if path.parent.name == "bin":
            yield path.parent
        if not path.is_symlink():
            return
        path = path.parent / path.readlink()


@cache
def python_paths() -> tuple[Path, ...]:
    """Folders that must be readable at their own paths for `sys.executable` to run.

    These are the virtual environment, the installation below it, their site-packages, and shared
    libraries elsewhere. They include the real paths: an interpreter that loads another libpython
    than its own silently becomes another Python.
    """
    folders = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)}
    folders |= set(map(Path, site.getsitepackages()))
    if site.ENABLE_USER_SITE:
        folders.add(Path(site.getusersitepackages()))
    folders.update(_libraries())
    folders.update(_links(Path(sys.executable)))
    folders |= {folder.resolve() for folder in folders}
    return outermost(folder for folder in folders if folder.is_dir() and folder != Path("/"))
