"""What a series of runs comes to: scored rows, a table, and one exit code."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bundle import Bundle
from harness.cli.documents import RunDocument, RunItem
from harness.errors import ExitCode
from harness.measure.energy import disjoint
from harness.records import Ruleset, RunScore
from harness.records.measure import weakest_method
from harness.report.numbers import plain, quantity
from harness.score.cost import run_score

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.run.order import RunResult

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
"""A series ends with the first of these that any of its runs has: the less a run is worth as a
result, the earlier it stands."""

COLUMNS = (
    "seed",
    "status",
    "metric",
    "time to target",
    "joules to target",
    "whole run",
    "method",
    "domains",
    "reason",
)
TRIALS = ("study", "trial", "seed", "hyperparameters", "claimed validation", "status")
RIGHT = COLUMNS[:1] + COLUMNS[2:6]


def code_of(status: str, ended_by: str) -> int:
    """Exit code of one run; a fault of the machine is no interruption by a person."""
    if status == "aborted" and ended_by == "fault":
        return ExitCode.UNTRUSTED
    return CODE_OF[status]


def worst(codes: Iterable[int]) -> int:
    """The exit code of a series."""
    found = set(codes)
    return next((code for code in WORST_FIRST if code in found), ExitCode.OK)


def scored(outcome: "RunResult", results: Path) -> RunItem:
    """A run under the rules that it ran under."""
    bundle = Bundle(outcome.bundle.resolve())
    row = run_score(bundle, bundle.ruleset, results.resolve())
    return RunItem(
        **{name: getattr(row, name) for name in RunScore.model_fields},
        window_energy_method=weakest_method(
            [item.method for item in disjoint(outcome.run.domains)]
        ),
        window_energy_simulated=any(domain.simulated for domain in outcome.run.domains),
        hyperparameters=outcome.run.hyperparameters,
        ended_by=outcome.run.window.ended_by,
    )


def _halves(outcomes: "Sequence[RunResult]") -> "tuple[list[RunResult], list[RunResult]]":
    """Runs of the submission, and of the reference that alternated with it.

    Where a series was stopped before the submission's turn, the reference's runs are all it has.
    """
    own = [outcome for outcome in outcomes if not outcome.is_reference]
    other = [outcome for outcome in outcomes if outcome.is_reference]
    return (own, other) if own else (other, [])


def _code(own: Sequence[RunItem], other: Sequence[RunItem]) -> int:
    """That of the submission's worst run; a run of the reference counts where it was broken off.

    Of a study of tuning with a hit only what was broken off counts beside.
    """
    hits = {_study(row) for row in own if row.status == "ok"} - {None}
    # That a trial misses is what tuning is for, as long as another one of its study does not.
    counted = [row for row in own if row.status in ("aborted", "ok") or _study(row) not in hits]
    codes = [code_of(row.status, row.ended_by) for row in counted]
    broken = [code_of(row.status, row.ended_by) for row in other if row.status == "aborted"]
    return worst([*codes, *broken])


def _study(row: RunItem) -> str | None:
    """Which study of external tuning a run is a trial of; None for all other runs."""
    return row.trial.study if row.trial and row.trial.mode == "external" else None


def document_of(outcomes: "Sequence[RunResult]", ruleset: Ruleset, results: Path) -> RunDocument:
    """The document of a series with at least one run."""
    own, other = _halves(outcomes)
    rows, reference_rows = ([scored(item, results) for item in half] for half in (own, other))
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
        exit_code=_code(rows, reference_rows),
        runs=tuple(rows),
        reference=run.interleaved_with,
        reference_runs=tuple(reference_rows),
    )


def method_text(row: RunItem) -> str:
    """By which method the joules of the row came, in one word or two."""
    method = row.energy_method or row.window_energy_method
    if method is None:
        return "not measured"
    simulated = row.energy_simulated or row.window_energy_simulated
    return f"{method}, simulated" if simulated else method


def _cells(row: RunItem) -> tuple[object, ...]:
    reached = row.reached
    return (
        row.seed,
        row.status,
        plain(row.metric, 4),
        quantity(row.time_s if reached else None, "s"),
        quantity(row.energy_j if reached else None, "J"),
        quantity(row.window_energy_j, "J"),
        method_text(row),
        ", ".join(row.energy_domains),
        row.reason,
    )


def arrow(better: str) -> str:
    """Which way a metric is better, as a sign and a word."""
    return "↑ higher is better" if better == "higher" else "↓ lower is better"


def show(document: RunDocument, page: "Page") -> None:
    """The table of a series."""
    unit = f" {document.metric_unit}" if document.metric_unit else ""
    page.heading(f"{document.workload} · {document.submission} · {document.machine}")
    page.line(
        f"{document.metric}{unit}, {arrow(document.better)}, target {plain(document.target, 4)}; "
        f"budget {document.budget_s:g} s; rules {document.ruleset}; isolation {document.isolation}"
    )
    page.table(COLUMNS, [_cells(row) for row in document.runs], right=RIGHT)
    _show_trials(document, page)
    if document.reference_runs:
        page.line(f"{document.reference}, alternating with it on the same seeds:")
        page.table(COLUMNS, [_cells(row) for row in document.reference_runs], right=RIGHT)


def _show_trials(document: RunDocument, page: "Page") -> None:
    """What each trial of external tuning tried, and what it came to."""
    tried = [row for row in document.runs if row.trial and row.trial.mode == "external"]
    if not tried:
        return
    studies = list(dict.fromkeys(row.trial.study for row in tried if row.trial))
    rows = []
    for row in tried:
        assert row.trial is not None
        drawn = ", ".join(f"{k} = {v:.4g}" if isinstance(v, float) else f"{k} = {v}"
                          for k, v in sorted(row.hyperparameters.items()))  # fmt: skip
        place = (studies.index(row.trial.study) + 1, row.trial.index + 1, row.seed)
        rows.append((*place, drawn, plain(row.trial.validation, 4), row.status))
    count = tried[0].trial.trials_count if tried[0].trial else 0
    page.line(f"studies: {len(studies)}, trials of each: {count}")
    right = TRIALS[:3]
    page.table(TRIALS, rows, right=right)


def show_next(document: RunDocument, page: "Page") -> None:
    """The commands that a person would type next."""
    page.line()
    page.line(f"bundles: {document.results}/{document.runs[0].bundle.rpartition('/')[0]}")
    page.line(f"next: joulemark score {document.results}")
    if document.reference_runs:
        pair = f"{document.reference} {document.submission}"
        page.line(f"joulemark compare {pair} --results {document.results}", indent=6)
