"""Our runs as MLPerf's log lines: events of the run, and a power log that adds up to its joules.

A run starts at the start signal and stops at the stamp of the scored snapshot; evaluations carry
the stamps of their snapshots, since they were made later, off the clock. The power log holds the
mean power of each interval of a grid (at most a second, at least sixty in a run), so that the sum
over readings times interval is the run's score in joules, to the last digit that a float has.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np

from harness.bundle import TRACE, BundleError
from harness.clock import NS_PER_S
from harness.formats.exports import RunToWrite
from harness.measure.energy import EnergyReader
from harness.measure.trace import Trace, TraceError, parse_trace

TOKEN = ":::MLLOG "  # noqa: S105 - it marks a line
STEP_MS_MAX = 1000
READINGS_MIN = 60
NS_PER_MS = 1_000_000
KINDS = {"start": "INTERVAL_START", "stop": "INTERVAL_END"}


def start_ms(run: RunToWrite) -> int:
    """The start signal, in milliseconds of wall time."""
    return origin_ms(run.bundle.run.window.origin_utc) + run.start_ns // NS_PER_MS


def length_ms(run: RunToWrite) -> int:
    """The score window, or the run window where no snapshot is scored; at least a millisecond."""
    seconds = run.score["time_s"] or run.score["window_s"] or 0.0
    return max(1, round(seconds * 1000))


def origin_ms(text: str) -> int:
    """Milliseconds of `2026-11-22T00:07:25.000000001Z`."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * 1000 + int((fraction + "000")[:3])


def event(key: str, time_ms: int, value: Any = None, **metadata: Any) -> str:
    """One line of a log."""
    tree = {
        "namespace": "",
        "time_ms": time_ms,
        "event_type": KINDS.get(key.rpartition("_")[2], "POINT_IN_TIME"),
        "key": key,
        "value": value,
        "metadata": {"file": "joulemark", "lineno": 0, **metadata},
    }
    return f"{TOKEN}{json.dumps(tree, sort_keys=True, allow_nan=False)}\n"


def _head(run: RunToWrite, benchmark: str, org: str) -> Iterator[str]:
    before = start_ms(run) - 1
    window = run.bundle.run.window
    launched = origin_ms(window.origin_utc) + (window.launch_ns or 0) // NS_PER_MS
    launch = min(before, launched)
    yield event("cache_clear", launch, value=True)
    yield event("init_start", launch)
    facts = {
        "submission_benchmark": benchmark,
        "submission_division": "open",
        "submission_org": org,
        "submission_platform": run.bundle.run.machine,
        "submission_status": "research",
        "seed": run.score["seed"],
        "global_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "train_samples": 1,
        "eval_samples": run.bundle.evaluation.examples if run.bundle.evaluation else 0,
        "joulemark_run": run.score["run_id"],
        "joulemark_workload": run.entry["workload"],
        "joulemark_submission": run.entry["submission"],
        "joulemark_manifest_sha256": run.score["manifest_sha256"],
    }
    for key, value in facts.items():
        yield event(key, before, value)
    yield event("init_stop", before)


def _body(run: RunToWrite) -> Iterator[str]:
    previous_ms = start_ms(run)
    for number, (after_ns, _, metric) in enumerate(run.evaluations(), 1):
        after_ms = round(after_ns / NS_PER_MS)
        if after_ms <= length_ms(run):
            at_ms = start_ms(run) + after_ms
            yield event("block_start", previous_ms, first_epoch_num=number, epoch_count=1)
            yield event("block_stop", at_ms, first_epoch_num=number)
            yield event("eval_start", at_ms, epoch_num=number)
            yield event("eval_accuracy", at_ms, metric, epoch_num=number)
            yield event("eval_stop", at_ms, epoch_num=number)
            previous_ms = at_ms


def result_log(run: RunToWrite, benchmark: str, org: str) -> bytes:
    """The log of a run, with all that MLPerf's rules require of open submissions."""
    status = "success" if run.score["reached"] else "aborted"
    lines = [
        *_head(run, benchmark, org),
        event("run_start", start_ms(run)),
        *_body(run),
        event("run_stop", start_ms(run) + length_ms(run), status=status),
    ]
    return "".join(lines).encode()


def _grid(run: RunToWrite) -> list[int]:
    """Milliseconds after the start signal, from 0 to the end."""
    count = max(READINGS_MIN, -(-length_ms(run) // STEP_MS_MAX))
    marks = {round(length_ms(run) * i / count) for i in range(count + 1)}
    return sorted(marks)


def _mean_power_w(run: RunToWrite, edges_ns: Sequence[int]) -> list[float]:
    """Mean power between successive times; constant where the trace has no readings.

    Raises:
        BundleError: the trace cannot be read.
    """
    text, names = run.bundle.trace_text(), run.score["energy"]["domains"]
    try:
        trace = parse_trace(text, str(run.bundle.folder / TRACE)) if text else Trace({})
    except TraceError as error:
        raise BundleError(str(error)) from error
    reader = EnergyReader(trace, [item for item in run.bundle.run.domains if item.name in names])
    edges_s = np.array(edges_ns) / NS_PER_S
    curves = [reader.curve(name) for name in reader.domains]
    gained_j = sum(np.diff(curve.at(edges_s)) for curve in curves if curve is not None)
    watts = np.maximum(gained_j, 0.0) / np.diff(edges_s)
    return [float(value) for value in (watts if watts.sum() > 0 else np.ones(len(watts)))]


def power_readings(run: RunToWrite) -> list[tuple[int, float]]:
    """Mean watts of each interval, by the milliseconds after the start signal at which it ends.

    They add up to the joules of the run.

    Raises:
        BundleError: the trace cannot be read.
    """
    joules = run.score["energy"]["energy_j"]
    if joules is None:
        return []
    marks = _grid(run)
    edges = [run.start_ns + mark * NS_PER_MS for mark in marks]
    shape = _mean_power_w(run, edges)
    spans_s = [(b - a) / 1000 for a, b in pairwise(marks)]
    total = sum(power * span for power, span in zip(shape, spans_s, strict=True))
    return [(mark, power * joules / total) for mark, power in zip(marks[1:], shape, strict=True)]


def power_log(run: RunToWrite, readings: Sequence[tuple[int, float]]) -> bytes:
    """A node's power log over exactly the timed run."""
    start = start_ms(run)
    method = run.score["energy"]["method"] or "none"
    facts = {"host": run.bundle.run.machine, "method": method}
    facts["domains"] = ", ".join(run.score["energy"]["domains"])
    lines = [event("power_measurement_start", start)]
    lines += [event("power_reading", start + at, watts, **facts) for at, watts in readings]
    lines.append(event("power_measurement_stop", start + length_ms(run)))
    return "".join(lines).encode()
