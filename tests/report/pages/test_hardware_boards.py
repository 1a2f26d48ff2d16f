from pathlib import Path

import pytest

from harness.report.pages.machines import hardware_board
from harness.report.site import Site, render
from tests.report.made import Made, Plan, make
from tests.report.markup import Markup, pages_of


def reference(machine: str, watts: float, meter: str = "rapl") -> Plan:
    name = "digits-mlp-adamw"
    return Plan(submission=name, title="AdamW", machine=machine, watts=watts, meter=meter, seeds=4)


PLANS = (
    reference("slow-1", 60.0),
    reference("frugal-2", 20.0),
    reference("modelled-3", 1.0, "codecarbon"),
)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("machines") / "results", PLANS)


@pytest.fixture(scope="module")
def pages(machines: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Markup]:
    out = tmp_path_factory.mktemp("site")
    render(machines.results, out, machines.scores, machines.boards)
    return pages_of(out)


def test_machines_rank_by_the_joules_of_the_reference(pages: dict[str, Markup]) -> None:
    page = pages["machines.html"]
    assert page.faults == []
    prize = page.words.partition("The same submission")[0]
    assert "Hardware prize on digits-mlp" in prize
    assert "Winner" in prize
    assert prize.index("frugal-2") < prize.index("slow-1")
    assert "entry/digits-mlp--digits-mlp-adamw--frugal-2.html" in page.links


def test_a_machine_with_modelled_joules_is_listed_without_a_place(pages: dict[str, Markup]) -> None:
    prize = pages["machines.html"].words.partition("The same submission")[0]
    listed = prize.partition("Not ranked")[2]
    assert "modelled-3" in listed
    assert "modelled-3" not in prize.partition("Not ranked")[0]
    assert "modelled" in listed.partition("modelled-3")[2]


def test_the_front_page_has_a_card_of_the_winner(pages: dict[str, Markup]) -> None:
    page = pages["index.html"]
    assert page.faults == []
    card = page.words.partition("machines compete")[2]
    assert card.index("Hardware") < card.index("frugal-2")
    assert "machines.html" in page.links


def test_every_row_finds_the_score_of_its_own_machine(machines: Made) -> None:
    site = Site(machines.results, machines.scores, machines.boards)
    (board,) = site.boards.of_machines("digits-mlp")
    view = hardware_board(board, site.entries, "h1")
    for row, entry, _ in view.ranked:
        assert entry is not None
        assert entry.score.entry.machine == row.entry.machine
    assert [entry and entry.score.entry.machine for _, entry in view.not_ranked] == ["modelled-3"]
    assert hardware_board(board, (), "h1").ranked[0][1] is None


def test_one_machine_makes_no_contest(made: Made, site: Path) -> None:
    boards = Site(made.results, made.scores, made.boards).boards
    assert list(boards.of_machines("digits-mlp")) == []
    assert "Hardware prize" not in (site / "machines.html").read_text()
