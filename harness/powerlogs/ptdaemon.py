"""SPEC PTDaemon's `spl.txt`: readings of a power analyser, a run for each mark.

Labels stand before values (`Watts,22.95`); channels repeat them behind `Ch1`, `Ch2`, below a total
that stands before them and is not added to them. Dates are month first, as MLPerf's checker reads
them, unless that is no date. Readings of zero or less are no readings, as there. `ranging` marks
are trial runs that find the ranges of the analyser. Notices and errors stand among the readings.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.formats.files import in_order, read_files, recording, trapezoid
from harness.formats.format import Archive, Format, complaint
from harness.formats.text import Text, TextError, number
from harness.records import Finding, ImportedRun

EXPECTED = "an spl.txt of PTDaemon, or a folder of such"
STAMP = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4}) (\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,6}))?")
TOLD = re.compile(r"Time,[^,]*,(?:NOTICE|WARNING|ERROR)\b")
CHANNEL = re.compile(r"Ch\d+")
MONTHS = 12
UNMARKED = "notset"
"""What PTDaemon writes for a mark before one is set."""

ROOT = "results"
"""Folder of MLPerf below which a system's, a model's and a scenario's folders lie."""

PLACES = 4
"""Folders from there to `performance`."""


class _Sample(NamedTuple):
    """One line."""

    line: int
    stamp: tuple[int, ...]
    """First and second number of the date, year, hour, minute, second, microsecond."""
    watts: dict[str, float]
    """By channel; the total, or a single one, has an empty name."""
    mark: str

    @property
    def power_w(self) -> float:
        """The total that the line states, else of its channels."""
        return self.watts.get("", math.fsum(self.watts.values()))


def _sample(line_number: int, line: str) -> _Sample:
    """One line's fields.

    Raises:
        ValueError: what is wrong with it.
    """
    fields = [field.strip() for field in line.split(",")]
    found = STAMP.fullmatch(fields[1]) if len(fields) > 1 else None
    if found is None:
        raise ValueError("no time as MM-DD-YYYY HH:MM:SS.mmm")
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
            mark = "" if value == UNMARKED else value
    if not watts:
        raise ValueError("no number behind Watts")
    return _Sample(line_number, stamp, watts, mark)


def _samples(text: Text) -> Iterator[_Sample | Finding]:
    for line_number, line in enumerate(text.lines, 1):
        if not line.startswith("Time,") or TOLD.match(line):
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
        if at is not None and sample.power_w > 0:
            found.append((at, sample.power_w))
    # Stamps end with microseconds at most: what lies below is a float's own error.
    return [(round(at - found[0][0], 6), power) for at, power in found]


def _place(path: Path, folder: str, mark: str) -> dict[str, str]:
    """Names of a run: MLPerf's folders tell submitter, system, model and scenario."""
    parents = path.parent.parts
    for index in range(len(parents) - PLACES, 0, -1):
        if parents[index] == ROOT and parents[index + PLACES] == "performance":
            machine, model, scenario = parents[index + 1 : index + PLACES]
            submitter, workload = parents[index - 1], f"{model}/{scenario}"
            return {"submission": submitter, "machine": machine, "workload": workload}
    return {"submission": folder, "workload": mark or path.stem}


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
            "channels": ", ".join(sorted(filter(None, samples[0].watts))) or None,
        },
        findings=tuple(findings),
        **_place(text.path, folder, mark),
    )


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    by_mark: dict[str, list[_Sample]] = defaultdict(list)
    for found in _samples(text):
        if isinstance(found, Finding):
            yield found
        else:
            by_mark[found.mark].append(found)
    if not by_mark:
        raise TextError(f"{text.path}: no line of the form Time,...,Watts,...")
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
