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
    """What is measured on the hidden test split, and which way is better."""

    name: str
    better: Literal["higher", "lower"]
    unit: str = ""
    digits: int = 4
    """Digits after the point that the metric can resolve on this test split."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The frozen value to reach."""

    value: float
    version: str
    derivation: str
    """One sentence: by which rule, from how many runs of which submission."""


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The data of one instance.

    `train` and `validation` reach the submission at the gun; `test_inputs` reach the predictor
    after the submission is dead; `test_labels` and `facts` never leave the judge.
    """

    train: Arrays
    validation: Arrays
    test_inputs: Arrays
    test_labels: Arrays
    facts: Mapping[str, float] = field(default_factory=dict)
    """Of the drawn instance, as its entropy rate in nats. `partial` and `synthetic` (1.0: yes) mark
    data that are not those which the workload names: a part of them, or a generated stand-in."""
    manifest_sha256: str | None = None
    """Of packed data: digest of the manifest that lists their files."""


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a predictor must give: float32 of shape (examples, *shape)."""

    kind: Literal["scores", "log_probabilities"]
    """`scores`: any finite numbers, the greatest wins; `log_probabilities`: normalised, in nats."""
    shape: tuple[int, ...]


class DataMissing(JouleMarkError, FileNotFoundError):
    """A workload's data are not there; the message says how to get them."""

    exit_code = ExitCode.MISSING


class DataFault(JouleMarkError, ValueError):
    """Data that are not as their format says; the message names the file and a remedy."""


class PackedData(Protocol):
    """How original files become what an official workload maps."""

    @property
    def name(self) -> str:
        """Folder of the packed data below the data root; workloads may share it."""
        ...

    @property
    def how(self) -> str:
        """One sentence: where to get the originals, and what the folder must hold."""
        ...

    def prepare(self, originals: Path, root: Path, *, partial: bool = False) -> Mapping[str, Any]:
        """Pack a folder of originals below `root`, whole or not at all; returns the manifest.

        Raises:
            DataMissing: a file is not there.
            DataFault: a file is not as its format says, or the set is not whole.
        """
        ...

    def check(self, root: Path) -> Mapping[str, Any]:
        """Hash every packed file; returns the manifest.

        Raises:
            DataMissing: nothing is packed there.
            DataFault: a file is not as the manifest says.
        """
        ...


Ask = Callable[[Arrays], Array]
"""Inputs to outputs of the snapshot that is being evaluated: one question to the predictor."""


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
    """Run window, seconds, after which the submission is killed."""
    outputs: Outputs
    data: Callable[[int], Splits]
    """Instance seed to data; public workloads give the same for every seed."""
    model: Callable[[], "nn.Module"]
    """The closed division's model with its initialisation; draws from torch's global generator."""
    score: Callable[[Array, Arrays, Mapping[str, float]], float]
    """(outputs, test labels, facts) to metric; numpy only, runs in the judge."""
    loss: Callable[[Array, Arrays, Mapping[str, float]], float] | None = None
    """A second figure for the record, as cross-entropy in nats."""
    evaluation: Literal["direct", "lockstep", "interactive"] = "direct"
    """`direct`: all inputs at once; `lockstep`: token t+1 is sent only after the distribution for
    t is there, over the whole batch; `interactive`: `interact` asks as often as it needs."""
    interact: "Callable[[Splits, Ask], Array] | None" = None
    """Control: plays hidden episodes by asking for outputs step by step; gives what `score` takes.
    Runs outside of every sandbox, so the dynamics it uses cannot be seen or altered."""
    answer_values: int | None = None
    """Values in the largest answer to one question, where that is more than all outputs hold."""
    predict: "Callable[[nn.Module, Mapping[str, torch.Tensor]], torch.Tensor] | None" = None
    """Closed division: how the model turns inputs into outputs where it is more than one forward
    pass, as sampling from a flow; None calls the model."""
    divisions: tuple[str, ...] = ("closed", "open", "hardware")
    """Divisions that it can be fair in; generative ones have no open division, where the training
    rows, kept, would pass for new samples."""
    threads: int = 1
    predict_cpu_s: float
    """CPU seconds that the closed model needs to load one snapshot and predict the test split."""
    optimum: float | None = None
    """Best value that any predictor can expect, where it is known."""
    optimum_error: Callable[[Arrays, Mapping[str, float]], float] | None = None
    """Standard error of the metric of the ideal predictor on the drawn test split."""
    mask: tuple[str, ...] = ()
    """Folders of installed packages, as `sklearn/datasets/data`, that hold this workload's data."""
    packed: PackedData | None = None
    """Of official workloads: their data lie in a local folder, packed by `joulemark data`."""
    packages: tuple[str, ...] = ("numpy", "torch")
    """Distributions whose versions define the result; recorded."""
    tags: tuple[str, ...] = ()
    about: str = ""
    """A paragraph for people: source of the data, licence, what it stands for."""


class Channel(Protocol):
    """How a session reaches the conductor; made by the shim, never by a submission."""

    def snapshot(self, tensors: Mapping[str, Any], step: int | None, note: str) -> None:
        """Hand over weights as a sealed safetensors memfd."""
        ...

    def send(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Send one message."""
        ...

    def now_s(self) -> float:
        """Seconds since the gun."""
        ...

    def next_snapshot_s(self) -> float:
        """Seconds since the gun from which on a snapshot counts."""
        ...


@dataclass(frozen=True, kw_only=True)
class Session:
    """All that a submission gets: `def train(session: Session) -> None`."""

    workload: WorkloadSpec
    seed: int
    device: str
    train: Arrays
    """Memory-mapped arrays, read-only, there since the gun."""
    validation: Arrays
    """For the submission's own decisions, on its own clock; training on it is allowed."""
    budget_s: float
    snapshot_rule: Literal["final", "first_passing"]
    snapshot_spacing_s: float = 0.0
    """Least time between two snapshots that count, under `first_passing`."""
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

        The bytes are copied at once, so training may go on; the time it takes is on the clock.
        """
        state = getattr(model_or_tensors, "state_dict", None)
        tensors = state() if callable(state) else model_or_tensors
        self.channel.snapshot(tensors, step, note)

    def batches(
        self, split: str, batch_size: int, epochs: int | None = None
    ) -> Iterator[dict[str, Array]]:
        """Shuffled batches as dicts of arrays (rows copied), until the budget or `epochs` ends.

        The order is drawn from the session's seed, anew each epoch; a last partial batch is kept.
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
        """Tell the conductor numbers, at most 32 at once; stored as claimed.

        NaN and infinity are no reason to stop: they are told by name, and become a finding.
        """
        numbers = {name: float(value) for name, value in scalars.items()}
        odd = {name: str(value) for name, value in numbers.items() if not math.isfinite(value)}
        finite = {name: value for name, value in numbers.items() if name not in odd}
        fields = {"step": None if step is None else int(step), "scalars": finite}
        self.channel.send("log", {**fields, "nonfinite": odd} if odd else fields)

    def span(self, name: str) -> AbstractContextManager[None]:
        """A named phase, shown on the power trace: `with session.span("epoch"):`."""
        return _Span(self.channel, name)


class _Span:
    """Sends the two edges of a phase."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._name = name

    def __enter__(self) -> None:
        self._channel.send("span", {"name": self._name, "edge": "begin"})

    def __exit__(self, *_: object) -> None:
        self._channel.send("span", {"name": self._name, "edge": "end"})
