"""What several pages need of an entry's bundles, from one reading of each."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from harness.measure.trace import Trace
from harness.report.breakdown import joules_at_snapshots
from harness.report.entries import Entry, EntryRun
from harness.report.traces import envelope, power_of, trace_of

BINS = 120
"""Points of the power in the comparison."""


class MetricCurve(NamedTuple):
    """Metric of one run over time, or over energy."""

    seed: int
    run_id: str
    points: tuple[tuple[int, float, float], ...]
    """Index of the snapshot, seconds or joules since the start signal, metric."""
    scored: int | None
    """Index of the scored snapshot."""
    reached: bool


def curve_of(run: EntryRun) -> MetricCurve | None:
    """Return the metric over time of a run; None where no snapshot has a metric."""
    if run.run is None or run.evaluation is None or run.run.window.gun_ns is None:
        return None
    stamps = {shot.index: shot.stamp_ns for shot in run.run.snapshots}
    points = tuple(
        (row.snapshot, (stamps[row.snapshot] - run.run.window.gun_ns) / 1e9, row.value)
        for row in sorted(run.evaluation.values, key=lambda row: row.snapshot)
        if row.value is not None and row.snapshot in stamps
    )
    score = run.score
    curve = MetricCurve(score.seed, score.run_id, points, score.snapshot, score.reached)
    return curve if points else None


def by_joules(curve: MetricCurve, joules: Mapping[int, float]) -> MetricCurve | None:
    """Return the curve over the energy of its snapshots; None where no energy is known."""
    known = [point for point in curve.points if point[0] in joules]
    points = tuple((index, joules[index], value) for index, _, value in known)
    return curve._replace(points=points) if points else None


class Digest(NamedTuple):
    """A few numbers of an entry's bundles."""

    curves: tuple[MetricCurve, ...]
    """Metric over time of each run that has one."""
    energy_curves: tuple[MetricCurve, ...]
    """Metric over energy of each run that has one."""
    power: dict[str, Any] | None
    """Power of the first readable run over its disjoint domains; None without a trace."""
    settings: dict[str, str]
    """Settings of that run by label; empty where it cannot be read."""


def _power(run: EntryRun, trace: Trace | None) -> dict[str, Any] | None:
    """Return the power from the start signal on, summed over the domains of the score."""
    if run.run is None or trace is None:
        return None
    window = run.run.window
    series = {item.domain: item for item in power_of(trace, run.run.domains)}
    names = [name for name in run.score.energy.domains if name in series]
    if window.gun_ns is None or window.end_ns is None or not names:
        return None
    t_s = np.linspace(window.gun_ns / 1e9, window.end_ns / 1e9, BINS)
    thin = [envelope(series[name], BINS * 4) for name in names]
    total = sum((np.interp(t_s, one.t_s, one.mean_w) for one in thin), np.zeros(BINS))
    watts = [float(f"{value:.3g}") for value in total]
    return {"seconds": float(t_s[-1] - t_s[0]), "watts": watts, "seed": run.score.seed}


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"


def settings_of(run: EntryRun) -> dict[str, str]:
    """Return the settings of a run by label; the comparison shows them line by line."""
    record, machine = run.run, run.machine
    if record is None:
        return {}
    settings = {f"hyperparameter {key}": str(x) for key, x in record.hyperparameters.items()}
    settings |= {
        "methods": _listed(record.submission.methods),
        "size of the source": f"{record.submission.size_bytes} bytes",
        "threads": str(record.workload.threads),
        "budget": f"{record.workload.budget_s:g} s",
        "isolation": record.isolation.level,
        "JouleMark": record.harness_version,
    }
    if machine is not None:
        settings |= {"processor": machine.cpu_model, "GPUs": _listed(machine.gpus)}
        settings |= {"kernel": machine.kernel, "Python": machine.python}
        settings |= dict(sorted(machine.packages.items()))
    return settings


def digest_of(entry: Entry) -> Digest:
    """Read every bundle of an entry once."""
    opened, curves, energy_curves = entry.opened(), [], []
    power: dict[str, Any] | None = None
    settings: dict[str, str] = {}
    for run in opened.runs:
        trace = trace_of(run)
        if curve := curve_of(run):
            curves.append(curve)
            if over_energy := by_joules(curve, joules_at_snapshots(run, trace)):
                energy_curves.append(over_energy)
        if run is opened.shown_run:
            power, settings = _power(run, trace), settings_of(run)
    return Digest(tuple(curves), tuple(energy_curves), power, settings)
