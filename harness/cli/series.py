"""What a series of runs comes to: scored rows, a table, and one exit code."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bundle import Bundle
from harness.cli.documents import RunDocument
from harness.cli.failure import INTERRUPTED, INVALID, MISSED, OK, OVER_BUDGET, UNTRUSTED
from harness.records import Ruleset, Run, RunScore
from harness.report.numbers import plain, quantity
from harness.score.cost import run_score

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.run.order import Outcome

CODE_OF = {
    "ok": OK,
    "target_missed": MISSED,
    "budget_exceeded": OVER_BUDGET,
    "degraded": UNTRUSTED,
    "diverged": INVALID,
    "oom": INVALID,
    "crashed": INVALID,
    "killed": INVALID,
    "invalid": INVALID,
    "aborted": INTERRUPTED,
}
"""Exit code of a single run, by its status."""

WORST_FIRST = (INTERRUPTED, INVALID, OVER_BUDGET, UNTRUSTED, MISSED, OK)
"""A series ends with the first of these that any of its runs has: the less a run is worth as a
result, the earlier it stands."""

COLUMNS = ("seed", "status", "metric", "time to target", "joules", "method", "domains", "reason")


def code_of(status: str, ended_by: str) -> int:
    """Exit code of one run; a fault of the machine is no interruption by a person."""
    if status == "aborted" and ended_by == "fault":
        return UNTRUSTED
    return CODE_OF[status]


def worst(codes: Iterable[int]) -> int:
    """The exit code of a series."""
    found = set(codes)
    return next((code for code in WORST_FIRST if code in found), OK)


def scored(outcomes: "Sequence[Outcome]", results: Path) -> list[RunScore]:
    """Each run under the rules that it ran under."""
    rows = []
    for outcome in outcomes:
        bundle = Bundle(outcome.bundle)
        rows.append(run_score(bundle, bundle.ruleset, results.resolve()))
    return rows


def document_of(outcomes: "Sequence[Outcome]", ruleset: Ruleset, results: Path) -> RunDocument:
    """The document of a series with at least one run."""
    rows = scored(outcomes, results)
    codes = [
        code_of(row.status, outcome.run.window.ended_by)
        for row, outcome in zip(rows, outcomes, strict=True)
    ]
    run = outcomes[0].run
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
        exit_code=worst(codes),
        runs=tuple(rows),
    )


def method_text(row: RunScore) -> str:
    """By which method the joules came, in one word or two."""
    if row.energy_method is None:
        return "not measured"
    return f"{row.energy_method}, simulated" if row.energy_simulated else row.energy_method


def _cells(row: RunScore) -> tuple[object, ...]:
    reached = row.reached
    return (
        row.seed,
        row.status,
        plain(row.metric, 4),
        quantity(row.time_s if reached else None, "s"),
        quantity(row.energy_j if reached else None, "J"),
        method_text(row),
        ", ".join(row.energy_domains),
        row.reason,
    )


def arrow(run: Run | RunDocument) -> str:
    """Which way the metric is better, as a sign and a word."""
    better = run.workload.better if isinstance(run, Run) else run.better
    return "↑ higher is better" if better == "higher" else "↓ lower is better"


def show(document: RunDocument, page: "Page") -> None:
    """The table of a series."""
    unit = f" {document.metric_unit}" if document.metric_unit else ""
    page.heading(f"{document.workload} · {document.submission} · {document.machine}")
    page.line(
        f"{document.metric}{unit}, {arrow(document)}, target {plain(document.target, 4)}; "
        f"budget {document.budget_s:g} s; rules {document.ruleset}; isolation {document.isolation}"
    )
    right = ("seed", "metric", "time to target", "joules")
    page.table(COLUMNS, [_cells(row) for row in document.runs], right=right)


def show_next(document: RunDocument, page: "Page") -> None:
    """The commands that a person would type next."""
    page.line()
    page.line(f"bundles: {document.results}/{document.runs[0].bundle.rpartition('/')[0]}")
    page.line(f"next: joulemark score {document.results}")
