"""A repetition confirms what it shows, denies what it disproves, and is unclear about the rest."""

import zlib
from pathlib import Path

import pytest

from harness.records import Score
from harness.records.confirm import Confirmation
from harness.rules.load import load_ruleset
from harness.score.confirm import ConfirmRules, SeriesScores, confirm
from harness.score.score import score_results
from tests.lab.results import Plan, write_run

RULES = load_ruleset("smoke")
LIMITS = ConfirmRules(0.1, 0.95, 0.01)


def score(root: Path, seconds: tuple[float, ...], **changes: object) -> Score:
    """A submission that took so many seconds; on one machine all entries have the same seeds."""
    for seed, took_s in enumerate(seconds):
        plan = Plan(seed=seed + 1, snapshots=((took_s, 0.95),)).but(**changes)
        minute = zlib.crc32(plan.name.encode()) % 600  # each entry at its own: interleaved
        write_run(root, plan.but(started_s=600 * seed + minute))
    (confirmation,) = score_results(root, RULES)
    return confirmation


def held(tmp_path: Path, old: Score, new: Score, refs: tuple[Score | None, ...]) -> Confirmation:
    return confirm(SeriesScores(old, refs[0]), SeriesScores(new, refs[1]), LIMITS)


def verdict_of(confirmation: Confirmation, quantity: str) -> str:
    return next(row.verdict for row in confirmation.rows if row.quantity == quantity)


@pytest.mark.parametrize(
    ("repeated", "verdict"),
    [
        ((10.0, 10.1, 9.9, 10.0), "confirmed"),
        ((8.0, 8.1, 7.9, 8.0), "confirmed"),
        # A higher cost may be due to the state of the machine: the reference would tell.
        ((20.0, 20.2, 19.8, 20.0), "unclear"),
        ((30.0, 30.2, 29.8, 30.0), "unclear"),
        ((8.0, 12.0, 10.0, 14.0), "unclear"),
    ],
)
def test_costs_on_one_machine(tmp_path: Path, repeated: tuple[float, ...], verdict: str) -> None:
    old = score(tmp_path / "old", (10.0, 10.1, 9.9, 10.05))
    new = score(tmp_path / "new", repeated)
    confirmation = held(tmp_path, old, new, (None, None))
    assert verdict_of(confirmation, "time_to_target_s") == verdict
    assert confirmation.verdict == verdict
    row = next(row for row in confirmation.rows if row.quantity == "time_to_target_s")
    assert row.low is None
    assert row.change < row.high  # type: ignore[operator]
    assert not row.relative


def test_other_machines_are_compared_by_their_references_alone(tmp_path: Path) -> None:
    old = score(tmp_path / "old", (10.0, 10.1, 9.9), machine="desk")
    new = score(tmp_path / "new", (30.0, 30.3, 29.7), machine="slow")
    alone = held(tmp_path, old, new, (None, None))
    assert verdict_of(alone, "time_to_target_s") == "not judged"
    assert alone.verdict == "unclear"
    refs = (
        score(tmp_path / "r1", (20.0, 20.2, 19.8), machine="desk", name="ref"),
        score(tmp_path / "r2", (60.0, 60.6, 59.4), machine="slow", name="ref", budget_s=90.0),
    )
    beside = held(tmp_path, old, new, refs)
    row = next(row for row in beside.rows if row.quantity == "time_to_target_s")
    assert row.relative
    assert row.change == pytest.approx(1.0, rel=0.01)
    assert beside.verdict == "confirmed"


def test_missed_target_is_not_confirmed_whatever_it_cost(tmp_path: Path) -> None:
    old = score(tmp_path / "old", (10.0, 10.1, 9.9))
    new = score(tmp_path / "new", (1.0, 1.1, 1.2), status="target_missed", snapshots=((1.0, 0.1),))
    confirmation = held(tmp_path, old, new, (None, None))
    assert confirmation.verdict == "not confirmed"
    assert confirmation.reason.startswith("target")


def test_where_nothing_was_claimed_nothing_is_confirmed(tmp_path: Path) -> None:
    old = score(tmp_path / "old", (1.0, 1.1), status="target_missed", snapshots=((1.0, 0.1),))
    new = score(tmp_path / "new", (1.0, 1.1))
    assert held(tmp_path, old, new, (None, None)).verdict == "unclear"


def test_single_runs_tell_no_spread(tmp_path: Path) -> None:
    old, new = score(tmp_path / "old", (10.0,)), score(tmp_path / "new", (10.0,))
    assert held(tmp_path, old, new, (None, None)).verdict == "unclear"


def test_measured_joules_ask_for_measured_joules(tmp_path: Path) -> None:
    old = score(tmp_path / "old", (10.0, 10.1, 9.9))
    for change in ({"watts": None}, {"method": "modelled"}):
        new = score(tmp_path / f"new{change}", (10.0, 10.1, 9.9), **change)
        confirmation = held(tmp_path, old, new, (None, None))
        assert verdict_of(confirmation, "energy_to_target_j") == "unclear"
        assert confirmation.verdict == "unclear"
    guess = score(tmp_path / "guess", (10.0, 10.1, 9.9), method="modelled")
    assert (
        verdict_of(held(tmp_path, guess, old, (None, None)), "energy_to_target_j") == "not judged"
    )
