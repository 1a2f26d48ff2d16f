"""The judge: computes the metric from full outputs and from labels that no sandbox has."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import Outputs, Splits, WorkloadSpec

Array = npt.NDArray[Any]

NORMALISATION_TOLERANCE = 1e-3
"""Greatest difference from 1 of the sum of one prediction's probabilities; float32 over 50,000
classes has a much smaller one."""


class Unjudged(ValueError):
    """Outputs that have no metric; the message says why."""


class NotFinite(Unjudged):
    """Outputs with NaN or infinity in them: the training diverged."""


def check_outputs(outputs: Array, contract: Outputs, examples: int) -> None:
    """Check the type and shape of outputs, and that they are finite and, if required, normalised.

    Raises:
        NotFinite: a value is NaN or infinite.
        Unjudged: they break the contract in another way.
    """
    expected = (examples, *contract.shape)
    if outputs.dtype != np.float32 or outputs.shape != expected:
        raise Unjudged(
            f"outputs are {outputs.dtype}{list(outputs.shape)}, not float32{list(expected)}"
        )
    if contract.kind == "scores":
        _check_finite(outputs)
    else:
        _check_normalised(outputs)


def _check_finite(outputs: Array) -> None:
    bad = int(np.size(outputs) - np.count_nonzero(np.isfinite(outputs)))
    if bad:
        raise NotFinite(f"{bad} of {outputs.size} outputs are not finite")


def _check_normalised(outputs: Array) -> None:
    """Check that probabilities sum to 1 over the last axis; minus infinity is probability 0."""
    if np.isnan(outputs).any() or (outputs == np.inf).any():
        raise NotFinite("some log-probabilities are NaN or plus infinity")
    worst = float(np.abs(_sums(outputs) - 1).max(initial=0.0))
    if not worst <= NORMALISATION_TOLERANCE:
        raise Unjudged(
            f"probabilities sum to 1 only within {worst:.3g}; normalise over the last axis"
        )


def _sums(outputs: Array) -> Array:
    """Sum of the probabilities of each prediction, in double precision."""
    with np.errstate(over="ignore", under="ignore"):
        total: Array = np.exp(outputs.astype(np.float64)).sum(axis=-1)
    return total


def normalised(outputs: Array) -> Array:
    """Normalise log-probabilities that sum to 1 within the tolerance.

    Otherwise every prediction could gain the tolerance as likelihood.
    """
    shifts = np.log(_sums(outputs)).astype(np.float32)
    return outputs - shifts[..., None]


def judge(outputs: Array, workload: WorkloadSpec, splits: Splits) -> tuple[float, float | None]:
    """Compute the metric and, if the workload defines one, the loss.

    Raises:
        Unjudged: the outputs break their contract, or the metric comes out not finite.
    """
    check_outputs(outputs, workload.outputs, examples_of(splits))
    if workload.outputs.kind == "log_probabilities":
        outputs = normalised(outputs)
    metric = float(workload.score(outputs, splits.test_labels, splits.facts))
    if not np.isfinite(metric):
        raise NotFinite(f"the metric {workload.metric.name} is not finite on these outputs")
    loss = workload.loss
    value = None if loss is None else float(loss(outputs, splits.test_labels, splits.facts))
    return metric, value if value is not None and np.isfinite(value) else None


def passes(value: float | None, workload: WorkloadSpec) -> bool:
    """Whether a metric reaches the target; NaN never does."""
    if value is None:
        return False
    target = workload.target.value
    return value >= target if workload.metric.better == "higher" else value <= target


def examples_of(splits: Splits) -> int:
    """Number of hidden examples: the rows of the first label array."""
    return len(next(iter(splits.test_labels.values())))


def digest(outputs: Array) -> str:
    """SHA-256 of the outputs' bytes, in C order."""
    return hashlib.sha256(np.ascontiguousarray(outputs).data).hexdigest()
