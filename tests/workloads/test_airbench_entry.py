"""The airbench-class entry: its parts do what they are named for, and it learns a made set."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.calibrate_plain import Recorder, load_submission
from harness.api import Session
from harness.registry import find
from tests.workloads.data.originals import cifar_python
from workloads.data.shards import VARIABLE

NAME = "cifar10-94-airbench"


@pytest.fixture
def scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The entry's own names, with the made set in place."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "root"))
    packed = find("workloads", "cifar10-94").value.packed
    packed.prepare(cifar_python(tmp_path / "originals"), tmp_path / "root", partial=True)
    result: dict[str, Any] = load_submission(NAME)[0].__globals__
    return result


def test_it_says_that_it_is_unverified() -> None:
    folder = find("submissions", NAME).value
    assert "unverified" in (folder / "submission.toml").read_text()
    assert "Unverified" in (folder / "README.md").read_text()


def test_whitened_patches_have_unit_variance(scope: dict[str, Any]) -> None:
    torch.manual_seed(0)
    images = torch.randn(200, 3, 8, 8).cumsum(-1)
    filters = scope["whitening_filters"](images, 2)
    assert filters.shape == (24, 3, 2, 2)
    assert torch.equal(filters[:12], -filters[12:])
    out = torch.nn.functional.conv2d(images, filters[:12])
    flat = out.transpose(0, 1).flatten(1)
    assert torch.allclose(flat @ flat.T / flat.shape[1], torch.eye(12), atol=0.01)


def test_every_image_is_mirrored_in_every_second_epoch(scope: dict[str, Any]) -> None:
    images = torch.rand(6, 3, 4, 4)
    flips = [scope["alternating_flips"](images, epoch) for epoch in (0, 1, 2)]
    assert torch.equal(flips[0], flips[2])
    assert torch.equal(flips[0][::2], images[::2].flip(-1))
    assert torch.equal(flips[0][1::2], images[1::2])
    assert torch.equal(flips[0].flip(-1), flips[1])


def test_shifts_move_whole_images_by_at_most_two_pixels(scope: dict[str, Any]) -> None:
    torch.manual_seed(0)
    images = torch.rand(300, 3, 8, 8)
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    moved = scope["shifted"](images)
    offers = [padded[:, :, a : a + 8, b : b + 8] for a in range(5) for b in range(5)]
    hits = torch.stack([(moved == offer).flatten(1).all(1) for offer in offers])
    assert hits.any(0).all()
    assert hits.any(1).all()


def test_muon_holds_the_norm_of_filters(scope: dict[str, Any]) -> None:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(16, 8, 3, 3))
    optimizer = scope["Muon"]([weight], 0.0)
    weight.grad = torch.randn_like(weight)
    optimizer.step()
    assert weight.norm().item() == pytest.approx(4, rel=1e-5)


@pytest.mark.slow
def test_it_learns_the_made_set_in_a_few_steps(
    scope: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    torch.set_num_threads(1)  # two, beside other work, wait for each other
    scope.update(EPOCHS=3, BATCH_SIZE=40)
    spec = find("workloads", "cifar10-94").value
    splits, recorder = spec.data(0), Recorder()
    session = Session(
        workload=spec,
        seed=1,
        device="cpu",
        train=splits.train,
        validation=splits.validation,
        budget_s=60.0,
        snapshot_rule="first_passing",
        channel=recorder,
    )
    scope["train"](session)
    assert [step for step, _, _ in recorder.snapshots] == [5, 10, 15]
    model = spec.model()
    model.load_state_dict(recorder.snapshots[-1][2])
    with torch.inference_mode():
        outputs = spec.predict(model.eval(), {"x": torch.from_numpy(splits.test_inputs["x"] + 0)})
    accuracy = spec.score(outputs.numpy(), splits.test_labels, {})
    assert accuracy > 0.3, "chance is 0.1"
