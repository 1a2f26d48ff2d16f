"""Facts from what was watched during a run, each with the verdict of its worst moment."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.measure.machine import machine_fact
from harness.measure.preflight import SLOWED
from harness.records import MachineFact
from harness.records.machine import Verdict

_STEAL_RATIO = 0.01
_SOURCES = {
    "cpu": "/proc/stat",
    "pswpin": "/proc/vmstat",
    "pswpout": "/proc/vmstat",
    "load": "/proc/loadavg",
    "pressure": "/proc/pressure",
    "temperature": "/sys/class/thermal",
    "clock": "clock_gettime(2)",
    "gpu": "the meter's library",
}

Columns = Mapping[str, list[tuple[int, float]]]


def read_vitals(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Times and values by name, from `vitals.csv.gz`; empty where nothing was watched.

    Rows that a killed sampler left incomplete are skipped.
    """
    path = folder / "vitals.csv.gz"
    if not path.is_file():
        return {}
    columns: dict[str, list[tuple[int, float]]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            try:
                pair = int(row["t_ns"]), float(row["value"])
            except (TypeError, ValueError):
                continue
            columns.setdefault(row["name"], []).append(pair)
    return columns


def watched(folder: Path) -> list[MachineFact]:
    """Facts of the time during the run, sorted by id.

    Args:
        folder: the bundle, with `vitals.csv.gz` in it.
    """
    columns = read_vitals(folder)
    ticks = {name for name in columns if name.endswith("-ticks")}
    facts = [_judge(name, columns[name]) for name in columns if name not in ticks]
    return sorted((*_ticks(columns), *facts), key=lambda fact: fact.id)


def _increase(values: list[tuple[int, float]]) -> float:
    """By how much a count rose from first to last."""
    return values[-1][1] - values[0][1]


def _fact(name: str, value: float, verdict: Verdict, advice: str) -> MachineFact:
    source = _SOURCES.get(name.partition("-")[0], "vitals.csv.gz")
    return machine_fact(name, value, verdict, source, advice)


def _ticks(columns: Columns) -> Iterator[MachineFact]:
    total = _increase(columns.get("cpu-total-ticks") or [(0, 0.0)])
    if total > 0:
        steal = _increase(columns["cpu-steal-ticks"]) / total
        verdict: Verdict = "fail" if steal > _STEAL_RATIO else "ok"
        advice = "other guests used processor time; ask for dedicated processors"
        yield _fact("cpu-steal-ratio", steal, verdict, advice)
        yield _fact("cpu-busy-ratio", _increase(columns["cpu-busy-ticks"]) / total, "recorded", "")


def _judge(name: str, stamped: list[tuple[int, float]]) -> MachineFact:
    values = [value for _, value in stamped]
    if name.endswith("throttle-reasons"):
        reasons = 0
        for value in values:
            reasons |= int(value)
        advice = "the card was slowed by heat or its supply; fix the cooling and run again"
        return _fact(name, float(reasons), "fail" if reasons & SLOWED else "ok", advice)
    if name.endswith(("-pages", "cpu-throttle-count")):
        moved = _increase(stamped)
        advice = "memory was swapped or the processor throttled; fix that and run again"
        return _fact(name, moved, "fail" if moved > 0 else "ok", advice)
    if name.endswith("-power-limit-w"):
        advice = "the power limit changed during the run; keep it the same"
        return _fact(name, max(values), "fail" if len(set(values)) > 1 else "ok", advice)
    worst = max(values, key=abs) if name.endswith("-drift-s") else max(values)
    return _fact(name, worst, "recorded", "")
