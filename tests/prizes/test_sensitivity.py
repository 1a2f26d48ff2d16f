"""Sensitivity checks on one workload: which changes make another entry lead."""

from harness.prizes import Prize
from harness.prizes._sensitivity import board_checks
from harness.records import Figure, Score
from harness.records.award import SensitivityCheck
from harness.registry import find
from tests.prizes.made_scores import run, score


def entry(joules: list[float], u_j: float | None = None, window_j: float | None = None) -> Score:
    runs = [run(seed, energy_j=value, time_s=value) for seed, value in enumerate(joules)]
    runs = [
        item.model_copy(update={"energy": item.energy.model_copy(update={"window_j": window_j})})
        for item in runs
    ]
    figure = Figure(
        value=sum(joules) / len(joules), low=None, high=None, n=len(joules), level=0.95,
        uncertainty=u_j,
    )  # fmt: skip
    return score(*runs, energy_to_target_j=figure, time_to_target_s=figure)


def checks(*scores: Score, prize: str = "energy") -> dict[str, SensitivityCheck]:
    plugin: Prize = find("prizes", prize).value
    names = ["first", "second", "third"][: len(scores)]
    return {check.variation: check for check in board_checks(scores, names, plugin, None)}


def test_a_lead_by_one_run_is_reported() -> None:
    held = checks(entry([1.0, 60.0, 62.0]), entry([50.0, 51.0, 52.0]))
    one = held["any one run left out"]
    assert (one.holds, one.leader, one.note) == (False, "second", "without seed 0 of first")
    best = held["the best run of each entry left out"]
    assert (best.holds, best.leader) == (False, "second")
    assert held["the worst run of each entry left out"].holds
    means = held["another mean than the geometric one"]
    assert not means.holds
    assert "the median" in means.note


def test_a_clear_lead_holds_in_every_check() -> None:
    held = checks(entry([10.0, 10.1, 10.2], 0.1, 20.0), entry([50.0, 51.0, 52.0], 0.5, 60.0))
    assert all(check.holds and check.leader == "first" for check in held.values())


def test_a_lead_within_the_leaders_uncertainty_does_not_hold() -> None:
    alone, against = (
        "the leader's meter reads low by its uncertainty",
        "meters off by their uncertainty, each against the leader",
    )
    held = checks(entry([50.0, 50.0], 5.0), entry([52.0, 52.0], 5.0))
    assert (held[alone].holds, held[alone].leader) == (False, "second")
    held = checks(entry([50.0, 50.0], 1.2), entry([52.0, 52.0], 1.2))
    assert (held[alone].holds, held[against].holds) == (True, False)


def test_seconds_have_no_checks_of_meters_and_one_entry_has_none() -> None:
    held = checks(entry([10.0, 11.0]), entry([20.0, 21.0]), prize="speed")
    assert len(held) == 4
    assert not any("meter" in name or "idle" in name for name in held)
    assert checks(entry([10.0])) == {}
