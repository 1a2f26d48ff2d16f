"""Starts the sandboxes of a run: what the submission and the predictor can see."""

import importlib.util
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.launchers.interpreter import python_paths
from harness.plugins import Limits, Sandbox, SandboxRequest
from harness.registry import locate, package_folder
from harness.run import protocol
from harness.run.order import Order
from harness.run.output_capture import OutputCapture
from harness.run.workload_record import WORKLOADS_PACKAGE

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class LaunchedSandbox:
    """A started sandbox with the conductor's ends of its socket and pipes."""

    sandbox: Sandbox
    channel: socket.socket
    captures: tuple[OutputCapture, OutputCapture]


def mask_folders(names: Sequence[str]) -> tuple[Path, ...]:
    """Folders of installed packages that contain a workload's data, as absolute paths.

    Raises:
        FileNotFoundError: a folder does not exist, so the data may be readable elsewhere.
    """
    folders = []
    for name in names:
        package, _, rest = name.partition("/")
        if importlib.util.find_spec(package) is None:
            continue  # a package that is not installed has no data
        root = package_folder(package)
        folder = root / rest if root else None
        if folder is None or not folder.exists():
            raise FileNotFoundError(
                f"folder '{name}' to be masked does not exist; correct the workload's mask list"
            )
        folders.append(folder)
    return tuple(folders)


def _readable(order: Order) -> tuple[Path, ...]:
    """The interpreter, the harness's code, the workloads' code, and a plug-in's file."""
    own = (package_folder(WORKLOADS_PACKAGE), order.entry.plugin.source.path)
    paths = [*python_paths(), _HERE.parent, *(path for path in own if path is not None)]
    return tuple(dict.fromkeys(paths))


GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"
_GPU_CONTROL = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")


def gpu_nodes(devices: Path = Path("/dev")) -> tuple[Path, ...]:
    """Device nodes that a submission on NVIDIA GPUs needs; empty if no GPU is visible.

    `CUDA_VISIBLE_DEVICES` set to nothing or to -1 hides all GPUs, as in CUDA itself.
    """
    cards = sorted(devices.glob("nvidia[0-9]*"))
    if not cards or os.environ.get(GPU_VARIABLE, "all").strip() in ("", "-1"):
        return ()
    control = (devices / name for name in _GPU_CONTROL)
    return (*cards, *(node for node in control if node.exists()))


def _environment(threads: int) -> dict[str, str]:
    visible = os.environ.get(GPU_VARIABLE)
    return ({} if visible is None else {GPU_VARIABLE: visible}) | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }


def _launch(order: Order, role: str, config: Mapping[str, Any]) -> LaunchedSandbox:
    """Start a role in a sandbox; only its socket and its pipes lead outside."""
    rules = order.ruleset.run
    masks = mask_folders(order.entry.workload.mask)
    here, there = protocol.pair()
    keep = rules.output_bytes_max // 2
    captures = (OutputCapture("standard output", keep), OutputCapture("standard error", keep))
    # Unbuffered, so that the log contains what was printed before a kill.
    python = (sys.executable, "-I", "-u", "-X", "utf8", str(_HERE / "sandbox_main.py"))
    request = SandboxRequest(
        command=(*python, role, str(there.fileno()), "{source}", json.dumps(config)),
        source=order.entry.source.folder,
        readable=_readable(order),
        masks=masks,
        env=_environment(order.threads),
        pass_fds=(there.fileno(),),
        devices=gpu_nodes() if role == "train" else (),
        stdout=captures[0].write_end,
        stderr=captures[1].write_end,
        limits=Limits(memory_bytes=rules.memory_bytes_max, processes=rules.processes_max),
    )
    try:
        sandbox = order.rig.launcher.launch(request)
    except BaseException:
        here.close()
        raise
    finally:
        there.close()
        for capture in captures:
            capture.start()
    return LaunchedSandbox(sandbox, here, captures)


def launch_submission(order: Order) -> LaunchedSandbox:
    """Start the submission's sandbox; its own code runs only after the start signal.

    Raises:
        OSError: the sandbox could not be started.
    """
    file = order.entry.source.file
    config = {
        "workload": locate(order.entry.plugin.source),
        "imports": list(file.imports),
        "command": list(file.command),
        "threads": order.threads,
        "device": "cuda" if gpu_nodes() else "cpu",
    }
    return _launch(order, "train", config)


def launch_predictor(order: Order) -> LaunchedSandbox:
    """Start the predictor's sandbox: no training data, no labels.

    Raises:
        OSError: the sandbox could not be started.
    """
    file = order.entry.source.file
    is_open = file.division == "open"
    config = {
        "workload": locate(order.entry.plugin.source),
        "imports": list(file.imports) if is_open else ["torch"],
        "command": list(file.predict_command) if is_open else [],
        "division": "open" if is_open else "closed",
        "threads": order.threads,
    }
    return _launch(order, "predict", config)
