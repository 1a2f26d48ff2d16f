"""Scores and leaderboards as tables: value, unit, interval, method; who has no place, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.documents import ScoreDocument
from harness.records import (
    Figure,
    Leaderboard,
    MultiRow,
    Ruleset,
    Score,
    Spent,
    Standing,
    Unranked,
    load,
)
from harness.report.numbers import Unit, figure, percent, quantity, unit_for

if TYPE_CHECKING:
    from harness.cli.page import Page

COLUMNS = ("rank", "could be", "tie", "submission", "n", "value", "interval", "method")


def scores_below(results: Path, ruleset: Ruleset | None) -> ScoreDocument:
    """Score and rank what lies below a folder."""
    from harness.prizes import score_document

    return load(ScoreDocument, {"format": 1, **score_document(results, ruleset)}, results)


Entry = tuple[str, str]
"""Name and digest of a submission: two names may have one source, and one name two sources."""


def _entry(row: Score | Standing | Unranked) -> Entry:
    return row.submission, row.submission_sha256


def _figures(document: ScoreDocument, board: Leaderboard) -> dict[tuple[Entry, str], Figure]:
    """The figure behind each row of a board, by entry and machine."""
    found = {}
    for score in document.scores:
        if (score.workload, score.workload_version, score.ruleset) == (
            board.workload, board.workload_version, board.ruleset
        ):  # fmt: skip
            behind = getattr(score, board.quantity, None)
            if isinstance(behind, Figure):
                found[_entry(score), score.machine] = behind
    return found


def names_of(board: Leaderboard) -> dict[Entry, str]:
    """What each entry is called: versions of one name carry the digest's head."""
    entries = {_entry(row) for row in board.standings} | {_entry(row) for row in board.unranked}
    count = Counter(name for name, _ in entries)
    return {(name, sha): f"{name}@{sha[:8]}" if count[name] > 1 else name for name, sha in entries}


def _called(row: Standing | Unranked, board: Leaderboard, names: dict[Entry, str]) -> str:
    """What competes: a submission, with the machine where machines compete."""
    name = names[_entry(row)]
    return f"{name} on {row.machine}" if row.machine != board.machine else name


def _method(found: Figure | None) -> str:
    if found is None or found.method is None:
        return "not measured"
    text = f"{found.method}: {', '.join(found.domains)}"
    return f"{text} (simulated)" if found.simulated else text


def _rows(
    board: Leaderboard, figures: dict[tuple[Entry, str], Figure]
) -> Iterator[Sequence[object]]:
    values = [row.score for row in board.standings] + [row.score for row in board.unranked]
    unit = unit_for(values, board.unit)
    names = names_of(board)
    for row in board.standings:
        key = (_entry(row), row.machine)
        place = (row.rank, _span(row), row.tie_group, _called(row, board, names))
        yield (*place, *_cells(row.score, figures.get(key), board, unit))
    for other in board.unranked:
        key = (_entry(other), other.machine)
        name = _called(other, board, names)
        yield ("–", "", "", name, *_cells(other.score, figures.get(key), board, unit))


def _cells(
    score: float | None, found: Figure | None, board: Leaderboard, unit: Unit
) -> tuple[object, ...]:
    """From how many seeds, value, interval and method."""
    method = _method(found) if board.unit == "J" else "clock" if board.unit else "judge"
    if score is None:
        return ("", None, "", method)
    low, high = (found.low, found.high) if found else (None, None)
    shown = figure(score, low, high, unit)
    return (found.n if found else "", f"{shown.value} {unit.symbol}", shown.interval, method)


def _span(row: Standing) -> str:
    low, high = row.rank_low, row.rank_high
    return str(low) if low == high else f"{low}–{high}"


def show_board(board: Leaderboard, document: ScoreDocument, page: "Page") -> None:
    """One leaderboard, with the reasons of those without a place below it."""
    page.heading(
        f"{board.prize}: {board.quantity} on {board.workload}, {board.machine}, "
        f"rules {board.ruleset}, {board.division} division"
    )
    right = ("rank", "n", "value")
    page.table(COLUMNS, _rows(board, _figures(document, board)), right=right)
    names = names_of(board)
    for other in board.unranked:
        page.line(f"no place: {_called(other, board, names)}: {other.reason}", indent=2)
    seen = f"; these data could have seen a lead of {percent(board.resolvable_ratio)}"
    lead = seen if board.resolvable_ratio is not None else ""
    page.line(f"{board.note}{lead}", indent=2)
    page.line()


ACROSS = ("rank", "could be", "tie", "method", "score", "interval", "hits", "against the best")
SPENT = ("submission", "runs", "missed", "joules", "wasted", "seconds", "wasted s", "with tuning")


def _across_row(row: MultiRow, count: int) -> Sequence[object]:
    place: tuple[object, ...] = ("–", "", "")
    if row.rank is not None:
        could = f"{row.rank_low}–{row.rank_high}" if row.rank_low != row.rank_high else row.rank
        place = (row.rank, could, row.tie_group)
    known = row.low is not None and row.high is not None
    span = f"{row.low:.3f} to {row.high:.3f}" if known else ""
    score = None if row.score is None else f"{row.score:.3f}"
    return (
        *place,
        row.name,
        score,
        span,
        f"{row.solved_count} of {count}",
        f"{row.best_profile_fraction:.3f}",
    )


def show_across(document: ScoreDocument, page: "Page") -> None:
    """Contests over several workloads."""
    for item in document.across:
        count = len(item.workloads)
        page.heading(
            f"across {count} workloads: {item.aggregate.replace('_', ' ')} of {item.quantity} "
            f"against {item.reference}, {item.machine}, rules {item.ruleset}, "
            f"{item.division} division"
        )
        rows = [_across_row(row, count) for row in item.rows]
        page.table(ACROSS, rows, right=("rank", "score", "against the best"))
        for name, why in item.left_out.items():
            page.line(f"does not count: {name}: {why}", indent=2)
        page.line()


def _spent_row(score: Score, spent: Spent) -> Sequence[object]:
    tuned = score.tuning.time_with_tuning_s if score.tuning else None
    return (
        f"{score.submission} on {score.workload}, {score.ruleset}",
        spent.runs_count,
        spent.missed_count,
        quantity(spent.energy_j, "J"),
        quantity(spent.wasted_energy_j, "J"),
        quantity(spent.time_s, "s"),
        quantity(spent.wasted_time_s, "s"),
        quantity(tuned.value if tuned else None, "s"),
    )


def show_spent(document: ScoreDocument, page: "Page") -> None:
    """What entries spent on runs that never hit, and with their tuning; only where some did."""
    there = [(score, score.spent) for score in document.scores if score.spent]
    rows = [
        _spent_row(score, spent)
        for score, spent in there
        if spent.missed_count or score.tuning is not None
    ]
    if rows:
        page.heading("spent on runs that never reached the target, and on tuning")
        page.table(SPENT, rows, right=SPENT[1:])
        page.line()


def show_stale(document: ScoreDocument, page: "Page") -> None:
    """Workloads that have changed since the runs were made: new runs will not rank beside them."""
    from harness.registry import BrokenPlugin, UnknownPlugin, find
    from harness.run.order import plugin_file, workload_version

    for name, ran in sorted(
        {(score.workload, score.workload_version) for score in document.scores}
    ):
        try:
            here = workload_version(plugin_file(find("workloads", name)))
        except (UnknownPlugin, BrokenPlugin):
            continue
        if here != ran:
            page.line(
                f"stale: workload '{name}' is version {here} here, these runs are of version "
                f"{ran}; run the entries again to rank them beside new ones",
                "yellow",
            )


def show(document: ScoreDocument, page: "Page") -> None:
    """All boards, and what was left out."""
    for board in document.boards:
        show_board(board, document, page)
    show_across(document, page)
    show_spent(document, page)
    if not document.boards:
        page.line("nothing to score: no readable bundle here")
    for finding in document.findings:
        page.line(
            f"{finding.level}: {finding.message}", "" if finding.level == "info" else "yellow"
        )
        if finding.rule == "imported-unscored":
            page.line(f"next: {finding.advice}", indent=2)
    show_stale(document, page)
    if document.boards:
        level = next((f.level for s in document.scores if (f := s.time_to_target_s)), None)
        said = f", {level:.0%} confidence" if level is not None else ""
        page.line(f"intervals: of the geometric mean over seeds{said}; n: distinct seeds")
