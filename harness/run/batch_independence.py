"""Tests whether a predictor's outputs depend on the other examples of a batch.

A predictor has to answer each example from the weights and that example alone. One that gets many
examples at once can learn from the others: from their inputs, or in lockstep from the symbols that
turned out to follow (transductive leakage). What it learns there costs no training. So a predictor
that sees only a few of the examples has to give the same answers for them. Answers are compared,
not metrics, since the spread of a metric is under the predictor's control.
"""

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import Arrays, Splits, WorkloadSpec
from harness.run.judge import examples_of

SHARE = 8
"""One of this many examples is asked separately: few, since they form a batch as well."""
SUBSET_MAX = 256
"""Greatest number of examples that are asked separately: more can be learnt from."""
EXAMPLES_MIN = 128
"""With fewer examples a subset is too small for the test."""
TOLERANCE = 2e-3
"""Greatest difference of two equal answers, relative to the greatest output of the example. The
rounding of float32 in a batch of another size is below 1e-4."""
DIFFERENT_MAX = 0.02
"""Largest share of examples whose answers may differ: rounding can decide a tie."""

Array = npt.NDArray[Any]


def select_rows(splits: Splits, rows: Array) -> Splits:
    """Some of the test examples, as a test split."""

    def select(arrays: Arrays) -> dict[str, Array]:
        return {name: np.ascontiguousarray(array[rows]) for name, array in arrays.items()}

    return Splits(
        train={},
        validation={},
        test_inputs=select(splits.test_inputs),
        test_labels=select(splits.test_labels),
        facts=splits.facts,
    )


def draw_rows(workload: WorkloadSpec, splits: Splits, seed: int) -> Array | None:
    """Rows to ask separately; None if there are too few examples or they cannot be separated.

    Args:
        workload: With the tag `transductive` it hands out all examples at once.
        splits: Examples can be separated if they are the first axis of every array.
        seed: The instance's seed, which no sandbox knows.
    """
    count = examples_of(splits)
    arrays = (*splits.test_inputs.values(), *splits.test_labels.values())
    separable = all(np.ndim(array) and len(array) == count for array in arrays)
    if count < EXAMPLES_MIN or not separable or "transductive" in workload.tags:
        return None
    size = min(count // SHARE, SUBSET_MAX)
    return np.array(random.Random(f"{seed}|company").sample(range(count), size))  # noqa: S311 - reproducible


def dependence(alone: Array, batched: Array) -> str:
    """How the answers for the same examples differ; empty if they are equal.

    Args:
        alone: Outputs for a few examples, asked without the others; examples on the first axis.
        batched: Outputs for the same examples, asked with all others.
    """
    if alone.shape != batched.shape or alone.dtype != batched.dtype:
        return (
            f"{len(batched)} examples alone have outputs {alone.dtype}{list(alone.shape)}, with "
            f"the others {batched.dtype}{list(batched.shape)}"
        )
    a = alone.reshape(len(alone), -1).astype(np.float64)
    b = batched.reshape(len(batched), -1).astype(np.float64)
    finite = np.where(np.isfinite(b), np.abs(b), 0.0)
    limit = TOLERANCE * finite.max(axis=1, initial=0.0, keepdims=True)
    with np.errstate(invalid="ignore"):
        equal = (a == b) | (np.abs(a - b) <= limit)
    different = int(np.count_nonzero(~equal.all(axis=1)))
    if different <= DIFFERENT_MAX * len(a):
        return ""
    return (
        f"the outputs depend on other examples of the batch: {different} of {len(a)} examples have "
        "other outputs if they are asked without the others"
    )
