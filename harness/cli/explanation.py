"""Explains the joules of one run: domains, methods, and every term of each uncertainty."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.bundle import Bundle, BundleError
from harness.cli.documents import DomainItem, ExplainDocument
from harness.clock import NS_PER_S
from harness.measure.energy import Energy, EnergyReader, Total
from harness.measure.trace import read_trace
from harness.records import Domain
from harness.report.numbers import percent, quantity

COLUMNS = ("domain", "method", "joules", "± (k = 2)", "terms", "bound", "covered", "source")


def _item(domain: Domain, told: Energy) -> DomainItem:
    return DomainItem(
        domain=domain.name,
        kind=domain.kind,
        method=domain.method,
        simulated=domain.simulated,
        meter=domain.meter,
        source=domain.source,
        parents=domain.parents,
        energy_j=told.energy_j,
        uncertainty_j=told.u_j,
        terms_j=dict(told.terms),
        bound_j=told.bound_j,
        coverage_ratio=told.coverage_ratio,
        gap_max_s=told.gap_max_s,
        readings_count=told.readings_count,
        note=told.reason,
    )


def _total_text(told: Total) -> str:
    if told.energy_j is None:
        return f"total: no figure: {told.reason}"
    u = "unknown uncertainty" if told.u_j is None else f"± {quantity(told.u_j, 'J')} (k = 2)"
    simulated = ", simulated" if told.simulated else ""
    return (
        f"total: {quantity(told.energy_j, 'J')} {u}, {told.method}{simulated}, "
        f"of {' + '.join(told.domains)}"
    )


def explain(folder: Path) -> ExplainDocument:
    """The joules of the run window of one bundle.

    Raises:
        BundleError: no bundle, or it has no run window or no readings.
        TraceError: the readings cannot be read.
    """
    bundle = Bundle(folder)
    run = bundle.run
    gun_ns, end_ns = run.window.gun_ns, run.window.end_ns
    if gun_ns is None or end_ns is None:
        raise BundleError(
            f"{folder}: run {run.id} never had a gun and an end, so there is no window"
        )
    if bundle.trace_path is None:
        raise BundleError(f"{folder}: run {run.id} read no meter, so there are no joules")
    trace = read_trace(bundle.trace_path)
    told = EnergyReader(trace, run.domains).between(gun_ns, end_ns)
    return ExplainDocument(
        run_id=run.id,
        window="run window, gun to the death of the last process",
        window_s=(end_ns - gun_ns) / NS_PER_S,
        domains=tuple(_item(domain, told.domains[domain.name]) for domain in run.domains),
        total=_total_text(told.total),
    )


def _bound(item: DomainItem) -> str:
    if item.bound_j is None:
        return "–"
    return " to ".join(quantity(end, "J") for end in item.bound_j)


def rows_of(document: ExplainDocument) -> Iterator[Sequence[object]]:
    """One row a domain."""
    for item in document.domains:
        terms = ", ".join(
            f"{name} {quantity(element, 'J')}" for name, element in item.terms_j.items()
        )
        yield (
            item.domain,
            f"{item.method}, simulated" if item.simulated else item.method,
            quantity(item.energy_j, "J"),
            quantity(item.uncertainty_j, "J"),
            terms,
            _bound(item),
            percent(item.coverage_ratio, 3),
            f"{item.meter}: {item.source}",
        )
