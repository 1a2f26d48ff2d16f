"""The judge: computes the metric from full outputs and labels that no sandbox ever held."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.api import Outputs, Splits, WorkloadSpec

Array = npt.NDArray[Any]

NORMALISATION_TOLERANCE = 1e-3
"""How far the probabilities of one prediction may be from 1 in sum; float32 over 50,000 classes
stays well inside."""


class Unjudged(ValueError):
    """Outputs that have no metric; the text says why."""


class NotFinite(Unjudged):
    """Outputs with NaN or infinity in them: the training diverged."""


def check_outputs(outputs: Array, contract: Outputs, examples: int) -> None:
    """Refuse anything but the declared type and shape, finite and, where asked, normalised.

    Raises:
        NotFinite: a value is NaN or infinite.
        Unjudged: any other departure.
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
    """Probabilities must sum to one over the last axis; minus infinity is a probability of 0."""
    if np.isnan(outputs).any() or (outputs == np.inf).any():
        raise NotFinite("some log-probabilities are NaN or plus infinity")
    worst = float(np.abs(_sums(outputs) - 1).max(initial=0.0))
    if not worst <= NORMALISATION_TOLERANCE:
        raise Unjudged(
            f"probabilities sum to 1 only within {worst:.3g}; normalise over the last axis"
        )


def _sums(outputs: Array) -> Array:
    """Probabilities of each prediction together, in double precision."""
    with np.errstate(over="ignore", under="ignore"):
        total: Array = np.exp(outputs.astype(np.float64)).sum(axis=-1)
    return total


def normalised(outputs: Array) -> Array:
    """Log-probabilities that sum to one, of some that do so within the tolerance.

    Else every prediction could claim the whole tolerance as likelihood that it never gave away.
    """
    shifts = np.log(_sums(outputs)).astype(np.float32)
    return outputs - shifts[..., None]


def judge(outputs: Array, workload: WorkloadSpec, splits: Splits) -> tuple[float, float | None]:
    """Metric and, where the workload defines one, loss.

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
    """Whether a metric reaches the target; written so that nothing but a number can."""
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
