from pathlib import Path

import pytest

from harness.report.pages import overall
from harness.report.site import Site, render
from tests.report.made import Made, Plan, make
from tests.report.markup import read

NAMES = {"fast": 3.0, "slow": 1.0}
WORKLOADS = ("digits-cnn", "digits-mlp", "markov-lm")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two contenders on three workloads; the slow one is the better one on the last."""
    plans = [
        Plan(submission=f"{workload}-{name}", title=name, workload=workload, meter="rapl",
             speed=4.0 - speed if workload == "markov-lm" else speed)
        for workload in WORKLOADS
        for name, speed in NAMES.items()
    ]  # fmt: skip
    plans.append(Plan(submission="digits-mlp-guess", title="Guess", speed=9.0))
    return make(tmp_path_factory.mktemp("wide") / "results", tuple(plans))


def fields(made: Made) -> dict[str, overall.Field]:
    site = Site(made.results, made.scores, made.boards)
    return {field.title: field for field in overall.fields_of(site.entries)}


def test_one_name_on_several_workloads_is_one_contender(wide: Made) -> None:
    field = fields(wide)["Energy"]
    assert field.workloads == WORKLOADS
    assert [contender.name for contender in field.contenders] == ["fast", "slow"]
    assert [contender.ratios.count(1.0) for contender in field.contenders] == [2, 1]
    for contender in field.contenders:
        assert contender.interval is not None
        assert contender.interval.low <= contender.area <= contender.interval.high


def test_estimated_joules_count_for_time_only(wide: Made) -> None:
    found = fields(wide)
    assert "guess" not in {contender.name for contender in found["Energy"].contenders}
    assert "guess" in {contender.name for contender in found["Speed"].contenders}


def test_the_lead_is_tried_without_each_workload(wide: Made) -> None:
    field = fields(wide)["Energy"]
    for at, leader in enumerate(field.leaders):
        best = max(contender.without[at] for contender in field.contenders)
        assert field.contenders[leader].without[at] == best


def test_the_page_shows_scores_and_dashes(wide: Made, tmp_path: Path) -> None:
    render(wide.results, tmp_path, wide.scores, wide.boards)
    page = read((tmp_path / "overall.html").read_text())
    assert page.faults == []
    assert "no place on this board" in page.words
    assert "Without one workload" in page.words


def test_one_workload_is_nothing_to_put_together(tmp_path: Path) -> None:
    made = make(tmp_path / "results", (Plan(submission="a", title="A", meter="rapl"),))
    assert fields(made) == {}
    render(made.results, tmp_path / "site", made.scores, made.boards)
    assert "Nothing to put together yet" in (tmp_path / "site" / "overall.html").read_text()


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two contenders against the reference on two workloads, and one on a single one."""
    plans = [
        Plan(submission=f"{workload}-{name}", title=name, workload=workload, meter="rapl",
             speed=speed)
        for workload in ("digits-cnn", "digits-mlp")
        for name, speed in (("adamw", 1.5), ("fast", 3.0), ("slow", 0.8))
    ]  # fmt: skip
    plans.append(Plan(submission="digits-mlp-once", title="Once", meter="rapl", speed=2.0))
    return make(tmp_path_factory.mktemp("held") / "results", tuple(plans))


def test_contests_against_the_reference_stand_beside(held: Made, tmp_path: Path) -> None:
    site = Site(held.results, held.scores, held.boards)
    contests = {contest.title: contest for contest in overall.contests_of(site)}
    assert {"seconds", "joules"} <= set(contests)
    found = contests["joules"].found
    assert found.reference == "adamw"
    reference = next(row for row in found.rows if row.name == "adamw")
    assert [cell.reference_ratio for cell in reference.cells] == [1.0, 1.0]
    render(held.results, tmp_path, held.scores, held.boards)
    page = read((tmp_path / "overall.html").read_text())
    assert page.faults == []
    words = page.words.partition("Against the reference, by joules")[2]
    assert words.index("fast") < words.index("adamw Reference") < words.index("slow")


def test_a_contest_of_the_reference_alone_is_none(tmp_path: Path) -> None:
    plans = [
        Plan(submission=f"{workload}-adamw", title="adamw", workload=workload, meter="rapl")
        for workload in ("digits-cnn", "digits-mlp")
    ]
    made = make(tmp_path / "results", tuple(plans))
    assert overall.contests_of(Site(made.results, made.scores, made.boards)) == []
