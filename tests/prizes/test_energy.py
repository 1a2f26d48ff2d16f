"""The prize for energy: joules that the ruleset does not trust cannot win it."""

from harness.prizes.energy import PRIZE, admit, explain_empty
from tests.prizes.made_scores import run, score


def test_joules_that_may_not_win_are_refused_with_the_note() -> None:
    entry = score(run(1), eligible=False, note="modelled, not measured")
    assert admit(entry) == (False, "modelled, not measured")


def test_an_entry_that_was_refused_tells_that_before_its_joules() -> None:
    entry = score(run(1), status="excluded", reason="cheated", note="by rapl")
    assert admit(entry) == (False, "cheated")


def test_an_empty_board_tells_whether_joules_were_measured() -> None:
    without = score(run(1), eligible=False)
    assert explain_empty([without]).endswith("no measured joules")
    assert explain_empty([]).endswith("no measured joules")
    assert "joules" not in explain_empty([without, score(run(1), status="excluded")])


def test_dearer_joules_rank_behind_whatever_the_seconds() -> None:
    cheap = PRIZE.sample(score(run(1, energy_j=10.0, time_s=99.0)))
    dear = PRIZE.sample(score(run(1, energy_j=11.0, time_s=1.0)))
    assert cheap.logs[1] < dear.logs[1]
