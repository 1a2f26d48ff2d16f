"""DAWNBench entries: `TASK/train/NAME.json` with `NAME.tsv` next to it, one self-reported run each.

Columns are found by their names, since entries differ in order. Byte order marks, carriage returns
and blanks around names occur, and rows that have blanks where their header has tabs, or tabs where
it has blanks. One entry states the hours of each epoch alone; a finding gives their sum, and the
table is left unchanged. Some entries carry the names of hours and epoch exchanged, which the
figures show: hours of 1, 2, 3 ... and epochs with fractions. CIFAR10 and ImageNet state per cent,
SQuAD a ratio; a file on the other scale is brought to its task's, with a finding. Inference entries
have no curve and are ignored.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.formats.format import (
    Archive,
    make_finding,
    require_path,
    require_runs,
    sorted_runs,
)
from harness.formats.text import (
    Text,
    TextError,
    columns,
    number,
    read_object,
    read_text,
    shown,
)
from harness.records import Curve, Finding, ImportedRun

EXPECTED = "the root of the entries, with TASK/train/NAME.json and NAME.tsv below"

PERCENT_TASKS = frozenset({"cifar10", "imagenet"})
RATIO_TASKS = frozenset({"squad"})

RATIO_MAX = 1.0
"""Greatest value of a metric that is a ratio."""

METRICS = {"top1accuracy": "top1Accuracy", "top5accuracy": "top5Accuracy", "f1score": "f1Score"}
"""Names as the task's description writes them, by the same in small letters."""

REQUIRED = ("version", "author", "authorEmail", "framework", "model", "hardware", "timestamp")
FACTS = {
    "author": "author",
    "framework": "framework",
    "model": "model",
    "timestamp": "date",
    "codeURL": "code_url",
    "usedBlacklist": "used_blacklist",
    "commitHash": "commit",
    "version": "version",
}
"""Keys that become facts, and the names of these."""

S_PER_H = 3600.0

EXCHANGED_ROWS_MIN = 3
"""Fewer rows of whole hours may be chance."""

FALLS_RATIO_MIN = 0.25
"""Part of the rows with fewer hours than the one before from which on none is a running total."""


# --- the table ------------------------------------------------------------------------------------


def _split(line: str, delimiter: str | None, needed: Sequence[int]) -> list[float | None]:
    """Numbers of a row: split at any blanks where the header's delimiter does not separate them."""
    for mark in (delimiter, None):
        values = [number(field) for field in line.split(mark)]
        if all(index < len(values) and values[index] is not None for index in needed):
            return values
    return [number(field) for field in line.split(delimiter)]


def read_table(text: Text) -> tuple[pd.DataFrame, list[Finding]]:
    """Columns `hours`, perhaps `epoch`, and metrics by their names; the index is the line number.

    Raises:
        TextError: the header names no hours or no metric.
    """
    header = text.lines[0] if text.lines else ""
    delimiter = next((mark for mark in ("\t", ";", ",") if mark in header), None)
    names = columns(header, delimiter) if delimiter else header.split()
    known = [name.lower() for name in names]
    metrics = [name for name in known if name in METRICS]
    if "hours" not in known or not metrics:
        missing = "hours" if "hours" not in known else " or ".join(METRICS.values())
        raise TextError(f"{text.path}, line 1: the header has no column {missing}")
    needed = [known.index(name) for name in ("hours", *metrics)]
    width = len(known)
    rows = {
        line_number: (_split(line, delimiter, needed) + [None] * width)[:width]
        for line_number, line in enumerate(text.lines[1:], 2)
        if line.strip()
    }
    table = pd.DataFrame.from_dict(rows, "index", columns=known).astype(float)
    table = table.loc[:, ~table.columns.duplicated(keep="last")]
    kept = [name for name in ("hours", "epoch", *metrics) if name in known]
    table = table[kept].rename(columns=METRICS)
    findings = []
    if _is_exchanged(table):
        table = table.rename(columns={"hours": "epoch", "epoch": "hours"})
        message = (
            f"{text.path}, line 1: hours count 1, 2, 3 ... and epochs have fractions: the two "
            "names are taken as exchanged"
        )
        findings.append(make_finding("dawnbench-exchanged", message))
    bad = table.index[table.hours.isna() | (table.hours < 0)]
    for line_number in bad:
        cut = "; the file seems to be cut off" if line_number == len(text.lines) else ""
        message = f"{text.path}, line {line_number}: left out: no number of hours{cut}"
        findings.append(make_finding("dawnbench-row", message))
    return table.drop(index=bad), findings


def _is_exchanged(table: pd.DataFrame) -> bool:
    """Whether what is called hours counts 1, 2, 3 ... and what is called epoch has fractions."""
    if "epoch" not in table or len(table) < EXCHANGED_ROWS_MIN:
        return False
    epochs = table.epoch.dropna()
    counts = table.hours.iloc[0] in (0, 1) and (table.hours.diff().iloc[1:] == 1).all()
    has_fractions = (epochs % 1 != 0).sum() > len(table) / 2
    return bool(counts and epochs.is_monotonic_increasing and has_fractions)


def _scale(text: Text, task: str, table: pd.DataFrame) -> Iterator[Finding]:
    """Bring metrics to the scale of their task, in place."""
    for name in table.columns.intersection(list(METRICS.values())):
        is_ratio = table[name].max() <= RATIO_MAX
        if task.lower() in PERCENT_TASKS and is_ratio:
            factor = 100.0
        elif task.lower() in RATIO_TASKS and table[name].max() > RATIO_MAX:
            factor = 0.01
        else:
            continue
        table[name] *= factor
        message = f"{text.path}: {name} is on the other scale than {task}'s"
        yield make_finding("dawnbench-scale", f"{message}; multiplied by {factor:g}", "info")


def _check_order(text: Text, table: pd.DataFrame) -> Iterator[Finding]:
    falls = (table.hours.diff() < 0).sum()
    if falls:
        message = f"{text.path}: the hours do not rise from line to line"
        if falls >= len(table) * FALLS_RATIO_MIN:
            total = f"{table.hours.sum():.6g} h"
            message += f"; they seem to be each line's own, and add up to {total}"
        yield make_finding("dawnbench-order", message)


def _numbers(column: pd.Series) -> tuple[float | None, ...]:
    return tuple(None if pd.isna(value) else value for value in column.tolist())


def _read_curve(text: Text, task: str) -> tuple[Curve, list[Finding]]:
    """All epochs of a file.

    Raises:
        TextError: there is no usable header or row.
    """
    table, findings = read_table(text)
    if table.empty:
        raise TextError(f"{text.path}: no line with an epoch")
    findings += [*_scale(text, task, table), *_check_order(text, table)]
    epochs = _numbers(table.epoch) if "epoch" in table else ()
    curve = Curve(
        time_s=tuple((table.hours * S_PER_H).tolist()),
        metric={name: _numbers(table[name]) for name in METRICS.values() if name in table},
        steps_count=epochs,
        steps_unit="epoch" if epochs else "",
    )
    return curve, findings


# --- the entry ------------------------------------------------------------------------------------


def _facts(description: dict[str, Any]) -> dict[str, str | int | float | bool | None]:
    facts: dict[str, str | int | float | bool | None] = {
        name: description[key]
        for key, name in FACTS.items()
        if isinstance(description.get(key), str | bool | int | float)
    }
    price = description.get("costPerHour")
    if isinstance(price, int | float | str) and not isinstance(price, bool):
        facts["price_usd_per_h"] = number(str(price).lstrip("$ "))
    return facts


def _read_entry(task: str, path: Path, root: Path) -> ImportedRun | Finding:
    try:
        description = read_object(path)
    except TextError as error:
        return make_finding("dawnbench-unreadable", str(error), "fail")
    hardware = description.get("hardware")
    fields: dict[str, Any] = {
        "source_format": "dawnbench",
        "workload": task,
        "submission": path.stem,
        "machine": hardware if isinstance(hardware, str) and hardware else "unknown",
        "run": path.stem,
        "facts": _facts(description),
        "source": path.with_suffix(".tsv").relative_to(root).as_posix(),
    }
    try:
        text = read_text(path.with_suffix(".tsv"))
        curve, findings = _read_curve(text, task)
    except TextError as error:
        fields["findings"] = (make_finding("dawnbench-unreadable", str(error), "fail"),)
        reason = f"its table cannot be read: {shown(str(error))}"
        return ImportedRun(**fields, status="invalid", reason=reason, sha256="")
    if missing := [key for key in REQUIRED if not description.get(key)]:
        message = f"{path}: has no {', '.join(missing)}"
        findings.insert(0, make_finding("dawnbench-description", message, "info"))
    return ImportedRun(
        **fields,
        status="ok",
        curve=curve,
        time_s=max(curve.time_s),
        findings=tuple(findings),
        sha256=text.sha256,
    )


def _orphans(folder: Path) -> Iterator[Finding]:
    for path in sorted(folder.glob("*.tsv")):
        if not path.with_suffix(".json").exists():
            message = f"{path}: no description {path.stem}.json, so no entry"
            yield make_finding("dawnbench-orphan", message, "info")


def read(path: Path) -> Archive:
    """Read all training entries; a bad one does not lose the others.

    Raises:
        FormatError: there is no entry below the path.
    """
    require_path(path, EXPECTED)
    root = path.resolve()
    # The path is the root of all tasks, one task, or its folder `train`.
    folders = (
        [root] if root.name == "train" else sorted([*root.glob("train/"), *root.glob("*/train/")])
    )
    entries = [
        _read_entry(folder.parent.name, entry, root)
        for folder in folders
        for entry in sorted(folder.glob("*.json"))
    ]
    runs = [entry for entry in entries if isinstance(entry, ImportedRun)]
    findings = [entry for entry in entries if isinstance(entry, Finding)]
    findings += [finding for folder in folders for finding in _orphans(folder)]
    return require_runs(Archive(sorted_runs(runs), findings), path, EXPECTED)
