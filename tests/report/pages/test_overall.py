from pathlib import Path

import pytest

from harness.report.pages.overall import sections_of
from harness.report.site import render
from tests.report.made import Made, Plan, make
from tests.report.markup import read

WORKLOADS = ("digits-cnn", "digits-mlp")


@pytest.fixture(scope="module")
def made_field(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two algorithms against the reference on two workloads, and one on a single one."""
    plans = [
        Plan(submission=f"{workload}-{name}", title=name, workload=workload, meter="rapl",
             speed=speed)
        for workload in WORKLOADS
        for name, speed in (("adamw", 1.5), ("fast", 3.0), ("slow", 0.8))
    ]  # fmt: skip
    plans.append(Plan(submission="digits-mlp-once", title="Once", meter="rapl", speed=2.0))
    plans.append(Plan(submission="digits-mlp-guess", title="Guess", speed=9.0))
    return make(tmp_path_factory.mktemp("field") / "results", tuple(plans))


def test_one_name_on_several_workloads_is_one_algorithm(made_field: Made) -> None:
    sections = {section.title: section for section in sections_of(made_field.scores)}
    ranking = sections["joules"].ranking
    assert ranking.workloads == WORKLOADS
    assert [row.name for row in ranking.rows][:2] == ["fast", "adamw"]
    reference = next(row for row in ranking.rows if row.name == "adamw")
    assert [cell.reference_ratio for cell in reference.cells] == [1.0, 1.0]
    assert all(cell.best_ratio == 1.0 for cell in ranking.rows[0].cells)


def test_estimated_joules_count_for_time_only(made_field: Made) -> None:
    rows = {
        section.title: {row.name: row for row in section.ranking.rows}
        for section in sections_of(made_field.scores)
    }
    assert rows["joules"]["guess"].solved_count == 0
    assert rows["seconds"]["guess"].solved_count == 1


def test_the_page_shows_the_record(made_field: Made, tmp_path: Path) -> None:
    render(made_field.results, tmp_path, made_field.scores, made_field.boards)
    page = read((tmp_path / "overall.html").read_text())
    assert page.faults == []
    words = page.words.partition("By joules")[2]
    assert words.index("fast") < words.index("adamw Reference") < words.index("slow")
    assert "was not entered" in words
    assert "Without one workload" in words
    for section in sections_of(made_field.scores):
        assert all(note in page.words for note in section.ranking.notes)


def test_one_workload_is_nothing_to_rank(tmp_path: Path) -> None:
    made = make(tmp_path / "results", (Plan(submission="a", title="A", meter="rapl"),))
    assert sections_of(made.scores) == []
    render(made.results, tmp_path / "site", made.scores, made.boards)
    assert "Nothing to rank yet" in (tmp_path / "site" / "overall.html").read_text()


def test_a_ranking_of_the_reference_alone_is_not_shown(tmp_path: Path) -> None:
    plans = [
        Plan(submission=f"{workload}-adamw", title="adamw", workload=workload, meter="rapl")
        for workload in WORKLOADS
    ]
    assert sections_of(make(tmp_path / "results", tuple(plans)).scores) == []
