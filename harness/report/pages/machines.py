"""The machines: what each is, what was measured on it, and the same submission on several."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.records import Machine
from harness.report import numbers, wording
from harness.report.entries import Entry
from harness.report.hardware import HardwareBoard, hardware_board
from harness.report.site import Page, Site


class MachineView(NamedTuple):
    """One machine."""

    name: str
    machine: Machine | None
    """None where no bundle of it can be read."""
    methods: tuple[str, ...]
    """How joules came about on it."""
    entries_count: int
    workloads: tuple[str, ...]


class MachineCell(NamedTuple):
    """One submission on one machine."""

    entry: Entry
    energy: numbers.FormattedFigure
    time: numbers.FormattedFigure
    badges: list[wording.Badge]


class MachineComparison(NamedTuple):
    """One submission that ran on several machines under the same rules."""

    ident: str
    title: str
    workload: str
    ruleset: str
    boundary: str
    """What the joules cover and how they came about; unlike ones are never in one table."""
    units: tuple[numbers.Unit, numbers.Unit]
    cells: tuple[MachineCell, ...]


def _machine_of(entries: Sequence[Entry]) -> Machine | None:
    for entry in entries:
        shown = entry.opened().shown_run
        if shown is not None and shown.machine is not None:
            return shown.machine
    return None


def _methods(entries: Sequence[Entry]) -> tuple[str, ...]:
    figures = [entry.score.costs.energy_to_target_j for entry in entries]
    found = {
        "simulated" if figure.simulated else str(figure.method)
        for figure in figures
        if figure is not None
    }
    return tuple(sorted(found))


def machines_of(site: Site) -> list[MachineView]:
    """Every machine by name."""
    together: dict[str, list[Entry]] = {}
    for entry in site.entries:
        together.setdefault(entry.score.entry.machine, []).append(entry)
    return [
        MachineView(
            name,
            _machine_of(entries),
            _methods(entries),
            len(entries),
            tuple(sorted({entry.score.entry.workload for entry in entries})),
        )
        for name, entries in sorted(together.items())
    ]


def _boundary(entry: Entry) -> str:
    figure = entry.score.costs.energy_to_target_j
    if figure is None:
        return "no joules"
    how = "simulated" if figure.simulated else str(figure.method)
    return f"{', '.join(figure.domains)} by {how}"


def _key(entry: Entry) -> tuple[str, ...]:
    score = entry.score
    same = (
        score.entry.workload,
        score.entry.workload_version,
        score.rules.ruleset,
        score.entry.sha256,
    )
    return (*same, _boundary(entry))


def _cell(entry: Entry, units: tuple[numbers.Unit, numbers.Unit]) -> MachineCell:
    energy, time = entry.score.costs.energy_to_target_j, entry.score.costs.time_to_target_s
    return MachineCell(
        entry,
        wording.shown(energy, units[0]),
        wording.shown(time, units[1]),
        wording.figure_badges(energy),
    )


def _cost(entry: Entry) -> tuple[float, float, str]:
    energy, time = entry.score.costs.energy_to_target_j, entry.score.costs.time_to_target_s
    missing = float("inf")
    return (
        energy.value if energy else missing,
        time.value if time else missing,
        entry.score.entry.machine,
    )


def contests_of(site: Site) -> list[MachineComparison]:
    """The same bytes of a submission on more than one machine, ranked or not."""
    together: dict[tuple[str, ...], list[Entry]] = {}
    for entry in site.entries:
        together.setdefault(_key(entry), []).append(entry)
    contests: list[MachineComparison] = []
    for key, entries in sorted(together.items()):
        if len({entry.score.entry.machine for entry in entries}) > 1:
            ordered = sorted(entries, key=_cost)
            contests.append(_contest(key, ordered, f"m{len(contests) + 1}"))
    return contests


def _contest(key: tuple[str, ...], entries: list[Entry], ident: str) -> MachineComparison:
    energies = [entry.score.costs.energy_to_target_j for entry in entries]
    times = [entry.score.costs.time_to_target_s for entry in entries]
    units = (
        numbers.unit_for((energy.value for energy in energies if energy), "J"),
        numbers.unit_for((time.value for time in times if time), "s"),
    )
    cells = tuple(_cell(entry, units) for entry in entries)
    return MachineComparison(
        ident, entries[0].score.entry.title, key[0], key[2], key[4], units, cells
    )


def hardware_of(site: Site) -> list[HardwareBoard]:
    """The boards of the prize for hardware."""
    return [
        hardware_board(board, site.entries, f"h{number}")
        for number, board in enumerate(
            (board for name in site.workloads for board in site.boards.of_machines(name)), 1
        )
    ]


def _publish(site: Site) -> Iterator[tuple[str, str]]:
    values = {
        "machines": machines_of(site),
        "boards": hardware_of(site),
        "contests": contests_of(site),
    }
    yield "machines.html", site.page("machines.html", "Machines", "machines.html", **values)


PAGE = Page(name="machines", title="Machines", order=40, publish=_publish, landing="machines.html")
