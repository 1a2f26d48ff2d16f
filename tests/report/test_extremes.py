import gzip
import itertools
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.records import Figure, Leaderboard, RunScore, Score, Standing
from harness.report.ci import write_ci
from harness.report.entries import all_positive
from harness.report.figures import write_figures
from harness.report.site import Site, publish, render
from tests.lab.results import changed
from tests.report.made import Made, Plan, make
from tests.report.markup import Markup, read

PLANS = (
    Plan(submission="digits-mlp-a", title="A", seeds=2, meter="rapl"),
    Plan(submission="digits-mlp-b", title="B", seeds=2, meter="rapl", speed=2.0),
    Plan(submission="digits-mlp-c", title="C", seeds=2, meter="rapl", failed={1: "crashed"}),
    Plan(submission="digits-mlp-d", title="D", seeds=2),
    Plan(submission="digits-cnn-a", title="A", seeds=2, meter="rapl", workload="digits-cnn"),
    Plan(submission="digits-cnn-b", title="B", seeds=2, meter="rapl", workload="digits-cnn"),
)

EXTREMES = (0.0, -0.0, 5e-324, 1e-300, 1.0, 1e15, 1e300, 1.7e308, -1.0)
"""Numbers that records may hold; they refuse infinite ones and NaN."""

FIGURES = ("energy_to_target_j", "time_to_target_s", "steps_to_target", "cpu_s")
RUN_NUMBERS = ("energy_j", "u_j", "time_s", "time_low_s", "metric", "cpu_s")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("few") / "results", PLANS)


class Spoiler:
    """Replaces numbers by given values."""

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
        names = [name for name in FIGURES if self.half()]
        changes: dict[str, object] = {name: self.figure(score.figure_of(name)) for name in names}
        changes |= {"target": self.number()} if self.half() else {}
        if self.half():
            changes["figure"] = self.figure(score.quality.figure)
        domains = score.energy.by_domain_j.items()
        changes["by_domain_j"] = {name: self.figure(item) or item for name, item in domains}
        changes["runs"] = tuple(map(self.run, score.runs))
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
    yield from (match[0] for match in NO_NUMBERS.finditer(page.words))
    for element in page.elements:
        for name, value in element.values.items():
            drawn = name in DRAWN or (name == "data-v" and element.tag == "td")
            if drawn and NO_NUMBERS.search(value):
                yield f"<{element.tag} {name}={value[:60]!r}>"


def rendered(few: Made, values: tuple[float | None, ...], seed: int) -> dict[str, str]:
    spoiler = Spoiler(values, seed)
    scores, boards = map(spoiler.score, few.scores), map(spoiler.board, few.boards)
    site = Site(few.results, list(scores), list(boards))
    # Awards and rankings are decided from these, which must agree with their runs.
    site.scores = tuple(few.scores)
    files = publish(site)
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


def test_output_for_ci_and_figures_with_zeros(few: Made, tmp_path: Path) -> None:
    spoiler = Spoiler((0.0,), 3)
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
