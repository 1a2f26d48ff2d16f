"""The machines page: each machine, and one submission on several machines."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from harness.records import Figure, Leaderboard, Standing, Unranked
from harness.report import numbers, wording
from harness.report.charts.bars import rank_chart, shared_scale, whisker
from harness.report.entries import Entry
from harness.report.site import Site, single_page


class HardwareBoard(NamedTuple):
    """A board on which machines compete: one submission on each, ranked by energy."""

    ident: str
    board: Leaderboard
    title: str
    """Title of the submission."""
    result: wording.BoardResult
    unit: numbers.Unit
    ranked: Sequence[tuple[Standing, Entry | None, Markup]]
    """Each place with its entry and the plot of its interval.

    The entry is None where the score of the machine is not on this site.
    """
    not_ranked: Sequence[tuple[Unranked, Entry | None]]
    chart: Markup | None
    difference: str


class MachineComparison(NamedTuple):
    """One submission that ran on several machines under the same rules."""

    ident: str
    entries: Sequence[Entry]
    boundary: str
    """Domains of the energy and how it was obtained; different ones are never in one table."""
    units: tuple[numbers.Unit, numbers.Unit]


def hardware_board(board: Leaderboard, entries: Sequence[Entry], ident: str) -> HardwareBoard:
    """Return a board of machines as pages show it."""
    on_board = (board.workload, board.workload_version, board.ruleset)
    by_row = {
        (ref.machine, ref.submission, ref.sha256): entry
        for entry, ref in reversed([(entry, entry.score.entry) for entry in entries])
        if (ref.workload, ref.workload_version, entry.score.rules.ruleset) == on_board
    }

    def entry_of(row: Standing | Unranked) -> Entry | None:
        return by_row.get((row.entry.machine, row.entry.submission, row.entry.sha256))

    rows = sorted(board.standings, key=lambda row: (row.rank, row.entry.machine))
    figures = [
        Figure(value=row.score, low=row.low, high=row.high, n=row.n, level=0.95) for row in rows
    ]
    scale = shared_scale(figures)
    listed: list[Standing | Unranked] = [*board.standings, *board.unranked]
    return HardwareBoard(
        ident,
        board,
        next((row.entry.title or row.entry.submission for row in listed), ""),
        wording.board_result(board),
        numbers.unit_for((row.score for row in rows), board.unit),
        [
            (row, entry_of(row), whisker(figure, scale, "energy"))
            for row, figure in zip(rows, figures, strict=True)
        ],
        [(row, entry_of(row)) for row in board.unranked],
        rank_chart(rows, [row.entry.machine for row in rows], board.prize, f"{ident}-ranks"),
        wording.difference_text(board),
    )


def machines_of(entries: Iterable[Entry]) -> list[dict[str, object]]:
    """Return the values of the page for every machine, sorted by name."""
    by_machine = defaultdict(list)
    for entry in entries:
        by_machine[entry.score.entry.machine].append(entry)
    views: list[dict[str, object]] = []
    for name, group in sorted(by_machine.items()):
        runs = (entry.opened().shown_run for entry in group)
        machine = next((run.machine for run in runs if run and run.machine), None)
        methods = {_method(figure) for entry in group if (figure := entry.cost("energy"))}
        workloads = {entry.score.entry.workload for entry in group}
        view = {"name": name, "machine": machine, "methods": sorted(methods)}
        views.append({**view, "entries_count": len(group), "workloads": sorted(workloads)})
    return views


def _method(figure: Figure) -> str:
    return "simulated" if figure.simulated else str(figure.method)


def _boundary(entry: Entry) -> str:
    figure = entry.cost("energy")
    return f"{', '.join(figure.domains)} ({_method(figure)})" if figure else "none measured"


def _order(entry: Entry) -> tuple[float, float, str]:
    energy, time = (
        figure.value if (figure := entry.cost(prize)) else math.inf for prize in ("energy", "speed")
    )
    return energy, time, entry.score.entry.machine


def comparisons_of(entries: Iterable[Entry]) -> list[MachineComparison]:
    """Return the same version of a submission on more than one machine, ranked or not."""
    groups = defaultdict(list)
    for entry in entries:
        ref = entry.score.entry
        version = (ref.workload, ref.workload_version, entry.score.rules.ruleset, ref.sha256)
        groups[*version, _boundary(entry)].append(entry)
    several = [
        sorted(group, key=_order)
        for _, group in sorted(groups.items())
        if len({entry.score.entry.machine for entry in group}) > 1
    ]
    return [
        MachineComparison(f"m{number}", group, _boundary(group[0]), wording.cost_units(group))
        for number, group in enumerate(several, 1)
    ]


def _values(site: Site) -> Mapping[str, object]:
    boards = [board for name in site.workloads for board in site.boards.of_machines(name)]
    return {
        "machines": machines_of(site.entries),
        "boards": [
            hardware_board(board, site.entries, f"h{number}")
            for number, board in enumerate(boards, 1)
        ],
        "comparisons": comparisons_of(site.entries),
    }


PAGE = single_page("machines", "Machines", 40, _values)
