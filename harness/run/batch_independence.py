"""Tests whether a predictor's outputs depend on the other examples of a batch.

A predictor has to answer each example from the weights and that example alone. One that gets many
examples at once can learn from the others: from their inputs, or in lockstep from the symbols that
turned out to follow (transductive leakage). What it learns there costs no training. So some
examples are asked again, in a predictor that sees no others, and the loss of quality is tested.
"""

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import Arrays, Splits, WorkloadSpec
from harness.run.judge import Unjudged, check_outputs, examples_of, judge, passes

SHARE = 8
"""One of this many examples is asked again: few, since they form a batch as well."""
SUBSET_MAX = 256
"""Greatest number of examples in one subset: a larger one can be learnt from."""
SUBSETS_MAX = 4
"""Greatest number of subsets; a further one is asked while a relevant loss can be chance."""
EXAMPLES_MIN = 128
"""With fewer examples a subset is too small for the test."""
GROUPS = 16
"""Groups of examples that the jackknife leaves out, one at a time."""
T_MIN = 3.733
"""Student's t with GROUPS - 1 degrees of freedom, exceeded with probability 0.001 (one-sided)."""

Array = npt.NDArray[Any]


class Inconclusive(ValueError):
    """So few examples have no metric even when all examples were asked."""


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


def draw_subsets(workload: WorkloadSpec, splits: Splits, seed: int) -> list[Array]:
    """Rows of each subset; none if there are too few examples, or if they cannot be separated.

    Args:
        workload: With the tag `transductive` it hands out all examples at once.
        splits: Examples can be separated if they are the first axis of every array.
        seed: The instance's seed, which no sandbox knows.
    """
    count = examples_of(splits)
    arrays = (*splits.test_inputs.values(), *splits.test_labels.values())
    separable = all(np.ndim(array) and len(array) == count for array in arrays)
    if count < EXAMPLES_MIN or not separable or "transductive" in workload.tags:
        return []
    size = min(count // SHARE, SUBSET_MAX)
    rows = random.Random(f"{seed}|company").sample(range(count), SUBSETS_MAX * size)  # noqa: S311 - reproducible
    return list(np.array(rows).reshape(SUBSETS_MAX, size))


def _loss(alone: Array, batched: Array, subset: Splits, workload: WorkloadSpec) -> float:
    """How much worse the metric is without the batch, in its unit."""
    try:
        together, _ = judge(batched, workload, subset)
    except Unjudged as error:
        raise Inconclusive(str(error)) from error
    separate, _ = judge(alone, workload, subset)
    return together - separate if workload.metric.better == "higher" else separate - together


def loss_of(
    alone: Array, batched: Array, subset: Splits, workload: WorkloadSpec
) -> tuple[float, float]:
    """How much worse the metric is without the batch, and its standard error, in its unit.

    The standard error is the jackknife's: with L the loss on all rows and L_g without group g of G,
    the pseudo-value of g is G L - (G - 1) L_g; the standard error of their mean is that of L
    (Tukey 1958).

    Args:
        alone: Outputs for these examples, asked without the others.
        batched: Outputs for the same examples, asked with all others.
        subset: The examples.
        workload: Its metric is used.

    Raises:
        Unjudged: the outputs `alone` break their contract, or have no metric.
        Inconclusive: the outputs `batched` have no metric on so few examples.
    """
    check_outputs(alone, workload.outputs, examples_of(subset))
    whole = _loss(alone, batched, subset, workload)
    groups = np.arange(len(alone)) % GROUPS
    pseudo_values = []
    for group in range(GROUPS):
        kept = np.flatnonzero(groups != group)
        part = _loss(alone[kept], batched[kept], select_rows(subset, kept), workload)
        pseudo_values.append(GROUPS * whole - (GROUPS - 1) * part)
    return whole, float(np.std(pseudo_values, ddof=1) / np.sqrt(GROUPS))


class IndependenceTest:
    """Compares one snapshot's outputs with those for a few examples that were asked separately."""

    def __init__(
        self, workload: WorkloadSpec, splits: Splits, seed: int, value: float, batched: Array
    ) -> None:
        """Draw the subsets.

        Args:
            workload: Its metric and target are used.
            splits: The whole test split.
            seed: The instance's seed.
            value: The metric on all examples together; it passes.
            batched: The outputs for all examples.
        """
        self._workload = workload
        self._splits = splits
        self._value = value
        self._batched = batched
        self._waiting = draw_subsets(workload, splits, seed)
        self._rows: list[Array] = []
        self._alone: list[Array] = []
        self.reason = ""
        """Why the value is rejected; empty if it is not."""

    def next_subset(self) -> Splits | None:
        """The examples to ask next, in a predictor of their own; None once it is decided."""
        return select_rows(self._splits, self._waiting[0]) if self._waiting else None

    def take(self, alone: Array) -> None:
        """Add the outputs for `next_subset`."""
        self._rows.append(self._waiting.pop(0))
        self._alone.append(alone)
        try:
            check_outputs(alone, self._workload.outputs, len(self._rows[-1]))
            self._decide()
        except Inconclusive:
            self._waiting.clear()
        except Unjudged as fault:
            self.refuse(str(fault))

    def refuse(self, why: str) -> None:
        """Reject the value, since there are no usable outputs for `next_subset`."""
        count = len((self._waiting or self._rows)[0])
        self.reason = f"asked for {count} examples without the others: {why}"
        self._waiting.clear()

    def _decide(self) -> None:
        """Reject a value that passes only because of the batch, if the loss is significant."""
        rows = np.concatenate(self._rows)
        subset = select_rows(self._splits, rows)
        alone = np.concatenate(self._alone)
        loss, error = loss_of(alone, self._batched[rows], subset, self._workload)
        metric = self._workload.metric
        without = self._value - loss if metric.better == "higher" else self._value + loss
        if loss <= 0 or passes(without, self._workload):
            self._waiting.clear()
        elif loss > T_MIN * error:
            self._waiting.clear()
            self.reason = (
                f"the outputs depend on other examples of the batch: {metric.name} is worse by "
                f"{loss:.3g} if {len(rows)} examples are asked without the others"
            )
