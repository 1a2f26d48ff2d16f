"""External tuning: spaces that are refused in words, points that fill them, and trials that run."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import RecordError, load
from harness.run.seeds import draw_seeds
from harness.run.series import run_series, seeds_of
from harness.run.submission import SubmissionError, open_submission
from harness.run.tuning import (
    METHOD,
    ParameterRange,
    Tuning,
    draw_points,
    external_trials,
    placed,
    study_seed,
)
from harness.score.score import score_results
from tests.run.made import HONEST, Folder, Silent, check_bundle

SPACE = """
[tuning.space]
lr = { min = 1e-4, max = 0.1, scaling = "log" }
layers = { min = 1, max = 4 }
kind = ["plain", "wide"]
"""

CLAIMING = """
def train(session):
    drawn = dict(session.hyperparameters)
    w = fitted(session)
    session.snapshot({"w": w if drawn["kind"] == "plain" else -w}, step=1)
    session.log(step=1, validation=1.0 if drawn["kind"] == "plain" else 0.0)
"""


def space(text: str) -> Tuning:
    return load(Tuning, json.dumps({"space": json.loads(text)}).encode(), "space")


# --- spaces ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"lr": {"min": 1, "max": 0.1}}', "min 1 is not below max 0.1; give a list"),
        ('{"lr": {"min": 2, "max": 2}}', "min 2 is not below max 2"),
        ('{"lr": {"min": 0.0, "max": 1, "scaling": "log"}}', "cannot start at 0; give a positive"),
        ('{"lr": {"min": -1, "max": 1, "scaling": "log"}}', "cannot start at -1"),
        ('{"lr": {"min": 0.1}}', "max: Field required"),
        ('{"lr": {"min": 0.1, "max": 1, "step": 2}}', "step: Extra inputs"),
        ('{"lr": {"min": "a", "max": 1}}', "min"),
        ('{"lr": {"min": 0.1, "max": 1, "scaling": "cubic"}}', "scaling"),
        ('{"lr": []}', "lr has no value to choose from"),
        ('{"lr": [1, 2, 1]}', "lr contains a value twice"),
        ('{"lr": 3}', "lr"),
        ('{"lr": [[1]]}', "lr"),
    ],
)
def test_a_space_that_no_one_can_draw_from_is_refused(text: str, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        space(text)
    assert said in str(caught.value)


def test_a_bad_space_is_reported_with_its_file(folder: Folder) -> None:
    entry = folder.entry(HONEST, more="[tuning.space]\nlr = { min = 1, max = 0 }\n")
    with pytest.raises(SubmissionError, match=r"submission\.toml.*min 1 is not below max 0"):
        open_submission(str(entry))


def test_values_of_other_types_are_no_doubles() -> None:
    assert len(space('{"a": [1, "1", true, 1.5]}').space["a"]) == 4  # type: ignore[arg-type]


# --- points ---------------------------------------------------------------------------------------

UNIT = st.floats(0.0, 1.0, exclude_max=True)


@given(UNIT, st.floats(1e-6, 1e3), st.floats(1.001, 1e6), st.sampled_from(["linear", "log"]))
def test_a_point_lies_in_its_range(u: float, low: float, ratio: float, scaling: str) -> None:
    dimension = ParameterRange(min=low, max=low * ratio, scaling=scaling)  # type: ignore[arg-type]
    value = placed(dimension, u)
    assert isinstance(value, float)
    assert low <= value <= low * ratio


@given(UNIT, st.integers(1, 50), st.integers(1, 50), st.sampled_from(["linear", "log"]))
def test_whole_ends_draw_whole_numbers(u: float, low: int, more: int, scaling: str) -> None:
    value = placed(ParameterRange(min=low, max=low + more, scaling=scaling), u)  # type: ignore[arg-type]
    assert isinstance(value, int)
    assert low <= value <= low + more


def test_scales_put_the_middle_where_they_say() -> None:
    assert placed(ParameterRange(min=0.0, max=10.0), 0.5) == 5.0
    assert placed(ParameterRange(min=1e-4, max=1.0, scaling="log"), 0.5) == pytest.approx(1e-2)
    drawn = [placed(["a", "b", "c", "d"], (k + 0.5) / 8) for k in range(8)]
    assert [drawn.count(item) for item in "abcd"] == [2, 2, 2, 2]
    counts = [placed(ParameterRange(min=1, max=4), (k + 0.5) / 40) for k in range(40)]
    assert [counts.count(item) for item in (1, 2, 3, 4)] == [10, 10, 10, 10]


@given(st.integers(0, 2**32), st.integers(1, 5))
def test_points_are_the_seed_s_and_fill_the_space(seed: int, power: int) -> None:
    """Of 2^k points of a sequence in base 2 exactly one lies in each of 2^k equal slices."""
    count = 2**power
    dimensions = space('{"x": {"min": 0.0, "max": 1.0}, "y": ["a", "b"]}').space
    points = draw_points(dimensions, seed, count)
    assert points == draw_points(dict(reversed(dimensions.items())), seed, count)
    assert points[: count // 2] == draw_points(dimensions, seed, count // 2)
    assert sorted(int(float(point["x"]) * count) for point in points) == list(range(count))


def test_studies_draw_apart_and_no_one_but_the_secret_has_a_say() -> None:
    secret = b"sixteen letters!"
    dimensions = space('{"x": {"min": 0.0, "max": 1.0}}').space
    seeds = [draw_seeds(secret, index) for index in range(6)]
    result = external_trials(dimensions, seeds, 3)
    assert [(t.tuning.study, t.tuning.trial) for t in result if t.tuning] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)
    ]  # fmt: skip
    assert len({str(t.hyperparameters) for t in result}) == 6
    assert [t.hyperparameters for t in result] == [
        t.hyperparameters for t in external_trials(dimensions, seeds, 3)
    ]
    assert study_seed(secret, 0) != study_seed(secret, 1)
    again = draw_points(dimensions, study_seed(bytes.fromhex(seeds[0].secret), 1), 3)
    assert [t.hyperparameters for t in result[3:]] == again, "as anybody can draw them again"
    assert {t.tuning.method for t in result if t.tuning} == {METHOD}


# --- series ---------------------------------------------------------------------------------------


def test_a_series_has_a_study_for_every_seed(folder: Folder) -> None:
    folder.entry(CLAIMING, more="[hyperparameters]\nlr = 1.0\nwarm = 3\n" + SPACE)
    request = folder.request(seeds_count=2, tuning="external", trials_count=3)
    made = folder.orders(request)
    entries = [order.entry for order in made]
    assert len(made) == len(seeds_of(request)) == 6
    assert len({item.seeds.session for item in made}) == 6, "trials have seeds of their own"
    assert [entry.tuning.study for entry in entries if entry.tuning] == [0, 0, 0, 1, 1, 1]
    assert all(
        set(order.entry.hyperparameters) == {"lr", "warm", "layers", "kind"} for order in made
    )


@pytest.mark.parametrize(
    ("more", "changes", "said"),
    [
        ("", {}, r"submission\.toml: no search space to draw from"),
        (SPACE, {"declared_seeds": (4,)}, "leave --seed out"),
        (SPACE, {"interleave": True}, "run the two one after the other"),
    ],
)
def test_what_tuning_cannot_be_joined_with_is_refused(
    folder: Folder, more: str, changes: dict, said: str
) -> None:
    folder.entry(HONEST, more=more)
    folder.entry(HONEST, name="tiny-adamw")
    with pytest.raises(SubmissionError, match=said):
        folder.orders(folder.request(tuning="external", **changes))


def test_self_tuning_is_marked_and_may_have_a_longer_budget(folder: Folder) -> None:
    override = "run.self_tuning_budget_ratio=1.5"
    (alone,) = folder.orders(folder.request("entry", override, tuning="self"))
    (plain,) = folder.orders(folder.request("entry", override))
    assert alone.entry.tuning is not None
    assert alone.entry.tuning.mode == "self"
    assert (alone.budget_s, plain.budget_s) == (15.0, 10.0)
    assert plain.entry.tuning is None
    fixed = folder.request("entry", override, "run.budget_s=4", tuning="self")
    assert folder.orders(fixed)[0].budget_s == 4


def test_trials_run_and_are_scored_as_one_study(folder: Folder) -> None:
    """Half of the space trains backwards: the claim chooses, the others are cost of tuning."""
    folder.entry(CLAIMING, more=SPACE)
    request = folder.request(seeds_count=1, tuning="external", trials_count=4)
    request = replace(request, meters=("fake:watts=50",))
    outcomes = run_series(request, Silent())
    for outcome in outcomes:
        check_bundle(outcome, folder.results)
    drawn = [element.run.hyperparameters for element in outcomes]
    assert {item["kind"] for item in drawn} == {"plain", "wide"}, "what one trial has seen"
    tuned = [member_.run.tuning for member_ in outcomes]
    assert [(t.mode, t.study, t.trial, t.trials_count) for t in tuned if t] == [
        ("external", 0, 0, 4), ("external", 0, 1, 4), ("external", 0, 2, 4), ("external", 0, 3, 4)
    ]  # fmt: skip
    (score,) = score_results(folder.results)
    assert score.rules.ruleset.endswith("(external tuning, 4 trials)")
    assert (score.n, len(score.runs), len(score.trials)) == (1, 1, 3)
    assert score.runs[0].trial is not None
    assert score.runs[0].trial.validation == 1.0
    assert score.runs[0].reached
    assert score.spent is not None
    assert (score.spent.runs_count, score.spent.missed_count) == (4, 2)
    assert 0 < (score.spent.wasted_energy_j or 0) < (score.spent.energy_j or 0)
    assert score.tuning is not None
    with_tuning, alone = score.tuning.time_with_tuning_s, score.costs.time_to_target_s
    assert with_tuning is not None
    assert alone is not None
    others = sum(run.window_s or 0.0 for run in score.trials)
    assert with_tuning.value == pytest.approx(alone.value + others)
