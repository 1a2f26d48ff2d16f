"""Studies of tuning: which trial counts under which rule, and what all of them cost."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Event, RunScore, Score, TrialOf, TuningTrial
from harness.rules.load import load_ruleset
from harness.score.run.cost import BROKEN
from harness.score.score import score_results
from harness.score.tuning import (
    choice_of,
    spent_by,
    studies,
    tuning_costs,
    tuning_text,
    with_tuning,
)
from tests.lab.results import Plan, reseal, seeds_of, write_run
from tests.prizes.made_scores import run


def trial(
    index: int, count: int = 3, study: str = "a/0", validation: float | None = None, **changes: Any
) -> RunScore:
    """A trial of a study that was to have three."""
    where = TrialOf(
        mode="external", study=study, index=index, trials_count=count, validation=validation
    )
    return run(index + 1, **changes).model_copy(update={"trial": where})


def valid(item: RunScore) -> bool:
    return item.status not in BROKEN and item.metric is not None


def hit(item: RunScore) -> bool:
    return valid(item) and item.reached


# --- which trial counts ---------------------------------------------------------------------------


def test_the_best_claimed_validation_chooses_where_the_last_snapshot_counts() -> None:
    """Not the hidden metric, which would choose luck, and not the cost."""
    three = [
        trial(0, validation=0.7, metric=0.99, time_s=1.0),
        trial(1, validation=0.9, metric=0.91, time_s=9.0),
        trial(2, validation=None, metric=0.95, time_s=5.0),
    ]
    (up,) = studies(three, "final", "higher", valid)
    (down,) = studies(three, "final", "lower", valid)
    assert (up.counting.seed, down.counting.seed) == (2, 1)
    assert {other.seed for other in up.others} == {1, 3}
    assert choice_of(up.counting.trial, "final") == "validation"  # type: ignore[arg-type]


def test_without_a_claim_the_first_trial_counts() -> None:
    (result,) = studies([trial(2), trial(0), trial(1)], "final", "higher", valid)
    assert result.counting.seed == 1


def test_the_cheapest_hit_counts_where_the_first_passing_one_does() -> None:
    """AlgoPerf's written rule: hits at 30 s and 100 s are one at 30 s, whatever the evaluation."""
    three = [
        trial(0, time_s=100.0, validation=1.0),
        trial(1, time_s=30.0),
        trial(2, time_s=5.0, reached=False),
    ]
    (result,) = studies(three, "first_passing", "higher", hit)
    assert result.counting.time_s == 30.0


def test_a_broken_trial_never_stands_for_a_study_that_has_another() -> None:
    three = [trial(0, validation=9.0, status="crashed"), trial(1), trial(2, status="oom")]
    (result,) = studies(three, "final", "higher", valid)
    assert result.counting.seed == 2


@pytest.mark.parametrize("there", [(0, 1), (0, 1, 1), (0, 0, 1, 2), (1,)])
def test_a_study_that_is_not_whole_is_no_result(there: tuple[int, ...]) -> None:
    """Neither one that was broken off, nor one with a trial run twice."""
    (result,) = studies([trial(index) for index in there], "final", "higher", valid)
    assert not valid(result.counting)
    assert "of 3 trials of its study" in result.counting.reason


@given(st.permutations([(s, i) for s in ("a/0", "a/1", "b/0") for i in range(3)]))
def test_the_order_of_the_runs_changes_no_study(order: list[tuple[str, int]]) -> None:
    runs = [trial(i, study=s, validation=(7 * i + len(s) * ord(s[0])) % 5) for s, i in order]
    result = studies(runs, "final", "higher", valid)
    again = studies(sorted(runs, key=lambda e: (e.trial.study, e.seed)),  # type: ignore[union-attr]
                    "final", "higher", valid)  # fmt: skip
    assert [(e.counting.trial, e.counting.seed) for e in result] == [
        (e.counting.trial, e.counting.seed) for e in again
    ]
    assert [len(item.others) for item in result] == [2, 2, 2]


def test_how_an_entry_was_tuned_is_said() -> None:
    assert tuning_text(None) == ""
    assert tuning_text(trial(0, count=1).trial) == "external tuning, 1 trial"
    assert tuning_text(trial(0).trial) == "external tuning, 3 trials"
    alone = TrialOf(mode="self", study="a/0", index=0, trials_count=1)
    assert tuning_text(alone) == "self-tuning"
    assert choice_of(alone, "final") == "own"


# --- what it cost ---------------------------------------------------------------------------------


@given(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=5), st.floats(0.1, 100.0))
def test_the_other_trials_are_added_and_never_the_own_twice(
    windows: list[float], own: float
) -> None:
    others = [trial(i + 1, window_s=window) for i, window in enumerate(windows)]
    spent = tuning_costs(others, lambda item: item.window_s)
    total = with_tuning(lambda item: item.time_s, spent)
    assert total(trial(0, time_s=own)) == pytest.approx(own + sum(windows))
    assert total(trial(0, time_s=own, study="elsewhere/0")) == own
    assert total(run(1, time_s=own)) == own


def test_what_is_unknown_stays_unknown() -> None:
    spent = tuning_costs([trial(1, window_j=None)], lambda item: item.energy.window_j)
    total = with_tuning(lambda item: item.energy.energy_j, spent)
    assert total(trial(0)) is None
    bare = spent_by([run(1, window_j=None), run(2, reached=False, window_j=None)])
    assert (bare.energy_j, bare.wasted_energy_j) == (None, None)
    assert (bare.wasted_time_s, bare.missed_count) == (12.0, 1)


def test_nothing_missed_is_nothing_wasted() -> None:
    result = spent_by([run(1, window_j=5.0), run(2, window_j=7.0)])
    assert (result.energy_j, result.wasted_energy_j, result.wasted_time_s) == (12.0, 0.0, 0.0)
    half = spent_by([run(1, window_j=5.0), run(2, reached=False, window_j=None)])
    assert (half.energy_j, half.wasted_energy_j) == (None, None)


# --- of bundles -----------------------------------------------------------------------------------


def study_of(
    results: Path, number: int, times: list[float], best: int, name: str = "default"
) -> None:
    """A study whose trials hit at those times; one of them claims the best validation."""
    for index, time_s in enumerate(times):
        tuning = TuningTrial(
            mode="external", study=number, trial=index, trials_count=len(times), method="test"
        )
        seed = 10 * number + index + 1
        plan = Plan(seed=seed, ruleset=name, snapshots=((time_s, 0.95 + 0.001 * (seed % 3)),))
        shared = seeds_of(Plan()).commitment
        seeds = seeds_of(plan).model_copy(update={"commitment": shared, "index": seed})
        folder = write_run(results, plan.but(changes={"tuning": tuning, "seeds": seeds}))
        claims = [0.1, 1.0] if index == best else [2.0, 0.2]
        lines = [
            Event(seq=i, t_ns=i, kind="log", data={"step": i, "validation": claim, "loss": 9.0})
            for i, claim in enumerate(claims)
        ]
        text = "\n".join(line.model_dump_json() for line in lines)
        (folder / "events.jsonl").write_text(text + "\n" + '{"seq":9,"t_n')
        reseal(folder, "ok", folder.name)


def only(results: Path, name: str) -> Score:
    (result,) = score_results(results, load_ruleset(name))
    return result


def test_every_study_is_one_run_of_the_score(tmp_path: Path) -> None:
    for number in range(8):
        study_of(tmp_path, number, [30.0, 10.0 + 0.1 * number, 20.0], best=1)
    score = only(tmp_path, "default")
    assert (score.status, score.n, len(score.runs), len(score.trials)) == ("scored", 8, 8, 16)
    assert score.rules.ruleset == "default (external tuning, 3 trials)"
    assert score.costs.time_to_target_s is not None
    assert score.costs.time_to_target_s.value == pytest.approx(10.35, rel=1e-3)
    tuning = score.tuning
    assert tuning is not None
    assert (tuning.studies_count, tuning.trials_count, tuning.choice) == (8, 3, "validation")
    assert tuning.median_time_s == pytest.approx(10.35)
    assert tuning.time_with_tuning_s is not None
    assert tuning.energy_with_tuning_j is not None
    assert tuning.time_with_tuning_s.value == pytest.approx(10.35 + 50.0, rel=1e-3)
    assert tuning.energy_with_tuning_j.value == pytest.approx(100 * (10.35 + 50.0), rel=1e-2)
    assert tuning.time_with_tuning_s.n == 8


def test_the_median_study_without_a_hit_is_infinite(tmp_path: Path) -> None:
    """As AlgoPerf's text: a crashed study is infinite, never dropped."""
    study_of(tmp_path, 0, [30.0, 20.0], best=0, name="smoke")
    for number in (1, 2):
        tuning = TuningTrial(mode="external", study=number, trial=0, trials_count=2)
        plan = Plan(seed=50 + number, ruleset="smoke", changes={"tuning": tuning})
        write_run(tmp_path, plan)
    score = only(tmp_path, "smoke")
    assert score.tuning is not None
    assert score.failures == 2
    assert score.tuning.median_time_s is None
    assert score.tuning.time_with_tuning_s is None


def test_under_smoke_rules_the_cheapest_hit_of_a_study_is_its_cost(tmp_path: Path) -> None:
    for number in range(3):
        study_of(tmp_path, number, [30.0, 10.0], best=1, name="smoke")
    for number in range(3, 6):
        study_of(tmp_path, number, [59.0, 12.0], best=0, name="smoke")
    score = only(tmp_path, "smoke")
    assert (score.failures, score.tuning and score.tuning.choice) == (0, "cheapest")
    assert score.costs.time_to_target_s is not None
    assert score.costs.time_to_target_s.value == pytest.approx(math.sqrt(120.0))


def test_entries_tuned_otherwise_rank_apart(tmp_path: Path) -> None:
    study_of(tmp_path, 0, [30.0, 10.0], best=1, name="smoke")
    write_run(tmp_path, Plan(seed=77, ruleset="smoke"))
    alone = Plan(seed=78, ruleset="smoke", changes={"tuning": TuningTrial(mode="self")})
    write_run(tmp_path, alone)
    labels = {
        score_result.rules.ruleset
        for score_result in score_results(tmp_path, load_ruleset("smoke"))
    }
    assert labels == {"smoke", "smoke (external tuning, 2 trials)", "smoke (self-tuning)"}


def test_a_trial_that_broke_the_rules_takes_the_score_out(tmp_path: Path) -> None:
    """Also one that represents no study."""
    study_of(tmp_path, 0, [30.0, 10.0], best=1, name="smoke")
    rules = load_ruleset("smoke", ["score.tuning_trials_max=1"])
    (score,) = score_results(tmp_path, rules)
    assert score.status == "excluded"
    assert "tuning-trials" in score.reason


def test_self_tuning_under_other_rules_keeps_its_ratio(tmp_path: Path) -> None:
    """A snapshot in the longer part of the budget counts only where the rules grant it."""
    generous = load_ruleset("smoke", ["run.self_tuning_budget_ratio=1.5"])
    plan = Plan(
        snapshots=((80.0, 0.95),), ruleset="smoke", budget_s=90.0, rules=generous,
        changes={"tuning": TuningTrial(mode="self")},
    )  # fmt: skip
    write_run(tmp_path, plan)
    (granted,) = score_results(tmp_path, generous)
    (strict,) = score_results(tmp_path, load_ruleset("smoke"))
    assert granted.status == "scored"
    assert strict.status == "target_missed"


def test_lost_events_are_no_claim(tmp_path: Path) -> None:
    study_of(tmp_path, 0, [30.0, 10.0], best=1)
    for path in tmp_path.rglob("events.jsonl"):
        path.unlink()
    assert score_results(tmp_path, load_ruleset("default")) == []
