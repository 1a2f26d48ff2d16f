"""AlgoPerf log trees: `SUBMISSION/study_N/WORKLOAD_FRAMEWORK/trial_N/eval_measurements.csv`.

The reader keeps the evaluations of each trial on the submission's clock
(`accumulated_submission_time`, of which `score` is a copy), and all validation metrics: the ruleset
states which of them is the target, and in which direction. A trial whose folder holds no such file
crashed before its first evaluation and becomes a run with status `crashed`; AlgoPerf's own scorer
drops it. The hardware is read from one `meta_data_0.json` of each study and workload.

A submission's folder may be deeper (`TEAM/SUBMISSION/study_N`, as in the first competition, or
`logs/self_tuning/SUBMISSION/study_N`), and the path may be that of a single submission. Folders of
one name in different places are different submissions, and get their paths as names. Scores are
relative to all that was imported, so an archive with several boards gives a finding.
"""

import os
import re
from collections import Counter, defaultdict
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
from harness.formats.text import (
    Text,
    TextError,
    columns,
    delimiter_of,
    number,
    read_object,
    read_text,
)
from harness.records import Curve, Finding, ImportedRun

EVALUATIONS = "eval_measurements.csv"
CLOCK = "accumulated_submission_time"
CLOCK_COPY = "score"
EXPECTED = "a folder that holds one folder per submission, with study_N folders below"

STUDY = re.compile(r"study_\d+")
TRIAL = re.compile(r"trial_(\d+)")
WORKLOAD = re.compile(r"(.+)_(jax|pytorch)")
SPLIT = "validation/"
NO_METRIC = SPLIT + "num_examples"

DEPTH_MAX = 6
"""Folders between the given one and a study: submission, and perhaps a team, a board, a round."""

BOARDS = ("external_tuning", "self_tuning")
"""Folders whose submissions compete under different rules."""


class TrialPlace(NamedTuple):
    """A trial's names and folder."""

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
        below = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return sorted(below, key=lambda entry: entry.name)


def _studies(root: Path, depth: int = 0) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    """Each study with the folder of its submission."""
    below = _folders(root)
    studies = [entry for entry in below if STUDY.fullmatch(entry.name)]
    yield from ((root, study) for study in studies)
    if not studies and depth < DEPTH_MAX:
        for entry in below:
            yield from _studies(Path(entry.path), depth + 1)


def _places(root: Path) -> Iterator[TrialPlace | Finding]:
    for home, study in _studies(root):
        for task in _folders(study.path):
            named = WORKLOAD.fullmatch(task.name)
            if not named:
                message = f"{task.path}: no workload folder (its name ends in no framework)"
                yield make_finding("algoperf-folder", message, "info")
                continue
            trials = [entry.name for entry in _folders(task.path) if TRIAL.fullmatch(entry.name)]
            for trial in sorted(trials, key=lambda name: int(name.rpartition("_")[2])):
                folder = Path(task.path, trial)
                workload, framework = named.groups()
                yield TrialPlace(home.name, study.name, workload, framework, trial, folder, home)


def _check_homes(root: Path, homes: dict[str, set[Path]]) -> Iterator[Finding]:
    """Several boards in one archive, and submissions that share a name."""
    boards = {home.parent for own in homes.values() for home in own if home.parent.name in BOARDS}
    if len(boards) > 1:
        names = ", ".join(sorted(board.relative_to(root).as_posix() for board in boards))
        message = f"{root}: holds several boards ({names}), whose submissions do not compete"
        advice = "import each into a results folder of its own"
        yield make_finding("algoperf-boards", message, advice=advice)
    if shared := sorted(name for name, own in homes.items() if len(own) > 1):
        message = f"{root}: several folders are named {', '.join(shared)}"
        yield make_finding("algoperf-name", f"{message}; these submissions go by their paths")


def _rename(places: Sequence[TrialPlace], root: Path) -> tuple[list[TrialPlace], list[Finding]]:
    """Unique names for submissions that share one, and for trials of a study in two frameworks."""
    homes: dict[str, set[Path]] = defaultdict(set)
    frameworks: dict[tuple[Path, str, str], set[str]] = defaultdict(set)
    for place in places:
        homes[place.submission].add(place.home)
        frameworks[place.home, place.study, place.workload].add(place.framework)
    renamed = []
    for place in places:
        submission, trial = place.submission, place.trial
        if len(homes[submission]) > 1:
            submission = place.home.relative_to(root).as_posix()
        if len(frameworks[place.home, place.study, place.workload]) > 1:
            trial = f"{trial} ({place.framework})"
        renamed.append(place._replace(submission=submission, trial=trial))
    return renamed, list(_check_homes(root, homes))


# --- one trial ------------------------------------------------------------------------------------


def _read_header(text: Text) -> tuple[str, list[str], int]:
    """Delimiter, names of the columns, and the position of the clock.

    Raises:
        TextError: the first line names no clock or no metric.
    """
    line = text.lines[0] if text.lines else ""
    delimiter = delimiter_of(line)
    names = columns(line, delimiter)
    clock = next((name for name in (CLOCK, CLOCK_COPY) if name in names), None)
    if clock is None or not any(map(_is_metric, names)):
        missing = CLOCK if clock is None else f"{SPLIT}<metric>"
        raise TextError(f"{text.path}, line 1: the header has no column {missing}")
    return delimiter, names, names.index(clock)


def _is_metric(column: str) -> bool:
    return column.startswith(SPLIT) and column != NO_METRIC


def _read_curve(text: Text) -> tuple[Curve, list[Finding]]:
    """All evaluations of a file; lines that cannot be read become findings.

    Raises:
        TextError: there is no usable header or no usable line.
    """
    delimiter, names, clock = _read_header(text)
    findings: list[Finding] = []
    times: list[float] = []
    rows: list[list[str]] = []
    for line_number, line in enumerate(text.lines[1:], 2):
        fields = line.split(delimiter)
        time_s = number(fields[clock]) if len(fields) == len(names) else None
        if time_s is not None and time_s >= 0:
            times.append(time_s)
            rows.append(fields)
        elif line:
            count = len(fields)
            why = f"{count} fields for {len(names)} columns"
            why = why if count != len(names) else f"no number in {CLOCK}"
            is_cut = not text.whole and line_number == len(text.lines)
            cut = "; the file seems to be cut off" if is_cut else ""
            message = f"{text.path}, line {line_number}: left out: {why}{cut}"
            findings.append(make_finding("algoperf-row", message))
    if not rows:
        raise TextError(f"{text.path}: no line with an evaluation")
    table = dict(zip(names, zip(*rows, strict=True), strict=True))
    steps = tuple(map(number, table.get("global_step", ())))
    curve = Curve(
        time_s=tuple(times),
        metric={
            name.removeprefix(SPLIT): tuple(map(number, cells))
            for name, cells in table.items()
            if _is_metric(name)
        },
        steps_count=steps,
        steps_unit="step" if steps else "",
    )
    return curve, [*findings, *_check_order(text, times)]


def _check_order(text: Text, times: Sequence[float]) -> Iterator[Finding]:
    """Rows out of order or written twice, as a resumed run writes them."""
    back = next((place for place, (a, b) in enumerate(pairwise(times), 2) if b < a), None)
    if back is not None:
        message = f"{text.path}: evaluation {back} is earlier than the one before it"
        yield make_finding("algoperf-order", message)
    elif len(set(times)) < len(times):
        message = f"{text.path}: some evaluations are there twice"
        yield make_finding("algoperf-duplicate", message)


def _read_trial(place: TrialPlace, root: Path, machine: str) -> ImportedRun:
    path = place.folder / EVALUATIONS
    fields: dict[str, Any] = {
        "source_format": "algoperf",
        "workload": place.workload,
        "submission": place.submission,
        "machine": machine,
        "run": f"{place.study}/{place.trial}",
        "study": place.study,
        "source": path.relative_to(root).as_posix(),
    }
    if not path.exists():
        reason = f"no {EVALUATIONS}: the trial ended before its first evaluation"
        return ImportedRun(**fields, status="crashed", reason=reason, sha256="")
    try:
        text = read_text(path)
        curve, findings = _read_curve(text)
    except TextError as error:
        fields["findings"] = (make_finding("algoperf-unreadable", str(error), "fail"),)
        reason = "its evaluations cannot be read"
        return ImportedRun(**fields, status="invalid", reason=reason, sha256="")
    return ImportedRun(
        **fields,
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
        metadata = read_object(folder / "meta_data_0.json")
    except TextError:
        return ""
    model, count = (
        metadata.get("gpu_model_name"),
        metadata.get("gpu_count", metadata.get("gpu.count")),
    )
    if isinstance(model, str) and model:
        return f"{count}x {model}" if isinstance(count, int) else model
    model = metadata.get("cpu_model_name")
    return model if isinstance(model, str) else ""


def _machines(places: Sequence[TrialPlace]) -> dict[str, str]:
    """The hardware that most studies of each submission name: scores need one name."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    seen: set[tuple[str, str, str]] = set()
    for place in places:
        key = (place.submission, place.study, place.workload)
        if key not in seen and (name := _hardware(place.folder)):
            seen.add(key)
            votes[place.submission][name] += 1
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
    root = path.resolve()
    contents = list(_places(root)) if root.is_dir() else []
    findings = [item for item in contents if isinstance(item, Finding)]
    places, more = _rename([item for item in contents if isinstance(item, TrialPlace)], root)
    machines = _machines(places)
    runs = [_read_trial(place, root, machines.get(place.submission, "unknown")) for place in places]
    return require_runs(Archive(sorted_runs(runs), [*findings, *more]), path, EXPECTED)
