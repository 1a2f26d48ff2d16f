"""The view of the file system in a bubblewrap sandbox, as bubblewrap's options."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.launchers.interpreter import below, outermost
from harness.plugins import SandboxRequest

INSIDE_SOURCE = "/sub"
_USR = Path("/usr")
# On most systems these are links into /usr, which are copied.
_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# The dynamic loader reads these, and distributions link libblas and similar libraries there.
ETC = (Path("/etc/ld.so.cache"), Path("/etc/alternatives"))
_COUNTERS = (
    *("buddyinfo", "diskstats", "interrupts", "loadavg", "pagetypeinfo", "schedstat", "softirqs"),
    *("swaps", "timer_list", "vmstat", "zoneinfo"),
)
"""Files of `/proc` that count what other processes of the machine do."""


def paths_to_bind(paths: Iterable[Path]) -> tuple[Path, ...]:
    """What to bind so that every path can be reached under its own name.

    A path below a bound folder may lead out of it through a symbolic link: then its real path is
    bound as well.

    Raises:
        OSError: a path does not exist, or is the root of the file system.
    """
    bound: set[Path] = set()
    for path in paths:
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolving would lose the name
        real = absolute.resolve(strict=True)
        if real == Path("/"):
            raise OSError(f"{path}: a sandbox cannot get the whole file system; name folders")
        bound |= {absolute, real}
    return outermost(bound)


def real_folder(mask: Path) -> Path:
    """The real path of a folder to mask.

    Raises:
        OSError: the folder does not exist, so that nothing would be masked.
    """
    if not mask.is_dir():
        raise OSError(f"{mask}: no such folder to mask; correct the workload's mask")
    return mask.resolve()


def paths_inside(folder: Path, bound: Iterable[tuple[Path, Path]]) -> tuple[Path, ...]:
    """Every path in the sandbox under which a folder can be reached.

    Args:
        folder: A folder outside.
        bound: Pairs of path outside and path inside.

    Raises:
        OSError: the folder does not exist, so that nothing would be masked.
    """
    real = real_folder(folder)
    paths = {
        inside / real.relative_to(outside.resolve())
        for outside, inside in bound
        if below(real, outside.resolve())
    }
    return tuple(sorted(paths))


def _parents(path: Path, known: set[Path]) -> Iterator[str]:
    """Make the folders above a path readable; bubblewrap would copy the modes of the real ones."""
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


def _scratch(path: str, size_bytes: int) -> tuple[str, ...]:
    return "--perms", "1777", "--size", str(size_bytes), "--tmpfs", path


def _devices(request: SandboxRequest) -> Iterator[str]:
    """A minimal `/dev`; accelerators add their nodes, and `/sys`, which drivers read."""
    yield from ("--dev", "/dev")
    yield from _scratch("/dev/shm", request.limits.tmp_bytes)  # noqa: S108 - the sandbox's own
    for device in request.devices:
        yield from ("--dev-bind", str(device), str(device))
    yield from ("--remount-ro", "/dev")
    if request.devices:
        yield from ("--ro-bind", "/sys", "/sys")


def options(request: SandboxRequest, needed: Iterable[Path]) -> list[str]:
    """The options for the mounts, in the order that matters.

    First the private `/tmp`, then the bound paths (some may be below `/tmp`), then the masks over
    them. The root is made read-only last: bubblewrap's own root and `/dev` would otherwise be
    writable, with up to half of the machine's memory each.

    Args:
        request: What to show.
        needed: Paths that the launcher adds to `request.readable`.

    Raises:
        OSError: a requested path does not exist.
    """
    readable = paths_to_bind([*needed, *request.readable])
    binds = [path for path in readable if not below(path, _USR)]
    source = request.source.resolve(strict=True)
    words = [*_system(), *_scratch("/tmp", request.limits.tmp_bytes)]  # noqa: S108 - as above
    known = {Path("/tmp"), _USR}  # noqa: S108 - as above
    for path in binds:
        words += [*_parents(path, known), "--ro-bind", str(path), str(path)]
    words += ["--ro-bind", str(source), INSIDE_SOURCE]
    bound = [(path, path) for path in (*binds, _USR)] + [(source, Path(INSIDE_SOURCE))]
    for mask in request.masks:
        for path in paths_inside(mask, bound):
            words += ["--perms", "0755", "--tmpfs", str(path), "--remount-ro", str(path)]
    words += [*_devices(request), "--proc", "/proc"]
    for name in _COUNTERS:
        if Path("/proc", name).is_file():
            words += ["--ro-bind", os.devnull, f"/proc/{name}"]
    if Path("/proc/pressure").is_dir():
        words += ["--tmpfs", "/proc/pressure", "--remount-ro", "/proc/pressure"]
    words += ["--remount-ro", "/"]
    return [*words, "--chdir", "/tmp"]  # noqa: S108 - as above
