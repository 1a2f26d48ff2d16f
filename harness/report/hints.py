"""Hints for a competitor: what one run could save, each with the numbers behind it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.report.breakdown import Breakdown, sum_known
from harness.report.entries import EntryRun
from harness.report.numbers import percent, quantity

PHASES = (
    (
        re.compile(r"eval|valid|test", re.IGNORECASE),
        "the submission's own evaluation",
        "evaluate less often, or on fewer examples",
    ),
    (
        re.compile(r"load|compil|setup|warm|init|prepar", re.IGNORECASE),
        "loading and preparation",
        "prepare less, or overlap it with training",
    ),
)
"""Kinds of phases by their names, and the advice."""

SHARE_MIN = 0.1
"""Share of the energy, or of the time, that is worth a hint."""

TAIL_MIN = 0.05
"""Share of the run window after the last snapshot that is worth a hint."""

BUSY_MIN = 0.6
"""Below this share of the processor time, or of a power limit, the run waited for something."""


class Hint(NamedTuple):
    """What could be saved."""

    text: str
    basis: str
    """The numbers behind it."""


def _window_s(run: EntryRun) -> float | None:
    window = run.run.window if run.run else None
    if window is None or window.gun_ns is None or window.end_ns is None:
        return None
    return (window.end_ns - window.gun_ns) / 1e9


def _tail(run: EntryRun) -> Iterator[Hint]:
    """Yield a hint if the run continued after its last snapshot."""
    window_s = _window_s(run)
    if not window_s or run.run is None or run.run.window.end_ns is None or not run.run.snapshots:
        return
    tail_s = (run.run.window.end_ns - run.run.snapshots[-1].stamp_ns) / 1e9
    if tail_s > max(TAIL_MIN * window_s, 1.0):
        text = (
            f"the run continued for {quantity(tail_s, 's')} after its last snapshot: "
            "call done() earlier"
        )
        yield Hint(text, f"of a window of {quantity(window_s, 's')}")


def _load(run: EntryRun) -> Iterator[Hint]:
    """Yield a hint if the processors were idle."""
    window_s, usage = _window_s(run), run.run.usage if run.run else None
    if not window_s or run.run is None or usage is None or usage.window_cpu_s is None:
        return
    threads, cpu_s = run.run.workload.threads, usage.window_cpu_s
    if cpu_s < BUSY_MIN * window_s * threads:
        share = percent(cpu_s / (window_s * threads))
        text = f"the {threads} threads were busy for {share} of the window; the rest was waiting"
        yield Hint(text, f"{quantity(cpu_s, 's')} of CPU in {quantity(window_s, 's')}")


def _phases(breakdown: Breakdown) -> Iterator[Hint]:
    """Yield hints for phases other than training that take much energy."""
    scored_j = breakdown.scored_j()
    for pattern, name, advice in PHASES:
        parts = [
            breakdown.total_j(index) or 0.0
            for index, segment in enumerate(breakdown.segments)
            if segment.scored and pattern.search(segment.name)
        ]
        if scored_j and sum(parts) > SHARE_MIN * scored_j:
            text = f"{name} took {percent(sum(parts) / scored_j)} of the energy: {advice}"
            yield Hint(text, f"{quantity(sum(parts), 'J')}, by the phases that you reported")


def _spacing(run: EntryRun, breakdown: Breakdown) -> Iterator[Hint]:
    """Yield a hint if the last two snapshots are far apart, where the first passing one counts."""
    score, stop_ns = run.score, run.stop_ns()
    if run.run is None or run.run.snapshot_rule != "first_passing" or not score.reached:
        return
    if score.time_low_s is None or stop_ns is None or not score.time_s:
        return
    gap_s, stop_s = score.time_s - score.time_low_s, stop_ns / 1e9
    if not SHARE_MIN * score.time_s < gap_s < stop_s:
        return
    saved_j = breakdown.between_j(stop_s - gap_s, stop_s)
    if saved_j is not None:
        text = (
            f"the target was crossed in the last {percent(gap_s / score.time_s)} of the time: "
            f"a snapshot at the crossing saves up to {quantity(saved_j, 'J')}"
        )
        yield Hint(text, f"snapshots {quantity(gap_s, 's')} apart")


def _late_stop(run: EntryRun, breakdown: Breakdown) -> Iterator[Hint]:
    """Yield a hint if training continued after the target was reached, under rule `final`."""
    record, evaluation, stop_ns = run.run, run.evaluation, run.stop_ns()
    if record is None or evaluation is None or stop_ns is None or not run.score.reached:
        return
    sign = 1 if record.workload.better == "higher" else -1
    passing = {
        row.snapshot
        for row in evaluation.values
        if row.value is not None and sign * row.value >= sign * record.workload.target
    }
    stamps = [shot.stamp_ns for shot in record.snapshots if shot.index in passing]
    if record.snapshot_rule != "final" or not stamps or min(stamps) >= stop_ns:
        return
    saved_j = breakdown.between_j(min(stamps) / 1e9, stop_ns / 1e9)
    if saved_j is not None:
        text = f"stopping at the first snapshot that passed saves {quantity(saved_j, 'J')}"
        earlier = quantity((stop_ns - min(stamps)) / 1e9, "s")
        yield Hint(text, f"{earlier} earlier in this run; the margin is your safety over seeds")


def _limits(breakdown: Breakdown) -> Iterator[Hint]:
    """Yield hints for accelerators that stayed far below their power limit."""
    intervals = [
        interval
        for segment in breakdown.segments
        if segment.scored
        for interval in segment.intervals_s
    ]
    seconds = sum(end - start for start, end in intervals)
    for curve in breakdown.curves:
        limit_w = curve.domain.power_high_w
        energy_j = sum_known(curve.sum_j([interval]) for interval in intervals)
        if curve.domain.kind != "gpu" or not limit_w or seconds <= 0 or energy_j is None:
            continue
        mean_w = energy_j / seconds
        if mean_w < BUSY_MIN * limit_w:
            share = percent(mean_w / limit_w)
            text = f"{curve.domain.name} used {share} of its power limit: input or launch bound"
            yield Hint(text, f"{quantity(mean_w, 'W')} of {quantity(limit_w, 'W')}")


def hints_of(run: EntryRun, breakdown: Breakdown | None) -> list[Hint]:
    """Return the hints about one run; empty where nothing stands out."""
    hints = [*_tail(run), *_load(run)]
    if breakdown is not None:
        hints += [*_phases(breakdown), *_spacing(run, breakdown), *_late_stop(run, breakdown)]
        hints += _limits(breakdown)
    return hints
