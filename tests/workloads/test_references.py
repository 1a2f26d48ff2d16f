"""The reference submissions learn, reach their targets, and the better ones are better."""

import statistics
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.calibrate_plain import Recorder, Rehearsal, load_submission, predict, rehearse
from harness.api import Session, WorkloadSpec
from harness.registry import Plugin, discover, find
from harness.score.calibration import committed_record

NAMES = [
    item.name
    for item in discover("submissions")
    if isinstance(item, Plugin) and load_submission(item.name)[1].size == "smoke"
]


@cache
def run(name: str, seed: int) -> Rehearsal:
    """Every snapshot that the submission's own grid offers."""
    return rehearse(name, seed, spacing_s=0.0)


def passes(spec: WorkloadSpec, value: float) -> bool:
    if spec.metric.better == "higher":
        return value >= spec.target.value
    return value <= spec.target.value


def steps_to_target(name: str, seed: int) -> int:
    spec = load_submission(name)[1]
    hit = run(name, seed).first_hit(lambda value: passes(spec, value))
    assert hit is not None
    assert hit[0] is not None
    return hit[0]


@pytest.mark.parametrize("name", NAMES)
def test_first_snapshot_has_learnt_something(name: str) -> None:
    spec = load_submission(name)[1]
    torch.manual_seed(7)
    splits = spec.data(7)
    untrained = predict(spec, spec.model().eval(), splits)
    loss = spec.loss or spec.score
    sign = -1 if spec.loss is None and spec.metric.better == "higher" else 1
    before = loss(untrained, splits.test_labels, splits.facts)
    assert sign * run(name, 7).losses[0] < sign * before


@pytest.mark.parametrize("name", NAMES)
def test_reference_ends_past_its_target(name: str) -> None:
    spec = load_submission(name)[1]
    assert passes(spec, run(name, 7).metrics[-1])


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_the_same_metrics(name: str) -> None:
    again = rehearse(name, 7, spacing_s=0.0, most=2)
    assert again.metrics == pytest.approx(run(name, 7).metrics[: len(again.metrics)], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("digits-mlp-adamw", 160, 460),
        ("digits-mlp-muon", 40, 160),
        ("digits-mlp-sgd", 360, 1_700),
        ("digits-cnn-adamw", 80, 240),
        ("markov-lm-adamw", 160, 280),
        ("digits-fewlabel-adamw", 20, 160),
        ("digits-snn-adamw", 80, 260),
        ("digits-eqprop-adamw", 160, 720),
        ("digits-knn-gcn-adamw", 10, 60),
        ("formant-kws-adamw", 38, 152),
        ("japanese-vowels-adamw", 63, 190),
        ("latent-ratings-adamw", 268, 670),
        ("shakespeare-char-adamw", 240, 380),
        ("shakespeare-char-muon", 80, 200),
        ("numbers-seq2seq-adamw", 160, 320),
        ("moons-flow-adamw", 300, 1_500),
        ("digits-flow-adamw", 150, 1_000),
        ("cartpole-ppo-adamw", 2, 40),
    ],
)
def test_steps_to_target_lie_in_their_band(name: str, least: int, most: int) -> None:
    assert least <= steps_to_target(name, 7) <= most


def test_optimizers_differ_in_steps_to_target_as_the_leaderboard_says() -> None:
    seeds = (7, 8, 9)
    muon, adamw, sgd = (
        statistics.median(steps_to_target(f"digits-mlp-{item}", seed) for seed in seeds)
        for item in ("muon", "adamw", "sgd")
    )
    assert 2.5 * muon < adamw
    assert 1.5 * adamw < sgd


def test_muon_orthogonalizes() -> None:
    train = load_submission("digits-mlp-muon")[0]
    orthogonalized = train.__globals__["orthogonalized"]
    torch.manual_seed(0)
    for shape in ((128, 64), (10, 128)):
        matrix = torch.randn(shape)
        result = orthogonalized(matrix)
        values = torch.linalg.svdvals(result)
        assert result.shape == shape
        assert values.min() > 0.6
        assert values.max() < 1.3
        left, _, right = torch.linalg.svd(matrix, full_matrices=False)
        nearest = left @ right
        cosine = (result * nearest).sum() / result.norm() / nearest.norm()
        assert cosine > 0.98


def test_shifted_images_are_whole_images_moved_by_at_most_one_pixel() -> None:
    train = load_submission("digits-cnn-adamw")[0]
    shifted = train.__globals__["shifted"]
    images = find("workloads", "digits-cnn").value.data(0).train["x"][:300]
    moved = shifted(images, np.random.default_rng(0))
    assert moved.shape == images.shape
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    offers = [padded[:, a : a + 8, b : b + 8] for a in range(3) for b in range(3)]
    matches = np.array(
        [
            [np.array_equal(x, y) for x in item]
            for item, y in zip(np.stack(offers, axis=1), moved[:, 0], strict=True)
        ]
    )
    assert matches.any(axis=1).all()
    assert matches.any(axis=0).all()


def test_spiking_reference_tells_its_spike_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[float] = []

    def send(_: Recorder, kind: str, fields: Mapping[str, Any]) -> None:
        assert kind == "log"
        reported.append(fields["scalars"]["spike_rate"])

    monkeypatch.setattr(Recorder, "send", send)
    rehearse("digits-snn-adamw", 7, spacing_s=0.0, most=3)
    assert len(reported) == 3
    assert all(0.05 < rate < 0.4 for rate in reported)


def test_pseudo_labels_count_only_where_the_model_is_sure() -> None:
    """A model that is never sure learns from the labelled rows alone."""
    scope = load_submission("digits-fewlabel-adamw")[0].__globals__
    images = torch.rand(50 + 64, 1, 8, 8)
    plain = np.random.default_rng(0).random((64, 1, 8, 8), dtype=np.float32)
    truth = torch.arange(50) % 10

    class Fixed(torch.nn.Module):
        def __init__(self, height: float) -> None:
            super().__init__()
            self.height = height

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scores = torch.zeros(len(x), 10)
            scores[:, 3] = self.height
            return scores

    unsure = scope["loss_of"](Fixed(1.0), images, truth, plain)
    expected = torch.nn.functional.cross_entropy(
        Fixed(1.0)(images[:50]), truth, label_smoothing=0.05
    )
    assert unsure.item() == pytest.approx(expected.item())
    reported = torch.nn.functional.cross_entropy(
        Fixed(5.0)(images[:50]), truth, label_smoothing=0.05
    )
    assert scope["loss_of"](Fixed(5.0), images, truth, plain).item() > reported.item()


def test_muon_needs_far_fewer_steps_for_the_same_text() -> None:
    assert 1.5 * steps_to_target("shakespeare-char-muon", 7) < (
        steps_to_target("shakespeare-char-adamw", 7)
    )


def test_advantages_of_poles_add_up_to_what_was_still_to_come() -> None:
    """With values of nothing, the last advantage is one step's worth and earlier ones grow."""
    scope = load_submission("cartpole-ppo-adamw")[0].__globals__
    discount, trace = scope["DISCOUNT"], scope["TRACE"]
    values, overs = torch.zeros(6, 3), torch.zeros(5, 3, dtype=torch.bool)
    overs[2, 1] = True
    matches = scope["advantages"](values, overs)
    worth = [(1 - discount) * sum((discount * trace) ** k for k in range(n)) for n in range(6)]
    assert matches[:, 0].tolist() == pytest.approx(worth[:0:-1])
    assert matches[:, 1].tolist() == pytest.approx(
        [worth[3], worth[2], worth[1], worth[2], worth[1]]
    )


def test_a_pole_that_would_stand_for_ever_has_no_advantage() -> None:
    """Its value is 1 in units of endless standing, and one more step changes nothing."""
    scope = load_submission("cartpole-ppo-adamw")[0].__globals__
    values, overs = torch.ones(6, 3), torch.zeros(5, 3, dtype=torch.bool)
    assert scope["advantages"](values, overs).abs().max() < 1e-6
    fallen = torch.ones(5, 3, dtype=torch.bool)
    assert scope["advantages"](values, fallen)[-1].tolist() == pytest.approx(
        [-scope["DISCOUNT"]] * 3
    )


def test_a_net_of_another_family_needs_far_less_for_the_same_curves() -> None:
    """MNIST-1D: convolutions in the open division against the closed perceptron."""
    train, spec = load_submission("mnist1d-conv")
    splits, recorder = spec.data(7), Recorder(0.0)
    torch.set_num_threads(1)
    train(
        Session(
            workload=spec,
            seed=7,
            device="cpu",
            train=splits.train,
            validation=splits.validation,
            budget_s=spec.budget_s,
            snapshot_rule="final",
            channel=recorder,
        )
    )
    step, _, weights = recorder.snapshots[-1]
    predict = train.__globals__["predictor"](weights, spec)
    outputs = predict(dict(splits.test_inputs))
    assert outputs.shape == (48_000, 10)
    assert np.array_equal(outputs[:9], predict({"x": splits.test_inputs["x"][:9]}))
    record = committed_record("mnist1d")
    assert record is not None
    best = max(value for run in record.runs for value in run.metrics)
    assert spec.score(outputs, splits.test_labels, splits.facts) > best
    fewest = min(run.steps[-1] or 0 for run in record.runs)
    assert step is not None
    assert 3 * step < fewest
