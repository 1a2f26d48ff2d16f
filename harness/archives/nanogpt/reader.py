"""modded-nanogpt's logs: source code, the output of nvidia-smi, then `step:... val_loss:...` lines.

The clock is the log's own `train_time`: validation and compilation are not in it. Lines of training
loss carry no validation and are passed over; other figures (`val_bpb`, `val_acc`) may stand before
the time. Runs that one file holds, one after the other, are told apart where the step falls. The
first records (`s:9536 tel:3.2760`) have losses and no clock. A record's folder is the submission,
a log one run of it; a console's log beside the log of the same run is no second one.
"""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.formats.files import read_files, recording
from harness.formats.format import Archive, make_finding
from harness.formats.text import Text, TextError
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


class _Eval(NamedTuple):
    """One validation."""

    step: float
    steps: float | None
    """Of the whole run; None where the log does not say."""
    loss: float | None
    time_s: float


def _machine(text: Text) -> str:
    """GPUs of the first table by nvidia-smi; a log may hold it again for each of its runs."""
    names = {found[1]: found[2].strip() for line in text.lines if (found := GPU.search(line))}
    return f"{len(names)}x {next(iter(names.values()))}" if names else "unknown"


def _place(path: Path, folder: str) -> tuple[str, str | None]:
    """The record's folder, with what lies below it, and the track that it is in."""
    parents = path.parent.parts
    track = next((name for name in reversed(parents) if TRACK.fullmatch(name)), None)
    for index in range(len(parents) - 1, -1, -1):
        if RECORD.fullmatch(parents[index]):
            return "/".join(parents[index:]), track
    return folder, track


def _workload(track: str | None) -> str:
    return f"modded-nanogpt/{track}" if track and track != MAIN_TRACK else "modded-nanogpt"


def _loss(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _eval(found: re.Match[str]) -> _Eval:
    scale = {"ms": 1e-3, "s": 1.0}[found["unit"]]
    steps = float(found["steps"]) if found["steps"] else None
    return _Eval(float(found["step"]), steps, _loss(found["loss"]), float(found["time"]) * scale)


def _evals(text: Text) -> Iterator[_Eval | Finding]:
    for line_number, line in enumerate(text.lines, 1):
        if "val_loss:" not in line:
            continue
        found = STEP.search(line)
        if found and found["time"].count(".") <= 1:
            yield _eval(found)
        elif LINE.match(line):
            message = f"{text.path}, line {line_number}: left out: no val_loss and train_time"
            yield make_finding("nanogpt-row", message)


def _runs(evals: Sequence[_Eval]) -> list[list[_Eval]]:
    """Validations of each run: a step below the one before it begins another."""
    found: list[list[_Eval]] = []
    for item in evals:
        if not found or item.step < found[-1][-1].step:
            found.append([])
        found[-1].append(item)
    return found


def _curve(evals: Sequence[_Eval]) -> Curve:
    return Curve(
        time_s=tuple(item.time_s for item in evals),
        metric={"val_loss": tuple(item.loss for item in evals)},
        steps_count=tuple(item.step for item in evals),
        steps_unit="step",
    )


def _run(
    text: Text, folder: str, evals: Sequence[_Eval], findings: Sequence[Finding]
) -> ImportedRun:
    last = evals[-1]
    whole = last.steps is None or last.step == last.steps
    told = list(findings)
    if not whole:
        message = f"{text.path}: ends at step {last.step:g} of {last.steps:g}"
        told.append(make_finding("nanogpt-cut", message))
    submission, track = _place(text.path, folder)
    return recording(
        text,
        submission,
        "modded-nanogpt",
        workload=_workload(track),
        machine=_machine(text),
        status="ok" if whole else "crashed",
        reason="" if whole else "the log ends before its last step",
        curve=_curve(evals),
        time_s=last.time_s,
        facts={"final_val_loss": last.loss, "steps_count": last.step, "track": track},
        findings=tuple(told),
    )


def _clockless(text: Text, folder: str) -> ImportedRun:
    """A run of the first records.

    Raises:
        TextError: it is no such log either.
    """
    found = [match for line in text.lines if (match := CLOCKLESS.match(line))]
    if not found:
        raise TextError(f"{text.path}: no line step:N/M val_loss:X train_time:Tms")
    submission, track = _place(text.path, folder)
    message = f"{text.path}: losses without a clock (s:N tel:X), so no time"
    return recording(
        text,
        submission,
        "modded-nanogpt",
        workload=_workload(track),
        machine=_machine(text),
        facts={
            "final_val_loss": _loss(found[-1][2]),
            "steps_count": float(found[-1][1]),
            "track": track,
        },
        findings=(make_finding("nanogpt-clock", message),),
    )


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    evals: list[_Eval] = []
    findings: list[Finding] = []
    for found in _evals(text):
        findings.append(found) if isinstance(found, Finding) else evals.append(found)
    if not evals:
        yield _clockless(text, folder)
        return
    *earlier, last = _runs(evals)
    for item in earlier:
        yield _run(text, folder, item, ())
    yield _run(text, folder, last, findings)


def _without_copies(archive: Archive, path: Path) -> Archive:
    """Each run once: the same steps, losses and times in one folder are the same run."""
    alike: dict[tuple[str, str], ImportedRun] = {}
    for run in archive.runs:
        key = _identity(run)
        if key not in alike or alike[key].machine == "unknown" != run.machine:
            alike[key] = run
    kept: list[ImportedRun] = []
    findings = list(archive.findings)
    for run in archive.runs:
        first = alike[_identity(run)]
        if run is first:
            kept.append(run)
        else:
            where = f"{path.resolve()}: {run.source} in {run.submission}"
            message = f"{where}: {run.run} is the run {first.run} again: counted once"
            findings.append(make_finding("nanogpt-copy", message, "info"))
    return Archive(kept, findings)


def _identity(run: ImportedRun) -> tuple[str, str]:
    curve = run.curve.model_dump_json() if run.curve else f"{run.machine} {run.run}"
    return run.submission, curve


def read(path: Path) -> Archive:
    """Read one log, or every `*.txt` and `*.log` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return _without_copies(read_files(path, ("*.txt", "*.log"), EXPECTED, _read_file), path)
