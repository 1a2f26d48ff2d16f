"""Reads meters whose values are small files of the kernel, which stay open between two reads."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.clock import now_ns
from harness.meters._sensing import midpoint
from harness.plugins import Availability, Decoded, Domain, Reader, Reading

Values = tuple[float | None, float | None]
"""Joules and watts, as far as the files give them."""


def file_text(path: Path) -> str:
    """The text of a file, without blanks around it.

    Raises:
        OSError: it cannot be read.
    """
    return path.read_text(encoding="ascii", errors="replace").strip()


def optional_text(path: Path) -> str:
    """The same; empty where the file cannot be read."""
    try:
        return file_text(path)
    except OSError:
        return ""


def optional_number(path: Path, factor: float) -> float | None:
    """The integer in a file times a factor; None where there is none."""
    try:
        return int(file_text(path)) * factor
    except (OSError, ValueError):
        return None


def root_folder(options: Mapping[str, str], variable: str, default: str) -> Path:
    """Where the files are: option `root`, an environment variable, or the kernel's place."""
    return Path(options.get("root") or os.environ.get(variable) or default)


def microjoules(texts: Sequence[bytes]) -> Values:
    """A counter in microjoules."""
    return int(texts[0]) / 1e6, None


def microwatts(texts: Sequence[bytes]) -> Values:
    """A power reading in microwatts."""
    return None, int(texts[0]) / 1e6


def millivolts_milliamperes(texts: Sequence[bytes]) -> Values:
    """The power of rails, from a voltage in mV and a current in mA for each of them."""
    numbers = [int(text) for text in texts]
    return None, sum(mv * ma for mv, ma in zip(numbers[::2], numbers[1::2], strict=True)) / 1e6


@dataclass(frozen=True)
class FileSource:
    """A domain with its files."""

    domain: Domain
    paths: tuple[Path, ...]
    parse: Callable[[Sequence[bytes]], Values]
    """Joules and watts from the texts of the files; raises ValueError where they hold none."""

    def values(self) -> Values:
        """Read it once.

        Raises:
            OSError: a file cannot be read.
            ValueError: it holds no number.
        """
        return self.parse([path.read_bytes() for path in self.paths])


class FilesReader(Reader):
    """Open files of several domains."""

    def __init__(self, sources: Sequence[FileSource]) -> None:
        self._sources = sources
        self.domains = tuple(source.domain for source in sources)
        self._fds: list[list[int]] = [[] for _ in sources]
        try:
            for fds, source in zip(self._fds, sources, strict=True):
                self._open(source, fds)
        except OSError:
            self.close()
            raise

    def _open(self, source: FileSource, fds: list[int]) -> None:
        for path in source.paths:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            fds.append(fd)

    def _read(self, fd: int) -> bytes:
        return os.pread(fd, 64, 0)

    def read(self) -> Sequence[Reading]:
        """Read every domain."""
        readings, self.errors = self.decode(self.poll())
        return readings

    def poll(self) -> list[tuple[int, list[bytes] | str, int]]:
        """Start, texts or error, and end of each domain's read."""
        polls: list[tuple[int, list[bytes] | str, int]] = []
        end_ns = now_ns()
        for fds in self._fds:
            begin_ns = end_ns
            try:
                texts: list[bytes] | str = [self._read(fd) for fd in fds]
            except OSError as error:
                texts = str(error)
            end_ns = now_ns()
            polls.append((begin_ns, texts, end_ns))
        return polls

    def decode(self, answer: Sequence[tuple[int, list[bytes] | str, int]]) -> Decoded:
        """Readings in what `poll` returned, and errors by domain."""
        readings: list[Reading] = []
        errors: dict[str, str] = {}
        for source, (begin_ns, texts, end_ns) in zip(self._sources, answer, strict=True):
            name = source.domain.name
            what = source.paths[0].name if source.paths else "the counter"
            if isinstance(texts, str):
                errors[name] = f"{what} cannot be read: {texts}"
                continue
            try:
                joules, watts = source.parse(texts)
            except ValueError as error:
                errors[name] = f"{what} cannot be read: {error}"
                continue
            t_ns, u_ns = midpoint(begin_ns, end_ns)
            readings.append(Reading(t_ns, name, joules, watts, u_ns))
        return readings, errors

    def close(self) -> Mapping[str, float]:
        """Close the files."""
        for fds in self._fds:
            while fds:
                os.close(fds.pop())
        return {}


def try_sources(sources: Sequence[FileSource], missing: str) -> Availability:
    """Whether there are sources and the first of them can be read; `missing` says where none is."""
    if not sources:
        return Availability(ok=False, reason=missing)
    try:
        sources[0].values()
    except (OSError, ValueError) as error:
        path = sources[0].paths[0]
        advice = f"sudo chmod a+r {path.parent}/*"
        return Availability(ok=False, reason=f"{path} cannot be read: {error}", advice=advice)
    return Availability(ok=True, reason=", ".join(source.domain.name for source in sources))
