"""What both sandboxes' programs share: loading a submission's code, or turning into its program."""

import importlib
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from harness.run import protocol

Config = Mapping[str, Any]
"""The last argument of the program: what the sandbox may know from the beginning."""


def import_all(modules: Sequence[str]) -> None:
    """Import the modules that the submission declared."""
    for name in modules:
        importlib.import_module(name)


def import_train(config: Config) -> ModuleType:
    """The submission's train.py; its first line runs here."""
    if config["source"] not in sys.path:
        sys.path.insert(0, config["source"])
        # Last, so that a submission's packages never replace installed ones.
        sys.path.append(os.path.join(config["source"], protocol.PACKAGES_FOLDER))  # noqa: PTH118 - sys.path holds texts
    return importlib.import_module("train")


def set_threads(threads: int) -> None:
    """Set the number of threads of torch, if it is loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def send_ready(channel: socket.socket) -> None:
    """Tell the conductor that this process is ready, and which interpreter it runs in."""
    fields = {"protocol": protocol.VERSION, "runtime": protocol.runtime()}
    protocol.send(channel, "ready", fields)


def exec_command(config: Config, channel: socket.socket) -> None:
    """Turn into the submission's own program; the socket's number is its last argument."""
    os.set_inheritable(channel.fileno(), True)  # noqa: FBT003 - the standard signature
    os.chdir(config["source"])
    os.environ[protocol.FD_VARIABLE] = str(channel.fileno())
    command = [*config["command"], str(channel.fileno())]
    os.execvp(command[0], command)  # noqa: S606 - the submission's program, in its sandbox
