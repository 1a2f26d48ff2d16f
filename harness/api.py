"""What a submission or a workload may import: Session, WorkloadSpec, Splits.

This module does not import torch, and gives no access to meters, labels or scores.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from harness.errors import ExitCode, JouleMarkError

if TYPE_CHECKING:
    import torch
    from torch import nn

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Hyperparameter = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The quantity that is computed on the hidden test split, and its direction."""

    name: str
    better: Literal["higher", "lower"]
    unit: str = ""
    digits: int = 4
    """Digits after the point that are significant on this test split."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The metric value that a run must reach."""

    value: float
    version: str
    derivation: str
    """One sentence: by which rule, from how many runs of which submission it was derived."""


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The data of one instance.

    `train` and `validation` are sent to the submission at the start signal, `test_inputs` to the
    predictor after the submission has ended; `test_labels` and `facts` stay in the judge.
    """

    train: Arrays
    validation: Arrays
    test_inputs: Arrays
    test_labels: Arrays
    facts: Mapping[str, float] = field(default_factory=dict)
    """Facts about the drawn instance, such as its entropy rate in nats. `partial` and `synthetic`
    (1.0: yes) mark data that are only a part of the published set, or generated instead of it."""
    manifest_sha256: str | None = None
    """Digest of the manifest that lists the files of packed data; None for other data."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a predictor must return: float32 of shape (examples, *shape)."""

    kind: Literal["scores", "log_probabilities"]
    """`scores`: finite numbers, of which the greatest is the answer; `log_probabilities`:
    normalized, in nats."""
    shape: tuple[int, ...]


class DataMissing(JouleMarkError, FileNotFoundError):
    """The data of a workload are missing; the message says how to get them."""

    exit_code = ExitCode.MISSING


class DataFault(JouleMarkError, ValueError):
    """Data that do not have their format; the message names the file and what to do."""


class PackedData(Protocol):
    """Packs the original files of an official workload for memory mapping."""

    @property
    def name(self) -> str:
        """Folder of the packed data below the data root; workloads may share it."""
        ...

    @property
    def how(self) -> str:
        """One sentence: where to get the originals, and what the folder must contain."""
        ...

    def prepare(self, originals: Path, root: Path, *, partial: bool = False) -> Mapping[str, Any]:
        """Pack a folder of originals below `root`, completely or not at all; returns the manifest.

        Raises:
            DataMissing: a file is missing.
            DataFault: a file does not have its format, or the set is not complete.
        """
        ...

    def check(self, root: Path) -> Mapping[str, Any]:
        """Hash every packed file; returns the manifest.

        Raises:
            DataMissing: there are no packed data.
            DataFault: a file differs from the manifest.
        """
        ...


Ask = Callable[[Arrays], Array]
"""Computes outputs from inputs with the snapshot that is evaluated: one query."""


@dataclass(frozen=True, kw_only=True)
class WorkloadSpec:
    """One workload: `WORKLOAD` in `workloads/tasks/<name>.py`; torch only inside `model`."""

    name: str
    title: str
    domain: str
    size: Literal["smoke", "cpu", "official"]
    secrecy: Literal["public", "seeded", "secret"]
    metric: Metric
    target: Target
    budget_s: float
    """Seconds after the start signal at which the submission is killed."""
    outputs: Outputs
    data: Callable[[int], Splits]
    """Makes the data of an instance seed; public workloads ignore the seed."""
    model: Callable[[], "nn.Module"]
    """Makes the initialized model of the closed division, with torch's global random generator."""
    score: Callable[[Array, Arrays, Mapping[str, float]], float]
    """Computes the metric from outputs, test labels and facts; numpy only, runs in the judge."""
    loss: Callable[[Array, Arrays, Mapping[str, float]], float] | None = None
    """Computes a second figure for the record, such as cross-entropy in nats."""
    evaluation: Literal["direct", "lockstep", "interactive"] = "direct"
    """`direct`: all inputs at once; `lockstep`: token t+1 of a batch is sent only after its outputs
    for token t are returned; `interactive`: `interact` makes as many queries as it needs."""
    interact: "Callable[[Splits, Ask], Array] | None" = None
    """Control: runs hidden episodes with one query per step; returns the outputs for `score`. It
    runs outside of all sandboxes, so that submissions cannot read or change the dynamics."""
    answer_values: int | None = None
    """Number of values in the largest answer to one query, if it exceeds that of all outputs."""
    predict: "Callable[[nn.Module, Mapping[str, torch.Tensor]], torch.Tensor] | None" = None
    """Closed division: computes outputs where one forward pass is not enough, as when sampling from
    a flow; None calls the model."""
    divisions: tuple[str, ...] = ("closed", "open", "hardware")
    """The divisions that the workload has. Generative ones have no open division, in which a
    predictor could return stored training rows as new samples."""
    threads: int = 1
    predict_cpu_s: float
    """CPU seconds that the closed model needs to load one snapshot and predict the test split."""
    optimum: float | None = None
    """Best value that any predictor can expect; None if unknown."""
    optimum_error: Callable[[Arrays, Mapping[str, float]], float] | None = None
    """Standard error of the metric of the ideal predictor on the drawn test split."""
    mask: tuple[str, ...] = ()
    """Folders of installed packages that contain these data, such as `sklearn/datasets/data`."""
    packed: PackedData | None = None
    """How `joulemark data` packs the data of an official workload into a local folder."""
    packages: tuple[str, ...] = ("numpy", "torch")
    """Distributions whose versions influence the result; they are recorded."""
    tags: tuple[str, ...] = ()
    about: str = ""
    """A paragraph for readers: source of the data, licence, what the workload represents."""


class Channel(Protocol):
    """The connection of a session to the conductor; made by the shim, not by a submission."""

    def snapshot(self, tensors: Mapping[str, Any], step: int | None, note: str) -> None:
        """Hand over weights as a sealed safetensors memfd."""
        ...

    def send(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Send one message."""
        ...

    def now_s(self) -> float:
        """Seconds since the start signal."""
        ...

    def next_snapshot_s(self) -> float:
        """Seconds since the start signal from which on a snapshot is accepted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Session:
    """The argument of a submission's `train(session)`."""

    workload: WorkloadSpec
    seed: int
    device: str
    train: Arrays
    """Read-only, memory-mapped arrays, which are available from the start signal on."""
    validation: Arrays
    """For the submission's own decisions, within the run window; training on it is allowed."""
    budget_s: float
    snapshot_rule: Literal["final", "first_passing"]
    snapshot_spacing_s: float = 0.0
    """Least time between two accepted snapshots, under `first_passing`."""
    hyperparameters: Mapping[str, Hyperparameter] = field(default_factory=dict)
    threads: int = 1
    rank: int = 0
    world_size: int = 1
    channel: Channel

    def time_left_s(self) -> float:
        """Seconds until the conductor kills this process."""
        return self.budget_s - self.channel.now_s()

    def snapshot_due(self) -> bool:
        """Whether a snapshot would be accepted now; under `final` it always is."""
        return self.channel.now_s() >= self.channel.next_snapshot_s()

    def snapshot(self, model_or_tensors: Any, step: int | None = None, note: str = "") -> None:
        """Hand over weights: a module, a state dict, or a mapping of names to tensors or arrays.

        The bytes are copied before this returns; the time for it is part of the run window.
        """
        state = getattr(model_or_tensors, "state_dict", None)
        tensors = state() if callable(state) else model_or_tensors
        self.channel.snapshot(tensors, step, note)

    def batches(
        self, split: str, batch_size: int, epochs: int | None = None
    ) -> Iterator[dict[str, Array]]:
        """Shuffled batches as dicts of arrays (rows copied), until the budget or `epochs` ends.

        The order is drawn from the session's seed, newly for each epoch; a partial batch is kept.
        """
        arrays = {"train": self.train, "validation": self.validation}[split]
        rows = len(next(iter(arrays.values())))
        order = np.random.default_rng(self.seed)
        epoch = 0
        while epochs is None or epoch < epochs:
            shuffled = order.permutation(rows)
            for start in range(0, rows, batch_size):
                if self.time_left_s() <= 0:
                    return
                chosen = shuffled[start : start + batch_size]
                yield {name: array[chosen] for name, array in arrays.items()}
            epoch += 1

    def log(self, step: int | None = None, **scalars: float) -> None:
        """Report numbers, at most 32 at once; they are stored as claims of the submission.

        NaN and infinity are reported by name and become a finding; the run continues.
        """
        numbers = {name: float(value) for name, value in scalars.items()}
        odd = {name: str(value) for name, value in numbers.items() if not math.isfinite(value)}
        finite = {name: value for name, value in numbers.items() if name not in odd}
        fields = {"step": None if step is None else int(step), "scalars": finite}
        self.channel.send("log", {**fields, "nonfinite": odd} if odd else fields)

    def span(self, name: str) -> AbstractContextManager[None]:
        """Mark a named phase, which the power trace shows: `with session.span("epoch"):`."""
        return _NamedPhase(self.channel, name)


class _NamedPhase:
    """Sends a message at the beginning and at the end of a phase."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name

    def __enter__(self) -> None:
        self._channel.send("span", {"name": self._name, "edge": "begin"})

    def __exit__(self, *_: object) -> None:
        self._channel.send("span", {"name": self._name, "edge": "end"})
