"""Asked token by token: exact nats, no look ahead, and no way to give more than one in total."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Arrays, Splits
from workloads import next_token
from workloads.next_token import (
    bits_per_byte,
    nats_per_token,
    next_token_log_probabilities,
    true_log_probabilities,
)


def splits(rows: int = 5, length: int = 4, symbols: int = 6) -> Splits:
    windows = np.random.default_rng(0).integers(0, symbols, (rows, length + 1))
    nothing = {"x": np.zeros(1)}
    return Splits(
        train=nothing,
        validation=nothing,
        test_inputs={"x": windows[:, :-1]},
        test_labels={"y": windows[:, 1:], "bytes": np.full((rows, length), 3)},
    )


def test_no_question_contains_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_token, "ROWS_AT_ONCE", 2)
    asked: list[np.ndarray] = []

    def ask(inputs: Arrays) -> np.ndarray:
        asked.append(inputs["x"])
        return np.zeros((len(inputs["x"]), 6), np.float32)

    result = next_token_log_probabilities(splits(), ask)
    assert [item.shape for item in asked] == [
        (rows, length) for rows in (2, 2, 1) for length in (1, 2, 3, 4)
    ]
    assert result == pytest.approx(-math.log(6))


def test_a_predictor_that_knows_gets_nothing_to_pay() -> None:
    made = splits()
    truth = iter(made.test_labels["y"].T)
    result = next_token_log_probabilities(
        made, lambda _: 1e4 * np.eye(6, dtype=np.float32)[next(truth)]
    )
    assert nats_per_token(result, made.test_labels, {}) == 0


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=30))
def test_shares_of_all_symbols_add_up_to_one(scores: list[float]) -> None:
    rows = np.tile(np.array(scores, np.float32), (len(scores), 1))
    assert np.exp(true_log_probabilities(rows, np.arange(len(scores)))).sum() == pytest.approx(
        1, abs=1e-4
    )


@pytest.mark.parametrize(
    "scores",
    [
        np.zeros(3),
        np.zeros((2, 6)),
        np.zeros((3, 2)),
        np.full((3, 6), np.inf),
        np.full((3, 6), np.nan),
    ],
)
def test_scores_that_cannot_be_used_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="scores"):
        true_log_probabilities(scores, np.array([1, 2, 3]))


def test_bits_per_byte_are_nats_over_bytes() -> None:
    made = splits()
    outputs = np.full((5, 4), -math.log(2) * 6, np.float32)
    assert bits_per_byte(outputs, made.test_labels, {}) == pytest.approx(2)
