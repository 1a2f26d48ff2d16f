"""modded-nanogpt's logs: source code, the output of nvidia-smi, then `step:... val_loss:...` lines.

The clock is the log's own `train_time`: validation and compilation are not in it. Lines of training
loss carry no validation and are passed over. A folder of logs is one record, a log one run of it.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path

from harness.formats._files import read_files, recording
from harness.formats._format import Archive, Format, complaint
from harness.formats._text import Text, TextError
from harness.records import Curve, Finding, ImportedRun

EXPECTED = "a log of modded-nanogpt, or a folder of such"
STEP = re.compile(
    r"step:(?P<step>\d+)(?:/(?P<steps>\d+))?\s+val_loss:(?P<loss>[-+.\deE]+|nan|inf)\s+"
    r"train_time:(?P<time>[.\d]+)(?P<unit>ms|s)"
)
LINE = re.compile(r"^\s*step:\d+.*val_loss:")
GPU = re.compile(r"\|\s+\d+\s+((?:NVIDIA|Tesla|GeForce|AMD)[\w\s.\-]*?)\s{2,}")


def _machine(text: Text) -> str:
    names = [found[1].strip() for line in text.lines if (found := GPU.search(line))]
    return f"{len(names)}x {names[0]}" if names else "unknown"


def _matches(text: Text) -> Iterator[re.Match[str] | Finding]:
    for line_number, line in enumerate(text.lines, 1):
        found = STEP.search(line)
        if found:
            yield found
        elif LINE.match(line):
            message = f"{text.path}, line {line_number}: left out: no val_loss and train_time"
            yield complaint("nanogpt-row", message)


def _loss(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _curve(matches: list[re.Match[str]]) -> Curve:
    scale = {"ms": 1e-3, "s": 1.0}
    return Curve(
        time_s=tuple(float(each["time"]) * scale[each["unit"]] for each in matches),
        metric={"val_loss": tuple(_loss(each["loss"]) for each in matches)},
        steps_count=tuple(float(each["step"]) for each in matches),
        steps_unit="step",
    )


def _read_file(text: Text, folder: str) -> Iterator[ImportedRun | Finding]:
    matches: list[re.Match[str]] = []
    findings: list[Finding] = []
    for found in _matches(text):
        findings.append(found) if isinstance(found, Finding) else matches.append(found)
    if not matches:
        message = f"{text.path}: no line step:N/M val_loss:X train_time:Tms"
        raise TextError(message)
    curve = _curve(matches)
    last = matches[-1]
    whole = last["steps"] is None or last["step"] == last["steps"]
    if not whole:
        message = f"{text.path}: ends at step {last['step']} of {last['steps']}"
        findings.append(complaint("nanogpt-cut", message))
    yield recording(
        text,
        folder,
        "modded-nanogpt",
        workload="modded-nanogpt",
        machine=_machine(text),
        status="ok" if whole else "crashed",
        reason="" if whole else "the log ends before its last step",
        curve=curve,
        time_s=curve.time_s[-1],
        facts={
            "final_val_loss": curve.metric["val_loss"][-1],
            "steps_count": float(last["step"]),
        },
        findings=tuple(findings),
    )


def read(path: Path) -> Archive:
    """Read one log, or every `*.txt` and `*.log` below a folder.

    Raises:
        FormatError: no file is at the path.
    """
    return read_files(path, ("*.txt", "*.log"), EXPECTED, _read_file)


FORMAT = Format(name="modded-nanogpt", title="modded-nanogpt's logs", read=read)
