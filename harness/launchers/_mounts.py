"""What a sandbox shows of the file system, and how bubblewrap is told so."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.launchers.interpreter import below, outermost
from harness.plugins import SandboxRequest

INSIDE_SOURCE = "/sub"
_USR = Path("/usr")
# On most systems links into /usr; shown as they are.
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Read by the dynamic loader, and where distributions point libblas and its like.
ETC = (Path("/etc/ld.so.cache"), Path("/etc/alternatives"))


def shown(paths: Iterable[Path]) -> tuple[Path, ...]:
    """What to bind so that every path can be reached by its own name.

    A path below a bound folder may lead out of it through a symbolic link: then its real place is
    bound as well.

    Raises:
        OSError: a path does not exist, or is the whole file system.
    """
    wanted: set[Path] = set()
    for path in paths:
        place = Path(os.path.abspath(path))  # noqa: PTH100 - resolving would lose the name
        real = place.resolve(strict=True)
        if real == Path("/"):
            raise OSError(
                f"{path}: the whole file system cannot be shown to a sandbox; name folders"
            )
        wanted |= {place, real}
    return outermost(wanted)


def masked(folder: Path) -> Path:
    """The real place of a folder to mask.

    Raises:
        OSError: it does not exist, so masking it would mask nothing.
    """
    if not folder.is_dir():
        raise OSError(f"{folder}: no such folder to mask; correct the workload's mask")
    return folder.resolve()


def places_of(folder: Path, bound: Iterable[tuple[Path, Path]]) -> tuple[Path, ...]:
    """Every name inside under which a folder can be reached.

    Args:
        folder: a folder outside.
        bound: pairs of (path outside, path inside).

    Raises:
        OSError: the folder does not exist, so masking it would mask nothing.
    """
    real = masked(folder)
    found = {
        inside / real.relative_to(outside.resolve())
        for outside, inside in bound
        if below(real, outside.resolve())
    }
    return tuple(sorted(found))


def _parents(path: Path, known: set[Path]) -> Iterator[str]:
    """Folders on the way, readable by all: bubblewrap would copy the modes of the real ones."""
    for folder in reversed(path.parents):
        if folder not in known and folder != Path("/"):
            known.add(folder)
            yield from ("--perms", "0755", "--dir", str(folder))


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _TOP:
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for path in ETC:
        yield from ("--ro-bind-try", str(path), str(path))


def _scratch(place: str, size_bytes: int) -> Iterator[str]:
    yield from ("--perms", "1777", "--size", str(size_bytes), "--tmpfs", place)


def _devices(request: SandboxRequest) -> Iterator[str]:
    """A few harmless nodes; with accelerators come theirs and `/sys`, where drivers look."""
    yield from ("--dev", "/dev")
    yield from _scratch("/dev/shm", request.limits.tmp_bytes)  # noqa: S108 - the sandbox's own
    for device in request.devices:
        yield from ("--dev-bind", str(device), str(device))
    yield from ("--remount-ro", "/dev")
    if request.devices:
        yield from ("--ro-bind", "/sys", "/sys")


def options(request: SandboxRequest, needed: Iterable[Path]) -> list[str]:
    """The mounts in the order that matters.

    First the private `/tmp`, then what is bound (perhaps below it), then the masks over it, and
    the root is made read-only last: bubblewrap's own root and `/dev` are writable otherwise, each
    with half of the machine's memory.

    Args:
        request: what to show.
        needed: what the launcher itself adds to `request.readable`.

    Raises:
        OSError: something asked for does not exist.
    """
    binds = [path for path in shown([*needed, *request.readable]) if not below(path, _USR)]
    source = request.source.resolve(strict=True)
    found = [*_system(), *_scratch("/tmp", request.limits.tmp_bytes)]  # noqa: S108
    known = {Path("/tmp"), _USR}  # noqa: S108
    for path in binds:
        found += [*_parents(path, known), "--ro-bind", str(path), str(path)]
    found += ["--ro-bind", str(source), INSIDE_SOURCE]
    bound = [(path, path) for path in (*binds, _USR)] + [(source, Path(INSIDE_SOURCE))]
    for mask in request.masks:
        for place in places_of(mask, bound):
            found += ["--perms", "0755", "--tmpfs", str(place), "--remount-ro", str(place)]
    found += [*_devices(request), "--proc", "/proc", "--remount-ro", "/"]
    return [*found, "--chdir", "/tmp"]  # noqa: S108
