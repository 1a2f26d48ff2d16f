"""Official workloads: originals to packed arrays, through the gun, into the sandbox and back."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.api import DataMissing, WorkloadSpec
from harness.bundle import Bundle
from harness.registry import Plugin, discover, find
from harness.rules.load import load_ruleset
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.series import SeriesRequest, orders
from harness.score.cost import check_findings
from tests.run.made import Silent
from tests.workloads.data import originals
from workloads.data import imagenet
from workloads.data.shards import VARIABLE

OFFICIAL = [
    each.name
    for each in discover("workloads")
    if isinstance(each, Plugin) and each.value.packed is not None
]

MADE: dict[str, Callable[[Path], Path]] = {
    "cifar10-94": originals.cifar_python,
    "cifar10-96": originals.cifar_binary,
    "haet-2021": lambda folder: originals.image_tree(folder, 10, 12),
    "fineweb-gpt2s": originals.fineweb,
    "imagenet-rn18": originals.imagenet,
    "imagenet-rn50": originals.imagenet,
    "speech-commands": originals.speech_commands,
}
"""Workload to the maker of a small folder in its true format."""

TOML = """
title = "Nearest mean"
team = "tests"
division = "open"
workloads = ["{name}"]
imports = ["numpy"]
"""

NEAREST = """
import os

import numpy as np


def flat(x):
    return np.asarray(x, dtype=np.float32).reshape(len(x), -1)


def train(session):
    x, y = flat(session.train["x"]), session.train["y"]
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            path = f"/proc/self/fd/{descriptor}"
            if os.path.realpath(path).endswith(".npy"):
                os.open(path, os.O_RDWR)
                raise SystemExit(f"{path} can be written")
        except OSError as error:
            session.log(refused=error.errno)
    classes = session.workload.outputs.shape[0]
    means = np.stack([x[y == label].mean(0) for label in range(classes)])
    session.snapshot({"means": means})


def predictor(weights, workload):
    def predict(inputs):
        x = flat(inputs["x"])
        return -((x[:, None] - weights["means"][None]) ** 2).mean(2).astype(np.float32)

    return predict
"""


@pytest.fixture(params=OFFICIAL)
def spec(request: pytest.FixtureRequest) -> WorkloadSpec:
    value = find("workloads", request.param).value
    assert isinstance(value, WorkloadSpec)
    return value


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOULEMARK_LOCK", str(tmp_path / "lock"))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(imagenet, "CLASSES", 10)  # a thousand folders take too long to make
    return tmp_path / "data"


def prepared(name: str, tmp_path: Path, root: Path) -> WorkloadSpec:
    spec: WorkloadSpec = find("workloads", name).value
    assert spec.packed is not None
    spec.packed.prepare(MADE[name](tmp_path / "originals"), root, partial=True)
    return spec


# --- all of them ---------------------------------------------------------------------------------


def test_every_official_workload_has_a_made_folder_here() -> None:
    assert sorted(MADE) == sorted(OFFICIAL)


def test_each_says_what_it_is_and_how_to_get_its_data(spec: WorkloadSpec) -> None:
    assert spec.size == "official"
    assert spec.secrecy in {"public", "secret"}
    assert spec.packed is not None
    assert len(spec.packed.how) > 40
    assert "\n" not in spec.packed.how
    assert not spec.packed.how.endswith(".")
    assert spec.target.derivation
    assert "estimate" in spec.about, "what was not measured says so"


def test_without_data_each_says_how_to_get_them(
    spec: WorkloadSpec, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert spec.packed is not None
    with pytest.raises(DataMissing, match=re.escape(spec.packed.how)):
        spec.data(0)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(DataMissing, match=f"{VARIABLE} is not set"):
        spec.data(0)


def test_made_folder_becomes_what_the_contract_asks(
    spec: WorkloadSpec, tmp_path: Path, root: Path
) -> None:
    splits = prepared(spec.name, tmp_path, root).data(3)
    for part in (splits.train, splits.validation, splits.test_inputs, splits.test_labels):
        assert len({len(each) for each in part.values()}) == 1
        assert all(isinstance(each, np.memmap) and each.mode == "r" for each in part.values())
    assert set(splits.test_inputs) < {*splits.test_inputs, *splits.test_labels}
    assert not set(splits.test_inputs) & set(splits.test_labels), "labels stay with the judge"


def test_untrained_model_gives_outputs_of_the_stated_shape(
    spec: WorkloadSpec, tmp_path: Path, root: Path
) -> None:
    splits = prepared(spec.name, tmp_path, root).data(0)
    torch.manual_seed(0)
    model = spec.model().eval()
    inputs = {name: torch.from_numpy(np.array(x[:3])) for name, x in splits.test_inputs.items()}
    assert spec.predict is not None
    with torch.inference_mode():
        outputs = spec.predict(model, inputs).float()
    if spec.evaluation == "interactive":
        assert spec.answer_values is not None
        assert outputs.numel() <= spec.answer_values
    else:
        assert outputs.shape == (3, *spec.outputs.shape)
    assert bool(torch.isfinite(outputs).all())


def test_initial_weights_hang_on_the_global_seed_alone(spec: WorkloadSpec) -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([each.flatten()[:500] for each in spec.model().parameters()])

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


# --- through the gun -----------------------------------------------------------------------------


def entry(folder: Path, name: str, train: str = NEAREST) -> Path:
    folder.mkdir()
    (folder / "submission.toml").write_text(TOML.format(name=name))
    (folder / "train.py").write_text(train)
    return folder


def ran(name: str, tmp_path: Path, launcher: str, train: str = NEAREST) -> Any:
    request = SeriesRequest(
        workload=name,
        submission=str(entry(tmp_path / "entry", name, train)),
        ruleset=load_ruleset("smoke"),
        seeds_count=1,
        meters=("none",),
        launcher=launcher,
        results=tmp_path / "results",
    )
    return run_one(next(orders(request)), Silent(), Interrupt())


@pytest.mark.needs("bubblewrap")
@pytest.mark.parametrize("name", [each for each in MADE if each in ("cifar10-94", "haet-2021")])
def test_packed_data_reach_a_submission_in_the_sandbox(
    name: str, tmp_path: Path, root: Path
) -> None:
    prepared(name, tmp_path, root)
    before = {path: path.read_bytes() for path in root.rglob("*.npy")}
    outcome = ran(name, tmp_path, "bubblewrap")
    assert outcome.run.status == "ok", outcome.run.reason
    bundle = Bundle(outcome.bundle, checked=True)
    evaluation = json.loads((outcome.bundle / "eval.json").read_text())
    assert evaluation["values"][0]["value"] == 1.0
    assert evaluation["facts"]["partial"] == 1.0
    state = outcome.run.workload.data
    (manifest,) = root.glob("*/manifest.json")
    assert state.manifest_sha256 == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert (state.partial, state.synthetic) == (True, False)
    (found,) = [
        each for each in check_findings(bundle, load_ruleset("smoke")) if each.rule[:5] == "data-"
    ]
    assert (found.rule, found.level) == ("data-partial", "fail")
    logged = [event for event in bundle.events() if "refused" in str(event)]
    assert len(logged) >= 4, "each array was tried and refused"
    assert {path: path.read_bytes() for path in before} == before


UNIGRAM = """
import numpy as np


def train(session):
    counts = np.bincount(session.train["x"], minlength=50_257) + 1.0
    session.snapshot({"scores": np.log(counts).astype(np.float32)})


def predictor(weights, workload):
    return lambda inputs: np.tile(weights["scores"], (len(inputs["x"]), 1))
"""


@pytest.mark.needs("bubblewrap")
def test_tokens_are_foretold_one_by_one_from_the_sandbox(tmp_path: Path, root: Path) -> None:
    splits = prepared("fineweb-gpt2s", tmp_path, root).data(0)
    outcome = ran("fineweb-gpt2s", tmp_path, "bubblewrap", UNIGRAM)
    # It learnt nothing of use, so it misses; what counts is that its figures are exact.
    assert outcome.run.status == "target_missed", outcome.run.reason
    (value,) = json.loads((outcome.bundle / "eval.json").read_text())["values"]
    counts = np.bincount(splits.train["x"], minlength=50_257) + 1.0
    nats = -np.log(counts / counts.sum())[splits.test_labels["y"]]
    assert value["value"] == pytest.approx(nats.mean(), rel=1e-5)
    bits = nats.sum() / np.log(2) / splits.test_labels["bytes"].sum()
    assert value["loss"] == pytest.approx(bits, rel=1e-5)


@pytest.mark.needs("bubblewrap")
def test_the_packed_folder_cannot_be_seen_from_inside(tmp_path: Path, root: Path) -> None:
    prepared("haet-2021", tmp_path, root)
    text = f"import os\nif os.path.exists({str(root)!r}): raise SystemExit('seen')\n" + NEAREST
    outcome = ran("haet-2021", tmp_path, "bubblewrap", text)
    assert outcome.run.status == "ok", outcome.run.reason
