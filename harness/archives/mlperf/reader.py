"""MLPerf Training packages: `SUBMITTER/results/SYSTEM/BENCHMARK/result_N.txt` and power logs.

The path is one submitter's folder, or a folder of such. Power logs of `result_N.txt` are
`power/result_N/node_J.txt` and `sw_K.txt`; other files there (pictures) are ignored. Folders of
MLPerf HPC (`results/SYSTEM/strong/BENCHMARK`) are read in the same way; what lies elsewhere below a
system (`weak/BENCHMARK`, `pruned_results`) keeps its whole path as its name, because its runs are
not of the same benchmark. Hidden folders are ignored. `power.py` has the formulas, `audit.py` the
checks of power logs. Evaluations become a curve on the run's own clock.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.archives.mlperf.audit import audit_copies, audit_run
from harness.archives.mlperf.lines import Line, as_number, parse_log
from harness.archives.mlperf.power import PowerLog, Window, read_power
from harness.formats.format import (
    Archive,
    make_finding,
    require_path,
    require_runs,
    sorted_runs,
)
from harness.formats.text import TextError, read_object, read_text, shown
from harness.records import Curve, Finding, ImportedRun, Status

EXPECTED = "a submitter's folder, with results/SYSTEM/BENCHMARK/result_N.txt below"

METRICS = ("eval_accuracy", "averaged_validation_loss", "eval_error", "eval_loss")
FACTS = (
    "submission_benchmark",
    "submission_division",
    "submission_org",
    "submission_platform",
    "submission_status",
    "global_batch_size",
    "number_of_nodes",
    "accelerators_per_node",
    "seed",
)
"""Keys whose first value becomes a fact."""

KEYS = frozenset({"run_start", "run_stop", "init_start", *METRICS, *FACTS})

ALIASES = {"mask": "maskrcnn"}
STRONG = "strong"
"""Folder that MLPerf HPC puts between a system and its benchmarks."""

SYSTEM_FACTS = (
    "division",
    "status",
    "number_of_nodes",
    "accelerators_per_node",
    "accelerator_model_name",
    "host_processor_model_name",
    "framework",
)
STEPS = {"samples_count": "sample", "epoch_num": "epoch", "step_num": "step"}
"""Unit of what each key of an evaluation's metadata counts; the first one present is read."""

Fact = str | int | float | bool | None


class ResultFolder(NamedTuple):
    """A benchmark's results on one system."""

    submitter: str
    system: str
    benchmark: str
    path: Path
    facts: dict[str, Fact]


class Timing(NamedTuple):
    """What a result log says of the run."""

    window: Window | None
    status: Status
    reason: str


# --- folders --------------------------------------------------------------------------------------


def _submitters(root: Path) -> list[Path]:
    """The folder itself, or those below it, that hold results."""
    if (root / "results").is_dir():
        return [root]
    return [path for path in sorted(root.iterdir()) if (path / "results").is_dir()]


def _optional_object(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    """An object of a JSON file that may be absent."""
    try:
        return (read_object(path) if path.exists() else {}), []
    except TextError as error:
        return {}, [make_finding("mlperf-json", f"not used: {error}")]


def _plain(value: Any) -> Fact:
    return value if isinstance(value, str | int | float | bool) else None


def _folders(submitter: Path) -> Iterator[ResultFolder | Finding]:
    for system in sorted(path for path in (submitter / "results").iterdir() if path.is_dir()):
        described, findings = _optional_object(submitter / "systems" / f"{system.name}.json")
        yield from findings
        facts = {
            f"system_{key}": _plain(described[key]) for key in SYSTEM_FACTS if key in described
        }
        for place, below, files in os.walk(system):
            # Folders that hold power logs, and what editors and archivers left.
            below[:] = sorted(n for n in below if n != "power" and not n.startswith((".", "__")))
            if any(map(_is_result, files)):
                path = Path(place)
                scaling, findings = _optional_object(path / "scaling.json")
                yield from findings
                factor = as_number(scaling.get("scaling_factor")) or 0.0
                own = facts | {"scaling_ratio": factor if factor > 0 else 1.0}
                yield ResultFolder(submitter.name, system.name, _benchmark(path, system), path, own)


def _benchmark(path: Path, system: Path) -> str:
    """The folder's own name, or all of its path where more than `strong` is above it."""
    parts = path.relative_to(system).parts
    own = parts[1:] if parts[:1] == (STRONG,) else parts
    return ALIASES.get(path.name, path.name) if len(own) == 1 else "/".join(own) or path.name


def _is_result(name: str) -> bool:
    return name.startswith("result_") and name.endswith(".txt")


# --- one result log -------------------------------------------------------------------------------


def _timing(lines: Sequence[Line]) -> Timing:
    """Start, stop and outcome: of the last start before the first stop."""
    stop = next((line for line in lines if line.key == "run_stop"), None)
    starts = [line for line in lines if line.key == "run_start"]
    if not starts:
        return Timing(None, "invalid", "run_start is not in the log")
    if stop is None:
        return Timing(None, "crashed", "run_stop is not in the log")
    before = [line for line in starts if line.number < stop.number]
    window = Window((before[-1] if before else starts[0]).time_ms, stop.time_ms)
    status = stop.metadata.get("status")
    if window.length_ms <= 0:
        return Timing(window, "invalid", "run_stop is not after run_start")
    if status == "success":
        return Timing(window, "ok", "")
    if status == "aborted":
        return Timing(window, "aborted", "run_stop says aborted")
    return Timing(window, "invalid", f"run_stop carries the status {shown(str(status))}")


def _curve(lines: Sequence[Line], window: Window) -> Curve | None:
    """Evaluations on the run's clock, of the first metric that the log has."""
    keys = {line.key for line in lines}
    metric = next((name for name in METRICS if name in keys), None)
    if metric is None:
        return None
    rows = [line for line in lines if line.key == metric]
    counted = [next((key for key in STEPS if key in row.metadata), None) for row in rows]
    unit = next((STEPS[key] for key in counted if key), "")
    steps = [
        as_number(row.metadata[key]) if key else None
        for row, key in zip(rows, counted, strict=True)
    ]
    return Curve(
        time_s=tuple((row.time_ms - window.start_ms) / 1000 for row in rows),
        metric={metric: tuple(as_number(row.value) for row in rows)},
        steps_count=tuple(steps) if unit else (),
        steps_unit=unit,
    )


# --- power ----------------------------------------------------------------------------------------


def _power_logs(
    folder: ResultFolder, result: str, root: Path, window: Window
) -> tuple[list[PowerLog], list[Finding]]:
    logs: list[PowerLog] = []
    findings: list[Finding] = []
    for path in sorted((folder.path / "power" / Path(result).stem).glob("*.txt")):
        if path.name.startswith(("node_", "sw_")):
            try:
                logs.append(read_power(path, path.relative_to(root).as_posix(), window))
            except TextError as error:
                findings.append(make_finding("mlperf-power-unreadable", str(error), "fail"))
    if not any(log.file.kind == "node" for log in logs) and (folder.path / "power").is_dir():
        message = f"{folder.path}: no node's power log for {result}"
        findings.append(make_finding("mlperf-power-missing", message, "fail"))
    return logs, findings


def _sum(logs: Sequence[PowerLog], method: str) -> float | None:
    """Joules of all logs; None where one of them gives none."""
    joules = [log.file.energy_by_method_j.get(method) for log in logs]
    known = [value for value in joules if value is not None]
    return sum(known) if known and len(known) == len(joules) else None


def _energies(logs: Sequence[PowerLog]) -> dict[str, Any]:
    """Fields of a run about its joules."""
    by_kind = {kind: [log for log in logs if log.file.kind == kind] for kind in ("node", "switch")}
    methods = ("window", "mlperf-current", "mlperf-2024-06") if by_kind["node"] else ()
    totals = {method: _sum(logs, method) for method in methods}
    parts = {kind: _sum(own, "window") for kind, own in by_kind.items()}
    is_declared = any(not log.file.readings_count for log in by_kind["switch"])
    kind: Literal["declared", "sampled"] = "declared" if is_declared else "sampled"
    return {
        "energy_by_method_j": {name: value for name, value in totals.items() if value is not None},
        "energy_by_domain_j": {name: value for name, value in parts.items() if value is not None},
        "energy_kind": kind if logs else None,
        "power": tuple(log.file for log in logs),
    }


# --- the archive ----------------------------------------------------------------------------------


def _read_run(folder: ResultFolder, result: str, root: Path) -> tuple[ImportedRun, list[PowerLog]]:
    path = folder.path / result
    names: dict[str, Any] = {
        "source_format": "mlperf-training",
        "workload": folder.benchmark,
        "submission": folder.submitter,
        "machine": folder.system,
        "run": result.removesuffix(".txt"),
        "source": path.relative_to(root).as_posix(),
    }
    try:
        text = read_text(path)
    except TextError as error:
        findings = (make_finding("mlperf-unreadable", str(error), "fail"),)
        reason = "its log cannot be read"
        return ImportedRun(
            **names, status="invalid", reason=reason, sha256="", findings=findings
        ), []
    log = parse_log(path, text.lines, KEYS)
    window, status, reason = _timing(log.lines)
    logs, faults = _power_logs(folder, result, root, window) if window else ([], [])
    if status != "ok":
        faults.insert(0, make_finding("mlperf-run-status", f"{path}: {reason}"))
    if window and logs:
        faults += [finding for power in logs for finding in power.findings]
        faults += audit_run([power.file for power in logs], window)
    # Of a key that is logged again the first value is kept.
    facts = {line.key: _plain(line.value) for line in reversed(log.lines) if line.key in FACTS}
    run = ImportedRun(
        **names,
        **_energies(logs),
        curve=_curve(log.lines, window) if window else None,
        time_s=window.length_ms / 1000 if window else None,
        facts=folder.facts | facts,
        status=status,
        reason=reason,
        sha256=text.sha256,
        findings=(*log.findings, *faults),
    )
    return run, logs


def read(path: Path) -> Archive:
    """Read one submitter's package, or several.

    Raises:
        FormatError: no results are below the path.
    """
    require_path(path, EXPECTED)
    root = path.resolve()
    runs: list[ImportedRun] = []
    findings: list[Finding] = []
    for submitter in _submitters(root) if root.is_dir() else []:
        logs: list[PowerLog] = []
        for folder in _folders(submitter):
            if isinstance(folder, Finding):
                findings.append(folder)
                continue
            for file in sorted(filter(_is_result, (entry.name for entry in folder.path.iterdir()))):
                run, own = _read_run(folder, file, root)
                runs.append(run)
                logs += own
        findings += audit_copies(logs)
    return require_runs(Archive(sorted_runs(runs), findings), path, EXPECTED)
