"""`nvidia-smi --query-gpu=timestamp,...,power.draw --format=csv`: power readings of each GPU.

Columns by name, units in the header, in the values, or nowhere; the time is local and without a
zone. `power.draw` is averaged over a second on some generations: the column read is a fact.
Several GPUs without a column that tells them apart are told apart by their place in each burst of
lines. Joules are the integral between the first and the last reading of each GPU, nothing beyond.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from harness.formats.files import in_order, read_files, recording, trapezoid
from harness.formats.format import Archive, Format, complaint
from harness.formats.text import Text, TextError, columns, number, shown
from harness.records import Finding, ImportedRun

EXPECTED = "the output of nvidia-smi --query-gpu=timestamp,index,power.draw --format=csv"
POWER = ("power.draw", "power.draw.instant", "power.draw.average")
"""Columns that may be read, the first one there wins."""

IDENTITY = ("index", "uuid", "gpu_uuid", "pci.bus_id", "gpu_bus_id")
UNIT = re.compile(r"\s*\[.*\]$")
NUMBER_WITH_UNIT = re.compile(r"([-+0-9.,eE]+)\s*(m?)W?")
GAP_PERIODS = 5.0

GPUS_MAX = 16
"""Most GPUs of one machine that are looked for where no column names them."""

BURST_RATIO_MAX = 0.2
"""Longest burst of lines, one a GPU, in parts of the time to the next burst."""

BURSTS_MIN = 3


class _Header(NamedTuple):
    """Positions of the columns that are read."""

    width: int
    time: int
    power: int
    power_name: str
    identity: int | None
    name: int | None


def _header(text: Text) -> _Header:
    """What the first line says.

    Raises:
        TextError: it names no time or no power (as with `noheader`).
    """
    names = (
        [UNIT.sub("", name).lower() for name in columns(text.lines[0], ",")] if text.lines else []
    )
    power = next((name for name in POWER if name in names), None)
    if "timestamp" not in names or power is None:
        raise TextError(
            f"{text.path}, line 1: no columns timestamp and power.draw; record again with a header"
        )
    identity = next((names.index(item) for item in IDENTITY if item in names), None)
    name = names.index("name") if "name" in names else None
    return _Header(len(names), names.index("timestamp"), names.index(power), power, identity, name)


def seconds(stamp: str) -> float | None:
    """Seconds of `2018/10/10 13:06:03.419`, as if it were UTC: only differences are used."""
    try:
        found = datetime.fromisoformat(stamp.strip().replace("/", "-"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC).timestamp()


def watts(field: str) -> float | None:
    """Power of `39.43 W` or `39.43`; None for `[N/A]` and its like."""
    found = NUMBER_WITH_UNIT.fullmatch(field.strip())
    value = number(found[1]) if found else None
    if value is None or value < 0:
        return None
    return value / 1000 if found and found[2] else value


class _Series(NamedTuple):
    """Readings by GPU."""

    points: dict[str, list[tuple[float, float]]]
    models: dict[str, str]
    findings: list[Finding]


def gpus_of_bursts(times: Sequence[float]) -> int:
    """How many GPUs wrote these lines in turn: the size of their bursts, 1 where there are none."""
    for count in range(2, GPUS_MAX + 1):
        starts = times[::count]
        ends = times[count - 1 :: count]
        if len(starts) < BURSTS_MIN:
            break
        spans = zip(starts, ends, starts[1:], strict=False)
        if all(end - start < BURST_RATIO_MAX * (after - start) for start, end, after in spans):
            return count
    return 1


def _apart(text: Text, series: _Series) -> _Series:
    """The readings of a file without a column that tells GPUs apart."""
    (points,) = series.points.values()
    count = gpus_of_bursts([at for at, _ in points])
    if count == 1:
        return series
    message = (
        f"{text.path}: no column tells GPUs apart; by their bursts the lines are of {count} GPUs "
        "in turn"
    )
    models = {str(index): model for index in range(count) for model in series.models.values()}
    return _Series(
        {str(index): points[index::count] for index in range(count)},
        models,
        [*series.findings, complaint("nvidia-smi-index", message, advice="record with index")],
    )


def _bad(text: Text, line: int, what: str) -> Finding:
    return complaint("nvidia-smi-row", f"{text.path}, line {line}: left out: {what}")


def _series(text: Text, header: _Header) -> _Series:
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    models: dict[str, str] = {}
    findings: list[Finding] = []
    silent = 0
    first_s: float | None = None
    for line, row in enumerate(text.lines[1:], 2):
        fields = [field.strip() for field in row.split(",")]
        if len(fields) != header.width or (at := seconds(fields[header.time])) is None:
            # nvidia-smi repeats its header where recordings were appended.
            if row.strip() and row != text.lines[0]:
                findings.append(_bad(text, line, f"no such row: {shown(row)}"))
            continue
        first_s = at if first_s is None else first_s
        gpu = fields[header.identity] if header.identity is not None else "0"
        if header.name is not None:
            models[gpu] = fields[header.name]
        power = watts(fields[header.power])
        silent += power is None
        if power is not None:
            # Stamps end with microseconds at most: what lies below is a float's own error.
            points[gpu].append((round(at - first_s, 6), power))
    if silent:
        message = f"{text.path}: {silent} readings say that power is not available"
        findings.append(complaint("nvidia-smi-silent", message))
    return _Series(dict(points), models, findings)


def _machine(models: dict[str, str]) -> str:
    names = sorted(set(models.values()))
    counted = [f"{list(models.values()).count(name)}x {name}" for name in names]
    return " + ".join(counted) or "unknown"


def _gaps(text: Text, gpu: str, points: Sequence[tuple[float, float]]) -> list[Finding]:
    steps = sorted(b[0] - a[0] for a, b in pairwise(points))
    if steps and steps[-1] > max(GAP_PERIODS * steps[len(steps) // 2], 1.0):
        message = f"{text.path}: GPU {gpu} has {steps[-1]:.1f} s without a reading"
        return [complaint("nvidia-smi-gap", message)]
    return []


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    header = _header(text)
    series = _series(text, header)
    if not series.points:
        raise TextError(f"{text.path}: no reading of any GPU")
    if header.identity is None:
        series = _apart(text, series)
    findings = list(series.findings)
    joules = {}
    for gpu, points in sorted(series.points.items()):
        ordered, told = in_order(text, "nvidia-smi-order", points)
        findings += [*told, *_gaps(text, gpu, ordered)]
        if len(ordered) > 1:
            joules[f"gpu-{gpu}"] = trapezoid(ordered)
    times = [at for points in series.points.values() for at, _ in points]
    yield recording(
        text,
        folder,
        "nvidia-smi-csv",
        machine=_machine(series.models),
        time_s=max(times) - min(times),
        energy_by_method_j={"window": sum(joules.values())} if joules else {},
        energy_by_domain_j=joules,
        energy_kind="sampled" if joules else None,
        facts={"power_column": header.power_name, "scope": "gpu", "readings_count": len(times)},
        findings=tuple(findings),
    )


def read(path: Path) -> Archive:
    """Read one file, or every `*.csv` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return read_files(path, ("*.csv",), EXPECTED, _read_file)


FORMAT = Format(name="nvidia-smi-csv", title="nvidia-smi's power readings", read=read)
