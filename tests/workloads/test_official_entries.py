"""Entries of official workloads, unverified each: they learn a made set, and their parts hold."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.calibrate_plain import Recorder, load_submission, predict
from harness.api import Session, WorkloadSpec
from harness.registry import find
from tests.workloads.test_official import MADE
from workloads.data import imagenet
from workloads.data.shards import VARIABLE
from workloads.models.airbench import AirbenchNet
from workloads.models.gpt2 import GPT2
from workloads.models.graph_network import GraphNetwork
from workloads.models.recurrent_spiking import RecurrentSpiking
from workloads.models.resnet import ResNet
from workloads.models.translator import Translator
from workloads.models.unet import UNet


class Case(NamedTuple):
    """An entry on a workload, with fewer steps, on a smaller model where the true one is large."""

    entry: str
    workload: str
    constants: dict[str, Any]
    model: Any = None


TEXT = {"STEPS": 12, "WARM_UP": 1, "ROWS": 2, "PIECES": 2, "GRID": 3, "LEARNING_RATE": 3e-3}


def gpt(symbols: int) -> GPT2:
    return GPT2(layers=1, width=16, heads=2, context=1024, symbols=symbols)


def bench(*, deep: bool) -> AirbenchNet:
    return AirbenchNet((8, 16, 16), deep=deep, classes=10)


CASES = [
    Case("images-sgd", "cifar10-96", {"epochs": 5, "batch_size": 90}, lambda: bench(deep=True)),
    Case("images-sgd", "haet-2021", {"epochs": 10, "batch_size": 45}, lambda: bench(deep=False)),
    Case(
        "images-sgd",
        "imagenet-rn18",
        {"epochs": 3, "batch_size": 15, "rate": 0.05},
        lambda: ResNet((1, 1, 1, 1), bottleneck=False, classes=1000),
    ),
    Case("speech-commands-adamw", "speech-commands", {"EPOCHS": 3, "BATCH_SIZE": 24}),
    Case(
        "shd-snn-adamw",
        "shd-snn",
        {"EPOCHS": 6, "BATCH_SIZE": 90, "LEARNING_RATE": 1e-2},
        lambda: RecurrentSpiking(700, 48, 20),
    ),
    Case("fineweb-gpt2s-adamw", "fineweb-gpt2s", TEXT, lambda: gpt(50_257)),
    Case("babylm-small-adamw", "babylm-small", TEXT, lambda: gpt(256)),
    Case(
        "ddpm-cifar-adamw",
        "ddpm-cifar",
        {"STEPS": 8, "WARM_UP": 1, "BATCH_SIZE": 8, "GRID": 4, "LEARNING_RATE": 3e-3},
        lambda: UNet((16, 16), side=32),
    ),
    Case(
        "ogbg-adamw",
        "ogbg",
        {"EPOCHS": 30, "BATCH_SIZE": 10, "LEARNING_RATE": 1e-2},
        lambda: GraphNetwork(width=16, assays=128),
    ),
    Case(
        "wmt17-adamw",
        "wmt17",
        {"STEPS": 20, "WARM_UP": 2, "BATCH_BYTES": 300, "POOL": 20, "GRID": 4, "PIECE": 500},
        lambda: Translator(width=16, layers=1, heads=2),
    ),
]
NAMES = sorted({case.entry for case in CASES} | {"fineweb-gpt2s-speedrun"})


@dataclass
class Listener(Recorder):
    """Keeps what is logged too."""

    losses: list[float] = field(default_factory=list)

    def send(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Keep the losses."""
        assert kind == "log"
        self.losses.append(fields["scalars"]["loss"])


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(imagenet, "CLASSES", 10)
    torch.set_num_threads(1)  # two, beside other work, wait for each other


def prepared(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkloadSpec:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "root"))
    spec: WorkloadSpec = find("workloads", name).value
    assert spec.packed is not None
    spec.packed.prepare(MADE[name](tmp_path / "originals"), tmp_path / "root", partial=True)
    return spec


def scope_of(entry: str, constants: Mapping[str, Any]) -> dict[str, Any]:
    """The entry's own names, some of them set otherwise."""
    scope: dict[str, Any] = load_submission(entry)[0].__globals__
    if "RECIPES" in scope:
        scope["RECIPES"] = {
            name: item._replace(**constants) for name, item in scope["RECIPES"].items()
        }
        return scope
    assert set(constants) <= set(scope)
    scope.update(constants)
    return scope


def trained(scope: dict[str, Any], spec: WorkloadSpec, seed: int = 1) -> Listener:
    splits, listener = spec.data(0), Listener()
    arrays = splits.train
    if spec.evaluation == "interactive":
        # Drawn tokens hold nothing to learn but how few there are.
        arrays = {"x": arrays["x"] % 7}
    session = Session(
        workload=spec,
        seed=seed,
        device="cpu",
        train=arrays,
        validation=splits.validation,
        budget_s=600.0,
        snapshot_rule="first_passing",
        channel=listener,
    )
    scope["train"](session)
    return listener


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.entry}-{case.workload}")
def test_it_learns_the_made_set_in_a_few_steps(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = prepared(case.workload, tmp_path, monkeypatch)
    spec = replace(spec, model=case.model or spec.model)
    if spec.evaluation == "interactive":
        spec = replace(spec, outputs=replace(spec.outputs, shape=(32,)))
    listener = trained(scope_of(case.entry, case.constants), spec)
    assert len(listener.snapshots) >= 2
    assert listener.losses[-1] < listener.losses[0]
    model = spec.model()
    model.load_state_dict(listener.snapshots[-1][2])  # strictly, as the judge does
    if spec.evaluation == "direct":
        splits = spec.data(0)
        inputs = {name: np.array(item) for name, item in splits.test_inputs.items()}
        outputs = predict(spec, model.eval(), replace(splits, test_inputs=inputs))
        assert outputs.shape == (len(outputs), *spec.outputs.shape)
        assert math.isfinite(spec.score(outputs, splits.test_labels, {}))


@pytest.mark.parametrize("name", NAMES)
def test_every_says_that_it_is_unverified(name: str) -> None:
    folder = find("submissions", name).value
    title = tomllib.loads((folder / "submission.toml").read_text())["title"]
    assert title.endswith("(unverified)")
    assert "(unverified)" in (folder / "train.py").read_text().partition('"""\n')[0]


def test_images_are_mirrored_and_moved_as_wholes() -> None:
    varied = scope_of("images-sgd", {})["varied"]
    torch.manual_seed(0)
    images = torch.rand(200, 3, 6, 6)
    padded = functional.pad(images, (2, 2, 2, 2), mode="reflect")
    places = [(a, b) for a in range(5) for b in range(5)]
    offers = [padded[:, :, a : a + 6, b : b + 6] for a, b in places]
    offers += [offer.flip(-1) for offer in offers]
    out = varied(images, 2)
    hits = torch.stack([torch.isclose(out, offer).flatten(1).all(1) for offer in offers])
    assert hits.any(0).all(), "each image is one of the fifty offers"
    assert hits.any(1).sum() > 40, "and nearly every offer is taken by some image"


@pytest.mark.parametrize(
    ("entry", "shape"), [("speech-commands-adamw", (40, 5000)), ("shd-snn-adamw", (40, 3, 60))]
)
def test_rows_are_moved_as_wholes(entry: str, shape: tuple[int, ...]) -> None:
    scope = scope_of(entry, {"EPOCHS": 1})
    torch.manual_seed(0)
    rows = torch.rand(shape)
    moved, shift = scope["moved"](rows), scope["SHIFT"]
    padded = functional.pad(rows, (shift, shift))
    step = 1 if shift < 100 else 7
    for before, after in zip(padded[:10], moved[:10], strict=True):
        starts = range(2 * shift + 1)
        near = [s for s in starts if torch.equal(before[..., s : s + step], after[..., :step])]
        assert any(torch.equal(before[..., s : s + shape[-1]], after) for s in near)


def test_pairs_are_whole_wherever_reading_begins() -> None:
    scope = scope_of("wmt17-adamw", {"PIECE": 11})
    text = b"ein\tone\nzwei\ttwo\ndrei\tthree\n"
    stream = np.frombuffer(text, np.uint8)
    wanted = [tuple(line.split(b"\t")) for line in text.splitlines()]
    for begin in range(len(text)):
        reader = scope["pairs"](stream, begin)
        result = [tuple(bytes(item) for item in next(reader)) for _ in range(7)]
        first = wanted.index(result[0])
        assert result == [wanted[(first + k) % 3] for k in range(7)]


def test_after_the_end_of_a_translation_nothing_is_asked_for() -> None:
    scope = scope_of("wmt17-adamw", {})
    target = torch.tensor([[5, 6, 0, 0], [7, 8, 9, 4]], dtype=torch.uint8)

    class Sure(nn.Module):
        """Certain of what it should say, wrong in the places that do not count."""

        def forward(self, _source: torch.Tensor, begun: torch.Tensor) -> torch.Tensor:
            assert begun.tolist() == [[0, 5, 6, 0, 0], [0, 7, 8, 9, 4]]
            truth = torch.tensor([[5, 6, 0, 99, 99], [7, 8, 9, 4, 0]])
            return 100.0 * functional.one_hot(truth, 256).float()

    scope["SMOOTHING"] = 0.0
    assert float(scope["translation_loss"](Sure(), target, target)) == pytest.approx(0, abs=1e-5)


# --- the speedrun --------------------------------------------------------------------------------

SMALL = {"SYMBOLS": 320, "TOKENS": 300, "LAYERS": 2, "WIDTH": 32, "HEADS": 2}
QUICK = {"STEPS": 12, "ROWS": 2, "PIECES": 1, "GRID": 4, "MUON_WARM_UP": 4}


@pytest.fixture
def speedrun() -> dict[str, Any]:
    return scope_of("fineweb-gpt2s-speedrun", SMALL | QUICK)


def test_speedrun_learns_a_stream_that_repeats(speedrun: dict[str, Any]) -> None:
    spec: WorkloadSpec = find("workloads", "fineweb-gpt2s").value
    spec = replace(spec, outputs=replace(spec.outputs, shape=(64,)))
    listener = Listener()
    stream = np.tile(np.random.default_rng(0).integers(0, 300, 7), 300).astype(np.uint16)
    session = Session(
        workload=spec, seed=3, device="cpu", train={"x": stream}, validation={}, budget_s=600.0,
        snapshot_rule="final", channel=listener,
    )  # fmt: skip
    speedrun["train"](session)
    assert [step for step, _, _ in listener.snapshots] == [4, 8, 12]
    assert listener.losses[-1] < listener.losses[0] - 0.3
    teller = speedrun["predictor"](listener.snapshots[-1][2], spec)
    tokens = torch.from_numpy(stream[:65].astype(np.int64))
    scores = torch.from_numpy(teller({"x": tokens[None, :64].numpy()}))
    assert scores.shape == (1, 300)
    loss = functional.cross_entropy(scores, tokens[64:65])
    assert float(loss) < math.log(300) - 0.3


def test_speedrun_begins_at_no_opinion(speedrun: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = speedrun["Net"]()
    tokens = torch.randint(0, 300, (2, 9))
    assert not bool(net(tokens).any()), "every score is nil"
    first = functional.rms_norm(net.embedding(tokens), (32,))
    assert torch.allclose(net.hidden(tokens, [])[0], first, atol=1e-5), "blocks add nothing yet"


def perturbed(speedrun: dict[str, Any]) -> Any:
    torch.manual_seed(1)
    net = speedrun["Net"]()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5)
    return net


def test_speedrun_scores_stay_within_the_cap(speedrun: dict[str, Any]) -> None:
    net = perturbed(speedrun)
    nn.init.normal_(net.head.weight, std=50.0)
    scores = net(torch.randint(0, 300, (2, 9)))
    assert scores.abs().max() <= 30.0
    assert scores.abs().max() > 25.0


def test_speedrun_sees_nothing_that_comes_later(speedrun: dict[str, Any]) -> None:
    net = perturbed(speedrun)
    one = torch.randint(0, 300, (2, 12))
    other = one.clone()
    other[:, 8:] = torch.randint(0, 300, (2, 4))
    assert torch.allclose(net(one)[:, :8], net(other)[:, :8], atol=1e-4)


def test_speedrun_tells_token_by_token_what_it_tells_at_once(speedrun: dict[str, Any]) -> None:
    net = perturbed(speedrun)
    tokens = torch.randint(0, 300, (3, 10)).numpy()
    with torch.inference_mode():
        whole = net(torch.from_numpy(tokens))[..., :300].numpy()
    teller = speedrun["Teller"](net, 300)
    for length in (1, 2, 3, 4, 7, 8):  # a leap, too
        np.testing.assert_allclose(
            teller({"x": tokens[:, :length]}), whole[:, length - 1], atol=1e-3
        )
    np.testing.assert_allclose(teller({"x": tokens[:2, :5]}), whole[:2, 4], atol=1e-3)


def test_rotation_tells_distances_alone(speedrun: dict[str, Any]) -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 1, 16)
    rotated = speedrun["rotated"]

    def likeness(place: int, other: int) -> float:
        return float((rotated(query, place) * rotated(key, other)).sum())

    assert likeness(3, 1) == pytest.approx(likeness(9, 7), rel=1e-4)
    assert likeness(3, 1) != pytest.approx(likeness(3, 2), rel=1e-4)
    assert torch.allclose(rotated(query, 0), query)
    assert float(rotated(query, 5).norm()) == pytest.approx(float(query.norm()), rel=1e-5)


@pytest.mark.parametrize("shape", [(8, 24), (24, 8), (16, 16)])
def test_muon_moves_by_nearly_orthogonal_steps(
    speedrun: dict[str, Any], shape: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(speedrun["orthogonalized"](torch.randn(shape)))
    assert bool(((values > 0.6) & (values < 1.3)).all())
    weight = nn.Parameter(torch.zeros(shape))
    weight.grad = torch.randn(shape)
    speedrun["Muon"]([weight], 0.1).step()
    stretch = 0.1 * max(1.0, shape[0] / shape[1]) ** 0.5
    moved = torch.linalg.svdvals(weight.detach()) / stretch
    assert bool(((moved > 0.6) & (moved < 1.3)).all())


def test_speedrun_rates_stay_and_then_fall_to_nil(speedrun: dict[str, Any]) -> None:
    speedrun["STEPS"] = 100
    shares = [speedrun["share"](step) for step in range(101)]
    assert shares[:60] == [1.0] * 60
    assert shares[100] == 0.0
    falls = np.diff(shares[60:])
    np.testing.assert_allclose(falls, falls[0])
    assert speedrun["momentum_at"](0) == pytest.approx(0.85)
    assert speedrun["momentum_at"](99) == pytest.approx(0.95)


def test_windows_go_straight_through_and_begin_anew(speedrun: dict[str, Any]) -> None:
    stream = np.arange(50, dtype=np.uint16)
    rows = speedrun["windows"](stream, 8, 3)
    first, second, third, again = (next(rows) for _ in range(4))
    assert first.tolist() == [list(range(3, 12)), list(range(11, 20))]
    assert second[0, 0] == 19
    assert third[0, 0] == 0, "what is left is less than a pass"
    assert again[0, 0] == 16
