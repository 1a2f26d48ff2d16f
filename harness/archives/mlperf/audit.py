"""What MLPerf's checkers do not look at in power logs: gaps, lengths, copies, clocks, zeros."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from harness.archives.mlperf.power import COVERAGE_MIN, PowerLog, Window
from harness.formats.format import make_finding
from harness.records import Finding, PowerFile

GAP_S_MAX = 1.5
"""The rules require a reading each second; half of that is allowed as jitter."""

READINGS_MIN = 60
"""The rules require at least as many readings."""

COPY_READINGS_MIN = 10
"""Fewer equal readings may be chance."""


def audit_run(files: Sequence[PowerFile], window: Window) -> list[Finding]:
    """Findings about the power logs of one run, one for each kind of fault."""
    findings: list[Finding] = []

    def report(
        rule: str,
        faulty: Sequence[PowerFile],
        message: str,
        level: Literal["info", "warn"] = "warn",
        advice: str = "",
    ) -> None:
        if faulty:
            more = f" and {len(faulty) - 1} more" if len(faulty) > 1 else ""
            text = f"{faulty[0].source}{more}: {message}"
            findings.append(make_finding(f"mlperf-{rule}", text, level, advice))

    nodes = [file for file in files if file.kind == "node"]
    wide = [file for file in nodes if (file.gap_max_s or 0.0) > GAP_S_MAX]
    gap_s = max((file.gap_max_s or 0.0 for file in wide), default=0.0)
    report("power-gap", wide, f"up to {gap_s:.1f} s of the timed run without a reading")
    short = [file for file in nodes if file.window_readings_count < READINGS_MIN]
    fewest = min((file.window_readings_count for file in short), default=0)
    message = f"only {fewest} readings in the timed run, {READINGS_MIN} are due"
    report("power-short", short, message)
    doubled = [file for file in nodes if file.duplicates_count]
    count = sum(file.duplicates_count for file in doubled)
    report("power-duplicate", doubled, f"{count} readings carry the time of another one", "info")
    logged = [file for file in files if file.readings_count]
    for file in logged:
        if not file.window_readings_count:
            message = "no reading lies in the timed run; its clock is off"
            report("power-clock", [file], message)
    partly = [
        file
        for file in logged
        if file.window_readings_count and "window" not in file.energy_by_method_j
    ]
    message = f"readings cover less than {COVERAGE_MIN:.0%} of the timed run"
    report("power-coverage", partly, message, advice="no joules over the window")
    silent = [
        file
        for file in logged
        if file.kind == "switch" and not file.energy_by_method_j.get("mlperf-current")
    ]
    joules = sum(file.energy_by_method_j.get("window", 0.0) for file in silent)
    message = "a switch with readings instead of an estimate counts as 0 J in MLPerf's formulas"
    report("switch-zero", silent, f"{message}; they come to {joules:.0f} J")
    if lowered := [file for file in files if file.conversion_ratio != 1.0]:
        factor, kind = lowered[0].conversion_ratio, lowered[0].measured or "unnamed"
        message = f"{kind} readings are multiplied by a declared {factor:g}"
        report("power-basis", lowered, message, "info")
    if window.length_ms <= 0:
        findings.append(make_finding("mlperf-power-window", "the timed run has no length"))
    return findings


def audit_copies(logs: Iterable[PowerLog]) -> list[Finding]:
    """Node logs of an archive that are the bytes, or the readings, of another node's log."""
    by_bytes: dict[str, list[str]] = defaultdict(list)
    by_values: dict[tuple[float, ...], dict[str, str]] = defaultdict(dict)
    for log in logs:
        if log.file.kind == "node" and log.file.readings_count:
            by_bytes[log.file.sha256].append(log.file.source)
            if len(log.values) >= COPY_READINGS_MIN and len(set(log.values)) > 1:
                by_values[log.values].setdefault(log.file.sha256, log.file.source)
    messages = [
        f"{first} is byte by byte {', '.join(others)}"
        for first, *others in by_bytes.values()
        if others
    ]
    messages += [
        f"{first} holds the same readings as {', '.join(others)}"
        for first, *others in (sources.values() for sources in by_values.values())
        if others
    ]
    return [make_finding("mlperf-power-copied", message) for message in messages]
