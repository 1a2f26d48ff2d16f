import gzip
import itertools
import json
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.records import Figure, Leaderboard, RunScore, Score, Standing, dump
from harness.report import finite
from harness.report.ci import write_ci
from harness.report.figures import write_figures
from harness.report.finite import NO_NUMBER, all_positive, tamed, tamed_board, tamed_score
from harness.report.site import Site, render, texts
from tests.lab.results import changed
from tests.report.made import Made, Plan, make
from tests.report.markup import Markup, pages_of, read

PLANS = (
    Plan(submission="digits-mlp-a", title="A", seeds=2, meter="rapl"),
    Plan(submission="digits-mlp-b", title="B", seeds=2, meter="rapl", speed=2.0),
    Plan(submission="digits-mlp-c", title="C", seeds=2, meter="rapl", failed={1: "crashed"}),
    Plan(submission="digits-mlp-d", title="D", seeds=2),
    Plan(submission="digits-cnn-a", title="A", seeds=2, meter="rapl", workload="digits-cnn"),
    Plan(submission="digits-cnn-b", title="B", seeds=2, meter="rapl", workload="digits-cnn"),
)

INF, NAN = math.inf, math.nan
EXTREMES = (0.0, -0.0, 5e-324, 1e-300, 1.0, 1e15, 1e300, 1.7e308, -1.0, INF, -INF, NAN)

COSTS = ("energy_to_target_j", "time_to_target_s", "steps_to_target", "cpu_s")
RUN_NUMBERS = ("energy_j", "u_j", "time_s", "time_low_s", "metric", "cpu_s")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("few") / "results", PLANS)


class Spoiler:
    """Puts given values in place of numbers, as no record on disk may hold them."""

    def __init__(self, values: tuple[float | None, ...], seed: int) -> None:
        self.random = random.Random(seed)
        self.values = values

    def value(self) -> float | None:
        return self.random.choice(self.values)

    def number(self) -> float:
        return self.random.choice([value for value in self.values if value is not None] or [0.0])

    def figure(self, figure: Figure | None) -> Figure | None:
        if figure is None or (None in self.values and self.random.random() < 0.2):
            return None
        ends = {key: self.value() for key in ("low", "high", "uncertainty") if self.half()}
        return figure.model_copy(update={"value": self.number(), **ends})

    def half(self) -> bool:
        return self.random.random() < 0.5

    def run(self, run: RunScore) -> RunScore:
        return changed(run, **{name: self.value() for name in RUN_NUMBERS if self.half()})

    def score(self, score: Score) -> Score:
        changes: dict[str, object] = {
            name: self.figure(score.figure_of(name)) for name in COSTS if self.half()
        }
        changes |= {"figure": self.figure(score.quality.figure)} if self.half() else {}
        changes |= {"target": self.number()} if self.half() else {}
        changes["runs"] = tuple(map(self.run, score.runs))
        domains = score.energy.by_domain_j.items()
        changes["by_domain_j"] = {name: self.figure(item) or item for name, item in domains}
        return changed(score, **changes)

    def standing(self, row: Standing) -> Standing:
        ends = {key: self.value() for key in ("low", "high", "p_first") if self.half()}
        return row.model_copy(update={"score": self.number(), **ends} if self.half() else ends)

    def board(self, board: Leaderboard) -> Leaderboard:
        standings = tuple(map(self.standing, board.standings))
        return board.model_copy(
            update={"standings": standings, "resolvable_ratio": self.value()} if self.half() else {}
        )


DRAWN = {"d", "x", "y", "width", "height", "cx", "cy", "r", "viewBox", "data-low", "data-high"}
NO_NUMBERS = re.compile(r"\b(?:nan|NaN|inf|Infinity|None|undefined)\b")


def faults_of(page: Markup) -> Iterator[str]:
    yield from page.faults
    yield from (found[0] for found in NO_NUMBERS.finditer(page.words))
    for element in page.elements:
        for name, value in element.values.items():
            told = name in DRAWN or (name == "data-v" and element.tag == "td")
            if told and NO_NUMBERS.search(value):
                yield f"<{element.tag} {name}={value[:60]!r}>"


def rendered(few: Made, values: tuple[float | None, ...], seed: int) -> dict[str, str]:
    spoiler = Spoiler(values, seed)
    scores, boards = map(spoiler.score, few.scores), map(spoiler.board, few.boards)
    files = texts(Site(few.results, list(scores), list(boards)))
    return {path: text for path, text in files.items() if isinstance(text, str)}


@pytest.mark.parametrize("value", [*EXTREMES, None], ids=repr)
def test_one_extreme_in_every_place_draws_a_sound_page(few: Made, value: float | None) -> None:
    for path, text in rendered(few, (value,), 1).items():
        if path.endswith(".html") and path != "catalogue.html":
            assert list(faults_of(read(text))) == [], path
        if path.endswith(".json"):
            json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize("seed", range(6))
def test_extremes_mixed_draw_sound_pages(few: Made, seed: int) -> None:
    for path, text in rendered(few, (*EXTREMES, None, 2.5, 40.0), seed).items():
        if path.endswith(".html") and path != "catalogue.html":
            assert list(faults_of(read(text))) == [], path


def test_the_search_for_faults_finds_them() -> None:
    page = read('<p>inf J</p><svg><rect x="nan"></rect></svg><table><td data-v="inf"></td></table>')
    assert len(list(faults_of(page))) == 3


def test_sound_records_come_through_unchanged(few: Made) -> None:
    for score in few.scores:
        assert tamed_score(score) == score
        assert finite.json_text(score.model_dump(mode="json")) == dump(score).decode()
    for board in few.boards:
        assert tamed_board(board) == board
        assert tamed(board) is board


def test_an_infinite_figure_is_missing_and_its_place_is_lost(few: Made, tmp_path: Path) -> None:
    board = next(
        item for item in few.boards if (item.prize, item.workload) == ("speed", "digits-mlp")
    )
    first = board.standings[0]
    rows = (first.model_copy(update={"score": INF}), *board.standings[1:])
    found = tamed_board(board.model_copy(update={"standings": rows}))
    assert found.standings == board.standings[1:]
    assert [row.reason for row in found.unranked][-1] == NO_NUMBER
    assert found.unranked[-1].entry.submission == first.entry.submission
    scores = [
        changed(score, time_to_target_s=None)
        if score.entry.submission == first.entry.submission
        else score
        for score in few.scores
    ]
    render(few.results, tmp_path, scores, [found])
    assert NO_NUMBER in pages_of(tmp_path)["board/digits-mlp.html"].words


def test_an_infinite_end_of_an_interval_is_an_open_end(few: Made) -> None:
    score = next(item for item in few.scores if item.costs.time_to_target_s)
    time = score.costs.time_to_target_s
    assert time is not None
    spoilt = changed(score, time_to_target_s=time.model_copy(update={"high": INF}))
    kept = tamed_score(spoilt).costs.time_to_target_s
    assert kept is not None
    assert (kept.value, kept.low, kept.high) == (time.value, time.low, None)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(("0", "", "inf"), repeat=2)))
def test_traces_of_nothing_but_zeros_or_holes(tmp_path: Path, first: str, second: str) -> None:
    made = make(tmp_path / "results", (Plan(submission="z", title="Z", seeds=1, meter="fake"),))
    (path,) = made.results.rglob("trace.csv.gz")
    rows = [f"{i * 10**8},cpu-package-0,{first},,100\n" for i in range(20)]
    rows += [f"{i * 10**8 + 1},gpu-0,,{second},100\n" for i in range(20)]
    text = "t_ns,domain,energy_j,power_w,u_ns\n" + "".join(rows)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    (page,) = (tmp_path / "site" / "entry").glob("*.html")
    markup = read(page.read_text())
    assert list(faults_of(markup)) == []
    drawn = "Power over time, seed" in markup.text
    assert drawn is ("0" in (first, second))
    assert ("No trace to show" in markup.words) is not drawn


@pytest.mark.parametrize("value", [INF, NAN, 0.0])
def test_what_ci_shows_and_the_figures_bear_it_too(few: Made, tmp_path: Path, value: float) -> None:
    spoiler = Spoiler((value,), 3)
    scores, boards = list(map(spoiler.score, few.scores)), list(map(spoiler.board, few.boards))
    for path in write_ci(tmp_path / "ci", scores, boards):
        assert not NO_NUMBERS.search(path.read_text()), path
    assert write_figures(few.results, tmp_path / "figures", scores, boards, ("svg",))


def test_only_costs_that_have_a_logarithm_are_put_together(few: Made) -> None:
    score = next(item for item in few.scores if item.costs.energy_to_target_j and item.runs)
    assert all_positive(score)
    for value in (0.0, -1.0, 1e300, 5e-324):
        run = changed(score.runs[0], energy_j=value)
        assert not all_positive(score.model_copy(update={"runs": (run,)}))
