import dataclasses
from pathlib import Path

import pytest

from harness.records import Figure
from harness.report.entries import Boards, EntryRun, entries_of
from harness.report.pages.history import Improvement, improvements_of, line_of
from tests.report.made import Made
from tests.report.markup import pages_of


def figure(low: float | None, value: float, high: float | None) -> Figure:
    return Figure(value=value, low=low, high=high, n=3, level=0.95)


@pytest.mark.parametrize(
    ("new", "before", "noise"),
    [
        (figure(8, 9, 10), None, False),
        (figure(8, 9, 10), figure(11, 12, 13), False),
        (figure(8, 9, 11.5), figure(11, 12, 13), True),
        (figure(8, 9, None), figure(11, 12, 13), True),
        (figure(8, 9, 10), figure(None, 12, None), True),
    ],
)
def test_a_step_is_clear_only_where_intervals_stand_apart(
    made: Made, new: Figure, before: Figure | None, noise: bool
) -> None:
    entry = entries_of(made.scores, Boards(made.boards), made.results)[0]
    assert Improvement("", entry, new, before).noise is noise


def test_steps_go_down_and_only_ranked_entries_make_them(made: Made) -> None:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    for board in made.boards:
        members = [entry for entry in entries if entry.score.entry.workload == board.workload]
        line = line_of(members[0].board_key, members, board, "h1")
        values = [step.figure.value for step, _ in line.steps]
        assert values == sorted(values, reverse=True)
        ranked = {row.entry.title for row in board.standings}
        assert {step.entry.score.entry.title for step, _ in line.steps} <= ranked
        if board.standings:
            assert values[-1] == min(row.score for row in board.standings)


def test_the_day_is_that_of_the_earliest_run(made: Made, tmp_path: Path) -> None:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    entry = next(item for item in entries if item.standing("speed"))
    (first,) = improvements_of([entry], "speed")
    runs = [run.run for run in entry.runs if run.run]
    assert first.first_seen == min(run.window.origin_utc for run in runs)
    lost = tuple(EntryRun(run.score, tmp_path) for run in entry.runs)
    (first,) = improvements_of([dataclasses.replace(entry, runs=lost)], "speed")
    assert first.first_seen == ""


def test_the_page_names_the_steps(site: Path) -> None:
    words = pages_of(site)["history.html"].words
    assert "Energy on digits-cnn" in words
    assert "Energy on digits-mlp" not in words
    assert "2026-11-22" in words
