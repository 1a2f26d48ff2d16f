"""The machines page: each machine, and the same submission on several machines."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.records import Machine
from harness.report import numbers
from harness.report.entries import Entry
from harness.report.hardware import hardware_board
from harness.report.site import Page, Site


class MachineView(NamedTuple):
    """One machine."""

    name: str
    machine: Machine | None
    """None where no bundle of it can be read."""
    methods: Sequence[str]
    """How its energy was obtained."""
    entries_count: int
    workloads: Sequence[str]


class MachineComparison(NamedTuple):
    """One submission that ran on several machines under the same rules."""

    ident: str
    title: str
    workload: str
    ruleset: str
    boundary: str
    """Domains of the energy and how it was obtained; different ones are never in one table."""
    units: tuple[numbers.Unit, numbers.Unit]
    entries: Sequence[Entry]


def _machine_of(entries: Sequence[Entry]) -> Machine | None:
    for entry in entries:
        run = entry.opened().shown_run
        if run is not None and run.machine is not None:
            return run.machine
    return None


def machines_of(site: Site) -> list[MachineView]:
    """Return every machine, sorted by name."""
    by_machine: dict[str, list[Entry]] = {}
    for entry in site.entries:
        by_machine.setdefault(entry.score.entry.machine, []).append(entry)
    views = []
    for name, entries in sorted(by_machine.items()):
        figures = [entry.cost("energy") for entry in entries]
        methods = {
            "simulated" if figure.simulated else str(figure.method) for figure in figures if figure
        }
        workloads = {entry.score.entry.workload for entry in entries}
        machine = _machine_of(entries)
        views.append(MachineView(name, machine, sorted(methods), len(entries), sorted(workloads)))
    return views


def _boundary(entry: Entry) -> str:
    figure = entry.cost("energy")
    if figure is None:
        return "none measured"
    method = "simulated" if figure.simulated else figure.method
    return f"{', '.join(figure.domains)} ({method})"


def _key(entry: Entry) -> tuple[str, ...]:
    ref = entry.score.entry
    version = (ref.workload, ref.workload_version, entry.score.rules.ruleset, ref.sha256)
    return (*version, _boundary(entry))


def _order(entry: Entry) -> tuple[float, float, str]:
    energy, time = entry.cost("energy"), entry.cost("speed")
    missing = float("inf")
    return (
        energy.value if energy else missing,
        time.value if time else missing,
        entry.score.entry.machine,
    )


def _comparison(entries: Sequence[Entry], ident: str) -> MachineComparison:
    energies = [entry.cost("energy") for entry in entries]
    times = [entry.cost("speed") for entry in entries]
    units = (
        numbers.unit_for((energy.value for energy in energies if energy), "J"),
        numbers.unit_for((time.value for time in times if time), "s"),
    )
    first = entries[0]
    workload, ruleset = first.score.entry.workload, first.score.rules.ruleset
    return MachineComparison(
        ident, first.title, workload, ruleset, _boundary(first), units, entries
    )


def comparisons_of(site: Site) -> list[MachineComparison]:
    """Return the same version of a submission on more than one machine, ranked or not."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in site.entries:
        groups.setdefault(_key(entry), []).append(entry)
    several = [
        sorted(entries, key=_order)
        for _, entries in sorted(groups.items())
        if len({entry.score.entry.machine for entry in entries}) > 1
    ]
    return [_comparison(entries, f"m{number}") for number, entries in enumerate(several, 1)]


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    boards = [board for name in site.workloads for board in site.boards.of_machines(name)]
    values = {
        "machines": machines_of(site),
        "boards": [
            hardware_board(board, site.entries, f"h{number}")
            for number, board in enumerate(boards, 1)
        ],
        "comparisons": comparisons_of(site),
    }
    yield "machines.html", site.page("machines.html", "Machines", "machines.html", values)


PAGE = Page(name="machines", title="Machines", order=40, publish=_publish, landing="machines.html")
