import math

import pytest

from harness.report.charts.profile import COLOURS, profile_chart, steps_of


def test_a_profile_climbs_by_a_part_at_every_ratio_and_ends_at_the_edge() -> None:
    assert steps_of([1.0, 2.0, math.inf, 9.0], 4.0) == [(1.0, 0.25), (2.0, 0.5), (4.0, 0.5)]


@pytest.mark.parametrize("ratios", [[1.0], [math.inf, math.inf], [4.0, 4.0, 1.5]])
def test_profiles_never_fall(ratios: list[float]) -> None:
    corners = steps_of(ratios, 4.0)
    assert corners == sorted(corners)
    assert corners[-1][1] == sum(ratio <= 4.0 for ratio in ratios) / len(ratios)


def test_only_so_many_are_drawn() -> None:
    drawn = profile_chart([(f"c{n}", [1.0 + n, 2.0]) for n in range(9)], 4.0, "p")
    assert drawn is not None
    assert drawn.count('class="power') == COLOURS
    assert "c0: best on 1 of 2" in drawn
    assert profile_chart([], 4.0, "p") is None
