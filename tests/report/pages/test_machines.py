from pathlib import Path

from harness.report.site import render
from tests.report.made import Made, Plan, make
from tests.report.markup import pages_of


def test_every_machine_is_there_with_how_joules_came_about(site: Path) -> None:
    words = pages_of(site)["machines.html"].words
    assert "AMD EPYC 7B13" in words
    assert "counter modelled simulated" in words
    assert "No submission has run on more than one machine" in words


def machines(tmp_path: Path, *plans: Plan) -> str:
    made = make(tmp_path / "results", plans)
    render(made.results, tmp_path / "site", made.scores, made.boards)
    return pages_of(tmp_path / "site")["machines.html"].words


def test_one_submission_on_two_machines_is_a_contest(tmp_path: Path) -> None:
    words = machines(
        tmp_path,
        Plan(submission="s", title="S", meter="rapl", machine="slow-1", watts=60.0),
        Plan(submission="s", title="S", meter="rapl", machine="frugal-2", watts=20.0),
    )
    contest = words.partition("All machines")[0]
    assert "cpu-package-0, dram-0 (counter)" in contest
    assert contest.index("frugal-2") < contest.index("slow-1")


def test_unlike_joules_are_never_in_one_table(tmp_path: Path) -> None:
    words = machines(
        tmp_path,
        Plan(submission="s", title="S", meter="rapl", machine="metered-1"),
        Plan(submission="s", title="S", meter="codecarbon", machine="modelled-2"),
    )
    assert "No submission has run on more than one machine" in words


def test_a_machine_without_a_record_is_listed(made: Made, tmp_path: Path) -> None:
    render(tmp_path / "lost", tmp_path / "site", made.scores, made.boards)
    words = pages_of(tmp_path / "site")["machines.html"].words
    assert "epyc-7b13-4f2a" in words
    assert "the record cannot be read" in words
