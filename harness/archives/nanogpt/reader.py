"""modded-nanogpt's logs: source code, the output of nvidia-smi, then `step:... val_loss:...` lines.

The clock is the log's own `train_time`, which excludes validation and compilation. Lines of
training loss carry no validation and are ignored; other figures (`val_bpb`, `val_acc`) may come
before the time. Several runs in one file are separated where the step falls. The first records
(`s:9536 tel:3.2760`) have losses and no clock. A record's folder is the submission, and a log is
one run of it; a console's log of the same run does not count as a second one.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.formats.files import read_files, recording
from harness.formats.format import Archive, make_finding
from harness.formats.text import Text, TextError, number
from harness.records import Curve, Finding, ImportedRun

EXPECTED = "a log of modded-nanogpt, or a folder of such"
STEP = re.compile(
    r"^\s*step:(?P<step>\d+)(?:/(?P<steps>\d+))?\s+val_loss:(?P<loss>[-+.\deE]+|nan|inf)\s+"
    r"(?:[a-z_]+:\S+\s+)*?train_time:(?P<time>[.\d]+)(?P<unit>ms|s)\b"
)
LINE = re.compile(r"^\s*step:\d+.*val_loss:")
CLOCKLESS = re.compile(r"^s:(\d+) tel:([-+.\deE]+|nan|inf)\s*$")
GPU = re.compile(r"\|\s+(\d+)\s+((?:NVIDIA|Tesla|GeForce|AMD)[\w\s.\-]*?)\s{2,}")
RECORD = re.compile(r"(?:\d{4}-?\d{2}-?\d{2}|\d{6})[_-].+")
"""Folder of a record: its date and what is new in it."""

TRACK = re.compile(r"track_\d+\w*")
MAIN_TRACK = "track_1_short"
"""Holds the records of the task itself; other tracks are tasks of their own."""


class Validation(NamedTuple):
    """One validation."""

    step: float
    steps: float | None
    """Of the whole run; None where the log does not state it."""
    loss: float | None
    time_s: float


def _validations(text: Text) -> tuple[list[Validation], list[Finding]]:
    rows, findings = [], []
    for line_number, line in enumerate(text.lines, 1):
        if "val_loss:" not in line:
            continue
        match = STEP.search(line)
        time = number(match["time"]) if match else None
        if match and time is not None:
            steps = float(match["steps"]) if match["steps"] else None
            time_s = time * {"ms": 1e-3, "s": 1.0}[match["unit"]]
            rows.append(Validation(float(match["step"]), steps, number(match["loss"]), time_s))
        elif LINE.match(line):
            message = f"{text.path}, line {line_number}: left out: no val_loss and train_time"
            findings.append(make_finding("nanogpt-row", message))
    return rows, findings


def _split_runs(validations: Sequence[Validation]) -> list[list[Validation]]:
    """Validations of each run: a step below the one before it begins another."""
    runs: list[list[Validation]] = []
    for row in validations:
        if not runs or row.step < runs[-1][-1].step:
            runs.append([])
        runs[-1].append(row)
    return runs


def _names(text: Text, folder: str) -> dict[str, str]:
    """Workload, submission and machine.

    The submission is the record's dated folder with what lies below it; the machine is that of the
    first table by nvidia-smi, which a log may hold again for each of its runs.
    """
    parents = text.path.parent.parts
    track = _track(text.path) or MAIN_TRACK
    dated = [place for place, name in enumerate(parents) if RECORD.fullmatch(name)]
    gpus = {match[1]: match[2].strip() for line in text.lines if (match := GPU.search(line))}
    return {
        "workload": "modded-nanogpt" + ("" if track == MAIN_TRACK else f"/{track}"),
        "submission": "/".join(parents[dated[-1] :]) if dated else folder,
        "machine": f"{len(gpus)}x {next(iter(gpus.values()))}" if gpus else "unknown",
    }


def _track(path: Path) -> str | None:
    return next((name for name in reversed(path.parent.parts) if TRACK.fullmatch(name)), None)


def _run(
    text: Text, folder: str, validations: Sequence[Validation], findings: Sequence[Finding]
) -> ImportedRun:
    last = validations[-1]
    cut = []
    if last.steps is not None and last.step != last.steps:
        message = f"{text.path}: ends at step {last.step:g} of {last.steps:g}"
        cut.append(make_finding("nanogpt-cut", message))
    return recording(
        text,
        folder,
        "modded-nanogpt",
        **_names(text, folder),
        status="crashed" if cut else "ok",
        reason="the log ends before its last step" if cut else "",
        curve=Curve(
            time_s=tuple(row.time_s for row in validations),
            metric={"val_loss": tuple(row.loss for row in validations)},
            steps_count=tuple(row.step for row in validations),
            steps_unit="step",
        ),
        time_s=last.time_s,
        facts={
            "final_val_loss": last.loss,
            "steps_count": last.step,
            "track": _track(text.path),
        },
        findings=(*findings, *cut),
    )


def _clockless_run(text: Text, folder: str) -> ImportedRun:
    """A run of the first records.

    Raises:
        TextError: it is no such log either.
    """
    rows = [match for line in text.lines if (match := CLOCKLESS.match(line))]
    if not rows:
        raise TextError(f"{text.path}: no line step:N/M val_loss:X train_time:Tms")
    message = f"{text.path}: losses without a clock (s:N tel:X), so no time"
    step, loss = rows[-1].groups()
    return recording(
        text,
        folder,
        "modded-nanogpt",
        **_names(text, folder),
        facts={
            "final_val_loss": number(loss),
            "steps_count": float(step),
            "track": _track(text.path),
        },
        findings=(make_finding("nanogpt-clock", message),),
    )


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun]:
    validations, findings = _validations(text)
    if not validations:
        yield _clockless_run(text, folder)
        return
    *earlier, last = _split_runs(validations)
    yield from (_run(text, folder, run, ()) for run in earlier)
    yield _run(text, folder, last, findings)


def _without_copies(archive: Archive, path: Path) -> Archive:
    """Each run once: the same steps, losses and times in one folder are the same run."""

    def identity(run: ImportedRun) -> tuple[str, str]:
        curve = run.curve.model_dump_json() if run.curve else f"{run.machine} {run.run}"
        return run.submission, curve

    kept: dict[tuple[str, str], ImportedRun] = {}
    for run in archive.runs:
        key = identity(run)
        if key not in kept or kept[key].machine == "unknown" != run.machine:
            kept[key] = run
    findings = list(archive.findings)
    for run in archive.runs:
        first = kept[identity(run)]
        if run is not first:
            where = f"{path.resolve()}: {run.source} in {run.submission}"
            message = f"{where}: {run.run} is the same run as {first.run}: counted once"
            findings.append(make_finding("nanogpt-copy", message, "info"))
    return Archive([run for run in archive.runs if kept[identity(run)] is run], findings)


def read(path: Path) -> Archive:
    """Read one log, or every `*.txt` and `*.log` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return _without_copies(read_files(path, ("*.txt", "*.log"), EXPECTED, _read_file), path)
