"""`joulemark explain`: show where a run's joules come from, with each uncertainty term."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from harness.bundle import Bundle, BundleError
from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import existing_folder
from harness.cli.printer import Printer
from harness.clock import NS_PER_S
from harness.measure.energy import Energy, EnergyReader, Total
from harness.measure.trace import read_trace
from harness.records import Domain
from harness.records.base import Record
from harness.report.numbers import percent, quantity

COLUMNS = ("domain", "method", "joules", "± (k = 2)", "terms", "bound", "coverage", "source")


class DomainEnergy(Record):
    """A domain and its energy in the run window."""

    domain: Domain
    energy: Energy


class ExplainDocument(Document):
    """`joulemark explain`."""

    run_id: str
    window: str
    window_s: float
    domains: tuple[DomainEnergy, ...]
    total: str
    """The total over domains of which none contains another, in words."""


def _total_text(total: Total) -> str:
    if total.energy_j is None:
        return f"total: not measured: {total.reason}"
    u = "unknown uncertainty" if total.u_j is None else f"± {quantity(total.u_j, 'J')} (k = 2)"
    method = f"{total.method}, simulated" if total.simulated else total.method
    return f"total: {quantity(total.energy_j, 'J')} {u}, {method}, of {' + '.join(total.domains)}"


def explain(folder: Path) -> ExplainDocument:
    """Compute the joules of a run, from the start signal to the death of its last process.

    Raises:
        BundleError: no bundle, or it has no run window or no readings.
        TraceError: the readings cannot be read.
    """
    bundle = Bundle(folder)
    run = bundle.run
    gun_ns, end_ns = run.window.gun_ns, run.window.end_ns
    if gun_ns is None or end_ns is None:
        raise BundleError(f"{folder}: run {run.id} has no start signal or no end, so no run window")
    if bundle.trace_path is None:
        raise BundleError(f"{folder}: run {run.id} read no meter, so there are no joules")
    energy = EnergyReader(read_trace(bundle.trace_path), run.domains).between(gun_ns, end_ns)
    return ExplainDocument(
        run_id=run.id,
        window="run window, from the start signal to the death of the last process",
        window_s=(end_ns - gun_ns) / NS_PER_S,
        domains=tuple(DomainEnergy(domain=d, energy=energy.domains[d.name]) for d in run.domains),
        total=_total_text(energy.total),
    )


def rows_of(document: ExplainDocument) -> Iterator[Sequence[object]]:
    """Return one row for each domain."""
    for item in document.domains:
        domain, energy = item.domain, item.energy
        method = f"{domain.method}, simulated" if domain.simulated else domain.method
        figures = quantity(energy.energy_j, "J"), quantity(energy.u_j, "J")
        terms = ", ".join(f"{name} {quantity(j, 'J')}" for name, j in energy.terms.items())
        bound = " to ".join(quantity(end, "J") for end in energy.bound_j or ()) or None
        coverage, source = percent(energy.coverage_ratio, 3), f"{domain.meter}: {domain.source}"
        yield (domain.name, method, *figures, terms, bound, coverage, source)


def _show(document: ExplainDocument, printer: Printer) -> None:
    printer.heading(f"{document.run_id}: {document.window}, {document.window_s:.3f} s")
    printer.table(COLUMNS, rows_of(document), right=COLUMNS[2:4])
    printer.line()
    for item in document.domains:
        if item.energy.reason:
            printer.line(f"{item.domain.name}: {item.energy.reason}")
    printer.line(document.total)


@json_command("explain")
@click.argument("bundle", callback=existing_folder, metavar="BUNDLE")
def command(bundle: Path) -> CommandResult:
    """Show the joules of one run by domain: figure, source, and every term of the uncertainty.

    Uncertainties are at k = 2. The total adds only domains of which none contains another.
    """
    document = explain(bundle)
    return CommandResult(document, _show)
