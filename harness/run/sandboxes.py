"""The sandboxes of a run: what the submission and the predictor may see, and how they start."""

import importlib.metadata
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
from harness.run import protocol
from harness.run.order import WORKLOADS_PACKAGE, Order
from harness.run.output_capture import OutputCapture

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class LaunchedSandbox:
    """A started sandbox with the conductor's ends of its socket and pipes."""

    sandbox: Sandbox
    channel: socket.socket
    captures: tuple[OutputCapture, OutputCapture]


def mask_folders(names: Sequence[str]) -> tuple[Path, ...]:
    """Folders of installed packages that hold a workload's data, as absolute paths.

    Raises:
        FileNotFoundError: a folder is not where the workload says: it may lie open elsewhere.
    """
    folders = []
    for name in names:
        package, _, rest = name.partition("/")
        spec = importlib.util.find_spec(package)
        places = list(spec.submodule_search_locations or ()) if spec else []
        if spec is None:
            continue  # a package that is not installed hides nothing
        folder = Path(places[0]) / rest if places else None
        if folder is None or not folder.exists():
            raise FileNotFoundError(
                f"folder '{name}' to be masked is not there; mend the workload's mask list"
            )
        folders.append(folder)
    return tuple(folders)


def _package_root(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _readable(order: Order) -> tuple[Path, ...]:
    """The interpreter, the harness's code, the workloads' code, and a plug-in's file."""
    paths = [*python_paths(), _HERE.parent]
    workloads = _package_root(WORKLOADS_PACKAGE)
    if workloads is not None:
        paths.append(workloads)
    own = order.plugin.source.path
    if own is not None:
        paths.append(own)
    return tuple(dict.fromkeys(paths))


GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"
_GPU_CONTROL = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")


def gpu_nodes(devices: Path = Path("/dev")) -> tuple[Path, ...]:
    """Device nodes that a submission on NVIDIA GPUs needs; none where there is no GPU to be seen.

    `CUDA_VISIBLE_DEVICES` set to nothing, or to -1, hides them all, as CUDA itself reads it.
    """
    cards = sorted(devices.glob("nvidia[0-9]*"))
    if not cards or os.environ.get(GPU_VARIABLE, "all").strip() in ("", "-1"):
        return ()
    control = (devices / name for name in _GPU_CONTROL)
    return (*cards, *(node for node in control if node.exists()))


def _environment(threads: int) -> dict[str, str]:
    count = str(threads)
    chosen = os.environ.get(GPU_VARIABLE)
    return ({} if chosen is None else {GPU_VARIABLE: chosen}) | {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }


def _limits(order: Order) -> Limits:
    rules = order.ruleset.run
    return Limits(memory_bytes=rules.memory_bytes_max, processes=rules.processes_max)


def _launch(order: Order, source: Path, role: str, config: Mapping[str, Any]) -> LaunchedSandbox:
    """Start a role in a sandbox; its socket, its pipes and nothing else reach the outside."""
    masks = mask_folders(order.workload.mask)
    here, there = protocol.pair()
    keep = order.ruleset.run.output_bytes_max // 2
    captures = (OutputCapture("standard output", keep), OutputCapture("standard error", keep))
    # Unbuffered: what was printed before a kill is in the log.
    entry = (sys.executable, "-I", "-u", "-X", "utf8", str(_HERE / "sandbox_main.py"))
    command = (*entry, role, str(there.fileno()), "{source}")
    request = SandboxRequest(
        command=(*command, json.dumps(config)),
        source=source,
        readable=_readable(order),
        masks=masks,
        env=_environment(order.threads),
        pass_fds=(there.fileno(),),
        devices=gpu_nodes() if role == "train" else (),
        stdout=captures[0].write_end,
        stderr=captures[1].write_end,
        limits=_limits(order),
    )
    try:
        sandbox = order.launcher.launch(request)
    except BaseException:
        here.close()
        raise
    finally:
        there.close()
        for capture in captures:
            capture.start()
    return LaunchedSandbox(sandbox, here, captures)


def launch_submission(order: Order, source: Path, spacing_s: float) -> LaunchedSandbox:
    """Start the submission's sandbox; its own code runs only after the gun.

    Raises:
        OSError: the sandbox could not be started.
    """
    file = order.source.file
    config = {
        "workload": _place(order),
        "imports": list(file.imports),
        "command": list(file.command),
        "threads": order.threads,
        "device": "cuda" if gpu_nodes() else "cpu",
        "hyperparameters": {**file.hyperparameters, **order.hyperparameters},
        "snapshot_rule": order.ruleset.run.snapshot_rule,
        "snapshot_spacing_s": spacing_s,
    }
    return _launch(order, source, "train", config)


def launch_predictor(order: Order, source: Path) -> LaunchedSandbox:
    """Start the predictor's sandbox: no training data, no labels.

    Raises:
        OSError: the sandbox could not be started.
    """
    file = order.source.file
    is_open = file.division == "open"
    config = {
        "workload": _place(order),
        "imports": list(file.imports) if is_open else ["torch"],
        "command": list(file.predict_command) if is_open else [],
        "division": "open" if is_open else "closed",
        "threads": order.threads,
    }
    return _launch(order, source, "predict", config)


def _place(order: Order) -> dict[str, str]:
    source = order.plugin.source
    return {"name": source.name, "target": source.target, "path": str(source.path or "")}


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions of the packages that define a result."""
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
