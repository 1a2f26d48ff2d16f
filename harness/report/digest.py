"""What several pages want of an entry's traces, taken from one reading of each."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from harness.measure.trace import Trace
from harness.report.breakdown import joules_at_snapshots
from harness.report.charts.curve import MetricCurve, by_joules, curves_of
from harness.report.entries import Entry, EntryRun
from harness.report.traces import envelope, power_of, trace_of

BINS = 120
"""Points of the power that the comparison draws."""


class Digest(NamedTuple):
    """Few numbers of an entry's traces."""

    joules: dict[str, dict[int, float]]
    """By run, joules from the gun to each snapshot."""
    curves: tuple[MetricCurve, ...]
    """Metric over time of each run that has one."""
    power: dict[str, Any] | None
    """Watts of the first readable run over its disjoint domains; None where nothing was read."""
    settings: dict[str, str]
    """What that run was set up with, by label; empty where it cannot be read."""

    def curves_by_joules(self) -> list[MetricCurve]:
        """Metric over joules of each run of which both are known."""
        found = (by_joules(curve, self.joules.get(curve.run_id, {})) for curve in self.curves)
        return [item for item in found if item is not None]


def _power(each: EntryRun, trace: Trace | None) -> dict[str, Any] | None:
    """Watts after the gun, summed over the domains that are added up."""
    run = each.run
    if run is None or trace is None or run.window.gun_ns is None or run.window.end_ns is None:
        return None
    series = {item.domain: item for item in power_of(trace, run.domains)}
    added = [name for name in each.score.energy.domains if name in series]
    if not added:
        return None
    t_s = np.linspace(run.window.gun_ns / 1e9, run.window.end_ns / 1e9, BINS)
    total = np.zeros(BINS)
    for name in added:
        thin = envelope(series[name], BINS * 4)
        total += np.interp(t_s, thin.t_s, thin.mean_w)
    watts = [float(f"{value:.3g}") for value in total]
    return {"seconds": float(t_s[-1] - t_s[0]), "watts": watts, "seed": each.score.seed}


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values)) or "none"


def settings_of(each: EntryRun) -> dict[str, str]:
    """What a run was set up with, by label: what two entries are held against, line by line."""
    run, machine = each.run, each.machine
    if run is None:
        return {}
    made = {f"hyperparameter {key}": str(value) for key, value in run.hyperparameters.items()}
    made |= {
        "methods it names": _listed(run.submission.methods),
        "size of its source": f"{run.submission.size_bytes} bytes",
        "threads": str(run.workload.threads),
        "budget": f"{run.workload.budget_s:g} s",
        "isolation": run.isolation.level,
        "JouleMark": run.harness_version,
    }
    if machine is not None:
        made |= {"processor": machine.cpu_model, "GPUs": _listed(machine.gpus)}
        made |= {"kernel": machine.kernel, "Python": machine.python}
        made |= dict(sorted(machine.packages.items()))
    return made


def digest_of(entry: Entry) -> Digest:
    """Read every trace of an entry once, and keep little of it."""
    opened, shown = entry.opened(), None
    joules: dict[str, dict[int, float]] = {}
    power = None
    for run in opened.runs:
        trace = trace_of(run)
        joules[run.score.run_id] = joules_at_snapshots(run, trace)
        if run is opened.shown_run:
            shown, power = run, _power(run, trace)
    settings = settings_of(shown) if shown else {}
    return Digest(joules, tuple(curves_of(opened)), power, settings)


class Digests:
    """The digests of a site's entries, each made when it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[str, Digest] = {}

    def of(self, entry: Entry) -> Digest:
        """The digest of an entry of the site."""
        if entry.path not in self._found:
            self._found[entry.path] = digest_of(entry)
        return self._found[entry.path]
