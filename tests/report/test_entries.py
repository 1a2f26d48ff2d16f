from pathlib import Path

from harness.report.entries import Boards, EntryRun, board_key_of, entries_of, order_of
from tests.lab.results import changed
from tests.report.made import Made


def test_every_score_becomes_an_entry_in_an_order_of_its_own(made: Made) -> None:
    boards = Boards(made.boards)
    forward = entries_of(made.scores, boards, made.results)
    backward = entries_of(made.scores[::-1], boards, made.results)
    assert [entry.path for entry in forward] == [entry.path for entry in backward]
    assert [entry.score for entry in forward] == sorted(made.scores, key=order_of)


def test_every_entry_knows_its_places(made: Made) -> None:
    for entry in entries_of(made.scores, Boards(made.boards), made.results):
        assert list(entry.places) == ["energy", "speed"]
        for place in entry.places.values():
            assert (place.standing is None) != (place.unranked is None)
            row = place.standing or place.unranked
            assert row is not None
            assert row.entry.title == entry.score.entry.title


def test_versions_of_one_submission_are_distinguished_on_the_board(made: Made) -> None:
    board = next(b for b in made.boards if b.standings)
    score = next(s for s in made.scores if s.entry.title == board.standings[0].entry.title
                 and s.entry.workload == board.workload)  # fmt: skip
    named = changed(
        board.standings[0], submission=f"{score.entry.submission}@{score.entry.sha256[:8]}"
    )
    renamed = board.model_copy(update={"standings": (named, *board.standings[1:])})
    other = changed(score, sha256="f" * 64)
    boards = Boards([renamed])
    assert boards.places(score)[board.prize].standing is named
    assert boards.places(other)[board.prize].standing is None


def test_versions_that_bear_one_name_and_title_do_not_share_a_place(made: Made) -> None:
    board = next(b for b in made.boards if b.standings)
    row = board.standings[0]
    score = next(s for s in made.scores if s.entry.sha256 == row.entry.sha256
                 and s.entry.workload == board.workload)  # fmt: skip
    older = changed(row, sha256="a" * 64, rank=2)
    boards = Boards([board.model_copy(update={"standings": (older, *board.standings)})])
    assert boards.places(score)[board.prize].standing is row
    other = changed(score, sha256="a" * 64)
    assert boards.places(other)[board.prize].standing is older


def test_other_machines_have_other_boards(made: Made) -> None:
    score = changed(made.scores[0], machine="elsewhere")
    assert Boards(made.boards).places(score) == {}
    assert board_key_of(score) != board_key_of(made.scores[0])


def test_a_run_reads_its_bundle(made: Made) -> None:
    score = made.scores[0]
    entry_run = EntryRun(score.runs[0], made.results / score.runs[0].bundle)
    assert entry_run.fault == ""
    assert entry_run.run is not None
    assert entry_run.run.id == score.runs[0].run_id
    assert entry_run.evaluation is not None
    assert entry_run.machine is not None
    assert {event.kind for event in entry_run.events} >= {"gun", "span", "snapshot"}
    assert entry_run.trace_path is not None


def test_a_run_without_a_bundle_has_a_reason(made: Made, tmp_path: Path) -> None:
    entry_run = EntryRun(made.scores[0].runs[0], tmp_path)
    assert entry_run.run is None
    assert entry_run.fault == f"no sealed bundle at {made.scores[0].runs[0].bundle}"
    assert entry_run.evaluation is None
    assert entry_run.machine is None
    assert entry_run.events == ()
    assert entry_run.trace_path is None


def test_a_damaged_record_is_a_fault_without_the_machines_path(made: Made, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "run.json").write_text('{"format": 1}')
    entry_run = EntryRun(made.scores[0].runs[0], tmp_path)
    assert entry_run.run is None
    assert "run.json" in entry_run.fault
    assert str(tmp_path) not in entry_run.fault
