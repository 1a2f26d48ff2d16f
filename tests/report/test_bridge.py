import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Figure, Score
from harness.report import numbers
from harness.report.entries import Boards, entries_of
from harness.report.pages.compare import first_of
from harness.score.bridge import bridge_between, not_comparable
from tests.lab.results import changed
from tests.report.made import Made

costs = st.floats(1e-3, 1e6)


def plain(value: float) -> Figure:
    return Figure(value=value, low=None, high=None, n=3, level=0.95)


def scored(score: Score, joules: float, seconds: float, steps: float | None) -> Score:
    assert score.costs.energy_to_target_j is not None
    energy = score.costs.energy_to_target_j.model_copy(update={"value": joules})
    return changed(
        score,
        energy_to_target_j=energy,
        time_to_target_s=plain(seconds),
        steps_to_target=None if steps is None else plain(steps),
    )


@pytest.fixture(scope="module")
def base(made: Made) -> Score:
    return next(s for s in made.scores if s.entry.submission == "cnn-muon")


@given(st.tuples(costs, costs, costs), st.tuples(costs, costs, costs))
def test_the_factors_add_up_to_the_difference(
    base: Score, one: tuple[float, float, float], other: tuple[float, float, float]
) -> None:
    bridge = bridge_between(scored(base, *one), scored(base, *other))
    assert bridge is not None
    total = sum(bar.energy_j for bar in bridge.bars)
    assert math.isclose(
        total, other[0] - one[0], rel_tol=1e-6, abs_tol=1e-6 * max(one[0], other[0])
    )
    assert math.isclose(
        math.prod(bar.ratio for bar in bridge.bars), other[0] / one[0], rel_tol=1e-9
    )


def test_without_steps_there_are_two_factors(base: Score) -> None:
    bridge = bridge_between(scored(base, 10, 2, None), scored(base, 20, 2, 50))
    assert bridge is not None
    assert [bar.factor for bar in bridge.bars] == ["time_s", "watts"]


def test_words_tell_the_direction(base: Score) -> None:
    bridge = bridge_between(scored(base, 100, 10, 100), scored(base, 118.8, 10.8, 120))
    assert bridge is not None
    words = bridge.text(numbers.percent).replace("\u202f", " ")
    assert words == "20 % more steps, steps 10 % faster, power 10 % higher"
    same = bridge_between(base, base)
    assert same is not None
    assert same.text(numbers.percent) == "equally many steps, steps equally fast, equal power"


def test_unlike_joules_are_never_compared(made: Made, base: Score) -> None:
    by_name = {score.entry.submission: score for score in made.scores}
    for name in ("cnn-fake", "cnn-unmetered", "digits-mlp-adamw", "digits-mlp-broken"):
        assert bridge_between(base, by_name[name]) is None
        assert not_comparable(base, by_name[name])
    figure = base.costs.energy_to_target_j
    assert figure is not None
    sampled = figure.model_copy(update={"method": "sampled"})
    other = changed(base, energy_to_target_j=sampled)
    assert "different methods" in not_comparable(base, other)


def test_the_first_is_a_ranked_one_where_there_is_one(made: Made) -> None:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    cnn = [entry for entry in entries if entry.score.entry.workload == "digits-cnn"]
    first = first_of(cnn)
    assert first is not None
    assert first.score.entry.submission == "cnn-muon"
    assert first_of([e for e in cnn if e.score.entry.submission == "cnn-unmetered"]) is None
    estimated = first_of([entry for entry in entries if entry.score.entry.workload == "digits-mlp"])
    assert estimated is not None
    assert estimated.score.entry.submission == "digits-mlp-muon"
