"""Hints for a competitor: what one run could save, each with the numbers behind it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.records import Run
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


def _of_window(run: Run) -> Iterator[Hint]:
    """Yield hints if the run continued after its last snapshot, or if processors were idle."""
    gun_ns, end_ns, threads = run.window.gun_ns, run.window.end_ns, run.workload.threads
    if gun_ns is None or end_ns is None or end_ns == gun_ns:
        return
    window_s, cpu_s = (end_ns - gun_ns) / 1e9, run.usage.window_cpu_s if run.usage else None
    tail_s = (end_ns - run.snapshots[-1].stamp_ns) / 1e9 if run.snapshots else 0.0
    if tail_s > max(TAIL_MIN * window_s, 1.0):
        text = f"the run continued for {quantity(tail_s, 's')} after its last snapshot"
        yield Hint(f"{text}: call done() earlier", f"of a window of {quantity(window_s, 's')}")
    if cpu_s is not None and cpu_s < BUSY_MIN * window_s * threads:
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


def _snapshots(run: EntryRun, record: Run, breakdown: Breakdown) -> Iterator[Hint]:
    """Yield a hint if training continued after the target was reached.

    Where the first passing snapshot counts, that is the case if the last two are far apart.
    """
    score, stop_ns, better = run.score, run.stop_ns(), record.workload.better
    if stop_ns is None or not score.reached:
        return
    if record.snapshot_rule == "first_passing" and score.time_low_s is not None and score.time_s:
        gap_s, stop_s = score.time_s - score.time_low_s, stop_ns / 1e9
        worth = SHARE_MIN * score.time_s < gap_s < stop_s
        saved_j = breakdown.between_j(stop_s - gap_s, stop_s) if worth else None
        if saved_j is not None:
            share, saved = percent(gap_s / score.time_s), quantity(saved_j, "J")
            text = f"the target was crossed in the last {share} of the time"
            advice = f"a snapshot at the crossing saves up to {saved}"
            yield Hint(f"{text}: {advice}", f"snapshots {quantity(gap_s, 's')} apart")
    if record.snapshot_rule == "final" and run.evaluation is not None:
        sign = 1 if better == "higher" else -1
        values = {row.snapshot: row.value for row in run.evaluation.values}
        stamps = [
            shot.stamp_ns
            for shot in record.snapshots
            if (value := values.get(shot.index)) is not None
            and sign * value >= sign * record.workload.target
        ]
        first_ns = min(stamps, default=stop_ns)
        late = first_ns < stop_ns
        saved_j = breakdown.between_j(first_ns / 1e9, stop_ns / 1e9) if late else None
        if saved_j is not None:
            text = f"stopping at the first snapshot that passed saves {quantity(saved_j, 'J')}"
            earlier = quantity((stop_ns - first_ns) / 1e9, "s")
            yield Hint(text, f"{earlier} earlier in this run; the margin is your safety over seeds")


def _limits(breakdown: Breakdown) -> Iterator[Hint]:
    """Yield hints for accelerators that stayed far below their power limit."""
    scored = [segment for segment in breakdown.segments if segment.scored]
    intervals = [interval for segment in scored for interval in segment.intervals_s]
    seconds = sum(segment.seconds for segment in scored)
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
    if run.run is None:
        return []
    hints = list(_of_window(run.run))
    if breakdown is not None:
        hints += [*_phases(breakdown), *_snapshots(run, run.run, breakdown), *_limits(breakdown)]
    return hints
