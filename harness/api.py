"""What a submission or a workload may import: Session, WorkloadSpec, Splits.

Nothing here imports torch, and nothing here can read a meter, a label or the score.
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
    """The figure that is computed on the hidden test split, and its direction."""

    name: str
    better: Literal["higher", "lower"]
    unit: str = ""
    digits: int = 4
    """Decimal places that the metric can resolve on this test split."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The frozen value to reach."""

    value: float
    version: str
    derivation: str
    """One sentence: the rule, and the number of runs of which submission."""


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The data of one instance.

    `train` and `validation` are sent to the submission with the start signal, `test_inputs` to the
    predictor after the submission is dead; `test_labels` and `facts` never leave the judge.
    """

    train: Arrays
    validation: Arrays
    test_inputs: Arrays
    test_labels: Arrays
    facts: Mapping[str, float] = field(default_factory=dict)
    """Facts of the drawn instance, as its entropy rate in nats. `partial` and `synthetic` (1.0)
    mark data that are only a part of the workload's, or generated instead of them."""
    manifest_sha256: str | None = None
    """Digest of the manifest that lists the files of packed data."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The outputs of a predictor: float32 of shape (examples, *shape)."""

    kind: Literal["scores", "log_probabilities"]
    """`scores`: finite numbers, the greatest wins; `log_probabilities`: normalised, in nats."""
    shape: tuple[int, ...]


class DataMissing(JouleMarkError, FileNotFoundError):
    """A workload's data do not exist; the message says how to get them."""

    exit_code = ExitCode.MISSING


class DataFault(JouleMarkError, ValueError):
    """Data that break their format; the message names the file and a remedy."""


class PackedData(Protocol):
    """Packs original files into the files that an official workload maps."""

    @property
    def name(self) -> str:
        """Name of the packed data's folder below the data root; workloads may share it."""
        ...

    @property
    def how(self) -> str:
        """One sentence: where to get the originals, and what the folder must contain."""
        ...

    def prepare(self, originals: Path, root: Path, *, partial: bool = False) -> Mapping[str, Any]:
        """Pack a folder of originals below `root`, completely or not at all; returns the manifest.

        Raises:
            DataMissing: a file does not exist.
            DataFault: a file breaks its format, or the set is incomplete.
        """
        ...

    def check(self, root: Path) -> Mapping[str, Any]:
        """Hash every packed file; returns the manifest.

        Raises:
            DataMissing: nothing is packed there.
            DataFault: a file differs from the manifest.
        """
        ...


Ask = Callable[[Arrays], Array]
"""Returns the outputs for some inputs: one question to the predictor of the snapshot."""


@dataclass(frozen=True, kw_only=True)
class WorkloadSpec:
    """One workload: `WORKLOAD` in `workloads/tasks/<name>.py`; torch only inside `model`."""

    name: str
    title: str
    domain: str
    size: Literal["smoke", "cpu", "official"]
    secrecy: Literal["public", "varied", "seeded", "secret"]
    """`public`: everyone may own the data. `varied`: an instance is drawn for each run, from a
    family that can be trained on before. `seeded`: drawn so widely that this does not help.
    `secret`: an organizer's folder."""
    metric: Metric
    target: Target
    budget_s: float
    """Length of the run window in seconds; after it the submission is killed."""
    outputs: Outputs
    data: Callable[[int], Splits]
    """Draws the data from the instance seed; a public workload returns the same for every seed."""
    model: Callable[[], "nn.Module"]
    """The model of the closed division, initialised with torch's global generator."""
    score: Callable[[Array, Arrays, Mapping[str, float]], float]
    """Computes the metric from (outputs, test labels, facts), with numpy only, in the judge."""
    loss: Callable[[Array, Arrays, Mapping[str, float]], float] | None = None
    """A second figure that is stored, as cross-entropy in nats."""
    evaluation: Literal["direct", "lockstep", "interactive"] = "direct"
    """`direct`: all inputs at once; `lockstep`: token t+1 is sent only after the distribution for
    t was received, over the whole batch; `interactive`: `interact` asks as often as it needs."""
    interact: "Callable[[Splits, Ask], Array] | None" = None
    """Plays hidden episodes by asking for outputs step by step; returns the argument of `score`.
    It runs outside every sandbox, so its dynamics cannot be read or altered."""
    answer_values: int | None = None
    """Values in the largest answer to one question, if there are more than in all outputs."""
    predict: "Callable[[nn.Module, Mapping[str, torch.Tensor]], torch.Tensor] | None" = None
    """In the closed division: computes outputs with the model if that is more than one forward
    pass, as sampling from a flow; None calls the model."""
    divisions: tuple[str, ...] = ("closed", "open", "hardware")
    """Divisions in which it is fair; generative workloads have no open division, where stored
    training rows would pass for new samples."""
    threads: int = 1
    predict_cpu_s: float
    """CPU seconds that the closed model needs to load one snapshot and predict the test split."""
    optimum: float | None = None
    """Best value that a predictor can expect, if it is known."""
    optimum_error: Callable[[Arrays, Mapping[str, float]], float] | None = None
    """Standard error of the metric of the ideal predictor on the drawn test split."""
    mask: tuple[str, ...] = ()
    """Folders of installed packages, as `sklearn/datasets/data`, with this workload's data."""
    packed: PackedData | None = None
    """Only for official workloads, whose data are packed by `joulemark data`."""
    packages: tuple[str, ...] = ("numpy", "torch")
    """Distributions whose versions influence the result; they are recorded."""
    tags: tuple[str, ...] = ()
    about: str = ""
    """A paragraph: source of the data, licence, what it represents."""


class Channel(Protocol):
    """A session's connection to the conductor; created by the shim, never by a submission."""

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
        """Seconds since the start signal from which on a snapshot counts."""
        ...


@dataclass(frozen=True, kw_only=True)
class Session:
    """The argument of a submission: `def train(session: Session) -> None`."""

    workload: WorkloadSpec
    seed: int
    device: str
    train: Arrays
    """Memory-mapped arrays, read-only."""
    validation: Arrays
    """For the submission's own decisions, on its own clock; training on it is allowed."""
    budget_s: float
    snapshot_rule: Literal["final", "first_passing"]
    snapshot_spacing_s: float = 0.0
    """Least time in seconds between two snapshots that count, under `first_passing`."""
    hyperparameters: Mapping[str, Hyperparameter] = field(default_factory=dict)
    threads: int = 1
    rank: int = 0
    world_size: int = 1
    channel: Channel

    def time_left_s(self) -> float:
        """Seconds until the conductor kills this process."""
        return self.budget_s - self.channel.now_s()

    def snapshot_due(self) -> bool:
        """Whether a snapshot handed over now would count (always, under `final`)."""
        return self.channel.now_s() >= self.channel.next_snapshot_s()

    def snapshot(self, model_or_tensors: Any, step: int | None = None, note: str = "") -> None:
        """Hand over weights: a module, a state dict, or a mapping of names to tensors or arrays.

        The bytes are copied at once, so training can continue; the time for it is counted.
        """
        state = getattr(model_or_tensors, "state_dict", None)
        tensors = state() if callable(state) else model_or_tensors
        self.channel.snapshot(tensors, step, note)

    def batches(
        self, split: str, batch_size: int, epochs: int | None = None
    ) -> Iterator[dict[str, Array]]:
        """Shuffled batches as dicts of arrays (rows copied), until the budget or `epochs` ends.

        The order is drawn from the session's seed in each epoch; a last partial batch is kept.
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
        """Report numbers, at most 32 at once; they are stored as claimed.

        NaN and infinity are allowed; they become a finding.
        """
        numbers = {name: float(value) for name, value in scalars.items()}
        nonfinite = {
            name: str(value) for name, value in numbers.items() if not math.isfinite(value)
        }
        finite = {name: value for name, value in numbers.items() if name not in nonfinite}
        fields = {"step": None if step is None else int(step), "scalars": finite}
        self.channel.send("log", {**fields, "nonfinite": nonfinite} if nonfinite else fields)

    def span(self, name: str) -> AbstractContextManager[None]:
        """A named phase, shown on the power trace: `with session.span("epoch"):`."""
        return _Span(self.channel, name)


class _Span:
    """Sends the beginning and the end of a phase."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name

    def __enter__(self) -> None:
        self._channel.send("span", {"name": self._name, "edge": "begin"})

    def __exit__(self, *_: object) -> None:
        self._channel.send("span", {"name": self._name, "edge": "end"})
