"""The document of a series of runs: its scores, its table, and its exit code."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from harness.bundle import Bundle
from harness.cli.command import Document
from harness.cli.printer import Printer
from harness.errors import ExitCode
from harness.measure.energy import disjoint
from harness.meters._sensing import ONLY_PSYS as SENSOR
from harness.records import Ruleset, Run, RunScore
from harness.records.measure import Method, weakest_method
from harness.report.numbers import plain, quantity
from harness.run.order import RunResult
from harness.score.run.cost import run_score

CODE_OF = {
    "ok": ExitCode.OK,
    "target_missed": ExitCode.TARGET_MISSED,
    "budget_exceeded": ExitCode.OVER_BUDGET,
    "degraded": ExitCode.UNTRUSTED,
    "diverged": ExitCode.INVALID,
    "oom": ExitCode.INVALID,
    "crashed": ExitCode.INVALID,
    "killed": ExitCode.INVALID,
    "invalid": ExitCode.INVALID,
    "aborted": ExitCode.INTERRUPTED,
}
"""Exit code of a single run, by its status."""

WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.INVALID,
    ExitCode.OVER_BUDGET,
    ExitCode.UNTRUSTED,
    ExitCode.TARGET_MISSED,
    ExitCode.OK,
)
"""A series exits with the first of these codes that one of its runs has."""

COLUMNS = (
    "seed", "status", "metric", "time to target", "joules to target", "whole run", "method",
    "domains", "reason",
)  # fmt: skip
RIGHT = (COLUMNS[0], *COLUMNS[2:6])
TRIAL_COLUMNS = ("study", "trial", "seed", "hyperparameters", "reported validation", "status")


class RunItem(RunScore):
    """One run, scored under the ruleset in force."""

    window_energy_method: Method | None
    """Method of the joules of the whole run window; None if no meter was read."""
    window_energy_simulated: bool
    hyperparameters: dict[str, str | int | float | bool] = {}
    """Hyperparameters of this run; with external tuning as the harness drew them."""
    ended_by: str
    """What ended the run: `done`, `exit`, `budget`, `violation`, `interrupt` ..."""

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of this run; a fault of the machine is not an interruption by a person."""
        if self.status == "aborted" and self.ended_by == "fault":
            return ExitCode.UNTRUSTED
        return CODE_OF[self.status]

    @property
    def study(self) -> str | None:
        """The study of external tuning that the run belongs to; None for all other runs."""
        return self.trial.study if self.trial and self.trial.mode == "external" else None


class RunDocument(Document):
    """`joulemark run`."""

    workload: str
    submission: str
    machine: str
    ruleset: str
    isolation: Literal["none", "landlock", "bubblewrap"]
    results: str
    """Folder that the bundles' paths are relative to."""
    metric: str
    metric_unit: str
    better: Literal["higher", "lower"]
    target: float
    budget_s: float
    exit_code: int
    """Exit code of the worst run."""
    runs: tuple[RunItem, ...]
    reference: str = ""
    """The submissions that it was interleaved with; empty if none."""
    energy_note: str = ""
    """Why the energy of the runs was not measured; empty if it was."""
    reference_runs: tuple[RunItem, ...] = ()
    """Runs of the workload's reference on the same seeds and instances."""


def worst(codes: Iterable[int]) -> int:
    """Return the worst of some exit codes."""
    present = set(codes)
    return next((code for code in WORST_FIRST if code in present), ExitCode.OK)


def _score(result: RunResult, results: Path) -> RunItem:
    bundle = Bundle(result.bundle.resolve())
    score = run_score(bundle, bundle.ruleset, results.resolve())
    domains = result.run.domains
    return RunItem(
        **dict(score),
        window_energy_method=weakest_method([domain.method for domain in disjoint(domains)]),
        window_energy_simulated=any(domain.simulated for domain in domains),
        hyperparameters=result.run.hyperparameters,
        ended_by=result.run.window.ended_by,
    )


def _energy_note(run: Run) -> str:
    """Say why no energy was measured; empty if some was. Names the sensors that cannot be used."""
    if not run.meters or any(domain.method in ("counter", "sampled") for domain in run.domains):
        return ""
    present = (meter for meter in run.meters if SENSOR in meter.reason)
    reasons = "; ".join(f"{meter.name}: {meter.reason}" for meter in present)
    chosen = [meter.name for meter in run.meters if meter.chosen]
    estimate = f"; the joules shown are an estimate by {', '.join(chosen)}" if run.domains else ""
    why = f" ({reasons})" if reasons else ", since no sensor can be read (`joulemark doctor`)"
    return f"energy is not measured here{why}{estimate}"


def _exit_code(runs: Sequence[RunItem], reference_runs: Sequence[RunItem]) -> int:
    """Return the code of the submission's worst run.

    A study of tuning with one successful trial is successful. Of the reference's runs only those
    count that were aborted.
    """
    solved = {run.study for run in runs if run.status == "ok"} - {None}
    counted = [run for run in runs if run.status == "aborted" or run.study not in solved]
    counted += [run for run in reference_runs if run.status == "aborted"]
    return worst(run.exit_code for run in counted)


def document_of(run_results: Sequence[RunResult], ruleset: Ruleset, results: Path) -> RunDocument:
    """Return the document of one submission's runs and of the reference's, at least one run."""
    own = [result for result in run_results if not result.is_reference]
    reference = [result for result in run_results if result.is_reference]
    if not own:
        # The series was interrupted before the submission's first turn.
        own, reference = reference, []
    runs, reference_runs = ([_score(item, results) for item in half] for half in (own, reference))
    run = own[0].run
    return RunDocument(
        workload=run.workload.name,
        submission=run.submission.name,
        machine=run.machine,
        ruleset=ruleset.name,
        isolation=run.isolation.level,
        results=str(results),
        metric=run.workload.metric,
        metric_unit=run.workload.metric_unit,
        better=run.workload.better,
        target=run.workload.target,
        budget_s=run.workload.budget_s,
        exit_code=_exit_code(runs, reference_runs),
        runs=tuple(runs),
        reference=run.interleaved_with,
        energy_note=_energy_note(run),
        reference_runs=tuple(reference_runs),
    )


def _cells(run: RunItem) -> tuple[object, ...]:
    method: str = run.energy.method or run.window_energy_method or "not measured"
    simulated = run.energy.simulated or run.window_energy_simulated
    time_s, energy_j = (run.time_s, run.energy.energy_j) if run.reached else (None, None)
    joules = (quantity(value, "J") for value in (energy_j, run.energy.window_j))
    costs = (plain(run.metric, 4), quantity(time_s, "s"), *joules)
    method = f"{method}, simulated" if simulated else method
    return (run.seed, run.status, *costs, method, ", ".join(run.energy.domains), run.reason)


def show_series(document: RunDocument, printer: Printer) -> None:
    """Print the tables of a series."""
    unit = f" {document.metric_unit}" if document.metric_unit else ""
    arrow = "↑ higher is better" if document.better == "higher" else "↓ lower is better"
    printer.heading(f"{document.workload} · {document.submission} · {document.machine}")
    printer.line(
        f"{document.metric}{unit}, {arrow}, target {plain(document.target, 4)}; "
        f"budget {document.budget_s:g} s; rules {document.ruleset}; isolation {document.isolation}"
    )
    printer.table(COLUMNS, map(_cells, document.runs), right=RIGHT)
    if document.energy_note:
        printer.line(document.energy_note)
    rows, count = [], 0
    studies = list(dict.fromkeys(run.study for run in document.runs if run.study))
    for run in document.runs:
        if run.trial is None or run.study is None:
            continue
        settings = ", ".join(
            f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}"
            for name, value in sorted(run.hyperparameters.items())
        )
        place = (studies.index(run.study) + 1, run.trial.index + 1, run.seed)
        rows.append((*place, settings, plain(run.trial.validation, 4), run.status))
        count = run.trial.trials_count
    if rows:
        printer.line(f"studies: {len(studies)}, trials per study: {count}")
        printer.table(TRIAL_COLUMNS, rows, right=TRIAL_COLUMNS[:3])
    if document.reference_runs:
        printer.line(f"{document.reference}, interleaved on the same seeds:")
        printer.table(COLUMNS, map(_cells, document.reference_runs), right=RIGHT)


def show_run(document: RunDocument, printer: Printer) -> None:
    """Print the tables of a series, and the commands that usually follow."""
    show_series(document, printer)
    printer.line()
    printer.line(f"bundles: {document.results}/{document.runs[0].bundle.rpartition('/')[0]}")
    printer.line(f"next: joulemark score {document.results}")
    if document.reference_runs:
        pair = f"{document.reference} {document.submission}"
        printer.line(f"joulemark compare {pair} --results {document.results}", indent=6)
