"""Workloads are found by their files, load without torch and data, and hold to the contract."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.calibrate_plain import predict
from harness.api import Splits, WorkloadSpec
from harness.registry import Plugin, discover, find

EVERY = [item for item in discover("workloads") if isinstance(item, Plugin)]


def _there(spec: WorkloadSpec) -> bool:
    """Some workloads of size cpu need packages that not everybody installs."""
    return all(importlib.util.find_spec(item.partition("/")[0]) for item in spec.mask)


WORKLOADS = [item for item in EVERY if item.value.packed is None and _there(item.value)]
"""Those that bring, make or find their data; test_official.py has the others."""
SUBMISSIONS = [item for item in discover("submissions") if isinstance(item, Plugin)]
HEAVY = {"torch", "pandas", "matplotlib", "sklearn", "scipy", "pydantic"}


@pytest.fixture(params=[workload.name for workload in WORKLOADS])
def spec(request: pytest.FixtureRequest) -> WorkloadSpec:
    value = find("workloads", request.param).value
    assert isinstance(value, WorkloadSpec)
    return value


@pytest.fixture
def splits(spec: WorkloadSpec) -> Splits:
    return spec.data(1)


def test_no_workload_is_broken() -> None:
    assert discover("workloads") == EVERY
    assert {"digits-mlp", "digits-cnn", "markov-lm"} <= {workload.name for workload in WORKLOADS}


def test_listing_loads_nothing_heavy() -> None:
    code = (
        "import sys; from harness.registry import discover; found = discover('workloads');"
        f"print(len(found), sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{len(EVERY)} []"


def test_data_load_no_heavy_module() -> None:
    code = (
        "import sys; from harness.registry import discover\n"
        f"names = {[workload.name for workload in WORKLOADS]!r}\n"
        "for each in discover('workloads'): each.name in names and each.value.data(1)\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_name_is_that_of_the_file(spec: WorkloadSpec) -> None:
    assert find("workloads", spec.name).value is spec
    assert spec.about
    assert spec.target.derivation


def test_only_drawn_workloads_change_with_the_seed(spec: WorkloadSpec, splits: Splits) -> None:
    other = spec.data(2).train
    same = all(np.array_equal(splits.train[name], other[name]) for name in splits.train)
    assert same == (spec.secrecy == "public")


def test_same_seed_gives_the_same_bytes(spec: WorkloadSpec, splits: Splits) -> None:
    again = spec.data(1)
    for part in ("train", "validation", "test_inputs", "test_labels"):
        first, second = getattr(splits, part), getattr(again, part)
        assert first.keys() == second.keys()
        assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert splits.facts == again.facts


def test_arrays_are_plain_and_of_equal_length(splits: Splits) -> None:
    for part in (splits.train, splits.validation, splits.test_inputs, splits.test_labels):
        assert len({len(item) for item in part.values()}) == 1
        assert all(item.dtype.kind in "fiu" for item in part.values())


def test_untrained_model_gives_outputs_of_the_stated_shape(
    spec: WorkloadSpec, splits: Splits
) -> None:
    torch.manual_seed(0)
    outputs = predict(spec, spec.model().eval(), splits)
    rows = len(next(iter(splits.test_inputs.values())))
    assert outputs.shape == (rows, *spec.outputs.shape)
    assert outputs.dtype == np.float32
    if spec.outputs.kind == "log_probabilities":
        assert np.allclose(np.exp(outputs).sum(axis=-1), 1, atol=1e-3)


def test_untrained_model_misses_the_target(spec: WorkloadSpec, splits: Splits) -> None:
    torch.manual_seed(0)
    outputs = predict(spec, spec.model().eval(), splits)
    value = spec.score(outputs, splits.test_labels, splits.facts)
    better = (
        value >= spec.target.value
        if spec.metric.better == "higher"
        else (value <= spec.target.value)
    )
    assert not better


def test_known_optimum_is_beyond_the_target(spec: WorkloadSpec, splits: Splits) -> None:
    if spec.optimum is None:
        assert spec.optimum_error is None
        return
    assert spec.optimum_error is not None
    error = spec.optimum_error(splits.test_labels, splits.facts)
    gap = abs(spec.target.value - spec.optimum)
    assert 0 < 3 * error < gap


def test_initial_weights_hang_on_the_global_seed_alone(spec: WorkloadSpec) -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.nn.utils.parameters_to_vector(spec.model().parameters())

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_masks_are_folders_that_exist(spec: WorkloadSpec) -> None:
    for mask in spec.mask:
        package, _, rest = mask.partition("/")
        result = importlib.util.find_spec(package)
        assert result is not None
        assert result.submodule_search_locations is not None
        assert Path(result.submodule_search_locations[0], rest).is_dir()


def test_workloads_without_a_mask_are_generated(spec: WorkloadSpec) -> None:
    assert bool(spec.mask) == (spec.secrecy == "public")


def test_data_cannot_be_made_where_masked_folders_are_empty() -> None:
    """As in the sandbox, where the module is imported for its model alone."""
    names = [workload.name for workload in WORKLOADS if workload.value.mask]
    code = (
        "import pathlib\n"
        "from harness.registry import find\n"
        "real = pathlib.Path.is_file\n"
        f"specs = [find('workloads', name).value for name in {names!r}]\n"
        "masks = {mask for spec in specs for mask in spec.mask}\n"
        "masked = lambda path: any(mask in str(path) for mask in masks)\n"
        "pathlib.Path.is_file = lambda path: not masked(path) and real(path)\n"
        "for spec in specs:\n"
        "    spec.model()\n"
        "    try: spec.data(1)\n"
        "    except FileNotFoundError as error: print(spec.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == names


def test_every_workload_has_its_reference() -> None:
    names = {submission.name for submission in SUBMISSIONS}
    assert {f"{workload.name}-adamw" for workload in WORKLOADS} <= names


@pytest.mark.parametrize("name", [submission.name for submission in SUBMISSIONS])
def test_manifest_names_true_workloads_and_modules(name: str) -> None:
    folder = find("submissions", name).value
    manifest = tomllib.loads((folder / "submission.toml").read_text())
    assert set(manifest) <= {
        "title", "team", "division", "workloads", "imports", "methods"
    }  # fmt: skip
    assert manifest["division"] in {"closed", "open"}
    for workload in manifest["workloads"]:
        assert find("workloads", workload).name == workload


def _is_smoke(name: str) -> bool:
    folder = find("submissions", name).value
    manifest = tomllib.loads((folder / "submission.toml").read_text())
    return all(find("workloads", item).value.size == "smoke" for item in manifest["workloads"])


SMOKE = [submission.name for submission in SUBMISSIONS if _is_smoke(submission.name)]


def _imports(name: str) -> tuple[str, ...]:
    folder = find("submissions", name).value
    return tuple(tomllib.loads((folder / "submission.toml").read_text())["imports"])


@pytest.mark.parametrize("imports", sorted({_imports(name) for name in SMOKE}))
def test_declared_imports_are_all_that_training_loads_of_weight(imports: tuple[str, ...]) -> None:
    """After the declared imports, training loads next to nothing: it would be on the clock."""
    names = [name for name in SMOKE if _imports(name) == imports]
    code = (
        f"import importlib, sys\n[importlib.import_module(each) for each in {imports!r}]\n"
        "import benchmarks.calibrate_plain as plain\n"
        f"for name in {names!r}:\n"
        "    plain.load_submission(name); before = set(sys.modules)\n"
        "    plain.rehearse(name, 1, spacing_s=0.0, most=1)\n"
        "    print(name, *sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    late = [line.split() for line in done.stdout.splitlines()]
    assert [words[0] for words in late] == names
    assert all(len(words) <= 6 for words in late), done.stdout
