"""DAWNBench entries: `TASK/train/NAME.json` with `NAME.tsv` beside, one self-reported run each.

Columns are found by their names, since entries differ in order; byte order marks, carriage returns
and blanks around names occur, and rows that have blanks where their header has tabs, or tabs where
it has blanks. One entry states the hours of each epoch alone; what they add up to is told, and the
table is left as it is. Some entries carry the names of hours and epoch exchanged, which the
figures give away: hours of 1, 2, 3 ... beside epochs with fractions. CIFAR10 and ImageNet state
per cent, SQuAD a ratio; a file on the other scale is brought to its task's and told. Inference
entries have no curve and are passed over.
"""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from harness.formats.format import (
    Archive,
    make_finding,
    require_path,
    require_runs,
    sorted_runs,
)
from harness.formats.text import Text, TextError, columns, number, read_text, shown
from harness.records import Curve, Finding, ImportedRun

EXPECTED = "the root of the entries, with TASK/train/NAME.json and NAME.tsv below"

PERCENT_TASKS = frozenset({"cifar10", "imagenet"})
RATIO_TASKS = frozenset({"squad"})

RATIO_MAX = 1.0
"""Greatest value of a metric that is a ratio."""

METRICS = {"top1accuracy": "top1Accuracy", "top5accuracy": "top5Accuracy", "f1score": "f1Score"}
"""Names as the task's description writes them, by the same in small letters."""

REQUIRED = ("version", "author", "authorEmail", "framework", "model", "hardware", "timestamp")
TOLD = {
    "author": "author",
    "framework": "framework",
    "model": "model",
    "timestamp": "date",
    "codeURL": "code_url",
    "usedBlacklist": "used_blacklist",
    "commitHash": "commit",
    "version": "version",
}
"""Keys that become facts, and under which name."""

SECONDS_PER_HOUR = 3600.0

ROWS_TO_TELL = 3
"""Fewer rows of whole hours may be chance."""

FALLS_TO_TELL = 0.25
"""Part of the lines with fewer hours than the one before from which on none is a running total."""


class _Table(NamedTuple):
    """Positions of a header's columns."""

    delimiter: str | None
    """None: any blanks."""
    hours: int
    epoch: int | None
    metrics: dict[str, int]


def _table(text: Text) -> _Table:
    """What the first line says.

    Raises:
        TextError: it names no hours or no metric.
    """
    header = text.lines[0] if text.lines else ""
    delimiter = next((mark for mark in ("\t", ";", ",") if mark in header), None)
    names = columns(header, delimiter) if delimiter else header.split()
    places = {name.lower(): index for index, name in enumerate(names)}
    metrics = {METRICS[name]: place for name, place in places.items() if name in METRICS}
    if "hours" not in places or not metrics:
        lacking = "hours" if "hours" not in places else " or ".join(METRICS.values())
        raise TextError(f"{text.path}, line 1: the header has no column {lacking}")
    return _Table(delimiter, places["hours"], places.get("epoch"), metrics)


def _at(fields: Sequence[str], index: int | None) -> float | None:
    return number(fields[index]) if index is not None and index < len(fields) else None


def _fields(line: str, table: _Table) -> list[str]:
    """A row's fields: between any blanks where the header's separator does not part them."""
    fields = line.split(table.delimiter)
    needed = [table.hours, *table.metrics.values()]
    if all(_at(fields, index) is not None for index in needed):
        return fields
    apart = line.split()
    return apart if all(_at(apart, index) is not None for index in needed) else fields


def _rows(text: Text, table: _Table) -> Iterator[tuple[float, list[str]] | Finding]:
    for line_number, line in enumerate(text.lines[1:], 2):
        if not line.strip():
            continue
        fields = _fields(line, table)
        hours = _at(fields, table.hours)
        if hours is None or hours < 0:
            cut = "; the file seems to be cut off" if line_number == len(text.lines) else ""
            message = f"{text.path}, line {line_number}: left out: no number of hours{cut}"
            yield make_finding("dawnbench-row", message)
        else:
            yield hours, fields


def _exchanged(text: Text, table: _Table) -> bool:
    """Whether what is called hours counts 1, 2, 3 ... while what is called epoch has fractions."""
    rows = [_fields(line, table) for line in text.lines[1:] if line.strip()]
    hours = [_at(fields, table.hours) for fields in rows]
    epochs = [each for fields in rows if (each := _at(fields, table.epoch)) is not None]
    counts = hours in (list(range(len(rows))), list(range(1, len(rows) + 1)))
    return (
        counts
        and len(rows) >= ROWS_TO_TELL
        and epochs == sorted(epochs)
        and sum(each != int(each) for each in epochs) > len(rows) / 2
    )


def _righted(text: Text, table: _Table) -> tuple[_Table, list[Finding]]:
    """The columns as the figures say, where the header has two of them exchanged."""
    if table.epoch is None or not _exchanged(text, table):
        return table, []
    message = (
        f"{text.path}, line 1: hours count 1, 2, 3 ... and epochs have fractions: the two names "
        "are taken as exchanged"
    )
    righted = table._replace(hours=table.epoch, epoch=table.hours)
    return righted, [make_finding("dawnbench-exchanged", message)]


def _scale(task: str, values: Sequence[float | None]) -> float:
    """Factor that brings a metric to its task's scale."""
    known = [value for value in values if value is not None]
    if task.lower() in PERCENT_TASKS and known and max(known) <= RATIO_MAX:
        return 100.0
    if task.lower() in RATIO_TASKS and known and max(known) > RATIO_MAX:
        return 0.01
    return 1.0


def _metric(
    text: Text, task: str, name: str, values: tuple[float | None, ...]
) -> tuple[tuple[float | None, ...], list[Finding]]:
    factor = _scale(task, values)
    if factor == 1.0:
        return values, []
    message = f"{text.path}: {name} is on the other scale than {task}'s; multiplied by {factor:g}"
    scaled = tuple(None if value is None else value * factor for value in values)
    return scaled, [make_finding("dawnbench-scale", message, "info")]


def _curve(text: Text, task: str) -> tuple[Curve, list[Finding]]:
    """All epochs of a file.

    Raises:
        TextError: there is no usable header or row.
    """
    table, findings = _righted(text, _table(text))
    rows: list[tuple[float, list[str]]] = []
    for row in _rows(text, table):
        findings.append(row) if isinstance(row, Finding) else rows.append(row)
    if not rows:
        raise TextError(f"{text.path}: no line with an epoch")
    metric = {}
    for name, index in table.metrics.items():
        values = tuple(_at(fields, index) for _, fields in rows)
        metric[name], told = _metric(text, task, name, values)
        findings += told
    epochs = (
        tuple(_at(fields, table.epoch) for _, fields in rows) if table.epoch is not None else ()
    )
    curve = Curve(
        time_s=tuple(hours * SECONDS_PER_HOUR for hours, _ in rows),
        metric=metric,
        steps_count=epochs,
        steps_unit="epoch" if epochs else "",
    )
    return curve, [*findings, *_order(text, curve.time_s)]


def _order(text: Text, times: Sequence[float]) -> list[Finding]:
    falls = sum(b < a for a, b in pairwise(times))
    if not falls:
        return []
    message = f"{text.path}: the hours do not rise from line to line"
    if falls >= len(times) * FALLS_TO_TELL:
        total = math.fsum(times) / SECONDS_PER_HOUR
        message += f"; they seem to be each line's own, and add up to {total:.6g} h"
    return [make_finding("dawnbench-order", message)]


def _description(path: Path) -> dict[str, Any]:
    """An entry's JSON.

    Raises:
        TextError: it is no JSON object.
    """
    try:
        found = json.loads("\n".join(read_text(path).lines))
    except (ValueError, RecursionError) as error:
        if isinstance(error, TextError):
            raise
        raise TextError(f"{path}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise TextError(f"{path}: no JSON object")
    return found


def _facts(said: dict[str, Any]) -> dict[str, str | int | float | bool | None]:
    facts: dict[str, str | int | float | bool | None] = {
        name: said[key]
        for key, name in TOLD.items()
        if isinstance(said.get(key), str | bool | int | float)
    }
    price = said.get("costPerHour")
    if isinstance(price, int | float | str) and not isinstance(price, bool):
        facts["price_usd_per_h"] = number(str(price).lstrip("$ "))
    return facts


def _missing(path: Path, said: dict[str, Any]) -> list[Finding]:
    lacking = [key for key in REQUIRED if not said.get(key)]
    if not lacking:
        return []
    message = f"{path}: lacks {', '.join(lacking)}"
    return [make_finding("dawnbench-description", message, "info")]


def _entry(task: str, path: Path, root: Path) -> ImportedRun | Finding:
    try:
        said = _description(path)
    except TextError as error:
        return make_finding("dawnbench-unreadable", str(error), "fail")
    hardware = said.get("hardware")
    base: dict[str, Any] = {
        "source_format": "dawnbench",
        "workload": task,
        "submission": path.stem,
        "machine": hardware if isinstance(hardware, str) and hardware else "unknown",
        "run": path.stem,
        "facts": _facts(said),
        "source": path.with_suffix(".tsv").relative_to(root).as_posix(),
    }
    try:
        text = read_text(path.with_suffix(".tsv"))
        curve, findings = _curve(text, task)
    except TextError as error:
        fault = (make_finding("dawnbench-unreadable", str(error), "fail"),)
        why = f"its table cannot be read: {shown(str(error))}"
        return ImportedRun(**base, status="invalid", reason=why, sha256="", findings=fault)
    return ImportedRun(
        **base,
        status="ok",
        curve=curve,
        time_s=max(curve.time_s),
        findings=(*_missing(path, said), *findings),
        sha256=text.sha256,
    )


def _orphans(folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.glob("*.tsv")):
        if not path.with_suffix(".json").exists():
            message = f"{path}: no description {path.stem}.json beside it, so no entry"
            yield make_finding("dawnbench-orphan", message, "info")


def _folders(root: Path) -> list[Path]:
    """Folders `TASK/train`, of the root or of one task."""
    if root.name == "train":
        return [root]
    return sorted([*root.glob("train/"), *root.glob("*/train/")])


def read(path: Path) -> Archive:
    """Read all training entries; a bad one does not lose the others.

    Raises:
        FormatError: there is no entry below the path.
    """
    require_path(path, EXPECTED)
    root = path.resolve()
    runs: list[ImportedRun] = []
    findings: list[Finding] = []
    for folder in _folders(root):
        for entry in sorted(folder.glob("*.json")):
            found = _entry(folder.parent.name, entry, root)
            findings.append(found) if isinstance(found, Finding) else runs.append(found)
        findings += _orphans(folder)
    return require_runs(Archive(sorted_runs(runs), findings), path, EXPECTED)
