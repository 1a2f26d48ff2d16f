"""AlgoPerf log trees: `SUBMISSION/study_N/WORKLOAD_FRAMEWORK/trial_N/eval_measurements.csv`.

Read are the evaluations of each trial on the submission's clock (`accumulated_submission_time`, of
which `score` is a copy), and all validation metrics: which of them is the target, and in which
direction, is the ruleset's to say. A trial whose folder holds no such file crashed before its first
evaluation and becomes a run with status `crashed`: AlgoPerf's own scorer drops it. The hardware is
read from one `meta_data_0.json` of each study and workload.

A submission's folder may lie deeper (`TEAM/SUBMISSION/study_N`, as in the first competition, or
`logs/self_tuning/SUBMISSION/study_N`), and a single submission's folder may be given itself.
Folders of one name in different places are different submissions, and get their paths as names.
Scores are relative to all that was imported, so several boards in one archive are told.
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
    delimiter_of,
    number,
    read_bytes,
    read_text,
)
from harness.records import Curve, Finding, ImportedRun

EVALUATIONS = "eval_measurements.csv"
CLOCK = "accumulated_submission_time"
CLOCK_COPY = "score"
EXPECTED = "a folder that holds one folder per submission, with study_N folders below"

STUDY = re.compile(r"study_\d+")
TRIAL = re.compile(r"trial_\d+")
WORKLOAD = re.compile(r"(.+)_(jax|pytorch)")
SPLIT = "validation/"
NO_METRIC = SPLIT + "num_examples"

DEPTH_MAX = 6
"""Folders between the given one and a study: submission, and perhaps a team, a board, a round."""

BOARDS = ("external_tuning", "self_tuning")
"""Folders whose submissions compete under different rules."""


class _Place(NamedTuple):
    """Where a trial lies."""

    submission: str
    study: str
    workload: str
    framework: str
    trial: str
    folder: Path
    home: Path
    """The submission's folder."""


def _folders(folder: Path | str) -> list[os.DirEntry[str]]:
    """Folders below one, by name; hidden ones (`.git`) hold no logs."""
    with os.scandir(folder) as entries:
        found = [each for each in entries if each.is_dir() and not each.name.startswith(".")]
    return sorted(found, key=lambda each: each.name)


def _submissions(root: Path, depth: int = 0) -> Iterator[tuple[Path, list[os.DirEntry[str]]]]:
    """Folders that hold studies, and the studies of each."""
    below = _folders(root)
    studies = [item for item in below if STUDY.fullmatch(item.name)]
    if studies:
        yield root, studies
    elif depth < DEPTH_MAX:
        for item in below:
            yield from _submissions(Path(item.path), depth + 1)


def _order(name: str) -> tuple[int, str]:
    """`trial_10` comes after `trial_9`."""
    return int(name.rpartition("_")[2]), name


def _places(root: Path) -> Iterator[_Place | Finding]:
    for home, studies in _submissions(root):
        for study in studies:
            for task in _folders(study.path):
                found = WORKLOAD.fullmatch(task.name)
                if not found:
                    message = f"{task.path}: no workload folder (its name ends in no framework)"
                    yield make_finding("algoperf-folder", message, "info")
                    continue
                trials = [item.name for item in _folders(task.path) if TRIAL.fullmatch(item.name)]
                for trial in sorted(trials, key=_order):
                    workload, framework = found.groups()
                    folder = Path(task.path, trial)
                    yield _Place(home.name, study.name, workload, framework, trial, folder, home)


def _named(places: Sequence[_Place], root: Path) -> tuple[list[_Place], list[Finding]]:
    """Submissions under names of their own, and what was found in naming them."""
    homes: dict[str, set[Path]] = {}
    for place in places:
        homes.setdefault(place.submission, set()).add(place.home)
    shared = sorted(name for name, found in homes.items() if len(found) > 1)
    findings = [*_boards(root, {place.home for place in places})]
    if shared:
        message = (
            f"{root}: several folders are named {', '.join(shared)}; these submissions go by "
            "their paths"
        )
        findings.append(make_finding("algoperf-name", message))
    named = [
        place._replace(submission=place.home.relative_to(root).as_posix())
        if place.submission in shared
        else place
        for place in places
    ]
    return list(_apart(named)), findings


def _apart(places: Sequence[_Place]) -> Iterator[_Place]:
    """Trials under names of their own where a study ran a workload in two frameworks."""
    frameworks: dict[tuple[str, str, str], set[str]] = {}
    for place in places:
        key = (place.submission, place.study, place.workload)
        frameworks.setdefault(key, set()).add(place.framework)
    for place in places:
        both = len(frameworks[place.submission, place.study, place.workload]) > 1
        yield place._replace(trial=f"{place.trial} ({place.framework})") if both else place


def _boards(root: Path, homes: Iterable[Path]) -> Iterator[Finding]:
    """Scores are relative to the field, so each board has to be imported alone."""
    found = {home.parent for home in homes if home.parent.name in BOARDS}
    if len(found) > 1:
        named = ", ".join(sorted(item.relative_to(root).as_posix() for item in found))
        message = f"{root}: holds several boards ({named}), whose submissions do not compete"
        advice = "import each into a results folder of its own"
        yield make_finding("algoperf-boards", message, advice=advice)


class _Header(NamedTuple):
    """Positions of the columns that are read."""

    delimiter: str
    width: int
    clock: int
    step: int | None
    metrics: dict[str, int]


def _header(text: Text) -> _Header:
    """What the first line says.

    Raises:
        TextError: it names no clock or no metric.
    """
    line = text.lines[0] if text.lines else ""
    delimiter = delimiter_of(line)
    names = columns(line, delimiter)
    places = {name: index for index, name in enumerate(names)}
    clock = places.get(CLOCK, places.get(CLOCK_COPY))
    metrics = {
        name.removeprefix(SPLIT): index
        for name, index in places.items()
        if name.startswith(SPLIT) and name != NO_METRIC
    }
    if clock is None or not metrics:
        lacking = CLOCK if clock is None else f"{SPLIT}<metric>"
        raise TextError(f"{text.path}, line 1: the header has no column {lacking}")
    return _Header(delimiter, len(names), clock, places.get("global_step"), metrics)


def _value(field: str) -> float | None:
    try:
        value = float(field)
    except ValueError:
        return number(field)
    return value if math.isfinite(value) else None


def _row_fault(text: Text, line_number: int, width: int, fields: Sequence[str]) -> Finding:
    count = len(fields)
    why = f"{count} fields for {width} columns" if count != width else f"no number in {CLOCK}"
    last = not text.whole and line_number == len(text.lines)
    cut = "; the file seems to be cut off" if last else ""
    message = f"{text.path}, line {line_number}: left out: {why}{cut}"
    return make_finding("algoperf-row", message)


def _rows(text: Text, header: _Header) -> Iterator[tuple[float, list[str]] | Finding]:
    """Time and fields of each evaluation, or what is wrong with its line."""
    for line_number, line in enumerate(text.lines[1:], 2):
        if not line:
            continue
        fields = line.split(header.delimiter)
        time_s = _value(fields[header.clock]) if len(fields) == header.width else None
        if time_s is None or time_s < 0:
            yield _row_fault(text, line_number, header.width, fields)
        else:
            yield time_s, fields


def _evaluations(text: Text) -> tuple[Curve, list[Finding]]:
    """All evaluations of a file; lines that cannot be read are named and left out.

    Raises:
        TextError: there is no usable header or no usable line.
    """
    header = _header(text)
    findings: list[Finding] = []
    rows: list[tuple[float, list[str]]] = []
    for row in _rows(text, header):
        findings.append(row) if isinstance(row, Finding) else rows.append(row)
    if not rows:
        raise TextError(f"{text.path}: no line with an evaluation")
    times = tuple(time_s for time_s, _ in rows)
    step = header.step
    curve = Curve(
        time_s=times,
        metric={
            name: tuple(_value(fields[index]) for _, fields in rows)
            for name, index in header.metrics.items()
        },
        steps_count=() if step is None else tuple(_value(fields[step]) for _, fields in rows),
        steps_unit="" if step is None else "step",
    )
    return curve, [*findings, *_order_findings(text, times)]


def _order_findings(text: Text, times: Sequence[float]) -> list[Finding]:
    """Rows out of order or written twice: a resumed run writes such."""
    back = next((i for i in range(1, len(times)) if times[i] < times[i - 1]), None)
    if back is not None:
        message = f"{text.path}: evaluation {back + 1} is earlier than the one before it"
        return [make_finding("algoperf-order", message)]
    if len(set(times)) < len(times):
        message = f"{text.path}: some evaluations are there twice"
        return [make_finding("algoperf-duplicate", message)]
    return []


def _run(place: _Place, source: str, machine: str, **fields: Any) -> ImportedRun:
    return ImportedRun(
        source_format="algoperf",
        workload=place.workload,
        submission=place.submission,
        machine=machine,
        run=f"{place.study}/{place.trial}",
        study=place.study,
        source=source,
        **fields,
    )


def _import_trial(place: _Place, root: Path, machine: str) -> ImportedRun:
    path = place.folder / EVALUATIONS
    source = path.relative_to(root).as_posix()
    if not path.exists():
        why = f"no {EVALUATIONS}: the trial ended before its first evaluation"
        return _run(place, source, machine, status="crashed", reason=why, sha256="")
    try:
        text = read_text(path)
        curve, findings = _evaluations(text)
    except TextError as error:
        fault = (make_finding("algoperf-unreadable", str(error), "fail"),)
        why = "its evaluations cannot be read"
        return _run(place, source, machine, status="invalid", reason=why, sha256="", findings=fault)
    return _run(
        place,
        source,
        machine,
        status="ok",
        curve=curve,
        time_s=max(curve.time_s),
        facts={"framework": place.framework},
        findings=tuple(findings),
        sha256=text.sha256,
    )


def _hardware(folder: Path) -> str:
    """GPU model and number of a trial, from its metadata; empty where there are none."""
    try:
        data: Any = json.loads(read_bytes(folder / "meta_data_0.json"))
    except (TextError, ValueError, RecursionError):
        return ""
    if not isinstance(data, dict):
        return ""
    model, count = data.get("gpu_model_name"), data.get("gpu_count", data.get("gpu.count"))
    if not isinstance(model, str) or not model:
        model = data.get("cpu_model_name")
        return model if isinstance(model, str) else ""
    return f"{count}x {model}" if isinstance(count, int) else model


def _machines(places: Sequence[_Place]) -> dict[str, str]:
    """The hardware that most studies of each submission name: scores need one name."""
    votes: dict[str, Counter[str]] = {}
    seen: set[tuple[str, str, str]] = set()
    for place in places:
        key = (place.submission, place.study, place.workload)
        if key not in seen and (name := _hardware(place.folder)):
            seen.add(key)
            votes.setdefault(place.submission, Counter())[name] += 1
    return {
        submission: min(count, key=lambda name: (-count[name], name))
        for submission, count in votes.items()
    }


def read(path: Path) -> Archive:
    """Read a tree of logs; a trial that cannot be read does not lose the others.

    Raises:
        FormatError: no study is below the path.
    """
    require_path(path, EXPECTED)
    if not path.is_dir():
        return require_runs(Archive([], []), path, EXPECTED)
    root = path.resolve()
    places: list[_Place] = []
    findings: list[Finding] = []
    for found in _places(root):
        findings.append(found) if isinstance(found, Finding) else places.append(found)
    places, told = _named(places, root)
    machines = _machines(places)
    runs = [
        _import_trial(place, root, machines.get(place.submission, "unknown")) for place in places
    ]
    return require_runs(Archive(sorted_runs(runs), [*findings, *told]), path, EXPECTED)
