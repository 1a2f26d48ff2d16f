"""SPEC PTDaemon's `spl.txt`: readings of a power analyser, a run for each mark.

Labels stand before values (`Watts,22.95`); channels repeat them behind `Ch1`, `Ch2`. Dates are
month first, as MLPerf's checker reads them, unless that is no date. Readings of zero or less are no
readings, as there. `ranging` marks are trial runs that find the ranges of the analyser.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.formats._files import in_order, read_files, recording, trapezoid
from harness.formats._format import Archive, Format, complaint
from harness.formats._text import Text, TextError, number
from harness.records import Finding, ImportedRun

EXPECTED = "an spl.txt of PTDaemon, or a folder of such"
STAMP = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4}) (\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,6}))?")
CHANNEL = re.compile(r"Ch\d+")
MONTHS = 12


class _Sample(NamedTuple):
    """One line."""

    line: int
    stamp: tuple[int, ...]
    """First and second number of the date, year, hour, minute, second, microsecond."""
    watts: dict[str, float]
    """By channel; a single one has an empty name."""
    mark: str


def _sample(line_number: int, line: str) -> _Sample:
    """One line's fields.

    Raises:
        ValueError: what is wrong with it.
    """
    fields = [field.strip() for field in line.split(",")]
    found = STAMP.fullmatch(fields[1]) if len(fields) > 1 else None
    if found is None:
        message = "no time as MM-DD-YYYY HH:MM:SS.mmm"
        raise ValueError(message)
    *parts, micro = found.groups(default="0")
    stamp = (*(int(part) for part in parts), int(micro.ljust(6, "0")))
    channel, mark = "", ""
    watts: dict[str, float] = {}
    for label, value in pairwise(fields[2:]):
        if CHANNEL.fullmatch(label):
            channel = label
        elif label == "Watts" and (power := number(value)) is not None:
            watts[channel] = power
        elif label == "Mark":
            mark = value
    if not watts:
        message = "no number behind Watts"
        raise ValueError(message)
    return _Sample(line_number, stamp, watts, mark)


def _samples(text: Text) -> Iterator[_Sample | Finding]:
    for line_number, line in enumerate(text.lines, 1):
        if not line.startswith("Time,"):
            continue
        try:
            yield _sample(line_number, line)
        except ValueError as error:
            message = f"{text.path}, line {line_number}: left out: {error}"
            yield complaint("ptdaemon-row", message)


def _seconds(sample: _Sample, *, day_first: bool) -> float | None:
    first, second, year, hour, minute, second_, micro = sample.stamp
    day, month = (first, second) if day_first else (second, first)
    try:
        moment = datetime(year, month, day, hour, minute, second_, micro, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()


def _day_first(samples: Sequence[_Sample]) -> bool:
    """Whether the first number of some date can be no month."""
    return any(sample.stamp[0] > MONTHS for sample in samples)


def _points(samples: Sequence[_Sample], *, day_first: bool) -> list[tuple[float, float]]:
    found = []
    for sample in samples:
        at = _seconds(sample, day_first=day_first)
        power = sum(sample.watts.values())
        if at is not None and power > 0:
            found.append((at, power))
    return found


def _run(
    text: Text, folder: str, mark: str, samples: Sequence[_Sample], *, day_first: bool
) -> ImportedRun:
    points, findings = in_order(text, "ptdaemon-order", _points(samples, day_first=day_first))
    skipped = len(samples) - len(points)
    if skipped:
        message = f"{text.path}: {skipped} readings of {mark or 'no mark'} are not above zero"
        findings.append(complaint("ptdaemon-zero", message, "info"))
    measured = len(points) > 1
    mean_w = sum(power for _, power in points) / len(points) if points else None
    return recording(
        text,
        folder,
        "ptdaemon",
        workload=mark or text.path.stem,
        run=mark or text.path.stem,
        time_s=points[-1][0] - points[0][0] if measured else None,
        energy_by_method_j={"window": trapezoid(points)} if measured else {},
        energy_by_domain_j={"wall": trapezoid(points)} if measured else {},
        energy_kind="sampled" if measured else None,
        facts={
            "mean_w": mean_w,
            "readings_count": len(points),
            "day_first": day_first,
            "ranging": mark.endswith("_ranging"),
            "channels": ", ".join(sorted(samples[0].watts)) or None,
        },
        findings=tuple(findings),
    )


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    by_mark: dict[str, list[_Sample]] = defaultdict(list)
    for found in _samples(text):
        if isinstance(found, Finding):
            yield found
        else:
            by_mark[found.mark].append(found)
    if not by_mark:
        message = f"{text.path}: no line of the form Time,...,Watts,..."
        raise TextError(message)
    day_first = _day_first([sample for samples in by_mark.values() for sample in samples])
    for mark, samples in sorted(by_mark.items()):
        yield _run(text, folder, mark, samples, day_first=day_first)


def read(path: Path) -> Archive:
    """Read one file, or every `spl*.txt` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return read_files(path, ("spl*.txt",), EXPECTED, _read_file)


FORMAT = Format(name="ptdaemon", title="SPEC PTDaemon's readings", read=read)
