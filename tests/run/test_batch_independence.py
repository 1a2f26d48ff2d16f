"""Answers that depend on the other examples of a batch are found; rounding is not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from harness.run.batch_independence import (
    DIFFERENT_MAX,
    EXAMPLES_MIN,
    SHARE,
    SUBSET_MAX,
    dependence,
    draw_rows,
    select_rows,
)

SIZE = 800


def accuracy(outputs: Any, labels: Any, _facts: Any) -> float:
    return float(np.mean(outputs.argmax(-1) == labels["y"]))


def spec(target: float = 0.9, better: Any = "higher", **changes: Any) -> WorkloadSpec:
    values: dict[str, Any] = {
        "name": "w",
        "title": "W",
        "domain": "image",
        "size": "smoke",
        "secrecy": "seeded",
        "metric": Metric(name="accuracy", better=better),
        "target": Target(value=target, version="1", derivation="for tests"),
        "budget_s": 1.0,
        "outputs": Outputs(kind="scores", shape=(2,)),
        "data": lambda seed: None,
        "model": lambda: None,
        "score": accuracy,
        "predict_cpu_s": 0.1,
    }
    return WorkloadSpec(**{**values, **changes})


def splits(count: int = SIZE, seed: int = 0) -> Splits:
    truth = np.random.default_rng(seed).integers(0, 2, count)
    rows = np.arange(count, dtype=np.float32)
    return Splits(train={}, validation={}, test_inputs={"x": rows}, test_labels={"y": truth})


# --- which examples -------------------------------------------------------------------------------


@given(st.integers(1, 5000), st.integers(0, 2**53))
def test_the_rows_are_few_and_different(count: int, seed: int) -> None:
    rows = draw_rows(spec(), splits(count), seed)
    if count < EXAMPLES_MIN:
        assert rows is None
        return
    assert rows is not None
    assert len(set(rows.tolist())) == len(rows) == min(count // SHARE, SUBSET_MAX)
    assert 0 <= rows.min() <= rows.max() < count


def test_the_rows_follow_from_a_seed_that_no_sandbox_knows() -> None:
    drawn = [draw_rows(spec(), splits(), seed) for seed in range(20)]
    assert len({tuple(rows.tolist()) for rows in drawn if rows is not None}) == 20


@pytest.mark.parametrize(
    "change",
    [
        {"test_inputs": {"x": np.zeros(SIZE), "edges": np.zeros((2, 99))}},
        {"test_inputs": {"x": np.zeros(SIZE), "scale": np.float64(2)}},
        {"test_labels": {"y": np.zeros(SIZE), "all": np.zeros(3)}},
    ],
)
def test_examples_that_cannot_be_separated_are_not(change: Any) -> None:
    """The nodes of a graph, or a scale that all share, are no examples."""
    whole = splits()
    fields = {"test_inputs": whole.test_inputs, "test_labels": whole.test_labels, **change}
    assert draw_rows(spec(), Splits(train={}, validation={}, **fields), 1) is None
    assert draw_rows(spec(tags=("transductive",)), whole, 1) is None


def test_rows_keep_their_labels_and_facts() -> None:
    whole = splits()
    whole.facts["optimum"] = 0.5  # type: ignore[index]
    few = select_rows(whole, np.array([5, 3]))
    assert few.test_inputs["x"].tolist() == [5.0, 3.0]
    assert few.test_labels["y"].tolist() == whole.test_labels["y"][[5, 3]].tolist()
    assert few.facts == {"optimum": 0.5}
    assert not few.train


# --- answers --------------------------------------------------------------------------------------


def scores(seed: int, count: int = 100, width: int = 10) -> Any:
    return np.random.default_rng(seed).normal(0, 3, (count, width)).astype(np.float32)


@given(st.integers(0, 1000), st.floats(1e-6, 1e6))
def test_rounding_is_no_dependence(seed: int, scale: float) -> None:
    """A matrix product in batches of other sizes."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(256, 64)).astype("f4"), rng.normal(size=(64, 10)).astype("f4")
    whole = (x @ w) * np.float32(scale)
    few = np.stack([row @ w for row in x[:100]]) * np.float32(scale)
    assert dependence(few, whole[:100]) == ""
    assert dependence(few, few) == ""


def test_minus_infinity_is_equal_to_itself() -> None:
    batched = scores(0)
    batched[:, 0] = -np.inf
    assert dependence(batched.copy(), batched) == ""
    alone = batched.copy()
    alone[:, 0] = 0
    assert "100 of 100 examples" in dependence(alone, batched)


@pytest.mark.parametrize("count", [3, 7, 16, 100])
def test_answers_that_change_without_the_others_are_named(count: int) -> None:
    """Also where most answers stay the same: every sixteenth is spoilt."""
    batched = scores(1)
    alone = batched.copy()
    alone[:count] += np.float32(0.1)
    assert f"{count} of 100 examples" in dependence(alone, batched)


def test_a_tie_that_rounding_decides_is_allowed() -> None:
    batched = np.eye(10, dtype="f4")[np.arange(100) % 10]
    alone = batched.copy()
    allowed = int(DIFFERENT_MAX * 100)
    alone[:allowed] = np.roll(alone[:allowed], 1, axis=1)
    assert dependence(alone, batched) == ""


def test_answers_that_are_drawn_are_no_answers() -> None:
    assert "100 of 100" in dependence(scores(1), scores(2))
    assert dependence(np.full((100, 10), np.nan, "f4"), scores(2))


def test_another_shape_or_type_is_named() -> None:
    batched = scores(0)
    assert "float32[99, 10]" in dependence(batched[:-1], batched)
    assert "float64[100, 10]" in dependence(batched.astype(np.float64), batched)
