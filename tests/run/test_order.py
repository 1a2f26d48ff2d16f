"""Orders: a workload's version changes with whatever defines it, and with nothing else."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import workloads
from harness.records import DataState
from harness.registry import Plugin, PluginSource, find
from harness.run.workload_record import plugin_file, workload_record, workload_version
from tests.run.made import Folder

TASK = """
from workloads.extra import generator
from workloads.extra.metric import accuracy


def model():
    from workloads.extra.model import Net

    return Net()
"""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task in a plug-in folder, which draws in modules of the workloads' package."""
    package = tmp_path / "package" / "extra"
    package.mkdir(parents=True)
    for name in ("__init__", "generator", "metric", "unrelated"):
        (package / f"{name}.py").write_text(f"NAME = '{name}'\n\n\ndef accuracy(): ...\n")
    (package / "model.py").write_text(
        "import workloads.extra.layers as layers\n\nraise RuntimeError('was imported')\n"
    )
    (package / "layers.py").write_text("import numpy\nimport workloads.extra.model\n")
    monkeypatch.setattr(workloads, "__path__", [*workloads.__path__, str(package.parent)])
    assert workloads.__spec__ is not None
    monkeypatch.setattr(workloads.__spec__, "submodule_search_locations", workloads.__path__)
    folder = tmp_path / "plugins" / "workloads"
    folder.mkdir(parents=True)
    (folder / "task.py").write_text(TASK)
    return folder / "task.py"


def append(path: Path) -> None:
    path.write_text(path.read_text() + "\n# changed\n")


@pytest.mark.parametrize("name", ["__init__", "generator", "metric", "model", "layers"])
def test_version_changes_with_every_module_that_is_drawn_in(name: str, task: Path) -> None:
    before = workload_version(task)
    append(task.parents[2] / "package" / "extra" / f"{name}.py")
    assert workload_version(task) != before


def test_version_changes_with_the_task_itself(task: Path) -> None:
    before = workload_version(task)
    append(task)
    assert workload_version(task) != before


def test_version_stays_with_unrelated_files(task: Path) -> None:
    before = workload_version(task)
    append(task.parents[2] / "package" / "extra" / "unrelated.py")
    (task.parent / "other.py").write_text("")
    (task.parent / "task.toml").write_text("")
    task.touch()
    assert workload_version(task) == before


def test_version_does_not_depend_on_the_folder(task: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "task.py"
    moved.parent.mkdir()
    moved.write_text(task.read_text())
    assert workload_version(moved) == workload_version(task)


def test_version_is_twelve_hex_digits(task: Path) -> None:
    assert len(workload_version(task)) == 12
    int(workload_version(task), 16)


@pytest.mark.parametrize("name", ["digits_mlp", "markov_lm"])
def test_every_part_of_a_built_in_task_counts_and_no_torch_is_loaded(name: str) -> None:
    """The conductor stays light: the files are found without being imported."""
    program = (
        "import sys; from pathlib import Path\n"
        "from harness.run.workload_record import _defining_files\n"
        f"files = _defining_files(Path('workloads/tasks/{name}.py').resolve(), 'workloads');"
        "print(sorted(each.parent.name for each in files)); print('torch' in sys.modules)"
    )
    root = Path(workloads.__file__).parents[1]
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert "'data'" in said
    assert "'models'" in said
    assert said.endswith("False\n")


def test_file_of_a_plugin_from_an_entry_point_is_that_of_its_type() -> None:
    source = PluginSource("x", None, "distribution", "package.module:NAME")
    plugin = Plugin("x", Folder, source)
    assert plugin_file(Plugin("x", SimpleNamespace(), source)).suffix == ".py"
    assert plugin_file(plugin._replace(source=source._replace(path=Path("/a.py")))) == Path("/a.py")


def test_budget_and_threads_follow_ruleset_and_submission(folder: Folder) -> None:
    order = folder.order("entry", "run.budget_ratio=0.25")
    assert order.budget_s == 2.5
    assert order.threads == 1
    folder.entry("", "wide", "threads = 3\n")
    assert folder.order("wide").threads == 3


def test_record_says_what_the_workload_was(folder: Folder) -> None:
    order = folder.order("entry", "run.budget_ratio=0.5")
    record = workload_record(order, order.entry.workload.data(0))
    assert record.version == workload_version(folder.workload)
    assert (record.name, record.budget_s, record.test_examples) == ("tiny", 5.0, 40)
    assert (record.metric, record.better, record.target) == ("accuracy", "higher", 0.8)
    append(folder.workload)
    assert workload_record(order, order.entry.workload.data(0)).version != record.version


@pytest.mark.parametrize("mark", ["partial", "synthetic"])
def test_record_says_what_stood_in_for_the_data(folder: Folder, mark: str) -> None:
    order = folder.order("entry")
    splits = order.entry.workload.data(0)
    assert workload_record(order, splits).data is None
    marked = replace(splits, facts={mark: 1.0})
    assert workload_record(order, marked).data == DataState.model_validate({mark: True})
    packed = replace(splits, facts={mark: 0.0}, manifest_sha256="ab")
    assert workload_record(order, packed).data == DataState(manifest_sha256="ab")


def test_built_in_workloads_have_distinct_versions() -> None:
    names = ("digits-mlp", "digits-cnn", "markov-lm")
    assert len({workload_version(plugin_file(find("workloads", name))) for name in names}) == 3
