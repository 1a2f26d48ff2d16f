"""Hints for a competitor: rules over one run, each with the numbers that it rests on."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.report import numbers
from harness.report.breakdown import Breakdown, cut_ns
from harness.report.entries import EntryRun

EVALUATION = re.compile(r"eval|valid|test", re.IGNORECASE)
PREPARATION = re.compile(r"load|compil|setup|warm|init|prepar", re.IGNORECASE)
SHARE = 0.1
"""Part of the joules from which on a phase is worth a hint."""
TAIL = 0.05
"""Part of the window from which on idling after the last snapshot is worth one."""
BUSY = 0.6
"""Below this part of the processors' time, or of a limit, something was waited for."""


class Hint(NamedTuple):
    """What could be saved, and how that is known."""

    text: str
    basis: str
    """The numbers behind it."""


def _phase_share(told: Breakdown, pattern: re.Pattern[str]) -> tuple[float, float] | None:
    """Joules of the phases whose names match, and their part of what is scored."""
    scored_j = told.scored_j()
    parts = [
        told.total_j(index)
        for index, segment in enumerate(told.segments)
        if segment.scored and pattern.search(segment.name)
    ]
    known = [part for part in parts if part is not None]
    if not known or not scored_j:
        return None
    return sum(known), sum(known) / scored_j


def _of_phases(told: Breakdown) -> Iterator[Hint]:
    kinds = (
        (EVALUATION, "evaluation of your own", "evaluate less often, or on fewer examples"),
        (PREPARATION, "loading and preparation", "prepare less, or overlap it with training"),
    )
    for pattern, name, advice in kinds:
        found = _phase_share(told, pattern)
        if found is not None and found[1] > SHARE:
            joules, part = found
            text = f"{name} took {numbers.percent(part)} of the joules: {advice}"
            yield Hint(text, f"{numbers.quantity(joules, 'J')}, by the phases that you named")


def _joules_between(told: Breakdown, start_s: float, end_s: float) -> float | None:
    curves = [curve for curve in told.curves if curve.domain.name in told.added]
    parts = [curve.sum_j([(start_s, end_s)]) for curve in curves]
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None


def _of_spacing(each: EntryRun, told: Breakdown) -> Iterator[Hint]:
    """Snapshots so far apart that the crossing is known only roughly."""
    run, score = each.run, each.score
    if run is None or run.snapshot_rule != "first_passing" or not score.reached:
        return
    stop_ns = cut_ns(each, run)
    if score.time_low_s is None or stop_ns is None or not score.time_s:
        return
    part = (score.time_s - score.time_low_s) / score.time_s
    end_s = stop_ns / 1e9
    saved_j = _joules_between(told, end_s - (score.time_s - score.time_low_s), end_s)
    if part > SHARE and saved_j is not None:
        text = (
            f"the target was crossed somewhere in the last {numbers.percent(part)} of the time: "
            f"a snapshot at the crossing saves up to {numbers.quantity(saved_j, 'J')}"
        )
        yield Hint(
            text, f"snapshots {numbers.quantity(score.time_s - score.time_low_s, 's')} apart"
        )


def _of_late_stop(each: EntryRun, told: Breakdown) -> Iterator[Hint]:
    """Under `final`: training that went on after the target was passed."""
    run, evaluation = each.run, each.evaluation
    if run is None or evaluation is None or run.snapshot_rule != "final" or not each.score.reached:
        return
    better = 1 if run.workload.better == "higher" else -1
    passing = {
        row.snapshot
        for row in evaluation.values
        if row.value is not None and better * row.value >= better * run.workload.target
    }
    stamps = [shot.stamp_ns for shot in run.snapshots if shot.index in passing]
    stop_ns = cut_ns(each, run)
    if not stamps or stop_ns is None or min(stamps) >= stop_ns:
        return
    saved_j = _joules_between(told, min(stamps) / 1e9, stop_ns / 1e9)
    if saved_j is not None:
        text = f"stopping at the first snapshot that passed saves {numbers.quantity(saved_j, 'J')}"
        seconds = numbers.quantity((stop_ns - min(stamps)) / 1e9, "s")
        yield Hint(text, f"{seconds} earlier, in this run; the margin is your safety over seeds")


def _of_tail(each: EntryRun) -> Iterator[Hint]:
    """A run that goes on after its last snapshot."""
    run = each.run
    if run is None or run.window.gun_ns is None or run.window.end_ns is None or not run.snapshots:
        return
    window_s = (run.window.end_ns - run.window.gun_ns) / 1e9
    tail_s = (run.window.end_ns - run.snapshots[-1].stamp_ns) / 1e9
    if window_s > 0 and tail_s > max(TAIL * window_s, 1.0):
        text = f"the run went on for {numbers.quantity(tail_s, 's')} after its last snapshot"
        yield Hint(
            f"{text}: say done when you are", f"of a window of {numbers.quantity(window_s, 's')}"
        )


def _of_load(each: EntryRun) -> Iterator[Hint]:
    """Processors that waited."""
    run = each.run
    if run is None or run.usage is None or run.usage.window_cpu_s is None:
        return
    if run.window.gun_ns is None or run.window.end_ns is None:
        return
    window_s = (run.window.end_ns - run.window.gun_ns) / 1e9
    offered_s = window_s * run.workload.threads
    if offered_s > 0 and run.usage.window_cpu_s < BUSY * offered_s:
        part = numbers.percent(run.usage.window_cpu_s / offered_s)
        used = numbers.quantity(run.usage.window_cpu_s, "s")
        text = f"the {run.workload.threads} threads were busy {part} of the window: they waited"
        yield Hint(text, f"{used} of CPU in {numbers.quantity(window_s, 's')}")


def _of_limits(told: Breakdown) -> Iterator[Hint]:
    """Accelerators that stayed far under their limit."""
    window = [stretch for segment in told.segments if segment.scored
              for stretch in segment.stretches_s]  # fmt: skip
    seconds = sum(end - start for start, end in window)
    for curve in told.curves:
        limit_w = curve.domain.power_high_w
        if curve.domain.kind != "gpu" or not limit_w or seconds <= 0:
            continue
        joules = curve.sum_j(window)
        if joules is not None and joules / seconds < BUSY * limit_w:
            mean_w = joules / seconds
            part = numbers.percent(mean_w / limit_w)
            text = f"{curve.domain.name} stayed at {part} of its limit: input or launch bound"
            basis = f"{numbers.quantity(mean_w, 'W')} of {numbers.quantity(limit_w, 'W')}"
            yield Hint(text, basis)


def hints_of(each: EntryRun, told: Breakdown | None) -> list[Hint]:
    """Everything that can be said of one run; empty where nothing stands out."""
    found = [*_of_tail(each), *_of_load(each)]
    if told is not None:
        found += [*_of_phases(told), *_of_spacing(each, told), *_of_late_stop(each, told)]
        found += _of_limits(told)
    return found
