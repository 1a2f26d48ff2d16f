"""The plays are whole, and no hidden character is trained on."""

import numpy as np

from workloads.data.shakespeare import (
    BLOCK,
    SYMBOLS,
    WINDOW,
    blocks,
    codes,
    shakespeare_splits,
    symbols,
    text,
)


def test_text_is_whole_and_coded_without_loss() -> None:
    assert len(text()) == 1_036_467
    assert len(symbols()) == SYMBOLS
    assert "".join(symbols()[code] for code in codes()[:5000]) == text()[:5000]
    assert "To be, or not to be,--that is the question:--" in text()


def test_blocks_share_out_every_character_once() -> None:
    train, validation, test = blocks()
    assert sum(len(item) for part in blocks() for item in part) == len(text())
    starts = [item.__array_interface__["data"][0] for part in blocks() for item in part]
    assert len(set(starts)) == len(starts)
    assert all(len(item) == BLOCK for item in (*validation, *test))
    assert (len(train), len(validation), len(test)) == (216, 13, 25)


def test_windows_lie_in_hidden_blocks_and_apart() -> None:
    splits = shakespeare_splits()
    inputs, truth = splits.test_inputs["x"], splits.test_labels["y"]
    assert inputs.shape == truth.shape == (125, WINDOW)
    assert np.array_equal(inputs[:, 1:], truth[:, :-1])
    hidden = [block.tobytes() for block in blocks()[2]]
    for row, last in zip(inputs.astype(np.uint8), truth[:, -1].astype(np.uint8), strict=True):
        assert any(row.tobytes() + last.tobytes() in item for item in hidden)
    assert np.mean(inputs[1:, 0] == truth[:-1, -1]) < 0.3


def test_hidden_windows_are_not_in_the_training_text() -> None:
    splits = shakespeare_splits()
    trained = splits.train["x"].tobytes()
    inside = [row.tobytes() in trained for row in splits.test_inputs["x"].astype(np.uint8)]
    assert sum(inside) <= 2
