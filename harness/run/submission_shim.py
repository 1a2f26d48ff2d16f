"""The shim in the sandbox: says ready, waits for the gun, then runs the submission's first line.

Started by `sandbox_main.py train FD FOLDER JSON`. Before the gun it imports the harness's API, the
workload and the packages that the submission declared, and nothing of the submission's own.
"""

import contextlib
import importlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.api import Arrays, Session, WorkloadSpec
from harness.clock import NS_PER_S, now_ns
from harness.registry import load_target
from harness.run import protocol
from harness.run.memory import map_array
from harness.run.weights import pack

Config = Mapping[str, Any]


class SocketChannel:
    """A session's way to the conductor."""

    def __init__(self, channel: socket.socket, spacing_s: float) -> None:
        """Bind to the socket; the gun is now, until `start` says otherwise."""
        self._socket = channel
        self._spacing_s = spacing_s
        self._gun_ns = now_ns()
        self._next_s = 0.0

    def now_s(self) -> float:
        """Seconds since the gun, on this process's clock."""
        return (now_ns() - self._gun_ns) / NS_PER_S

    def next_snapshot_s(self) -> float:
        """Seconds since the gun from which on a snapshot counts."""
        return self._next_s

    def snapshot(self, tensors: Mapping[str, Any], step: int | None, note: str) -> None:
        """Seal the weights and hand them over."""
        descriptor = pack(tensors)
        try:
            # int: a counter is often a scalar of numpy's or torch's.
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


def _import_declared(modules: list[str]) -> None:
    """Import what the submission declared, before its folder is on the path."""
    for name in modules:
        importlib.import_module(name)


def _set_threads(threads: int) -> None:
    """One setting for every library that has been loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def _load_function(config: Config, name: str) -> Callable[..., Any] | None:
    """A function of the submission's train.py, or None where it defines none."""
    if config["source"] not in sys.path:
        sys.path.insert(0, config["source"])
        # Last: what a submission brings never stands in for what is installed.
        sys.path.append(os.path.join(config["source"], protocol.PACKAGES_FOLDER))  # noqa: PTH118
    return getattr(importlib.import_module("train"), name, None)


def _arrays(splits: list[Mapping[str, Any]], fds: list[int], prefix: str) -> Arrays:
    """The arrays of one split, mapped; names are `train/x`, `validation/y`."""
    chosen = (split for split in splits if split["name"].startswith(f"{prefix}/"))
    return {item["name"].partition("/")[2]: map_array(fds[item["index"]]) for item in chosen}


def _session(
    config: Config, channel: SocketChannel, go: Mapping[str, Any], data: tuple[Arrays, Arrays]
) -> Session:
    workload: WorkloadSpec = load_target(config["workload"], "WORKLOAD")
    return Session(
        workload=workload,
        seed=go["seed"],
        device=config["device"],
        train=data[0],
        validation=data[1],
        budget_s=go["budget_s"],
        snapshot_rule=config["snapshot_rule"],
        snapshot_spacing_s=config["snapshot_spacing_s"],
        hyperparameters=config["hyperparameters"],
        threads=config["threads"],
        channel=channel,
    )


def _seed_everything(seed: int) -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def _wait(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The conductor's next word; an end of file means that it is gone."""
    received = protocol.receive(channel, protocol.DATA_FDS_MAX)
    if not received.data:
        raise SystemExit(3)
    return json.loads(received.data), received.fds


def _setup(config: Config, channel: SocketChannel, word: Mapping[str, Any]) -> None:
    """Run the submission's `setup` on noise of the training data's shape, where rules allow it."""
    noise = np.random.default_rng(0)
    dummies: dict[str, dict[str, Any]] = {"train": {}, "validation": {}}
    for item in word["shapes"]:
        split, _, name = item["name"].partition("/")
        dummies[split][name] = noise.random(item["shape"]).astype(item["dtype"])
    setup = _load_function(config, "setup")
    if setup is not None:
        setup(_session(config, channel, word, (dummies["train"], dummies["validation"])))
    channel.send("setup_done", {})


def _train(config: Config, raw: socket.socket, channel: SocketChannel) -> None:
    """Wait for the gun, then load and run `train`; setup comes first where it was asked for."""
    word, fds = _wait(raw)
    while word["type"] == "setup":
        _setup(config, channel, word)
        word, fds = _wait(raw)
    channel = SocketChannel(raw, config["snapshot_spacing_s"])
    data = (_arrays(word["splits"], fds, "train"), _arrays(word["splits"], fds, "validation"))
    session = _session(config, channel, word, data)
    _seed_everything(session.seed)
    train = _load_function(config, "train")
    if train is None:
        raise AttributeError("train.py defines no function train(session)")
    train(session)
    channel.send("done", {})
    _await_kill(raw)


def _await_kill(raw: socket.socket) -> None:
    """Stay until the conductor kills us, or is gone itself.

    `done` asks for death: tearing the interpreter down first would cost the submission time and
    joules, and its peak memory can be read only as long as it lives.
    """
    with contextlib.suppress(OSError):
        while raw.recv(protocol.MESSAGE_BYTES_MAX):
            pass


def _become(config: Config, raw: socket.socket) -> None:
    """Leave `go` in the queue and turn into the submission's own program, which reads it.

    A look without room for descriptors leaves the message and what it carries where they are.
    """
    raw.recv(1, socket.MSG_PEEK)
    descriptor = raw.fileno()
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - the standard library's signature
    os.chdir(config["source"])
    os.environ[protocol.FD_VARIABLE] = str(descriptor)
    command = [*config["command"], str(descriptor)]
    os.execvp(command[0], command)  # noqa: S606 - that is the submission, in its sandbox


def main(arguments: list[str]) -> None:
    """Run one submission."""
    raw = socket.socket(fileno=int(arguments[0]))
    config: Config = {**json.loads(arguments[2]), "source": arguments[1]}
    channel = SocketChannel(raw, config["snapshot_spacing_s"])
    if config["command"]:
        channel.send("ready", {"protocol": protocol.VERSION, "runtime": protocol.runtime()})
        _become(config, raw)
    load_target(config["workload"], "WORKLOAD")
    _import_declared(config["imports"])
    _set_threads(config["threads"])
    channel.send("ready", {"protocol": protocol.VERSION, "runtime": protocol.runtime()})
    _train(config, raw, channel)
