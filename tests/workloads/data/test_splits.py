"""Stratified choices keep shares to within one row and never take a row twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.data.splits import quotas, stratified, without

CLASS_COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(CLASS_COUNTS, st.data())
def test_quotas_add_up_and_stay_within_one_row_of_the_share(
    counts: list[int], data: st.DataObject
) -> None:
    chosen = data.draw(st.integers(0, sum(counts)))
    taken = quotas(np.array(counts), chosen)
    assert taken.sum() == chosen
    assert np.all(np.abs(taken - np.array(counts) * chosen / sum(counts)) < 1)
    assert np.all((taken >= 0) & (taken <= counts))


@given(CLASS_COUNTS, st.data())
def test_chosen_rows_are_distinct_sorted_and_carry_the_quotas(
    counts: list[int], data: st.DataObject
) -> None:
    chosen = data.draw(st.integers(0, sum(counts)))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    labels = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    rows = stratified(labels, chosen, generator)
    assert np.all(np.diff(rows) > 0)
    result = np.bincount(labels[rows], minlength=len(counts))
    assert result.tolist() == quotas(np.array(counts), chosen).tolist()


@given(st.sets(st.integers(0, 30), min_size=1), st.data())
def test_rows_and_removed_rows_partition_the_whole(every: set[int], data: st.DataObject) -> None:
    removed = data.draw(st.sets(st.sampled_from(sorted(every))))
    rest = without(np.array(sorted(every)), np.array(sorted(removed), dtype=np.int64))
    assert set(rest.tolist()) == every - removed


def test_more_rows_than_there_are_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="cannot choose 4 rows of 3"):
        quotas(np.array([2, 1]), 4)


def test_another_generator_chooses_other_rows() -> None:
    labels = np.repeat(np.arange(5), 40)
    first, second = (stratified(labels, 50, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.tolist() != second.tolist()
