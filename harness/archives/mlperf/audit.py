"""What MLPerf's checkers do not look at in power logs: gaps, lengths, copies, clocks, zeros."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from harness.archives.mlperf.power import COVERAGE_MIN, PowerLog, Window
from harness.records import Finding, PowerFile

GAP_S_MAX = 1.5
"""The rules ask for a reading a second; half of that is left to jitter."""

READINGS_MIN = 60
"""Samples that the rules ask for at least."""

COPY_READINGS_MIN = 10
"""Fewer equal readings may be chance."""


def _warn(rule: str, message: str, advice: str = "") -> Finding:
    return Finding(rule=rule, level="warn", message=message, advice=advice)


def _some(files: Sequence[PowerFile]) -> str:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0].source}{more}"


def _gaps(files: Sequence[PowerFile]) -> Iterator[Finding]:
    wide = [file for file in files if file.gap_max_s is not None and file.gap_max_s > GAP_S_MAX]
    if wide:
        worst = max(item.gap_max_s or 0.0 for item in wide)
        message = f"{_some(wide)}: up to {worst:.1f} s of the timed run without a reading"
        yield _warn("mlperf-power-gap", message)
    short = [file for file in files if file.window_readings_count < READINGS_MIN]
    if short:
        fewest = min(item.window_readings_count for item in short)
        message = f"{_some(short)}: only {fewest} readings in the timed run, {READINGS_MIN} are due"
        yield _warn("mlperf-power-short", message)
    doubled = [file for file in files if file.duplicates_count]
    if doubled:
        count = sum(item.duplicates_count for item in doubled)
        message = f"{_some(doubled)}: {count} readings carry the time of another one"
        yield Finding(rule="mlperf-power-duplicate", level="info", message=message)


def _clocks(files: Sequence[PowerFile]) -> Iterator[Finding]:
    off = [
        file for file in files if file.readings_count and "window" not in file.energy_by_method_j
    ]
    lost = [file for file in files if file.readings_count and not file.window_readings_count]
    for item in lost:
        message = f"{item.source}: no reading lies in the timed run; its clock is off"
        yield _warn("mlperf-power-clock", message)
    partly = [item for item in off if item.window_readings_count]
    if partly:
        message = f"{_some(partly)}: readings cover less than {COVERAGE_MIN:.0%} of the timed run"
        yield _warn("mlperf-power-coverage", message, "no joules over the window")


def _switches(files: Sequence[PowerFile]) -> Iterator[Finding]:
    silent = [
        file
        for file in files
        if file.readings_count and not file.energy_by_method_j.get("mlperf-current")
    ]
    if silent:
        joules = sum(item.energy_by_method_j.get("window", 0.0) for item in silent)
        message = (
            f"{_some(silent)}: a switch with readings instead of an estimate counts as 0 J in "
            f"MLPerf's formulas; they come to {joules:.0f} J"
        )
        yield _warn("mlperf-switch-zero", message)


def _bases(files: Sequence[PowerFile]) -> Iterator[Finding]:
    lowered = [file for file in files if file.conversion_ratio != 1.0]
    if lowered:
        factor = lowered[0].conversion_ratio
        kind = lowered[0].measured or "unnamed"
        message = f"{_some(lowered)}: {kind} readings are multiplied by a declared {factor:g}"
        yield Finding(rule="mlperf-power-basis", level="info", message=message)


def audit_run(files: Sequence[PowerFile], window: Window) -> list[Finding]:
    """Findings about the power logs of one run, one for each kind of fault."""
    nodes = [file for file in files if file.kind == "node"]
    switches = [file for file in files if file.kind == "switch"]
    found = [*_gaps(nodes), *_clocks(files), *_switches(switches), *_bases(files)]
    if window.length_ms <= 0:
        found.append(_warn("mlperf-power-window", "the timed run has no length"))
    return found


def audit_copies(logs: Iterable[PowerLog]) -> list[Finding]:
    """Node logs of an archive that are the bytes, or the readings, of another node's log."""
    by_bytes: dict[str, list[str]] = defaultdict(list)
    by_values: dict[tuple[float, ...], list[tuple[str, str]]] = defaultdict(list)
    for log in logs:
        if log.file.kind == "node" and log.file.readings_count:
            by_bytes[log.file.sha256].append(log.file.source)
            if len(log.values) >= COPY_READINGS_MIN and len(set(log.values)) > 1:
                by_values[log.values].append((log.file.source, log.file.sha256))
    found = [
        _warn("mlperf-power-copied", f"{names[0]} is byte by byte {', '.join(names[1:])}")
        for names in by_bytes.values()
        if len(names) > 1
    ]
    for pairs in by_values.values():
        names = list({digest: name for name, digest in reversed(pairs)}.values())[::-1]
        if len(names) > 1:
            message = f"{names[0]} holds the very readings of {', '.join(names[1:])}"
            found.append(_warn("mlperf-power-copied", message))
    return found
