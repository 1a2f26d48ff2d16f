"""Intervals on resampled calibration records cover as the methods page says, and have width."""

import statistics
from functools import cache
from pathlib import Path

import pytest

from benchmarks.interval_coverage import (
    KINDS,
    SEEDS,
    Coverage,
    CoverageRow,
    IntervalCoverage,
    Population,
    committed_coverage,
    coverage,
    documented,
    file_sha256,
    final,
    first_passing,
    markdown,
    measure,
    records,
    rounded,
    stragglers,
    summary,
)
from harness.score.stats.intervals import log_t_interval

PAGE = Path(__file__).parents[3] / "docs" / "statistics.md"
CALIBRATIONS = Path(__file__).parents[3] / "workloads" / "calibrations"


@cache
def rows() -> tuple[Coverage, ...]:
    return tuple(measure(150))


def middle(kind: str, seeds: int) -> float:
    return statistics.median(r.share for r in rows() if (r.kind, r.seeds) == (kind, seeds))


def test_no_interval_has_zero_width() -> None:
    """Though resampled costs agree to the last digit now and then."""
    assert len(rows()) >= 10 * len(KINDS) * len(SEEDS)
    assert min(row.narrowest for row in rows()) > 0
    same = Population("w", (10.0,) * 5, 0.01)
    assert coverage(same, "final", 3, 20).narrowest > 0
    assert coverage(same, "final", 3, 20).share == 1.0


@pytest.mark.parametrize("kind", ["final", "first passing", "rounded"])
def test_eight_seeds_cover_about_as_often_as_stated(kind: str) -> None:
    assert middle(kind, 8) >= 0.88


def test_stragglers_are_where_intervals_promise_too_much() -> None:
    """The page says so, and why a prize asks for eight seeds."""
    assert middle("stragglers", 8) < middle("final", 8)
    assert "stragglers" in PAGE.read_text(encoding="utf-8")


def test_every_kind_is_made_of_the_record() -> None:
    record = {
        "workload": "w",
        "better": "higher",
        "frozen_target": 0.9,
        "runs": [
            {"time_s": [1.0, 2.0, 3.0], "metrics": [0.5, 0.95, 0.97]},
            {"time_s": None, "cpu_s": [1.0, 2.0, 4.1], "metrics": [0.91, 0.95, 0.97]},
            {"time_s": [1.0, 2.0], "metrics": [0.5, 0.6]},
        ],
    }
    assert final(record).costs == (3.0, 4.1, 2.0)
    assert first_passing(record).costs == (2.0, 1.0), "one run never passes"
    assert first_passing(record).step == 1.0
    assert rounded(record).costs == pytest.approx((3.0, 4.2, 2.1))
    assert len(stragglers(record).costs) == 30
    assert max(stragglers(record).costs) == 8.2


def test_the_page_states_every_kind_and_number_of_seeds() -> None:
    committed = committed_coverage()
    assert [(row.costs, row.seeds) for row in committed.rows] == [
        (kind, seeds) for kind in KINDS for seeds in SEEDS
    ]
    assert len(list(records())) >= 10
    assert log_t_interval([1.0, 1.0], 0.95, 0.0).low < 1.0  # type: ignore[operator]


def test_the_documentation_states_the_committed_figures() -> None:
    """Written by one command, so that page and documentation cannot disagree."""
    text = PAGE.read_text(encoding="utf-8")
    assert "\n".join(markdown(committed_coverage())) in text
    assert documented(text, committed_coverage()) == text


def test_the_committed_figures_are_those_of_a_new_simulation() -> None:
    kept = committed_coverage()
    again = [coverage(final(record), "final", 3, kept.draws) for record in records()]
    shares = sorted(item.share for item in again)
    row = kept.rows[0]
    assert (row.costs, row.seeds) == ("final", 3)
    assert row.median_ratio == pytest.approx(statistics.median(shares), abs=0.002)
    assert row.least_ratio == pytest.approx(shares[0], abs=0.002)
    assert row.narrowest_ratio == pytest.approx(min(item.narrowest for item in again))


def test_a_summary_keeps_the_least_and_says_where() -> None:
    rows = [
        Coverage(name, kind, seeds, share, narrow)
        for kind in KINDS
        for seeds in SEEDS
        for name, share, narrow in (("a", 0.9, 0.3), ("b", 0.7, 0.2), ("c", 0.95, 0.1))
    ]
    row = summary(rows, 10).rows[0]
    assert (row.median_ratio, row.least_ratio, row.least_on) == (0.9, 0.7, "b")
    assert row.narrowest_ratio == 0.1


def test_the_figures_are_of_the_calibrations_that_are_committed() -> None:
    again = "run `python -m benchmarks.interval_coverage --write` and `make reports`"
    for workload, digest in committed_coverage().records.items():
        assert file_sha256(CALIBRATIONS / f"{workload}.json") == digest, again


def test_shares_are_shares() -> None:
    result = committed_coverage()
    assert result.draws >= 1000
    for row in result.rows:
        assert 0 < row.least_ratio <= row.median_ratio <= 1
        assert row.narrowest_ratio > 0
        assert row.least_on in result.records


def test_a_row_of_the_table() -> None:
    row = CoverageRow(
        costs="final",
        seeds=8,
        median_ratio=0.9423,
        least_ratio=0.8,
        least_on="w",
        narrowest_ratio=0.00123,
    )
    result = IntervalCoverage(command="c", level=0.95, draws=1, records={}, rows=(row,))
    lines = list(markdown(result))
    assert lines[2] == "| final | 8 | 94.2% | 80.0% | w | 0.12% |"
    assert len({line.count("|") for line in lines}) == 1
