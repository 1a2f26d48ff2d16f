"""Prints scores and leaderboards: values with unit, interval and method, and who is not ranked."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from harness.cli.printer import Printer
from harness.records import (
    Figure,
    ImportedScore,
    ImportedScoreDocument,
    ImportedStanding,
    Leaderboard,
    MultiRow,
    Score,
    Spent,
    Standing,
    Unranked,
)
from harness.records.document import ScoreDocument
from harness.registry import BrokenPlugin, UnknownPlugin, find
from harness.report import numbers
from harness.report.numbers import Unit, percent, quantity, unit_for
from harness.run.workload_record import plugin_file, workload_version

RANK = ("rank", "rank range", "tie group")
BOARD_COLUMNS = (*RANK, "submission", "n", "value", "interval", "method")
MULTI_COLUMNS = (*RANK, "algorithm", "score", "interval", "solved", "vs. best")
SPENT_COLUMNS = (
    "submission", "runs", "failed runs", "joules", "failed runs J", "seconds", "failed runs s",
    "seconds with tuning",
)  # fmt: skip
IMPORTED_BOARD_COLUMNS = (*RANK, "submission", "machine", "workload", "value", "interval")
IMPORTED_COLUMNS = (
    "workload", "submission", "machine", "n", "status", "time", "energy", "method", "reason",
)  # fmt: skip

EntryKey = tuple[str, str]
"""Name and digest of a submission: two names may have one source, and one name two sources."""


def _entry(row: Score | Standing | Unranked) -> EntryKey:
    return row.entry.submission, row.entry.sha256


def entry_names(board: Leaderboard) -> dict[EntryKey, str]:
    """Return a distinct name for each entry: two versions of one name show their digests."""
    entries = {_entry(row) for row in board.standings} | {_entry(row) for row in board.unranked}
    count = Counter(name for name, _ in entries)
    return {(name, sha): f"{name}@{sha[:8]}" if count[name] > 1 else name for name, sha in entries}


def _rank_cells(row: Standing | ImportedStanding | None) -> tuple[object, object, object]:
    if row is None:
        return "–", "", ""
    low, high = row.rank_low, row.rank_high
    return row.rank, str(low) if low == high else f"{low}–{high}", row.tie_group


def _value_cells(
    score: float | None, value: Figure | None, board: Leaderboard, unit: Unit
) -> tuple[object, ...]:
    """Return the cells n, value, interval and method."""
    method = "clock" if board.unit else "judge"
    if board.unit == "J":
        method = "not measured"
        if value and value.method:
            simulated = " (simulated)" if value.simulated else ""
            method = f"{value.method}: {', '.join(value.domains)}{simulated}"
    if score is None:
        return ("", None, "", method)
    low, high = (value.low, value.high) if value else (None, None)
    shown = numbers.figure(score, low, high, unit)
    return (value.n if value else "", f"{shown.value} {unit.symbol}", shown.interval, method)


def show_board(board: Leaderboard, document: ScoreDocument, printer: Printer) -> None:
    """Print one leaderboard, and why some entries are not ranked."""
    figures = {}
    for score in document.scores:
        key = (score.entry.workload, score.entry.workload_version, score.rules.ruleset)
        value = score.figure_of(board.quantity)
        if key == (board.workload, board.workload_version, board.ruleset) and isinstance(
            value, Figure
        ):
            figures[_entry(score), score.entry.machine] = value
    names = entry_names(board)

    def name_of(row: Standing | Unranked) -> str:
        name = names[_entry(row)]
        return f"{name} on {row.entry.machine}" if row.entry.machine != board.machine else name

    listed: list[Standing | Unranked] = [*board.standings, *board.unranked]
    unit, rows = unit_for((row.score for row in listed), board.unit), []
    for row in listed:
        figure = figures.get((_entry(row), row.entry.machine))
        rank = _rank_cells(row if isinstance(row, Standing) else None)
        rows.append((*rank, name_of(row), *_value_cells(row.score, figure, board, unit)))
    printer.heading(
        f"{board.prize}: {board.quantity} on {board.workload}, {board.machine}, "
        f"rules {board.ruleset}, {board.division} division"
    )
    printer.table(BOARD_COLUMNS, rows, right=("rank", "n", "value"))
    for other in board.unranked:
        printer.line(f"not ranked: {name_of(other)}: {other.reason}", indent=2)
    note = board.note
    if board.resolvable_ratio is not None:
        note += f"; minimum detectable difference {percent(board.resolvable_ratio)}"
    printer.line(note, indent=2)
    printer.line()


def _multi_row(row: MultiRow, count: int) -> Sequence[object]:
    place, score, interval = row.standing, None, ""
    if place:
        score = f"{place.score:.3f}"
        if place.low is not None and place.high is not None:
            interval = f"{place.low:.3f} to {place.high:.3f}"
    solved, best = f"{row.solved_count} of {count}", f"{row.best_profile_fraction:.3f}"
    return (*_rank_cells(place), row.name, score, interval, solved, best)


def _show_multi(document: ScoreDocument, printer: Printer) -> None:
    for ranking in document.across:
        count, rules = len(ranking.workloads), ranking.rules
        printer.heading(
            f"{count} workloads: {rules.aggregate.replace('_', ' ')} of {rules.quantity} "
            f"relative to {rules.reference}, {ranking.machine}, rules {ranking.ruleset}, "
            f"{ranking.division} division"
        )
        rows = [_multi_row(row, count) for row in ranking.rows]
        printer.table(MULTI_COLUMNS, rows, right=("rank", "score", "vs. best"))
        for name, reason in ranking.left_out.items():
            printer.line(f"not counted: {name}: {reason}", indent=2)
        printer.line()


def _spent_row(score: Score, spent: Spent) -> Sequence[object]:
    tuned = score.tuning.time_with_tuning_s if score.tuning else None
    name = f"{score.entry.submission} on {score.entry.workload}, {score.rules.ruleset}"
    joules = (quantity(value, "J") for value in (spent.energy_j, spent.wasted_energy_j))
    times = (spent.time_s, spent.wasted_time_s, tuned.value if tuned else None)
    seconds = (quantity(value, "s") for value in times)
    return (name, spent.runs_count, spent.missed_count, *joules, *seconds)


def _show_spent(document: ScoreDocument, printer: Printer) -> None:
    """Print what entries spent on failed runs and on tuning, if any did."""
    rows = [
        _spent_row(score, score.spent)
        for score in document.scores
        if score.spent and (score.spent.missed_count or score.tuning is not None)
    ]
    if rows:
        printer.heading("spent on runs that missed the target, and on tuning")
        printer.table(SPENT_COLUMNS, rows, right=SPENT_COLUMNS[1:])
        printer.line()


def stale_workloads(document: ScoreDocument) -> list[str]:
    """Return the names of the workloads that have changed since some of their runs were made."""
    stale = set()
    for name, version in {(s.entry.workload, s.entry.workload_version) for s in document.scores}:
        try:
            current = workload_version(plugin_file(find("workloads", name)))
        except (UnknownPlugin, BrokenPlugin):
            continue
        if current != version:
            stale.add(name)
    return sorted(stale)


def show_scores(document: ScoreDocument, printer: Printer) -> None:
    """Print all leaderboards, and what is in none of them."""
    for board in document.boards:
        show_board(board, document, printer)
    _show_multi(document, printer)
    _show_spent(document, printer)
    if not document.boards:
        printer.line("nothing to score: no readable bundle here")
    printer.findings(document.findings)
    for finding in document.findings:
        if finding.rule == "imported-unscored":
            printer.line(f"next: {finding.advice}", indent=2)
    if stale := stale_workloads(document):
        printer.line(
            f"stale: {', '.join(stale)}: changed since these runs; run the entries again to rank "
            "them with new ones",
            "yellow",
        )
    if document.boards:
        level = next((f.level for s in document.scores if (f := s.costs.time_to_target_s)), None)
        confidence = f", {level:.0%} confidence" if level is not None else ""
        printer.line(f"interval: of the geometric mean over seeds{confidence}; n: distinct seeds")


def _imported_cells(score: ImportedScore) -> Sequence[object]:
    costs = ((score.time_to_target_s, "s"), (score.energy_to_target_j, "J"))
    time, energy = (cost and f"{cost.value:.6g} {unit}" for cost, unit in costs)
    entry = (score.workload, score.submission, score.machine, score.n, score.status)
    return (*entry, time, energy, score.energy_method or "not measured", score.reason)


def show_imported(document: ImportedScoreDocument, printer: Printer) -> None:
    """Print the standings, scores and findings of imported records."""
    boards = defaultdict(list)
    for row in document.leaderboard:
        ends = ("open" if end is None else f"{end:.6g}" for end in (row.low, row.high))
        interval = "" if row.low is None and row.high is None else " to ".join(ends)
        place = (*_rank_cells(row), row.submission, row.machine, row.workload)
        boards[row.quantity, row.workload].append((*place, f"{row.score:.6g}", interval))
    variant = "as its code computes it" if document.as_shipped else "as its rules say"
    for (quantity_name, workload), rows in boards.items():
        where = f" on {workload}" if workload else ""
        printer.heading(f"{quantity_name}{where}, rules {document.ruleset}, {variant}")
        printer.table(IMPORTED_BOARD_COLUMNS, rows, right=("rank", "value"))
        printer.line()
    cells = map(_imported_cells, document.scores)
    printer.table(IMPORTED_COLUMNS, cells, right=("n", "time", "energy"))
    printer.findings(document.findings)
    printer.line("imported records: scored and shown, never awarded")
