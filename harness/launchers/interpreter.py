"""What a sandbox must show so that this very Python runs in it, with its packages."""

import site
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

_MAPS = Path("/proc/self/maps")
# Others may have been loaded from anywhere, and their folders would be shown whole.
_OWN_LIBRARIES = ("libpython", "libc.so", "libc-", "ld-", "libm.so")


def below(path: Path, folder: Path) -> bool:
    """Whether a path is the folder itself or lies in it, by name alone."""
    return path == folder or folder in path.parents


def outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The paths without those that lie in another one, parents before children."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda each: (len(each.parts), each)):
        if not any(below(path, folder) for folder in kept):
            kept.append(path)
    return tuple(kept)


def _libraries() -> Iterator[Path]:
    """Folders of the interpreter's own shared objects, as loaded in this process."""
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
    """The `bin` folders of a program and of every program that it is a symbolic link to."""
    for _ in range(40):  # the kernel's own bound on links
        if path.parent.name == "bin":
            yield path.parent
        if not path.is_symlink():
            return
        path = path.parent / path.readlink()


@cache
def python_paths() -> tuple[Path, ...]:
    """Folders that must be readable at their own paths for `sys.executable` to run.

    The virtual environment, the installation below it, their site-packages, and shared libraries
    that lie elsewhere. An interpreter that finds another libpython than its own starts as another
    Python without a word, so the installation is shown where it really is.
    """
    folders = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix)}
    folders |= {Path(getsitepackage) for getsitepackage in site.getsitepackages()}
    if site.ENABLE_USER_SITE:
        folders.add(Path(site.getusersitepackages()))
    folders.update(_libraries())
    folders.update(_links(Path(sys.executable)))
    folders |= {folder.resolve() for folder in folders}
    return outermost(folder for folder in folders if folder.is_dir() and folder != Path("/"))
