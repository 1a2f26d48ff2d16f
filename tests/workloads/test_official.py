"""Official workloads: from original files to packed arrays, training in the sandbox and back."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
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
from harness.score.run.cost import check_findings
from tests.run.made import Silent
from tests.workloads.data import originals
from workloads.data import imagenet
from workloads.data.shards import VARIABLE

OFFICIAL = [
    item.name
    for item in discover("workloads")
    if isinstance(item, Plugin) and item.value.size == "official"
]

MADE: dict[str, Callable[[Path], Path]] = {
    "cifar10-94": originals.cifar_python,
    "cifar10-96": originals.cifar_binary,
    "haet-2021": lambda folder: originals.image_tree(folder, 10, 12),
    "fineweb-gpt2s": originals.fineweb,
    "imagenet-rn18": originals.imagenet,
    "imagenet-rn50": originals.imagenet,
    "speech-commands": originals.speech_commands,
    "babylm-small": originals.babylm,
    "ddpm-cifar": lambda folder: originals.cifar_python(folder, 12),
    "ogbg": originals.molecules,
    "shd-snn": originals.shd,
    "wmt17": originals.wmt17,
}
"""Workload to the maker of a small folder in its true format."""

TOML = """
title = "Nearest mean"
team = "tests"
division = "open"
workloads = ["{name}"]
imports = ["numpy"]
"""

ALL_REFUSED = """
import os


def try_to_write(session):
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            path = f"/proc/self/fd/{descriptor}"
            if os.path.realpath(path).endswith(".npy"):
                os.open(path, os.O_RDWR)
                raise SystemExit(f"{path} can be written")
        except OSError as error:
            session.log(refused=error.errno)


"""

NEAREST = """
import numpy as np


def flat(x):
    rows = np.asarray(x, dtype=np.float32).reshape(len(x), -1)
    return rows[:, :: max(1, rows.shape[1] // 300)]


def learn(session):
    x, y = flat(session.train["x"]), session.train["y"]
    means = np.full((session.workload.outputs.shape[0], x.shape[1]), 1e6, np.float32)
    for label in np.unique(y):
        means[label] = x[y == label].mean(0)
    return {"means": means}


def predictor(weights, workload):
    def predict(inputs):
        x = flat(inputs["x"])
        return np.stack([-((x - mean) ** 2).mean(1) for mean in weights["means"]], 1)

    return predict
"""

RATES = """
import numpy as np


def learn(session):
    y = session.train["y"]
    rates = (y == 1).sum(0) / np.maximum(1, (y >= 0).sum(0))
    return {"rates": rates.astype(np.float32)}


def predictor(weights, workload):
    def predict(inputs):
        joined = (inputs["bonds"][..., 0] != 255).sum(1) + inputs["ends"].max((1, 2))
        size = (inputs["atoms"][..., 0] != 255).sum(1) + 0.01 * joined
        return (weights["rates"] * size[:, None]).astype(np.float32)

    return predict
"""

COPY = """
import numpy as np


def learn(session):
    assert bytes(session.train["x"]).count(b"\\t") == bytes(session.train["x"]).count(b"\\n")
    first = bytes(session.train["x"]).split(b" ")[0]
    return {"cut": np.array([len(first) + 1], np.float32)}


def predictor(weights, workload):
    cut = int(weights["cut"][0])
    return lambda inputs: np.pad(inputs["x"][:, cut:], ((0, 0), (0, cut))).astype(np.float32)
"""

TRAIN = """

def train(session):
    try_to_write(session)
    session.snapshot(learn(session))
"""

OPEN = {
    "cifar10-94": NEAREST,
    "cifar10-96": NEAREST,
    "haet-2021": NEAREST,
    "imagenet-rn18": NEAREST,
    "speech-commands": NEAREST,
    "shd-snn": NEAREST,
    "ogbg": RATES,
    "wmt17": COPY,
}
"""What a submission learns of each set and answers; for every packing of `MADE` there is one here
or a test of its own below."""


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
    torch.set_num_threads(1)  # two, beside other work, wait for each other
    return tmp_path / "data"


def prepared(name: str, tmp_path: Path, root: Path) -> WorkloadSpec:
    spec: WorkloadSpec = find("workloads", name).value
    assert spec.packed is not None
    spec.packed.prepare(MADE[name](tmp_path / "originals"), root, partial=True)
    return spec


# --- all of them ---------------------------------------------------------------------------------


def test_every_official_workload_has_a_made_folder_here() -> None:
    assert sorted(MADE) == sorted(OFFICIAL)


def test_every_says_what_it_is_and_how_to_get_its_data(spec: WorkloadSpec) -> None:
    assert spec.size == "official"
    assert spec.secrecy in {"public", "secret"}
    assert spec.packed is not None
    assert len(spec.packed.how) > 40
    assert "\n" not in spec.packed.how
    assert not spec.packed.how.endswith(".")
    assert spec.target.derivation
    assert "estimate" in spec.about, "what was not measured says so"


def test_without_data_every_one_says_how_to_get_them(
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
        assert len({len(item) for item in part.values()}) == 1
        assert all(isinstance(item, np.memmap) and item.mode == "r" for item in part.values())
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
        return torch.cat([parameter.flatten()[:500] for parameter in spec.model().parameters()])

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


# --- whole runs ----------------------------------------------------------------------------------


def entry(folder: Path, name: str, train: str) -> Path:
    folder.mkdir()
    (folder / "submission.toml").write_text(TOML.format(name=name))
    (folder / "train.py").write_text(train)
    return folder


def ran(name: str, tmp_path: Path, launcher: str, train: str) -> Any:
    request = SeriesRequest(
        workload=name,
        submission=str(entry(tmp_path / "entry", name, train)),
        ruleset=load_ruleset("smoke"),
        seeds_count=1,
        meters=("none",),
        launcher=launcher,
        results=tmp_path / "results",
    )
    return run_one(next(orders(request, tmp_path / "source")), Silent(), Interrupt())


def value_of(outcome: Any) -> dict[str, Any]:
    """The metric and the loss of the only snapshot."""
    (value,) = json.loads((outcome.bundle / "eval.json").read_text())["values"]
    assert isinstance(value, dict)
    return value


def learnt_outside(spec: WorkloadSpec, text: str) -> tuple[float, float | None]:
    """Metric and loss of the same program, on the same arrays, without any sandbox."""
    scope: dict[str, Any] = {}
    exec(text, scope)
    splits = spec.data(0)
    weights = scope["learn"](SimpleNamespace(train=splits.train, workload=spec))
    outputs = scope["predictor"](weights, spec)(splits.test_inputs)
    loss = spec.loss(outputs, splits.test_labels, splits.facts) if spec.loss else None
    return spec.score(outputs, splits.test_labels, splits.facts), loss


@pytest.mark.needs("bubblewrap")
@pytest.mark.parametrize("name", OPEN)
def test_packed_data_reach_a_submission_in_the_sandbox(
    name: str, tmp_path: Path, root: Path
) -> None:
    spec = prepared(name, tmp_path, root)
    before = {path: path.read_bytes() for path in root.rglob("*.npy")}
    outcome = ran(name, tmp_path, "bubblewrap", ALL_REFUSED + OPEN[name] + TRAIN)
    assert outcome.run.status in {"ok", "target_missed"}, outcome.run.reason
    value = value_of(outcome)
    metric, loss = learnt_outside(spec, OPEN[name])
    assert value["value"] == pytest.approx(metric, rel=1e-5)
    assert value["loss"] == (None if loss is None else pytest.approx(loss, rel=1e-4))
    logged = [event for event in Bundle(outcome.bundle).events() if "refused" in str(event)]
    given = [path for path in before if path.name.startswith(("train.", "validation."))]
    assert len(logged) >= len(given), "each array was tried and refused"
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.needs("bubblewrap")
def test_a_part_of_a_set_is_marked_in_the_record(tmp_path: Path, root: Path) -> None:
    prepared("cifar10-94", tmp_path, root)
    outcome = ran("cifar10-94", tmp_path, "bubblewrap", ALL_REFUSED + NEAREST + TRAIN)
    assert (outcome.run.status, value_of(outcome)["value"]) == ("ok", 1.0)
    state = outcome.run.workload.data
    (manifest,) = root.glob("*/manifest.json")
    assert state.manifest_sha256 == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert (state.partial, state.synthetic) == (True, False)
    bundle = Bundle(outcome.bundle, checked=True)
    findings = check_findings(bundle, load_ruleset("smoke"))
    (result,) = [finding for finding in findings if finding.rule.startswith("data-")]
    assert (result.rule, result.level) == ("data-partial", "fail")


INITIAL = """
import torch


def train(session):
    torch.manual_seed(session.seed)
    session.log(images=len(session.train["x"]))
    session.snapshot(session.workload.model())
"""


@pytest.mark.needs("bubblewrap")
def test_noise_becomes_images_in_the_sandbox(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = prepared("ddpm-cifar", tmp_path, root)
    splits = spec.data(0)
    monkeypatch.setitem(
        globals(), "TOML", TOML.replace('"open"', '"closed"').replace("numpy", "torch")
    )
    outcome = ran("ddpm-cifar", tmp_path, "bubblewrap", INITIAL)
    assert outcome.run.status in {"ok", "target_missed"}, outcome.run.reason
    torch.manual_seed(outcome.run.seeds.session)
    model = spec.model().eval()
    assert spec.predict is not None
    with torch.inference_mode():
        noise = torch.from_numpy(np.array(splits.test_inputs["z"]))
        outputs = spec.predict(model, {"z": noise}).numpy()
    metric = spec.score(outputs, splits.test_labels, {})
    assert value_of(outcome)["value"] == pytest.approx(metric, rel=1e-3)


UNIGRAM = """
import numpy as np


def train(session):
    symbols = session.workload.answer_values // 32
    counts = np.bincount(session.train["x"], minlength=symbols) + 1.0
    session.snapshot({"scores": np.log(counts).astype(np.float32)})


def predictor(weights, workload):
    return lambda inputs: np.tile(weights["scores"], (len(inputs["x"]), 1))
"""


@pytest.mark.needs("bubblewrap")
@pytest.mark.parametrize(("name", "symbols"), [("fineweb-gpt2s", 50_257), ("babylm-small", 256)])
def test_symbols_are_predicted_one_by_one_from_the_sandbox(
    name: str, symbols: int, tmp_path: Path, root: Path
) -> None:
    spec = prepared(name, tmp_path, root)
    splits = spec.data(0)
    outcome = ran(name, tmp_path, "bubblewrap", UNIGRAM)
    # It learnt nothing of use, so it misses; what counts is that its figures are exact.
    assert outcome.run.status == "target_missed", outcome.run.reason
    value = value_of(outcome)
    counts = np.bincount(splits.train["x"], minlength=symbols) + 1.0
    nats = -np.log(counts / counts.sum())[splits.test_labels["y"]]
    bits = nats.sum() / np.log(2) / splits.test_labels["bytes"].sum()
    figures = {"nats/token": nats.mean(), "bits/byte": bits}
    first = figures.pop(spec.metric.unit)
    assert value["value"] == pytest.approx(first, rel=1e-5)
    assert value["loss"] == pytest.approx(figures.popitem()[1], rel=1e-5)


@pytest.mark.needs("bubblewrap")
def test_the_packed_folder_cannot_be_seen_from_inside(tmp_path: Path, root: Path) -> None:
    prepared("haet-2021", tmp_path, root)
    text = f"import os\nif os.path.exists({str(root)!r}): raise SystemExit('seen')\n"
    outcome = ran("haet-2021", tmp_path, "bubblewrap", text + ALL_REFUSED + NEAREST + TRAIN)
    assert outcome.run.status == "ok", outcome.run.reason


def test_every_packing_goes_through_the_gun_here() -> None:
    packings = {name: find("workloads", name).value.packed.name for name in MADE}
    tried = {*OPEN, "fineweb-gpt2s", "babylm-small", "ddpm-cifar"}
    assert {packings[name] for name in tried} == set(packings.values())
