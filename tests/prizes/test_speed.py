"""The prize for speed: seconds rank, with or without joules."""

import math

import pytest

from harness.prizes.speed import PRIZE, explain_empty
from tests.prizes.made_scores import run, score


def test_an_entry_without_joules_may_win() -> None:
    entry = score(run(1, energy_j=None), eligible=False, note="not measured")
    assert PRIZE.admit(entry).admitted
    assert PRIZE.sample(entry).logs == {1: pytest.approx(math.log(10.0))}


def test_seconds_rank_whatever_the_joules() -> None:
    quick = PRIZE.sample(score(run(1, time_s=1.0, energy_j=99.0)))
    slow = PRIZE.sample(score(run(1, time_s=2.0, energy_j=1.0)))
    assert quick.logs[1] < slow.logs[1]


def test_an_empty_board_counts_its_entries() -> None:
    assert "none of 2 reached" in explain_empty([score(run(1)), score(run(2))])
