"""The judge: only full, finite, normalised outputs have a metric, and order does not matter."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from harness.run.judge import (
    NORMALISATION_TOLERANCE,
    NotFinite,
    Unjudged,
    check_outputs,
    digest,
    examples_of,
    judge,
    normalised,
)

SCORES = Outputs(kind="scores", shape=(3,))
LOGS = Outputs(kind="log_probabilities", shape=(4, 5))


def accuracy(outputs: Any, labels: Any, facts: Any) -> float:
    return float(np.mean(outputs.argmax(-1) == labels["y"]))


def cross_entropy(outputs: Any, labels: Any, facts: Any) -> float:
    picked = np.take_along_axis(outputs, labels["y"][..., None], -1)
    return float(-np.mean(picked, dtype=np.float64))


def spec(outputs: Outputs = SCORES, **changes: Any) -> WorkloadSpec:
    values: dict[str, Any] = {
        "name": "w",
        "title": "W",
        "domain": "image",
        "size": "smoke",
        "secrecy": "seeded",
        "metric": Metric(name="accuracy", better="higher"),
        "target": Target(value=0.5, version="1", derivation="for tests"),
        "budget_s": 1.0,
        "outputs": outputs,
        "data": lambda seed: None,
        "model": lambda: None,
        "score": accuracy,
        "predict_cpu_s": 0.1,
    }
    return WorkloadSpec(**{**values, **changes})


def splits(labels: Any) -> Splits:
    return Splits(train={}, validation={}, test_inputs={}, test_labels={"y": labels})


def log_softmax(raw: Any) -> Any:
    shifted = raw.astype(np.float64) - raw.max(-1, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))).astype(np.float32)


finite = st.floats(-50, 50, width=32)
rows = st.integers(1, 12)


@given(st.data(), rows)
def test_permuting_rows_and_labels_together_leaves_the_metric(data: Any, count: int) -> None:
    outputs = data.draw(hnp.arrays(np.float32, (count, 3), elements=finite))
    labels = data.draw(hnp.arrays(np.int64, (count,), elements=st.integers(0, 2)))
    order = np.array(data.draw(st.permutations(range(count))))
    one = judge(outputs, spec(), splits(labels))
    other = judge(outputs[order], spec(), splits(labels[order]))
    assert one == other


@given(st.data(), rows)
def test_permuting_leaves_a_likelihood(data: Any, count: int) -> None:
    outputs = log_softmax(data.draw(hnp.arrays(np.float32, (count, 4, 5), elements=finite)))
    labels = data.draw(hnp.arrays(np.int64, (count, 4), elements=st.integers(0, 4)))
    order = np.array(data.draw(st.permutations(range(count))))
    workload = spec(LOGS, score=cross_entropy, loss=cross_entropy)
    one = judge(outputs, workload, splits(labels))
    other = judge(outputs[order], workload, splits(labels[order]))
    assert one == pytest.approx(other, rel=1e-9)
    assert one[0] == one[1]


@given(hnp.arrays(np.float32, (2, 4, 5), elements=finite), st.floats(0.002, 3))
def test_anything_above_one_in_sum_is_refused(raw: Any, surplus: float) -> None:
    """Unnormalised log-probabilities would buy likelihood for nothing."""
    outputs = log_softmax(raw)
    check_outputs(outputs, LOGS, 2)
    with pytest.raises(Unjudged, match="normalise"):
        check_outputs(outputs + np.float32(surplus), LOGS, 2)
    with pytest.raises(Unjudged, match="normalise"):
        check_outputs(outputs - np.float32(surplus), LOGS, 2)


@given(
    hnp.arrays(np.float32, (2, 4, 5), elements=finite),
    hnp.arrays(np.float32, (2, 4, 1), elements=st.integers(-7, 7).map(lambda n: n / 8192)),
)
def test_what_the_tolerance_lets_through_buys_nothing(raw: Any, surplus: Any) -> None:
    """A thousandth of a nat a token would be a sixtieth of a target."""
    honest = log_softmax(raw)
    workload = spec(LOGS, score=cross_entropy)
    truth = splits(np.zeros((2, 4), np.int64))
    fair, _ = judge(honest, workload, truth)
    claimed, _ = judge(honest + surplus, workload, truth)
    assert claimed == pytest.approx(fair, rel=1e-5, abs=1e-5)


def test_no_probability_stays_none() -> None:
    """Minus infinity is an answer, and comes out as one."""
    outputs = np.full((1, 4, 5), -np.inf, np.float32)
    outputs[..., :2] = np.float32(np.log(0.5))
    fair = normalised(outputs)
    assert fair.dtype == np.float32
    assert np.array_equal(np.isneginf(fair), np.isneginf(outputs))
    np.testing.assert_allclose(np.exp(fair).sum(-1), 1, rtol=1e-6)


def test_one_unnormalised_row_among_many_is_detected() -> None:
    outputs = log_softmax(np.zeros((1000, 4, 5), np.float32))
    outputs[777, 2] += np.float32(2 * NORMALISATION_TOLERANCE)
    with pytest.raises(Unjudged, match="normalise"):
        check_outputs(outputs, LOGS, 1000)


def test_certainty_is_a_distribution() -> None:
    outputs = np.full((2, 4, 5), -np.inf, np.float32)
    outputs[..., 0] = 0
    check_outputs(outputs, LOGS, 2)
    with pytest.raises(Unjudged, match="normalise"):
        check_outputs(np.full((2, 4, 5), -np.inf, np.float32), LOGS, 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(("contract", "shape"), [(SCORES, (6, 3)), (LOGS, (6, 4, 5))])
def test_one_nonfinite_value_is_detected(bad: float, contract: Outputs, shape: Any) -> None:
    outputs = log_softmax(np.zeros(shape, np.float32))
    outputs.reshape(-1)[-1] = bad
    with pytest.raises(NotFinite):
        check_outputs(outputs, contract, 6)


def test_minus_infinity_is_no_score() -> None:
    outputs = np.zeros((6, 3), np.float32)
    outputs[2, 1] = -np.inf
    with pytest.raises(NotFinite, match="1 of 18"):
        check_outputs(outputs, SCORES, 6)


def test_huge_log_probabilities_do_not_overflow_into_a_warning() -> None:
    with pytest.raises(Unjudged):
        check_outputs(np.full((1, 4, 5), 3e38, np.float32), LOGS, 1)


@pytest.mark.parametrize(
    "outputs",
    [
        pytest.param(np.zeros((5, 3), np.float32), id="too-few"),
        pytest.param(np.zeros((7, 3), np.float32), id="too-many"),
        pytest.param(np.zeros((6, 4), np.float32), id="wider"),
        pytest.param(np.zeros((6,), np.float32), id="flat"),
        pytest.param(np.zeros((6, 3, 1), np.float32), id="deeper"),
        pytest.param(np.zeros((3, 6), np.float32), id="transposed"),
        pytest.param(np.zeros((), np.float32), id="scalar"),
        pytest.param(np.zeros((0, 3), np.float32), id="empty"),
        pytest.param(np.zeros((6, 3), np.float64), id="double"),
        pytest.param(np.zeros((6, 3), np.float16), id="half"),
        pytest.param(np.zeros((6, 3), ">f4"), id="other-endian"),
        pytest.param(np.zeros((6, 3), np.int64), id="integers"),
        pytest.param(np.zeros((6, 3), np.complex64), id="complex"),
        pytest.param(np.zeros((6, 3), [("a", "<f4")]), id="structured"),
        pytest.param(np.zeros((6, 3), "S4"), id="bytes"),
        pytest.param(np.zeros((6, 3), bool), id="booleans"),
    ],
)
def test_other_shape_or_type_is_refused(outputs: Any) -> None:
    with pytest.raises(Unjudged, match=r"not float32\[6, 3\]"):
        check_outputs(outputs, SCORES, 6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_none(value: float) -> None:
    workload = spec(score=lambda *_: value)
    with pytest.raises(NotFinite, match="metric accuracy"):
        judge(np.zeros((2, 3), np.float32), workload, splits(np.zeros(2, int)))


def test_a_loss_that_is_not_finite_is_left_out() -> None:
    workload = spec(loss=lambda *_: math.inf)
    assert judge(np.zeros((2, 3), np.float32), workload, splits(np.zeros(2, int))) == (1.0, None)


def test_facts_reach_the_metric() -> None:
    workload = spec(score=lambda outputs, labels, facts: facts["entropy"])
    hidden = splits(np.zeros(2, int))
    known = Splits(
        train={},
        validation={},
        test_inputs={},
        test_labels=hidden.test_labels,
        facts={"entropy": 2},
    )
    assert judge(np.zeros((2, 3), np.float32), workload, known)[0] == 2.0


def test_examples_are_the_rows_of_the_labels() -> None:
    assert examples_of(splits(np.zeros((9, 2)))) == 9


@given(hnp.arrays(np.float32, (3, 4), elements=finite))
def test_digest_is_of_values_and_not_of_layout(outputs: Any) -> None:
    assert digest(outputs) == digest(np.asfortranarray(outputs))
    changed = outputs.copy()
    changed[1, 1] += 1
    assert digest(outputs) != digest(changed)
