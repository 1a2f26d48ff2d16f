"""The program in the predictor's sandbox: weights and inputs in, outputs out, no labels.

Started by `sandbox_main.py predict FD FOLDER JSON`. In the closed division it runs the workload's
own model; in the open division the submission defines `predictor(weights, workload)`.
"""

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.api import Array, WorkloadSpec
from harness.registry import load_target
from harness.run import protocol
from harness.run.memory import map_array, read_bytes, sealed_array
from harness.run.shim import (
    Config,
    exec_command,
    import_all,
    import_train,
    send_ready,
    set_threads,
)

Predict = Callable[[dict[str, Array]], Array]
ROWS_AT_ONCE = 1024
"""Rows of one forward pass: limits the memory, and does not change the result of a row."""


class WeightsRefused(ValueError):
    """Weights that do not fit; the message is sent to the conductor."""


def _check_state(weights: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Check that names, shapes and types are those of the workload's model."""
    if set(weights) != set(model):
        different = sorted(set(weights) ^ set(model))[:3]
        raise WeightsRefused(
            f"weights are not those of the workload's model: {', '.join(map(ascii, different))}"
        )
    for name, tensor in model.items():
        weight = weights[name]
        if weight.shape != tensor.shape or weight.dtype != tensor.dtype:
            raise WeightsRefused(
                f"weight '{name}' is {weight.dtype}{list(weight.shape)}, "
                f"not {tensor.dtype}{list(tensor.shape)}"
            )


def _outputs(model: Any, inputs: Mapping[str, Any], workload: WorkloadSpec) -> Array:
    """Outputs for some rows, as the judge takes them."""
    if workload.predict is not None:
        out = workload.predict(model, inputs)
    else:
        out = model(*inputs.values())
        out = out[:, -1] if workload.evaluation == "lockstep" else out
    out = out.float()
    if workload.outputs.kind == "log_probabilities":
        out = out.log_softmax(dim=-1)
    array: Array = out.numpy()
    return array


def _closed(weights: Mapping[str, Any], workload: WorkloadSpec) -> Predict:
    """The workload's model with the given weights, in evaluation mode, without gradients."""
    import torch

    model = workload.model()
    _check_state(weights, model.state_dict())
    model.load_state_dict(weights)
    model.eval()

    def forward(inputs: dict[str, Array]) -> Array:
        tensors = {
            name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in inputs.items()
        }
        rows = len(next(iter(tensors.values())))
        parts = []
        with torch.inference_mode():
            for start in range(0, rows, ROWS_AT_ONCE):
                piece = {name: x[start : start + ROWS_AT_ONCE] for name, x in tensors.items()}
                parts.append(_outputs(model, piece, workload))
        return np.concatenate(parts)

    return forward


def _open(config: Config) -> Callable[[Mapping[str, Any], WorkloadSpec], Predict]:
    """The submission's own predictor; its first line runs here, with the weights at hand."""
    make = getattr(import_train(config), "predictor", None)
    if make is None:
        raise AttributeError(
            "train.py defines no predictor(weights, workload), which the open division needs"
        )
    return make  # type: ignore[no-any-return]  # the submission's own function


def _read_weights(descriptor: int) -> Mapping[str, Any]:
    """Read the weights: torch tensors if torch is loaded, else arrays; the format has no code."""
    data = read_bytes(descriptor)
    os.close(descriptor)
    try:
        if "torch" in sys.modules:
            from safetensors.torch import load as load_torch

            return load_torch(data)
        from safetensors.numpy import load as load_numpy

        return load_numpy(data)
    except Exception as error:  # the library has its own exception type
        raise WeightsRefused(
            f"the snapshot is no valid safetensors file ({type(error).__name__})"
        ) from error


class PredictorServer:
    """Answers the conductor's messages, one after the other."""

    def __init__(self, channel: socket.socket, config: Config) -> None:
        """Load everything that does not depend on weights."""
        self._channel = channel
        self._workload: WorkloadSpec = load_target(config["workload"], "WORKLOAD")
        self._config = config
        self._make: Callable[[Mapping[str, Any], WorkloadSpec], Predict] | None = None
        import_all(config["imports"])
        if config["division"] == "closed":
            set_threads(config["threads"])
            self._make = _closed
        self._predict: Predict | None = None
        self._prefix: dict[str, list[Array]] = {}

    def load(self, descriptor: int) -> None:
        """Make a predictor of new weights; nothing of the previous one remains."""
        self._predict = None
        self._prefix = {}
        # Code of the submission runs only now, since the cost of an evaluation begins here.
        self._make = self._make or _open(self._config)
        self._predict = self._make(_read_weights(descriptor), self._workload)

    def answer(self, message: Mapping[str, Any], fds: list[int]) -> int:
        """Outputs for one set of inputs, as a sealed memory file."""
        assert self._predict is not None
        inputs = {array["name"]: map_array(fds[array["index"]]) for array in message["inputs"]}
        if self._workload.evaluation == "lockstep":
            for name, column in inputs.items():
                self._prefix.setdefault(name, []).append(np.array(column))
            inputs = {name: np.stack(columns, 1) for name, columns in self._prefix.items()}
        outputs = np.asarray(self._predict(inputs))
        protocol.close_all(fds)
        return sealed_array("outputs", outputs)

    def serve(self) -> None:
        """Answer until the conductor closes the socket."""
        while True:
            received = protocol.receive(self._channel, protocol.DATA_FDS_MAX)
            if not received.data:
                return
            message = json.loads(received.data)
            try:
                self._handle(message, received.fds)
            except Exception as error:  # noqa: BLE001 - every error is sent; the next may go well
                traceback.print_exc()
                name = "" if isinstance(error, WeightsRefused) else f"{type(error).__name__}: "
                reason = f"{name}{error}"[:500]
                protocol.send(self._channel, "failed", {"id": message["id"], "reason": reason})

    def _handle(self, message: Mapping[str, Any], fds: list[int]) -> None:
        if message["type"] == "weights":
            self.load(fds[0])
            protocol.send(self._channel, "loaded", {"id": message["id"]})
        elif message["type"] == "predict":
            descriptor = self.answer(message, fds)
            protocol.send(self._channel, "outputs", {"id": message["id"]}, [descriptor])
            os.close(descriptor)


def main(arguments: list[str]) -> None:
    """Evaluate the snapshots of one run."""
    channel = socket.socket(fileno=int(arguments[0]))
    config: Config = {**json.loads(arguments[2]), "source": arguments[1]}
    if config["command"]:
        import_all(config["imports"])
        protocol.send(channel, "starting", {})
        exec_command(config, channel)  # the program itself says `ready`
    server = PredictorServer(channel, config)
    send_ready(channel)
    server.serve()
