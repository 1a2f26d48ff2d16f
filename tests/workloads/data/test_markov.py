"""The source's exact figures against brute force, and the laws of an instance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Splits
from workloads.data.markov import (
    ENTROPY_BAND_NATS,
    SYMBOLS,
    WINDOW,
    Source,
    draw_source,
    markov_splits,
)
from workloads.metrics import excess_nats


@pytest.fixture(scope="module")
def source() -> Source:
    return draw_source(np.random.default_rng(5))


@pytest.fixture(scope="module")
def instance() -> Splits:
    return markov_splits(11)


def test_published_instance_has_the_published_figures() -> None:
    rows = np.random.default_rng(7).dirichlet(np.full(8, 0.3), size=(8, 8))
    source = Source(rows)
    assert source.entropy_nats == pytest.approx(1.24646, abs=1e-5)
    assert source.layout_nats(32) == pytest.approx(1.2681, abs=1e-4)


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_pair_distribution_is_stationary_and_sums_to_one(seed: int) -> None:
    source = draw_source(np.random.default_rng(seed))
    after = np.einsum("ab,abc->bc", source.pairs, source.table)
    assert np.allclose(after, source.pairs, atol=1e-12)
    assert source.pairs.sum() == pytest.approx(1)
    assert source.pairs.min() > 0


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_entropies_are_ordered_and_in_the_band(seed: int) -> None:
    source = draw_source(np.random.default_rng(seed))
    low, high = ENTROPY_BAND_NATS
    assert low <= source.entropy_nats <= high
    assert source.entropy_nats < source.layout_nats(32) < source.first_nats < np.log(SYMBOLS)


def test_entropy_rate_agrees_with_the_count_of_a_long_text(source: Source) -> None:
    text = source.stream(400_000, np.random.default_rng(1)).astype(np.int64)
    counts = np.zeros((SYMBOLS,) * 3)
    np.add.at(counts, (text[:-2], text[1:-1], text[2:]), 1)
    seen = counts / counts.sum(axis=2, keepdims=True)
    used = counts > 0
    estimate = -np.sum(counts[used] * np.log(seen[used])) / counts.sum()
    assert estimate == pytest.approx(source.entropy_nats, abs=0.006)


def test_text_follows_the_table(source: Source) -> None:
    text = source.stream(400_000, np.random.default_rng(2)).astype(np.int64)
    here = (text[:-2] == 3) & (text[1:-1] == 5)
    seen = np.bincount(text[2:][here], minlength=SYMBOLS) / here.sum()
    error = np.sqrt(source.table[3, 5] * (1 - source.table[3, 5]) / here.sum())
    assert np.all(np.abs(seen - source.table[3, 5]) <= 5 * error + 1e-12)


def test_windows_follow_the_same_law_as_the_text(source: Source) -> None:
    windows = source.windows(40_000, 4, np.random.default_rng(3))
    first = np.zeros((SYMBOLS, SYMBOLS))
    np.add.at(first, (windows[:, 0], windows[:, 1]), 1 / len(windows))
    later = np.zeros((SYMBOLS, SYMBOLS))
    np.add.at(later, (windows[:, 2], windows[:, 3]), 1 / len(windows))
    spare = 5 * np.sqrt(source.pairs / len(windows))
    assert np.all(np.abs(first - source.pairs) < spare)
    assert np.all(np.abs(later - source.pairs) < spare)


def test_layout_optimum_is_what_the_ideal_predictor_scores(source: Source) -> None:
    windows = source.windows(20_000, WINDOW + 1, np.random.default_rng(4))
    ideal = source.ideal_log_probabilities(windows[:, :-1])
    losses = -np.take_along_axis(ideal, windows[:, 1:, None], axis=2)[..., 0].mean(axis=1)
    error = losses.std() / np.sqrt(len(losses))
    assert abs(losses.mean() - source.layout_nats(WINDOW)) < 4 * error
    assert error < 0.01


def test_ideal_predictor_gives_distributions(source: Source) -> None:
    inputs = source.windows(50, WINDOW, np.random.default_rng(6))
    assert np.allclose(np.exp(source.ideal_log_probabilities(inputs)).sum(axis=2), 1)


def test_instance_is_drawn_by_its_seed_alone(instance: Splits) -> None:
    again, other = markov_splits(11), markov_splits(12)
    assert np.array_equal(instance.train["x"], again.train["x"])
    assert np.array_equal(instance.test_labels["y"], again.test_labels["y"])
    assert not np.array_equal(instance.train["x"], other.train["x"])
    assert instance.facts["entropy_nats"] != other.facts["entropy_nats"]


def test_instance_has_the_shapes_of_the_contract(instance: Splits) -> None:
    assert instance.train["x"].shape == (180_000,)
    assert instance.train["x"].dtype == np.uint8
    assert instance.validation["x"].shape == (20_000,)
    assert instance.test_inputs["x"].shape == (256, 32)
    assert instance.test_inputs["x"].dtype == np.int64
    assert instance.test_inputs["x"].flags.c_contiguous
    assert set(instance.test_inputs) == {"x"}


def test_labels_are_the_next_tokens(instance: Splits) -> None:
    inputs, truth = instance.test_inputs["x"], instance.test_labels["y"]
    assert np.array_equal(inputs[:, 1:], truth[:, :-1])


def test_no_window_starts_where_another_ends(instance: Splits) -> None:
    """Neighbours cut from one text would give the last labels away: 256 of 256 would agree."""
    inputs, truth = instance.test_inputs["x"], instance.test_labels["y"]
    agreements = int(np.sum(inputs[1:, 0] == truth[:-1, -1]))
    assert agreements < 80


def test_kept_ideal_is_that_of_the_true_table(instance: Splits) -> None:
    """The loss of the ideal predictor on the drawn windows, against the exact expectation."""
    losses = -instance.test_labels["ideal"].mean(axis=1)
    error = losses.std(ddof=1) / np.sqrt(len(losses))
    assert abs(losses.mean() - instance.facts["optimum_nats"]) < 4 * error
    assert 0.003 < error < 0.03


def test_counting_predictor_comes_close_to_the_optimum_and_never_below(instance: Splits) -> None:
    text = instance.train["x"].astype(np.int64)
    counts = np.full((SYMBOLS,) * 3, 0.1)
    np.add.at(counts, (text[:-2], text[1:-1], text[2:]), 1)
    counted = Source(counts / counts.sum(axis=2, keepdims=True))
    outputs = counted.ideal_log_probabilities(instance.test_inputs["x"])
    excess = excess_nats(outputs, instance.test_labels, instance.facts)
    assert -0.0008 < excess < 0.004
