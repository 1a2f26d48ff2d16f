"""Intervals hold the truth for every class of sensor: a smaller benchmarks/energy_coverage.py."""

import numpy as np
import pytest

from benchmarks.energy_coverage import HEADINGS, PAGE, summarize, windows
from tests.lab.courses import COURSES, SENSORS, draw, measure

BLIND = {"power 25/100 ms", "power 10/20 ms"}


@pytest.mark.parametrize("name", SENSORS)
def test_the_intervals_of_a_sensor_class_hold_and_are_narrow_enough_to_be_of_use(name):
    row = summarize(name, list(windows(name, SENSORS[name], 12)))
    assert row.windows >= 10 * len(COURSES)
    assert row.bounds == 1.0
    if name in BLIND:
        assert row.holds is None
        return
    assert row.holds is not None
    assert row.ratios is not None
    assert min(row.holds) >= 0.95
    assert max(row.ratios) <= 3


def test_a_sensor_that_sees_a_part_of_the_time_says_so_and_states_no_uncertainty():
    drawn = draw(np.random.default_rng(1), "bursts of 100 ms", SENSORS["power 25/100 ms"], 1.0)
    result = measure(drawn, SENSORS["power 25/100 ms"])
    assert (result.u_j, result.own_u_j) == (None, None)
    assert "part of the time only" in result.reason
    assert result.bound_j is not None


def test_the_documented_table_names_every_class_and_has_no_failure():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    first = lines.index(f"| {' | '.join(HEADINGS)} |") + 2
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[first:]
            if line.startswith("|")][: len(SENSORS)]  # fmt: skip
    assert [row[0] for row in rows] == list(SENSORS)
    assert sum(int(row[1]) for row in rows) >= 5000
    for row in rows:
        assert row[-1] == "100.0%"
        if row[2] != "not stated":
            assert min(float(cell.rstrip("%")) for cell in row[2:4]) >= 95
            assert max(map(float, row[5:7])) <= 3
