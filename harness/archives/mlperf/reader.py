"""MLPerf Training packages: `SUBMITTER/results/SYSTEM/BENCHMARK/result_N.txt` and power logs.

Given is one submitter's folder, or a folder of such. Power logs of `result_N.txt` are
`power/result_N/node_J.txt` and `sw_K.txt`; other files there (pictures) are passed over. Folders of
MLPerf HPC (`results/SYSTEM/strong/BENCHMARK`) are found the same way; what lies elsewhere below a
system (`weak/BENCHMARK`, `pruned_results`) keeps its whole path as its name, for it is no other run
of the same benchmark. Hidden folders are passed over. Formulas and audit:
`_mlperf_power.py` and `_mlperf_audit.py`. Evaluations become a curve on the run's own clock.
"""

import json
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
from harness.formats.text import TextError, read_bytes, read_text, shown
from harness.records import Curve, Finding, ImportedRun, Status

EXPECTED = "a submitter's folder, with results/SYSTEM/BENCHMARK/result_N.txt below"

METRICS = ("eval_accuracy", "averaged_validation_loss", "eval_error", "eval_loss")
SAID = (
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

KEYS = frozenset({"run_start", "run_stop", "init_start", *METRICS, *SAID})

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

Said = str | int | float | bool | None


class _Folder(NamedTuple):
    """A benchmark's results on one system."""

    submitter: str
    system: str
    benchmark: str
    path: Path
    facts: dict[str, Said]


class _Timed(NamedTuple):
    """What a result log says of the run."""

    window: Window | None
    status: Status
    reason: str


def _submitters(root: Path) -> list[Path]:
    """The folder itself, or those below it, that hold results."""
    if (root / "results").is_dir():
        return [root]
    return [path for path in sorted(root.iterdir()) if (path / "results").is_dir()]


def _plain(value: Any) -> Said:
    return value if isinstance(value, str | int | float | bool) else None


def _json(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    """An object of a JSON file that may be absent."""
    if not path.exists():
        return {}, []
    try:
        found = json.loads(read_bytes(path))
        if isinstance(found, dict):
            return found, []
        why = "it holds no object"
    except (TextError, ValueError, RecursionError) as error:
        why = str(error)
    return {}, [make_finding("mlperf-json", f"{path}: not used: {why}")]


def _folders(submitter: Path) -> Iterator[_Folder | Finding]:
    for system in sorted(
        element for element in (submitter / "results").iterdir() if element.is_dir()
    ):
        said, findings = _json(submitter / "systems" / f"{system.name}.json")
        yield from findings
        facts = {f"system_{key}": _plain(said[key]) for key in SYSTEM_FACTS if key in said}
        for place, below, files in os.walk(system):
            below[:] = sorted(item for item in below if not _is_passed_over(item))
            if any(_is_result(name) for name in files):
                path = Path(place)
                factor, faults = _json(path / "scaling.json")
                yield from faults
                own = facts | {"scaling_ratio": _factor(factor)}
                yield _Folder(submitter.name, system.name, _benchmark(path, system), path, own)


def _is_passed_over(name: str) -> bool:
    """Folders below a system without results: power logs, and what editors and archivers left."""
    return name == "power" or name.startswith((".", "__"))


def _benchmark(path: Path, system: Path) -> str:
    """The folder's own name, or all of its path where more than strong scaling stands above it."""
    parts = path.relative_to(system).parts
    own = parts[1:] if parts[:1] == (STRONG,) else parts
    return ALIASES.get(path.name, path.name) if len(own) == 1 else "/".join(own) or path.name


def _factor(scaling: dict[str, Any]) -> float:
    """The review's factor; 1 where there is none."""
    factor = as_number(scaling.get("scaling_factor"))
    return factor if factor is not None and factor > 0 else 1.0


def _is_result(name: str) -> bool:
    return name.startswith("result_") and name.endswith(".txt")


# --- one result log -------------------------------------------------------------------------------


def _timed(lines: Sequence[Line]) -> _Timed:
    """Start, stop and outcome: of the last start before the first stop."""
    stop = next((line for line in lines if line.key == "run_stop"), None)
    until = lines if stop is None else lines[: lines.index(stop)]
    start = next((item for item in reversed(until) if item.key == "run_start"), None)
    if start is None:
        start = next((line for line in lines if line.key == "run_start"), None)
    if start is None:
        return _Timed(None, "invalid", "run_start is not in the log")
    if stop is None:
        return _Timed(None, "crashed", "run_stop is not in the log")
    window = Window(start.time_ms, stop.time_ms)
    said = stop.metadata.get("status")
    if window.length_ms <= 0:
        return _Timed(window, "invalid", "run_stop is not after run_start")
    if said == "success":
        return _Timed(window, "ok", "")
    if said == "aborted":
        return _Timed(window, "aborted", "run_stop says aborted")
    return _Timed(window, "invalid", f"run_stop carries the status {shown(str(said))}")


def _step(line: Line) -> tuple[float | None, str]:
    for name, unit in (("samples_count", "sample"), ("epoch_num", "epoch"), ("step_num", "step")):
        if name in line.metadata:
            return as_number(line.metadata[name]), unit
    return None, ""


def _curve(lines: Sequence[Line], window: Window) -> Curve | None:
    """Evaluations on the run's clock, of the first metric that the log has."""
    metric = next((name for name in METRICS if any(x.key == name for x in lines)), None)
    if metric is None:
        return None
    found = [line for line in lines if line.key == metric]
    steps = [_step(line) for line in found]
    unit = next((unit for _, unit in steps if unit), "")
    return Curve(
        time_s=tuple((line.time_ms - window.start_ms) / 1000 for line in found),
        metric={metric: tuple(as_number(line.value) for line in found)},
        steps_count=tuple(step for step, _ in steps) if unit else (),
        steps_unit=unit,
    )


def _facts(lines: Sequence[Line]) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for line in lines:
        if line.key in SAID and line.key not in found:
            found[line.key] = _plain(line.value)
    return found


# --- power ----------------------------------------------------------------------------------------


def _power_files(folder: Path, result: str) -> list[Path]:
    place = folder / "power" / result.partition(".")[0]
    if not place.is_dir():
        return []
    return sorted(
        path
        for path in place.iterdir()
        if path.suffix == ".txt" and path.name.startswith(("node_", "sw_"))
    )


def _power(
    folder: _Folder, result: str, root: Path, window: Window
) -> tuple[list[PowerLog], list[Finding]]:
    logs: list[PowerLog] = []
    findings: list[Finding] = []
    for path in _power_files(folder.path, result):
        try:
            logs.append(read_power(path, path.relative_to(root).as_posix(), window))
        except TextError as error:
            findings.append(make_finding("mlperf-power-unreadable", str(error), "fail"))
    if not any(log.file.kind == "node" for log in logs) and (folder.path / "power").is_dir():
        message = f"{folder.path}: no node's power log for {result}"
        findings.append(make_finding("mlperf-power-missing", message, "fail"))
    return logs, findings


def _sum(logs: Sequence[PowerLog], method: str, kinds: Sequence[str]) -> float | None:
    """Joules of all logs of some kinds; None where one of them gives none."""
    joules = [log.file.energy_by_method_j.get(method) for log in logs if log.file.kind in kinds]
    known = [joule for joule in joules if joule is not None]
    return sum(known) if joules and len(known) == len(joules) else None


def _energies(logs: Sequence[PowerLog]) -> dict[str, float]:
    if not any(log.file.kind == "node" for log in logs):
        return {}
    methods = ("window", "mlperf-current", "mlperf-2024-06")
    found = {method: _sum(logs, method, ("node", "switch")) for method in methods}
    return {method: joules for method, joules in found.items() if joules is not None}


def _parts(logs: Sequence[PowerLog]) -> dict[str, float]:
    found = {kind: _sum(logs, "window", (kind,)) for kind in ("node", "switch")}
    return {kind: joules for kind, joules in found.items() if joules is not None}


def _kind(logs: Sequence[PowerLog]) -> Literal["sampled", "declared"] | None:
    if not logs:
        return None
    switches = [log for log in logs if log.file.kind == "switch"]
    return "declared" if any(not switch.file.readings_count for switch in switches) else "sampled"


# --- the whole ------------------------------------------------------------------------------------


def _import_run(folder: _Folder, result: str, root: Path) -> tuple[ImportedRun, list[PowerLog]]:
    path = folder.path / result
    base: dict[str, Any] = {
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
        base |= {"status": "invalid", "reason": "its log cannot be read", "sha256": ""}
        return ImportedRun(**base, findings=findings), []
    log = parse_log(path, text.lines, KEYS)
    timed = _timed(log.lines)
    logs, faults = _power(folder, result, root, timed.window) if timed.window else ([], [])
    run = ImportedRun(
        **base,
        **_measured(folder, timed, log.lines, logs),
        status=timed.status,
        reason=timed.reason,
        sha256=text.sha256,
        findings=(*log.findings, *_told(path, timed), *faults, *_audited(logs, timed)),
    )
    return run, logs


def _measured(
    folder: _Folder, timed: _Timed, lines: Sequence[Line], logs: Sequence[PowerLog]
) -> dict[str, Any]:
    window = timed.window
    return {
        "curve": _curve(lines, window) if window else None,
        "time_s": window.length_ms / 1000 if window else None,
        "energy_by_method_j": _energies(logs),
        "energy_by_domain_j": _parts(logs),
        "energy_kind": _kind(logs),
        "power": tuple(log.file for log in logs),
        "facts": folder.facts | _facts(lines),
    }


def _told(path: Path, timed: _Timed) -> list[Finding]:
    if timed.status == "ok":
        return []
    return [make_finding("mlperf-run-status", f"{path}: {timed.reason}")]


def _audited(logs: Sequence[PowerLog], timed: _Timed) -> list[Finding]:
    if not logs or timed.window is None:
        return []
    own = [finding for log in logs for finding in log.findings]
    return [*own, *audit_run([log.file for log in logs], timed.window)]


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
            for result in sorted(filter(_is_result, os.listdir(folder.path))):  # noqa: PTH208
                run, own = _import_run(folder, result, root)
                runs.append(run)
                logs += own
        findings += audit_copies(logs)
    return require_runs(Archive(sorted_runs(runs), findings), path, EXPECTED)
