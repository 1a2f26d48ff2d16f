"""Whether a predictor's answers are better in company: it learnt from what it was being asked.

A predictor is to answer each example from the weights and that example. One that is asked for many
at once can learn from the others: from their inputs, or in lockstep from the symbols that turned
out to follow. What it learns there costs no training. So some examples are asked once more, by a
predictor that sees no others; what they lose is what the company was worth.
"""

import random
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import Arrays, Splits, WorkloadSpec
from harness.run.judge import Unjudged, check_outputs, examples_of, judge, passes

SHARE = 8
"""One of so many examples is asked apart: few, since they are company for each other as well."""
PART_MAX = 256
"""And never more at once: so many can be learnt from, however large the rest is."""
TRIES_MAX = 4
"""So often, with other examples, as long as a loss that matters may still be chance."""
EXAMPLES_MIN = 128
"""Fewer examples are too few for a part of them to tell anything."""
GROUPS = 16
"""Parts of the examples of which each is left out once, to tell a loss from chance (jackknife)."""
T_MIN = 3.733
"""Student's t of GROUPS - 1 degrees of freedom that chance exceeds once in 1,000 (one-sided)."""

Array = npt.NDArray[Any]


class Inconclusive(ValueError):
    """So few examples have no metric even where all were asked."""


def _taken(arrays: Arrays, rows: Array) -> dict[str, Array]:
    return {name: np.ascontiguousarray(array[rows]) for name, array in arrays.items()}


def picked(splits: Splits, rows: Array) -> Splits:
    """Some of the examples, as a test split of their own."""
    return Splits(
        train={},
        validation={},
        test_inputs=_taken(splits.test_inputs, rows),
        test_labels=_taken(splits.test_labels, rows),
        facts=splits.facts,
    )


def parts_of(workload: WorkloadSpec, splits: Splits, seed: int) -> list[Array]:
    """Rows to ask apart, try by try; none where they are too few, or hang together on purpose.

    Args:
        workload: One with the tag `transductive` hands all examples out at once.
        splits: Examples can be told apart where they are the first axis of every array.
        seed: The instance's, which nobody inside knows.
    """
    count = examples_of(splits)
    arrays = (*splits.test_inputs.values(), *splits.test_labels.values())
    apart = all(np.ndim(array) and len(array) == count for array in arrays)
    if count < EXAMPLES_MIN or not apart or "transductive" in workload.tags:
        return []
    size = min(count // SHARE, PART_MAX)
    drawn = random.Random(f"{seed}|company").sample(range(count), TRIES_MAX * size)  # noqa: S311
    return list(np.array(drawn).reshape(TRIES_MAX, size))


def _loss(alone: Array, beside: Array, few: Splits, workload: WorkloadSpec) -> float:
    """By how much the metric is worse alone, in its unit."""
    try:
        together, _ = judge(beside, workload, few)
    except Unjudged as error:
        raise Inconclusive(str(error)) from error
    apart, _ = judge(alone, workload, few)
    return together - apart if workload.metric.better == "higher" else apart - together


def loss_of(
    alone: Array, beside: Array, few: Splits, workload: WorkloadSpec
) -> tuple[float, float]:
    """How much worse the metric is alone, and the standard error of that, in the metric's unit.

    The jackknife: with L the loss on all rows and L_g without group g of G, the pseudo-value of g
    is G L - (G - 1) L_g; the standard error of their mean is that of L (Tukey 1958).

    Args:
        alone: Outputs for these examples, asked without the others.
        beside: Outputs for the same, from when all were asked.
        few: The examples.
        workload: Its metric.

    Raises:
        Unjudged: the outputs of those asked alone break their contract, or have no metric.
        Undecided: so few examples have none at all.
    """
    check_outputs(alone, workload.outputs, examples_of(few))
    whole = _loss(alone, beside, few, workload)
    groups = np.arange(len(alone)) % GROUPS
    parts = []
    for group in range(GROUPS):
        kept = np.flatnonzero(groups != group)
        part = _loss(alone[kept], beside[kept], picked(few, kept), workload)
        parts.append(GROUPS * whole - (GROUPS - 1) * part)
    return whole, float(np.std(parts, ddof=1) / np.sqrt(GROUPS))


class Audit:
    """One snapshot's outputs, held against what a predictor says of a few examples alone."""

    def __init__(
        self, workload: WorkloadSpec, splits: Splits, seed: int, value: float, beside: Array
    ) -> None:
        """Begin.

        Args:
            workload: Its metric and target.
            splits: The whole test split.
            seed: The instance's.
            value: The metric on all examples together; one that passes.
            beside: The outputs for all of them.
        """
        self._workload = workload
        self._splits = splits
        self._value = value
        self._beside = beside
        self._waiting = parts_of(workload, splits, seed)
        self._rows: list[Array] = []
        self._alone: list[Array] = []
        self.reason = ""
        """Why the value does not stand; empty where nothing speaks against it."""

    def due(self) -> Splits | None:
        """What to ask next, away from all others; None once it is decided."""
        return picked(self._splits, self._waiting[0]) if self._waiting else None

    def take(self, alone: Array) -> None:
        """Look at the outputs for what was due."""
        self._rows.append(self._waiting.pop(0))
        self._alone.append(alone)
        try:
            check_outputs(alone, self._workload.outputs, len(self._rows[-1]))
            self._weigh()
        except Inconclusive:
            self._waiting.clear()
        except Unjudged as fault:
            self.refuse(str(fault))

    def refuse(self, why: str) -> None:
        """There is no answer for what was due, or none that can be used."""
        count = len((self._waiting or self._rows)[0])
        self.reason = f"asked for {count} examples apart from the others: {why}"
        self._waiting.clear()

    def _weigh(self) -> None:
        """It stands where it would without the company, too, or where the loss can be chance."""
        rows = np.concatenate(self._rows)
        few = picked(self._splits, rows)
        loss, error = loss_of(np.concatenate(self._alone), self._beside[rows], few, self._workload)
        metric = self._workload.metric
        without = self._value - loss if metric.better == "higher" else self._value + loss
        if loss <= 0 or passes(without, self._workload):
            self._waiting.clear()
        elif loss > T_MIN * error:
            self._waiting.clear()
            self.reason = (
                f"the predictor learns from what it is asked: {metric.name} is worse by {loss:.3g} "
                f"where {len(rows)} examples are asked apart from the others"
            )
