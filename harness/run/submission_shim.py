"""The program in the submission's sandbox: says ready, awaits the start signal, runs train.py.

Started by `sandbox_main.py train FD FOLDER JSON`. Before the start signal it imports the harness's
API, the workload and the packages that the submission declared, and no code of the submission.
"""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.api import Arrays, Session
from harness.clock import NS_PER_S, now_ns
from harness.registry import load_target
from harness.run import protocol
from harness.run.memory import map_array
from harness.run.shim import (
    Config,
    exec_command,
    import_all,
    import_train,
    send_ready,
    set_threads,
)
from harness.run.weights import pack


class SocketChannel:
    """The channel of a session to the conductor; its clock starts when it is created."""

    def __init__(self, channel: socket.socket, spacing_s: float) -> None:
        """Bind to the socket."""
        self._socket = channel
        self._spacing_s = spacing_s
        self._start_ns = now_ns()
        self._next_s = 0.0

    def now_s(self) -> float:
        """Seconds since the start signal, on this process's clock."""
        return (now_ns() - self._start_ns) / NS_PER_S

    def next_snapshot_s(self) -> float:
        """Seconds since the start signal from which on a snapshot counts."""
        return self._next_s

    def snapshot(self, tensors: Mapping[str, Any], step: int | None, note: str) -> None:
        """Seal the weights and hand them over."""
        descriptor = pack(tensors)
        try:
            # int: a counter is often a scalar of numpy or torch.
            fields = {
                "step": None if step is None else int(step),
                "note": note[: protocol.NOTE_CHARACTERS_MAX],
            }
            protocol.send(self._socket, "snapshot", fields, [descriptor])
        finally:
            os.close(descriptor)
        if self.now_s() >= self._next_s:
            self._next_s = self.now_s() + self._spacing_s

    def send(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Send one message."""
        protocol.send(self._socket, kind, fields)


def _session(
    config: Config, raw: socket.socket, message: Mapping[str, Any], data: Mapping[str, Arrays]
) -> Session:
    spacing_s = message["snapshot_spacing_s"]
    return Session(
        workload=load_target(config["workload"], "WORKLOAD"),
        seed=message["seed"],
        device=config["device"],
        train=data["train"],
        validation=data["validation"],
        budget_s=message["budget_s"],
        snapshot_rule=message["snapshot_rule"],
        snapshot_spacing_s=spacing_s,
        hyperparameters=message["hyperparameters"],
        threads=message["threads"],
        channel=SocketChannel(raw, spacing_s),
    )


def _receive(raw: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The conductor's next message; at an end of file the conductor is gone."""
    received = protocol.receive(raw, protocol.DATA_FDS_MAX)
    if not received.data:
        raise SystemExit(3)
    return json.loads(received.data), received.fds


def _setup(config: Config, raw: socket.socket, message: Mapping[str, Any]) -> None:
    """Run the submission's `setup` on noise with the shape of the training data."""
    noise = np.random.default_rng(0)
    data: dict[str, dict[str, Any]] = {"train": {}, "validation": {}}
    for array in message["shapes"]:
        split, _, name = array["name"].partition("/")
        data[split][name] = noise.random(array["shape"]).astype(array["dtype"])
    setup = getattr(import_train(config), "setup", None)
    if setup is not None:
        setup(_session(config, raw, message, data))
    protocol.send(raw, "setup_done", {})


def _mapped(message: Mapping[str, Any], fds: list[int]) -> dict[str, Arrays]:
    """The arrays of both splits, mapped; names are `train/x`, `validation/y`."""
    data: dict[str, dict[str, Any]] = {"train": {}, "validation": {}}
    for array in message["splits"]:
        split, _, name = array["name"].partition("/")
        data[split][name] = map_array(fds[array["index"]])
    return {**data}


def _train(config: Config, raw: socket.socket) -> None:
    """Await the start signal, then load and run `train`; `setup` runs before if it is allowed."""
    message, fds = _receive(raw)
    while message["type"] == "setup":
        _setup(config, raw, message)
        message, fds = _receive(raw)
    session = _session(config, raw, message, _mapped(message, fds))
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(session.seed)
    train = getattr(import_train(config), "train", None)
    if train is None:
        raise AttributeError("train.py defines no function train(session)")
    train(session)
    protocol.send(raw, "done", {})
    _await_kill(raw)


def _await_kill(raw: socket.socket) -> None:
    """Wait until the conductor kills this process, or is gone itself.

    `done` asks to be killed: an orderly exit would cost the submission time and joules, and peak
    memory can be read only from a living process.
    """
    with contextlib.suppress(OSError):
        while raw.recv(protocol.MESSAGE_BYTES_MAX):
            pass


def main(arguments: list[str]) -> None:
    """Run one submission."""
    raw = socket.socket(fileno=int(arguments[0]))
    config: Config = {**json.loads(arguments[2]), "source": arguments[1]}
    if config["command"]:
        send_ready(raw)
        # Reads without room for descriptors, so `go` and its data stay in the queue.
        raw.recv(1, socket.MSG_PEEK)
        exec_command(config, raw)
    load_target(config["workload"], "WORKLOAD")
    import_all(config["imports"])
    set_threads(config["threads"])
    send_ready(raw)
    _train(config, raw)
