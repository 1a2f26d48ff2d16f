"""The predictor's shim in the second sandbox: weights and inputs in, outputs out, no labels.

Started by `sandbox_main.py predict FD FOLDER JSON`. The closed division runs the workload's model
here; the open division brings `predictor(weights, workload)`.
"""

import importlib
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

Config = Mapping[str, Any]
Predict = Callable[[dict[str, Array]], Array]
ROWS_AT_ONCE = 1024
"""Rows of one forward pass: bounds memory, does not change the result of a row."""


class WeightsRefused(ValueError):
    """Weights that do not fit; the text goes to the conductor."""


def _check_state(given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Same names, shapes and types as the workload's model.

    Raises:
        Refused: the first difference, by name.
    """
    if set(given) != set(own):
        odd = sorted(set(given) ^ set(own))[:3]
        raise WeightsRefused(
            f"weights are not those of the workload's model: {', '.join(map(ascii, odd))}"
        )
    for name, tensor in own.items():
        there = given[name]
        if there.shape != tensor.shape or there.dtype != tensor.dtype:
            raise WeightsRefused(
                f"weight '{name}' is {there.dtype}{list(there.shape)}, "
                f"not {tensor.dtype}{list(tensor.shape)}"
            )


def _run(model: Any, inputs: Mapping[str, Any], workload: WorkloadSpec) -> Any:
    """One pass over some rows, by the workload's own way where it has one."""
    if workload.predict is not None:
        return workload.predict(model, inputs)
    out = model(*inputs.values())
    return out[:, -1] if workload.evaluation == "lockstep" else out


def _finished(out: Any, workload: WorkloadSpec) -> Array:
    """Outputs as the judge takes them."""
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
            name: torch.from_numpy(np.ascontiguousarray(item)) for name, item in inputs.items()
        }
        rows = len(next(iter(tensors.values())))
        parts = []
        with torch.inference_mode():
            for start in range(0, rows, ROWS_AT_ONCE):
                piece = {name: x[start : start + ROWS_AT_ONCE] for name, x in tensors.items()}
                parts.append(_finished(_run(model, piece, workload), workload))
        return np.concatenate(parts)

    return forward


def _open(config: Config) -> Callable[[Mapping[str, Any], WorkloadSpec], Predict]:
    """The submission's own predictor; its first line runs here, before any weights are known."""
    for name in config["imports"]:
        importlib.import_module(name)
    sys.path.insert(0, config["source"])
    sys.path.append(os.path.join(config["source"], protocol.PACKAGES_FOLDER))  # noqa: PTH118
    make = getattr(importlib.import_module("train"), "predictor", None)
    if make is None:
        raise AttributeError(
            "train.py defines no predictor(weights, workload), which the open division needs"
        )
    return make  # type: ignore[no-any-return]


def _read_weights(descriptor: int) -> Mapping[str, Any]:
    """The format holds no code; torch tensors where torch is loaded, else arrays."""
    data = read_bytes(descriptor)
    os.close(descriptor)
    try:
        if "torch" in sys.modules:
            from safetensors.torch import load as load_torch

            return load_torch(data)
        from safetensors.numpy import load as load_numpy

        return load_numpy(data)
    except Exception as error:  # the reader has an exception type of its own
        raise WeightsRefused(
            f"the snapshot is no valid safetensors file ({type(error).__name__})"
        ) from error


class PredictorServer:
    """Answers the conductor, strictly in turn."""

    def __init__(self, channel: socket.socket, config: Config) -> None:
        """Load everything that does not depend on weights."""
        self._channel = channel
        self._workload: WorkloadSpec = load_target(config["workload"], "WORKLOAD")
        if config["division"] == "open":
            self._make = _open(config)
        else:
            import torch

            torch.set_num_threads(config["threads"])
            self._make = _closed
        self._predict: Predict | None = None
        self._prefix: dict[str, list[Array]] = {}

    def load(self, descriptor: int) -> None:
        """Take weights and make a predictor of them; nothing of the one before remains."""
        self._predict = None
        self._prefix = {}
        self._predict = self._make(_read_weights(descriptor), self._workload)

    def answer(self, word: Mapping[str, Any], fds: list[int]) -> int:
        """Outputs for one set of inputs, as a sealed memory file."""
        assert self._predict is not None
        inputs = {item["name"]: map_array(fds[item["index"]]) for item in word["inputs"]}
        if self._workload.evaluation == "lockstep":
            for name, column in inputs.items():
                self._prefix.setdefault(name, []).append(np.array(column))
            inputs = {name: np.stack(columns, 1) for name, columns in self._prefix.items()}
        outputs = np.asarray(self._predict(inputs))
        protocol.close_all(fds)
        return sealed_array("outputs", outputs)

    def serve(self) -> None:
        """Answer until the conductor hangs up."""
        while True:
            received = protocol.receive(self._channel, protocol.DATA_FDS_MAX)
            if not received.data:
                return
            word = json.loads(received.data)
            try:
                self._turn(word, received.fds)
            except Exception as error:  # noqa: BLE001 - every fault is told, the next may go well
                traceback.print_exc()
                text = (
                    f"{type(error).__name__}: {error}"
                    if not isinstance(error, WeightsRefused)
                    else (str(error))
                )
                protocol.send(self._channel, "failed", {"id": word["id"], "reason": text[:500]})

    def _turn(self, word: Mapping[str, Any], fds: list[int]) -> None:
        if word["type"] == "weights":
            self.load(fds[0])
            protocol.send(self._channel, "loaded", {"id": word["id"]})
        elif word["type"] == "predict":
            descriptor = self.answer(word, fds)
            protocol.send(self._channel, "outputs", {"id": word["id"]}, [descriptor])
            os.close(descriptor)


def _become(config: Config, channel: socket.socket) -> None:
    """Turn into the submission's own predictor, which says `ready` itself once it is loaded."""
    os.set_inheritable(channel.fileno(), True)  # noqa: FBT003 - the standard signature
    os.chdir(config["source"])
    os.environ[protocol.FD_VARIABLE] = str(channel.fileno())
    command = [*config["command"], str(channel.fileno())]
    os.execvp(command[0], command)  # noqa: S606 - that is the predictor, in its sandbox


def main(arguments: list[str]) -> None:
    """Serve one run's snapshots."""
    channel = socket.socket(fileno=int(arguments[0]))
    config: Config = {**json.loads(arguments[2]), "source": arguments[1]}
    if config["command"]:
        _become(config, channel)
    server = PredictorServer(channel, config)
    fields = {"protocol": protocol.VERSION, "runtime": protocol.runtime()}
    protocol.send(channel, "ready", fields)
    server.serve()
