"""`joulemark compare`: two entries side by side, and whether one is a regression."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.failure import unknown
from harness.cli.options import results_option, ruleset_options
from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.cli.documents import CompareDocument
    from harness.cli.page import Page
    from harness.records import CostRatio, Score

COLUMNS = ("cost", "method", "B / A", "interval", "p", "test", "B is")
BARS = ("cause", "B / A", "joules")


GATES = {
    "pass": "the whole interval of B / A lies under {limit}",
    "fail": "the whole interval of B / A lies above {limit}",
    "unclear": "the interval of B / A reaches beyond {limit} without lying above it",
}


def _method(row: "CostRatio") -> str:
    """How a cost was come by; an estimate says that it is one."""
    if row.method is None:
        return "clock"
    return f"{row.method}, simulated" if row.simulated else row.method


def _named(scores: "Sequence[Score]", name: str) -> "list[Score]":
    found = [score for score in scores if score.submission == name]
    if not found:
        raise click.UsageError(unknown("submission", name, {score.submission for score in scores}))
    return found


def _pairs(scores: "Sequence[Score]", a: str, b: str) -> "list[tuple[Score, Score]]":
    """Scores of both on the same workload version, machine and ruleset."""
    keys = ("workload", "workload_version", "machine", "ruleset")

    def shared(one: "Score", other: "Score") -> bool:
        return all(getattr(one, key) == getattr(other, key) for key in keys)

    pairs = [(one, two) for one in _named(scores, a) for two in _named(scores, b)]
    found = [(one, two) for one, two in pairs if shared(one, two) and one is not two]
    if not found:
        raise click.UsageError(
            f"'{a}' and '{b}' share no workload, machine and ruleset; run both on one"
        )
    return found


def _interval(row: "CostRatio") -> str:
    ends = [f"{item:.3f}" if item is not None else "open" for item in (row.low, row.high)]
    return " .. ".join(ends)


def _show(document: "CompareDocument", page: "Page") -> None:
    for comparison in document.comparisons:
        page.heading(
            f"B = {comparison.b} against A = {comparison.a} on {comparison.workload}, "
            f"{comparison.machine}"
        )
        rows = [
            (
                row.quantity,
                _method(row),
                f"{row.cost_ratio:.3f}",
                _interval(row),
                f"{row.p_differ:.2g}",
                row.test,
                row.outcome,
            )
            for row in comparison.ratios
        ]
        page.table(COLUMNS, rows, right=("B / A", "p"))
        bars = [
            (e.factor, f"{e.factor_ratio:.3f}", f"{e.energy_j:+.4g} J") for e in comparison.bridge
        ]
        if bars:
            page.table(BARS, bars, right=("B / A", "joules"))
        for note in dict.fromkeys(row.note for row in comparison.ratios):
            page.line(f"by {note}", indent=2)
        page.line(comparison.sentence, indent=2)
    for verdict in document.gate:
        limit = 1 + (document.gate_ratio or 0.0)
        page.line(
            f"gate: {verdict.quantity} on {verdict.workload}: {verdict.verdict} "
            f"({GATES[verdict.verdict].format(limit=f'{limit:g}')})"
        )


@click.command("compare")
@click.argument("entries", nargs=2, metavar="A B")
@results_option
@ruleset_options(None)
@click.option(
    "--gate",
    type=click.FloatRange(min=0),
    metavar="PCT",
    help="Exit with 4 where a cost of B is shown to be more than so many per cent above that of A.",
)
@answers
def COMMAND(  # noqa: N802
    entries: tuple[str, str],
    results: Path,
    ruleset: str | None,
    overrides: tuple[str, ...],
    gate: float | None,
) -> Answer:
    """Compare entry B with entry A: ratios with intervals, and where the joules went.

    A gate fails only on what the data show; where they cannot tell it says `unclear` and passes.
    """
    from harness.cli.documents import CompareDocument
    from harness.records import GateResult
    from harness.rules.load import load_ruleset
    from harness.score.compare import compare
    from harness.score.compare import gate as verdict_of
    from harness.score.score import score_results

    named = ruleset or ("default" if overrides else None)
    scores = score_results(results, load_ruleset(named, overrides) if named else None)
    found = [compare(*pair) for pair in _pairs(scores, *entries)]
    verdicts = [
        GateResult(
            workload=item.workload,
            machine=item.machine,
            quantity=row.quantity,
            verdict=verdict_of(row, gate / 100),
        )
        for item in found
        for row in item.ratios
        if gate is not None
    ]
    document = CompareDocument(
        a=entries[0],
        b=entries[1],
        comparisons=tuple(found),
        gate_ratio=None if gate is None else gate / 100,
        gate=tuple(verdicts),
    )
    failed = any(verdict.verdict == "fail" for verdict in verdicts)
    return Answer(
        document, lambda page: _show(document, page), ExitCode.GATE if failed else ExitCode.OK
    )
