"""MLPerf Training: olympic means of times, and of the same runs' joules, times the review's factor.

Formulas: `_compute_strong_score_standalone` of mlperf-logging 4.1.68, and training_rules.adoc,
section "Scoring". As shipped, runs that failed take the places of the slowest, any number of files
is averaged, and an open run that was aborted counts as one that converged. By the rules, missing
and failed runs are infinite and the number of runs has to be that of the benchmark.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

from harness.archives.scoring import EntryKey, by_entry, due_runs, figure, leaderboards
from harness.formats.format import Outcome, make_finding
from harness.formats.imported import imported_rules
from harness.records import (
    Finding,
    ImportedFigure,
    ImportedRules,
    ImportedRun,
    ImportedScore,
    ImportedStanding,
    Ruleset,
)
from harness.records.imported import EnergyMethod

METHODS: tuple[EnergyMethod, ...] = get_args(EnergyMethod)
CLOSED = "closed"


class SortedRuns(NamedTuple):
    """The runs of one benchmark on one system, ordered by time."""

    valid: tuple[ImportedRun, ...]
    """Runs that converged, fastest first."""
    failed: int
    """Others, including those that are due and missing."""
    dropped: int
    """Runs dropped at each end."""
    due: int | None

    @property
    def counted(self) -> tuple[ImportedRun, ...]:
        """Runs in the mean: failed ones come after the slowest."""
        end = len(self.valid) - (self.dropped - self.failed)
        return self.valid[self.dropped : max(end, 0)] if self.failed <= self.dropped else ()

    def costs(self, quantity: str) -> list[float | None]:
        """Time, or joules by a method, of each valid run."""
        return [_cost(run, quantity) for run in self.valid]

    def mean(self, quantity: str) -> float | None:
        """Mean over the counted runs; None where one of them has no such cost."""
        costs = [_cost(run, quantity) for run in self.counted]
        known = [cost for cost in costs if cost is not None]
        return math.fsum(known) / len(known) if known and len(known) == len(costs) else None


def _cost(run: ImportedRun, quantity: str) -> float | None:
    return run.time_s if quantity == "time" else run.energy_by_method_j.get(quantity)


def _has_converged(run: ImportedRun, *, as_shipped: bool) -> bool:
    division = run.facts.get("submission_division") or run.facts.get("system_division")
    aborted_open = run.status == "aborted" and division not in (CLOSED, None)
    return run.time_s is not None and (run.status == "ok" or (as_shipped and aborted_open))


def sort_runs(workload: str, runs: Sequence[ImportedRun], rules: ImportedRules) -> SortedRuns:
    """Sort the runs of an entry into those that converged and those that failed."""
    due, dropped = due_runs(rules.due, workload)
    valid = sorted(
        (run for run in runs if _has_converged(run, as_shipped=rules.as_shipped)),
        key=lambda run: (run.time_s or 0.0, run.run),
    )
    asked = len(runs) if rules.as_shipped else max(due or 0, len(runs))
    return SortedRuns(tuple(valid), asked - len(valid), dropped, due)


def _factor(runs: Sequence[ImportedRun]) -> float:
    factor = runs[0].facts.get("scaling_ratio", 1.0)
    return float(factor) if isinstance(factor, int | float) else 1.0


def _scaled_costs(runs: SortedRuns, quantity: str, factor: float) -> list[float]:
    return [cost * factor for cost in runs.costs(quantity) if cost is not None]


def _figure(runs: SortedRuns, quantity: str, factor: float, level: float) -> ImportedFigure | None:
    mean = runs.mean(quantity)
    if mean is None:
        return None
    return figure(mean * factor, _scaled_costs(runs, quantity, factor), level)


def _reason(runs: SortedRuns, *, has_time: bool) -> str:
    of_due = "" if runs.due is None else f" of {runs.due}"
    count = f"{len(runs.valid)}{of_due} runs converged"
    if not has_time:
        return f"{count}; at most {runs.dropped} may fail"
    return f"{count}; mean of {len(runs.counted)}, {runs.dropped} dropped at each end"


def score_entry(key: EntryKey, runs: Sequence[ImportedRun], rules: ImportedRules) -> ImportedScore:
    """Score one benchmark on one system of one submitter."""
    ordered, factor, method = (
        sort_runs(key.workload, runs, rules),
        _factor(runs),
        rules.energy_method,
    )
    time = _figure(ordered, "time", factor, rules.confidence)
    means = {name: ordered.mean(name) for name in METHODS}
    is_measured = any(run.power for run in runs)
    few = ordered.due is not None and len(runs) < ordered.due
    return ImportedScore(
        **key._asdict(),
        n=len(ordered.valid),
        due_count=ordered.due,
        failures=ordered.failed,
        status="scored" if time else "too_few_runs" if few else "target_missed",
        reason=_reason(ordered, has_time=time is not None),
        time_to_target_s=time,
        energy_to_target_j=_figure(ordered, method, factor, rules.confidence),
        energy_method=method if is_measured else None,
        energy_by_method_j={
            name: None if mean is None else mean * factor for name, mean in means.items()
        }
        if is_measured
        else {},
        scaling_ratio=factor,
        facts={"files_count": len(runs), "counted_runs_count": len(ordered.counted)},
    )


def _check(key: EntryKey, runs: Sequence[ImportedRun], score_: ImportedScore) -> Iterator[Finding]:
    place = f"{key.submission}, {key.workload} on {key.machine}"
    if score_.due_count is not None and len(runs) != score_.due_count:
        message = f"{place}: {len(runs)} result files, {score_.due_count} are due"
        yield make_finding("mlperf-run-count", message)
    undefined = [name for name, joules in score_.energy_by_method_j.items() if joules is None]
    if undefined and score_.time_to_target_s:
        message = f"{place}: no joules by {', '.join(undefined)}: not every run that counts has any"
        yield make_finding("mlperf-energy-undefined", message)
    nodes = {sum(log.kind == "node" for log in run.power) for run in runs if run.power}
    if len(nodes) > 1:
        message = f"{place}: runs have different numbers of node logs: {sorted(nodes)}"
        yield make_finding("mlperf-power-nodes", message)


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score each benchmark on each system of each submitter.

    Raises:
        ValueError: a number of runs in the rules cannot be read.
    """
    rules, entries = imported_rules(ruleset), by_entry(runs)
    scores = {key: score_entry(key, own, rules) for key, own in entries.items()}
    findings = [f for key, own in entries.items() for f in _check(key, own, scores[key])]
    boards: list[ImportedStanding] = []
    for name, quantity in (
        ("time_to_target_s", "time"),
        ("energy_to_target_j", rules.energy_method),
    ):
        costs = {
            key: _scaled_costs(sort_runs(key.workload, own, rules), quantity, _factor(own))
            for key, own in entries.items()
        }
        boards += leaderboards(scores.values(), costs, name, rules.separation_alpha)
    return Outcome(tuple(scores.values()), tuple(boards), tuple(findings))
