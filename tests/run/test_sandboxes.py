"""The stage: what a sandbox may see, and what no one may find there."""

import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.plugins import SandboxRequest
from harness.run import sandboxes
from harness.run.machine_facts import versions
from harness.run.sandboxes import launch_predictor, launch_submission, mask_folders
from tests.run.made import Folder


class Recording:
    """A launcher that only writes down what it was asked for."""

    level = "none"

    def __init__(self) -> None:
        self.requests: list[SandboxRequest] = []

    def launch(self, request: SandboxRequest) -> Any:
        self.requests.append(request)
        return "sandbox"


@pytest.fixture
def asked(folder: Folder):
    """What a launcher is asked for; everything is closed again."""

    def ask(more: str = "", *overrides: str, predictor: bool = False) -> tuple[Any, dict[str, Any]]:
        folder.entry("", more=more)
        order = folder.order("entry", *overrides)
        launcher = Recording()
        object.__setattr__(order.rig, "launcher", launcher)
        launched = launch_predictor(order) if predictor else launch_submission(order)
        launched.channel.close()
        for capture in launched.captures:
            capture.finish()
        (request,) = launcher.requests
        return request, json.loads(request.command[-1])

    return ask


def test_submission_gets_its_config_and_nothing_of_the_conductor(asked, monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET", "hunter2")
    request, config = asked("hyperparameters = { lr = 0.5 }\n")
    assert config["imports"] == ["numpy"]
    assert set(config) == {"workload", "imports", "command", "threads", "device"}
    assert "hunter2" not in repr(request)
    assert "seed" not in repr(config), "the seed comes with the start signal"
    assert set(request.env) == {
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONUTF8"),
    }


def test_only_the_socket_is_passed_on(asked) -> None:
    request, _ = asked()
    assert len(request.pass_fds) == 1
    assert str(request.pass_fds[0]) in request.command


def test_results_and_tests_are_not_readable(asked, folder: Folder) -> None:
    request, _ = asked()
    root = Path(__file__).resolve().parents[2]
    for hidden in (folder.results, root / "tests", root / "results", folder.plugins / "meters"):
        assert not any(item == hidden or item in hidden.parents for item in request.readable)
    assert folder.workload in request.readable
    assert root / "harness" in request.readable


def test_threads_reach_every_library(asked) -> None:
    request, config = asked("threads = 3\n")
    assert config["threads"] == 3
    assert request.env["OMP_NUM_THREADS"] == request.env["MKL_NUM_THREADS"] == "3"


def test_limits_are_the_ruleset_s(asked) -> None:
    request, _ = asked("", "run.memory_bytes_max=123456789", "run.processes_max=17")
    assert (request.limits.memory_bytes, request.limits.processes) == (123456789, 17)


def test_open_predictor_gets_no_data_no_seed_no_hyperparameters(asked) -> None:
    request, config = asked('predict_command = ["./p"]\n', predictor=True)
    assert config == {
        "workload": config["workload"],
        "imports": ["numpy"],
        "command": ["./p"],
        "division": "open",
        "threads": 1,
    }
    assert len(request.pass_fds) == 1


def test_closed_predictor_runs_nothing_of_the_submission(folder: Folder) -> None:
    order = folder.order()
    file = order.entry.source.file.model_copy(
        update={"division": "closed", "predict_command": ("./p",)}
    )
    object.__setattr__(order.entry.source, "file", file)
    launcher = Recording()
    object.__setattr__(order.rig, "launcher", launcher)
    launched = launch_predictor(order)
    launched.channel.close()
    for capture in launched.captures:
        capture.finish()
    config = json.loads(launcher.requests[0].command[-1])
    assert (config["division"], config["command"], config["imports"]) == ("closed", [], ["torch"])


def test_a_failed_launch_leaves_no_descriptor(folder: Folder, monkeypatch) -> None:
    order = folder.order()

    def refuse(request: Any) -> None:
        raise OSError(1, "no")

    monkeypatch.setattr(order.rig.launcher, "launch", refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="no"):
        launch_submission(order)
    for _ in range(100):  # the captures close their ends as soon as they are scheduled
        if len(list(Path("/proc/self/fd").iterdir())) == before:
            break
        time.sleep(0.01)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- masks and versions --------------------------------------------------------------------------


def test_masks_are_folders_of_installed_packages() -> None:
    (result,) = mask_folders(["numpy/lib"])
    assert result == Path(np.__file__).parent / "lib"
    assert mask_folders(["numpy"]) == (Path(np.__file__).parent,)
    assert mask_folders([]) == ()


def test_a_package_that_is_not_installed_hides_nothing() -> None:
    assert mask_folders(["no_such_package_here/data"]) == ()


def test_a_mask_that_is_not_there_is_no_mask() -> None:
    """The data may lie open under another name."""
    with pytest.raises(FileNotFoundError, match=r"'numpy/no/such' to be masked"):
        mask_folders(["numpy/no/such"])


def test_versions_are_those_installed_and_missing_ones_are_named() -> None:
    assert versions(["numpy", "no-such-distribution"]) == {
        "numpy": importlib.metadata.version("numpy"),
        "no-such-distribution": "not installed",
    }


def nodes(folder: Path, *names: str) -> Path:
    """A folder of device nodes, by name."""
    for name in names:
        (folder / name).touch()
    return folder


def test_cards_and_what_they_need_are_shown(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices = nodes(
        tmp_path, "nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null", "nvidia-caps"
    )
    shown = [path.name for path in sandboxes.gpu_nodes(devices)]
    assert shown == ["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"]


def test_no_card_means_no_device(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert sandboxes.gpu_nodes(nodes(tmp_path, "nvidiactl", "null")) == ()


@pytest.mark.parametrize("hidden", ["", " ", "-1"])
def test_hidden_cards_are_hidden(tmp_path, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert sandboxes.gpu_nodes(nodes(tmp_path, "nvidia0", "nvidiactl")) == ()
