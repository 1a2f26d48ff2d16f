"""Numbers are spelt as the rule says, and each instance codes them otherwise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.data.number_words import (
    END,
    GIVEN,
    PAD,
    ROW,
    TENS,
    UNITS,
    VOCABULARY,
    in_words,
    number_splits,
    row_of,
)
from workloads.metrics import asked_cross_entropy, exact_rows

VALUES = {word: value for value, word in enumerate(UNITS)} | {
    word: 10 * (2 + place) for place, word in enumerate(TENS)
}


def value_of(words: list[str]) -> int:
    """Reads the words back."""
    total = part = 0
    for word in words:
        if word == "thousand":
            total, part = total + 1000 * part, 0
        elif word == "hundred":
            part *= 100
        elif word != "and":
            part += VALUES[word]
    return total + part


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (45, "forty five"),
        (100, "one hundred"),
        (345, "three hundred and forty five"),
        (1005, "one thousand five"),
        (20_000, "twenty thousand"),
        (77_777, "seventy seven thousand seven hundred and seventy seven"),
    ],
)
def test_numbers_are_spelt(number: int, words: str) -> None:
    assert " ".join(in_words(number)) == words


@given(st.integers(0, 99_999))
def test_words_read_back_to_the_number(number: int) -> None:
    assert value_of(in_words(number)) == number


@given(st.integers(0, 99_999))
def test_every_row_fits(number: int) -> None:
    row = row_of(number)
    assert len(row) == ROW
    assert set(row) <= set(VOCABULARY)
    assert row[: row.index(GIVEN)] == list(str(number))


def test_longest_row_fills_the_window() -> None:
    assert max(row_of(number).index(END) for number in range(70_000, 80_000)) < ROW


def test_answers_are_asked_for_and_nothing_else() -> None:
    splits = number_splits(2)
    x, y = splits.test_inputs["x"], splits.test_labels["y"]
    asked = y >= 0
    assert np.all(x[:, 1:][asked[:, :-1]] == y[:, :-1][asked[:, :-1]])
    # From the sign for given on, and once more for the sign for end.
    assert np.all(asked.sum(axis=1) >= 2)
    assert not asked[:, 0].any()


def test_hidden_numbers_are_not_trained_on() -> None:
    splits = number_splits(2)
    parts = (splits.train["x"], splits.validation["x"], splits.test_inputs["x"])
    rows = np.concatenate(parts)
    assert len(np.unique(rows, axis=0)) == len(rows) == 11_500


def test_codes_are_drawn_again() -> None:
    first, second = number_splits(2).train["x"], number_splits(3).train["x"]
    assert np.bincount(first.ravel()).argsort().tolist() != (
        np.bincount(second.ravel()).argsort().tolist()
    )
    assert set(np.unique(first)) <= set(range(len(VOCABULARY)))
    assert PAD in VOCABULARY


def test_one_wrong_word_spoils_its_row_and_only_its_row() -> None:
    truth = np.array([[-1, 2, 1], [-1, 0, -1]])
    outputs = np.full((2, 3, 3), -9.0)
    np.put_along_axis(outputs, np.where(truth < 0, 0, truth)[..., None], 0.0, axis=2)
    assert exact_rows(outputs, {"y": truth}, {}) == 1
    outputs[0, 2] = [0, -9, -9]
    assert exact_rows(outputs, {"y": truth}, {}) == 0.5


def test_loss_counts_only_what_is_asked_for() -> None:
    truth = np.array([[-1, 1]])
    outputs = np.log(np.array([[[1e-9, 1 - 1e-9], [0.25, 0.75]]]))
    assert asked_cross_entropy(outputs, {"y": truth}, {}) == pytest.approx(-np.log(0.75))
