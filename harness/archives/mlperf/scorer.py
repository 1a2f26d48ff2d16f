"""MLPerf Training: olympic means of times, and of the same runs' joules, times the review's factor.

Formulas: `_compute_strong_score_standalone` of mlperf-logging 4.1.68, and training_rules.adoc,
section "Scoring". As shipped, runs that failed fill the places of the slowest, any number of files
is averaged, and an open run that was aborted counts as one that converged. By the rules, missing
and failed runs are infinite and the number of runs has to be that of the benchmark.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from harness.archives.scoring import (
    Cell,
    Contender,
    Field,
    boards_by_workload,
    due_runs,
    figure,
)
from harness.formats.format import Outcome
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


class Results(NamedTuple):
    """The runs of one benchmark on one system, ordered by time."""

    valid: tuple[ImportedRun, ...]
    """Those with a time, fastest first."""
    failed: int
    """Others, those that are due and not there included."""
    dropped: int
    """Runs left out at each end."""
    due: int | None

    @property
    def counted(self) -> tuple[ImportedRun, ...]:
        """Runs in the mean: the failed ones stand behind the slowest."""
        end = len(self.valid) - (self.dropped - self.failed)
        return self.valid[self.dropped : max(end, 0)] if self.failed <= self.dropped else ()


def _counts(run: ImportedRun, *, as_shipped: bool) -> bool:
    """Whether a run is one that converged."""
    if run.time_s is None:
        return False
    division = run.facts.get("submission_division") or run.facts.get("system_division")
    aborted_open = run.status == "aborted" and division not in (CLOSED, None)
    return run.status == "ok" or (as_shipped and aborted_open)


def results_of(workload: str, runs: Sequence[ImportedRun], rules: ImportedRules) -> Results:
    """Sort the runs of a cell into those that count and those that failed."""
    due, dropped = due_runs(rules.due, workload)
    valid = sorted(
        (run for run in runs if _counts(run, as_shipped=rules.as_shipped)),
        key=lambda run: (run.time_s or 0.0, run.run),
    )
    asked = max(due or 0, len(runs)) if not rules.as_shipped else len(runs)
    return Results(tuple(valid), asked - len(valid), dropped, due)


def _mean(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(costs) else None


def _factor(runs: Sequence[ImportedRun]) -> float:
    factor = runs[0].facts.get("scaling_ratio", 1.0)
    return float(factor) if isinstance(factor, int | float) else 1.0


def _figure(
    costs: Sequence[float | None], counted: Sequence[float | None], factor: float, level: float
) -> ImportedFigure | None:
    mean = _mean(counted)
    if mean is None:
        return None
    known = [cost * factor for cost in costs if cost is not None]
    return figure(mean * factor, known, level)


def _joules(runs: Sequence[ImportedRun], method: str) -> list[float | None]:
    return [run.energy_by_method_j.get(method) for run in runs]


def _reason(found: Results, *, has_time: bool) -> str:
    count = f"{len(found.valid)} runs converged"
    if found.due is not None:
        count = f"{len(found.valid)} of {found.due} runs converged"
    if not has_time:
        return f"{count}; at most {found.dropped} may fail"
    return f"{count}; mean of {len(found.counted)}, {found.dropped} dropped at each end"


def score_cell(cell: Cell, runs: Sequence[ImportedRun], rules: ImportedRules) -> ImportedScore:
    """One benchmark on one system of one submitter."""
    found = results_of(cell.workload, runs, rules)
    factor = _factor(runs)
    level = rules.confidence
    time = _figure(
        [r.time_s for r in found.valid], [r.time_s for r in found.counted], factor, level
    )
    means = {method: _mean(_joules(found.counted, method)) for method in METHODS}
    measured = any(run.power for run in runs)
    method = rules.energy_method
    energy = _figure(_joules(found.valid, method), _joules(found.counted, method), factor, level)
    few = found.due is not None and len(runs) < found.due
    missed: Literal["too_few_runs", "target_missed"] = "too_few_runs" if few else "target_missed"
    return ImportedScore(
        workload=cell.workload,
        submission=cell.submission,
        machine=cell.machine,
        n=len(found.valid),
        due_count=found.due,
        failures=found.failed,
        status="scored" if time else missed,
        reason=_reason(found, has_time=time is not None),
        time_to_target_s=time,
        energy_to_target_j=energy,
        energy_method=method if measured else None,
        energy_by_method_j=_scaled(means, factor) if measured else {},
        scaling_ratio=factor,
        facts={"files_count": len(runs), "counted_runs_count": len(found.counted)},
    )


def _scaled(means: dict[EnergyMethod, float | None], factor: float) -> dict[str, float | None]:
    return {key: None if mean is None else mean * factor for key, mean in means.items()}


def _costs(score: ImportedScore, runs: Sequence[ImportedRun], quantity: str) -> list[float]:
    """Costs of the runs behind a figure, for the test that tells entries apart."""
    joules = quantity == "energy_to_target_j"
    factor = score.scaling_ratio or 1.0
    costs = [
        run.energy_by_method_j.get(score.energy_method or "") if joules else run.time_s
        for run in runs
    ]
    return [cost * factor for cost in costs if cost is not None and cost > 0]


def _leaderboard(
    scored: Sequence[tuple[ImportedScore, Results]], rules: ImportedRules, quantity: str
) -> Iterator[ImportedStanding]:
    entries: dict[Cell, tuple[Contender, list[float]]] = {}
    for score_, results in scored:
        found: ImportedFigure | None = getattr(score_, quantity)
        if found is not None:
            cell = Cell(score_.workload, score_.submission, score_.machine)
            contender = Contender(cell, found.value, found.low, found.high)
            entries[cell] = (contender, _costs(score_, results.valid, quantity))
    yield from boards_by_workload(entries, quantity, rules.separation_alpha)


def _findings(cell: Cell, runs: Sequence[ImportedRun], score_: ImportedScore) -> Iterator[Finding]:
    place = f"{cell.submission}, {cell.workload} on {cell.machine}"
    if score_.due_count is not None and len(runs) != score_.due_count:
        message = f"{place}: {len(runs)} result files, {score_.due_count} are due"
        yield Finding(rule="mlperf-run-count", level="warn", message=message)
    undefined = [name for name, joules in score_.energy_by_method_j.items() if joules is None]
    if undefined and score_.time_to_target_s:
        message = f"{place}: no joules by {', '.join(undefined)}: not every run that counts has any"
        yield Finding(rule="mlperf-energy-undefined", level="warn", message=message)
    nodes = {sum(item.kind == "node" for item in run.power) for run in runs if run.power}
    if len(nodes) > 1:
        message = f"{place}: runs have different numbers of node logs: {sorted(nodes)}"
        yield Finding(rule="mlperf-power-nodes", level="warn", message=message)


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score each benchmark on each system of each submitter.

    Raises:
        ValueError: a number of runs in the rules cannot be read.
    """
    field, rules = Field.of(runs, ruleset)
    scored: list[tuple[ImportedScore, Results]] = []
    findings: list[Finding] = []
    for cell, own in field.cells().items():
        scored.append((score_cell(cell, own, rules), results_of(cell.workload, own, rules)))
        findings += _findings(cell, own, scored[-1][0])
    leaderboard = [
        row
        for quantity in ("time_to_target_s", "energy_to_target_j")
        for row in _leaderboard(scored, rules, quantity)
    ]
    return Outcome(tuple(item for item, _ in scored), tuple(leaderboard), tuple(findings))
