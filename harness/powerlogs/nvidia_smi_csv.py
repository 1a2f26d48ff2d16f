"""`nvidia-smi --query-gpu=timestamp,...,power.draw --format=csv`: power readings of each GPU.

Columns are match by name; units are in the header, in the values, or nowhere; the time is local and
names no zone. `power.draw` is averaged over a second on some generations, so the column that was
read is a fact of the run. Where no column identifies the GPU, the position of a line in its burst
of lines does. Joules are the integral between the first and the last reading of each GPU.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.clock import NS_PER_S
from harness.formats.format import make_finding
from harness.formats.text import Text, TextError, number, shown
from harness.plugins import Reading
from harness.powerlogs.log import (
    HeaderError,
    LineError,
    LogParser,
    by_domain,
    cells,
    energies,
    joules_of,
    parse,
    power_log,
    sort_by_time,
)

if TYPE_CHECKING:
    from harness.records import Finding, ImportedRun

EXPECTED = "the output of nvidia-smi --query-gpu=timestamp,index,power.draw --format=csv"
POWER = ("power.draw", "power.draw.instant", "power.draw.average")
"""Columns of power; the first of these that is present is read."""

IDENTITY = ("index", "uuid", "gpu_uuid", "pci.bus_id", "gpu_bus_id")
UNIT = re.compile(r"\s*\[.*\]$")
NUMBER_WITH_UNIT = re.compile(r"([-+0-9.,eE]+)\s*(m?)W?")
GAP_PERIODS = 5.0
"""A gap is longer than this many median periods, and than a second."""

GPUS_MAX = 16
"""Most GPUs of one machine that are looked for where no column names them."""

BURST_RATIO_MAX = 0.2
"""Longest burst of lines, one for each GPU, as a part of the time to the next burst."""

BURSTS_MIN = 3


def watts(field: str) -> float | None:
    """Power of `39.43 W`, `39430 mW` or `39.43`; None for `[N/A]` and below zero."""
    match = NUMBER_WITH_UNIT.fullmatch(field)
    value = number(match[1]) if match else None
    if match is None or value is None or value < 0:
        return None
    return value / 1000 if match[2] else value


class NvidiaSmiParser(LogParser):
    """Lines of nvidia-smi's CSV; domains are `gpu-0` or `gpu-<uuid>`."""

    def __init__(self, zone: timezone | None = UTC) -> None:
        super().__init__(zone)
        self._header = ""
        self._names: list[str] = []
        self.power_column = ""
        self.identity_column: str | None = None
        self.models: dict[str, str] = {}
        """Model of each GPU."""
        self.silent_count = 0
        """Readings that say that power is not available."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the first line names a time stamp and a power draw."""
        return "timestamp" in lines[0].lower() and POWER[0] in lines[0].lower()

    def _read_header(self, line: str) -> None:
        self._names = [UNIT.sub("", name).lower() for name in cells(line, ",")]
        power = next((name for name in POWER if name in self._names), None)
        if "timestamp" not in self._names or power is None:
            raise HeaderError("no columns timestamp and power.draw; record again with a header")
        self._header, self.power_column = line, power
        self.identity_column = next((name for name in IDENTITY if name in self._names), None)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line; the header, also when it is repeated, gives no reading."""
        if not self._header:
            self._read_header(line)
            return []
        if not line.strip() or line == self._header:
            return []
        fields = cells(line, ",")
        if len(fields) != len(self._names):
            raise LineError(f"no such row: {shown(line)}")
        row = dict(zip(self._names, fields, strict=True))
        try:
            t_ns = self.time_ns(row["timestamp"])
        except LineError as error:
            raise LineError(f"no such row: {shown(line)}") from error
        gpu = row[self.identity_column] if self.identity_column else "0"
        if "name" in row:
            self.models[gpu] = row["name"]
        power = watts(row[self.power_column])
        if power is None:
            self.silent_count += 1
            return []
        return [Reading(t_ns, f"gpu-{gpu}", None, power)]


def gpus_in_bursts(times: Sequence[float]) -> int:
    """How many GPUs wrote lines in turn at these times: the size of a burst, 1 without bursts."""
    for count in range(2, GPUS_MAX + 1):
        starts = times[::count]
        ends = times[count - 1 :: count]
        if len(starts) < BURSTS_MIN:
            break
        spans = zip(starts, ends, starts[1:], strict=False)
        if all(end - start < BURST_RATIO_MAX * (after - start) for start, end, after in spans):
            return count
    return 1


def _split_bursts(
    text: Text, parser: NvidiaSmiParser, readings: list[Reading]
) -> "tuple[list[Reading], list[Finding]]":
    """Readings by GPU of a file without a column that identifies the GPU."""
    count = gpus_in_bursts([reading.t_ns for reading in readings])
    if count == 1:
        return readings, []
    model = parser.models.get("0")
    parser.models = {} if model is None else {str(index): model for index in range(count)}
    message = f"{text.path}: no column identifies the GPU; by their bursts the lines are of {count}"
    findings = [
        make_finding("nvidia-smi-index", f"{message} GPUs in turn", advice="record with index")
    ]
    return [r._replace(domain=f"gpu-{i % count}") for i, r in enumerate(readings)], findings


def _check(
    text: Text, parser: NvidiaSmiParser, gpus: dict[str, list[Reading]]
) -> "Iterator[Finding]":
    if parser.silent_count:
        message = f"{text.path}: {parser.silent_count} readings say that power is not available"
        yield make_finding("nvidia-smi-silent", message)
    for gpu, readings in gpus.items():
        gaps = sorted((b.t_ns - a.t_ns) / NS_PER_S for a, b in pairwise(readings))
        if gaps and gaps[-1] > max(GAP_PERIODS * gaps[len(gaps) // 2], 1.0):
            name = gpu.removeprefix("gpu-")
            message = f"{text.path}: GPU {name} has {gaps[-1]:.1f} s without a reading"
            yield make_finding("nvidia-smi-gap", message)


def _machine(models: Sequence[str]) -> str:
    names = sorted(set(models))
    return " + ".join(f"{models.count(name)}x {name}" for name in names) or "unknown"


def _read_file(text: Text, folder: str) -> "Iterator[ImportedRun | Finding]":
    from harness.formats.files import recording

    parser = NvidiaSmiParser()
    readings, findings = parse(text, parser, "nvidia-smi-row")
    if not readings:
        raise TextError(f"{text.path}: no reading of any GPU")
    if parser.identity_column is None:
        readings, more = _split_bursts(text, parser, readings)
        findings += more
    gpus = by_domain(readings)
    for own in gpus.values():
        findings += sort_by_time(text, "nvidia-smi-order", own)
    times = [reading.t_ns for reading in readings]
    joules = energies({gpu: joules_of(own) for gpu, own in gpus.items()})
    yield recording(
        text,
        folder,
        "nvidia-smi-csv",
        **joules,
        machine=_machine(list(parser.models.values())),
        time_s=(max(times) - min(times)) / NS_PER_S,
        energy_kind="sampled" if joules["energy_by_domain_j"] else None,
        facts={
            "power_column": parser.power_column,
            "scope": "gpu",
            "readings_count": len(readings),
        },
        findings=(*findings, *_check(text, parser, gpus)),
    )


FORMAT = power_log(
    "nvidia-smi-csv", "nvidia-smi's power readings", ("*.csv",), EXPECTED, _read_file
)
