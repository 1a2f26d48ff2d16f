"""`joulemark compare`: compare two entries, and fail on a regression."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import click

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.failure import unknown
from harness.cli.options import results_option, ruleset_options
from harness.cli.printer import Printer
from harness.errors import ExitCode
from harness.records import Comparison, CostRatio, GateResult, Ruleset, Score
from harness.score.compare import compare, gate
from harness.score.score import score_results

COLUMNS = ("cost", "method", "B / A", "interval", "p", "test", "B is")
BRIDGE_COLUMNS = ("cause", "B / A", "joules")

GATES = {
    "pass": "the interval of B / A is below {limit:g}",
    "fail": "the interval of B / A is above {limit:g}",
    "unclear": "the interval of B / A includes {limit:g}",
}


class CompareDocument(Document):
    """`joulemark compare`."""

    a: str
    b: str
    comparisons: tuple[Comparison, ...]
    """One for each workload, machine and ruleset that both entries have a score for."""
    gate_ratio: float | None
    """Regression that fails the gate, as 0.1 for 10 %; None: no gate."""
    gate: tuple[GateResult, ...]


def _pairs(scores: Sequence[Score], a: str, b: str) -> list[tuple[Score, Score]]:
    """Return the scores of both on the same workload version, machine and ruleset."""
    names = {score.entry.submission for score in scores}
    for name in (a, b):
        if name not in names:
            raise click.UsageError(unknown("submission", name, names))

    def key(score: Score) -> tuple[str, ...]:
        entry = score.entry
        return (entry.workload, entry.workload_version, entry.machine, score.rules.ruleset)

    pairs = [
        (one, other)
        for one, other in product(scores, scores)
        if (one.entry.submission, other.entry.submission) == (a, b)
        and one is not other
        and key(one) == key(other)
    ]
    if not pairs:
        raise click.UsageError(
            f"'{a}' and '{b}' share no workload, machine and ruleset; run both on one workload"
        )
    return pairs


def _cells(row: CostRatio) -> Sequence[object]:
    method: str = row.method or "clock"
    ends = [f"{end:.3f}" if end is not None else "open" for end in (row.low, row.high)]
    method = f"{method}, simulated" if row.simulated else method
    ratio, p = f"{row.cost_ratio:.3f}", f"{row.p_differ:.2g}"
    return (row.quantity, method, ratio, " .. ".join(ends), p, row.test, row.outcome)


def _show(document: CompareDocument, printer: Printer) -> None:
    for comparison in document.comparisons:
        names = f"B = {comparison.b} against A = {comparison.a}"
        printer.heading(f"{names} on {comparison.workload}, {comparison.machine}")
        printer.table(COLUMNS, map(_cells, comparison.ratios), right=("B / A", "p"))
        steps = [
            (step.factor, f"{step.factor_ratio:.3f}", f"{step.energy_j:+.4g} J")
            for step in comparison.bridge
        ]
        if steps:
            printer.table(BRIDGE_COLUMNS, steps, right=("B / A", "joules"))
        for note in dict.fromkeys(row.note for row in comparison.ratios):
            printer.line(f"by {note}", indent=2)
        printer.line(comparison.sentence, indent=2)
    for result in document.gate:
        reason = GATES[result.verdict].format(limit=1 + (document.gate_ratio or 0.0))
        printer.line(f"gate: {result.quantity} on {result.workload}: {result.verdict} ({reason})")


@json_command("compare")
@click.argument("entries", nargs=2, metavar="A B")
@results_option
@ruleset_options(None)
@click.option(
    "--gate",
    "gate_percent",
    type=click.FloatRange(min=0),
    metavar="PCT",
    help="Exit with 4 if a cost of B is significantly more than PCT per cent above that of A.",
)
def command(
    entries: tuple[str, str], results: Path, ruleset: Ruleset | None, gate_percent: float | None
) -> CommandResult:
    """Compare entry B with entry A: cost ratios with intervals, and where the joules differ.

    The gate passes if the data do not decide; its verdict is then `unclear`.
    """
    limit = None if gate_percent is None else gate_percent / 100
    comparisons = [compare(*pair) for pair in _pairs(score_results(results, ruleset), *entries)]
    gate_results = [
        GateResult(
            workload=comparison.workload,
            machine=comparison.machine,
            quantity=row.quantity,
            verdict=gate(row, limit),
        )
        for comparison in comparisons
        for row in comparison.ratios
        if limit is not None
    ]
    a, b = entries
    document = CompareDocument(
        a=a, b=b, comparisons=tuple(comparisons), gate_ratio=limit, gate=tuple(gate_results)
    )
    failed = any(result.verdict == "fail" for result in gate_results)
    return CommandResult(document, _show, ExitCode.GATE if failed else ExitCode.OK)
