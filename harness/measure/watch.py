"""What was watched during a run, judged by its worst moment."""

import csv
import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.records import MachineFact
from harness.records.machine import Verdict

_SLOWED = 0x08 | 0x20 | 0x40 | 0x80
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
    """Stamped values by name, from `vitals.csv.gz`; empty where nothing was watched.

    Rows that a killed sampler cut short are passed over.
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
    """Facts of the time during the run, each with its worst verdict.

    Args:
        folder: the bundle, with `vitals.csv.gz` in it.
    """
    columns = read_vitals(folder)
    return sorted((*_ticks(columns), *_others(columns)), key=lambda fact: fact.id)


def grown(values: list[tuple[int, float]]) -> float:
    """By how much a count rose from first to last."""
    return values[-1][1] - values[0][1]


def _made(name: str, value: float, verdict: Verdict, advice: str) -> MachineFact:
    return MachineFact(
        id=name,
        value=value,
        verdict=verdict,
        source=_SOURCES.get(name.partition("-")[0], "vitals.csv.gz"),
        advice=advice if verdict in ("warn", "fail") else "",
    )


def _ticks(columns: Columns) -> Iterator[MachineFact]:
    total = columns.get("cpu-total-ticks")
    if total is None or grown(total) <= 0:
        return
    steal = grown(columns["cpu-steal-ticks"]) / grown(total)
    verdict: Verdict = "fail" if steal > _STEAL_RATIO else "ok"
    advice = "other guests took processor time; ask for dedicated processors"
    yield _made("cpu-steal-ratio", steal, verdict, advice)
    yield _made("cpu-busy-ratio", grown(columns["cpu-busy-ticks"]) / grown(total), "recorded", "")


def _others(columns: Columns) -> Iterator[MachineFact]:
    for name, values in columns.items():
        if name.endswith("-ticks"):
            continue
        worst = max(value for _, value in values)
        if name.endswith("throttle-reasons"):
            seen = 0
            for _, value in values:
                seen |= int(value)
            slowed = bool(seen & _SLOWED)
            advice = "the card was slowed by heat or its supply; mend the cooling and run again"
            yield _made(name, float(seen), "fail" if slowed else "ok", advice)
        elif name.endswith(("-pages", "cpu-throttle-count")):
            moved = grown(values)
            advice = "memory was swapped or the processor throttled; mend that and run again"
            yield _made(name, moved, "fail" if moved > 0 else "ok", advice)
        elif name.endswith("-power-limit-w"):
            changed = len({value for _, value in values}) > 1
            advice = "the power limit changed during the run; keep it the same"
            yield _made(name, worst, "fail" if changed else "ok", advice)
        elif name.endswith("-drift-s"):
            yield _made(name, max((value for _, value in values), key=abs), "recorded", "")
        else:
            yield _made(name, worst, "recorded", "")
