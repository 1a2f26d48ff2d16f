"""haet-mini: an organizer's set where there is one, else a stand-in that is marked and barred."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.calibrate_plain import load_submission, predict
from harness.api import DataFault, DataMissing, WorkloadSpec
from harness.bundle import Bundle
from harness.registry import find
from harness.rules.load import load_ruleset
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.series import SeriesRequest, orders
from harness.score.run.cost import check_findings
from tests.run.made import Silent
from tests.workloads.data.originals import image_tree
from workloads.data.shards import VARIABLE

TOML = """
title = "Zeros"
team = "tests"
division = "open"
workloads = ["haet-mini"]
imports = ["numpy"]
"""
ZEROS = """
import numpy as np


def train(session):
    session.snapshot({"classes": np.arange(10)})


def predictor(weights, workload):
    return lambda inputs: np.zeros((len(inputs["x"]), 10), dtype=np.float32)
"""


@pytest.fixture(autouse=True)
def _away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEMARK_LOCK", str(tmp_path / "lock"))
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def spec() -> WorkloadSpec:
    value = find("workloads", "haet-mini").value
    assert isinstance(value, WorkloadSpec)
    return value


def given(spec: WorkloadSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small organizer's set, packed below the data root."""
    root = tmp_path / "data"
    assert spec.packed is not None
    spec.packed.prepare(image_tree(tmp_path / "originals", 10, 12), root, partial=True)
    monkeypatch.setenv(VARIABLE, str(root))
    return root


def test_without_a_folder_the_stand_in_is_drawn_for_every_run(spec: WorkloadSpec) -> None:
    first, again, other = (spec.data(seed) for seed in (1, 1, 2))
    assert first.facts["synthetic"] == 1.0
    assert np.array_equal(first.train["x"], again.train["x"])
    assert not np.array_equal(first.train["x"], other.train["x"])


def test_an_organizers_set_takes_its_place(
    spec: WorkloadSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(spec, tmp_path, monkeypatch)
    splits = spec.data(1)
    assert len(splits.train["y"]) == 90
    assert not splits.facts.get("synthetic", 0.0)


def test_a_folder_without_the_set_is_no_reason_for_the_stand_in(
    spec: WorkloadSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(DataMissing, match="joulemark data prepare"):
        spec.data(1)


def _cut(root: Path) -> None:
    path = root / "haet" / "train.x.npy"
    path.write_bytes(path.read_bytes()[:-1])


def _changed(root: Path) -> None:
    path = root / "haet" / "labels.y.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")


@pytest.mark.parametrize(("damage", "says"), [(_cut, "cut off"), (_changed, "SHA-256 is")])
def test_a_damaged_set_is_no_reason_for_the_stand_in(
    spec: WorkloadSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    says: str,
) -> None:
    damage(given(spec, tmp_path, monkeypatch))
    with pytest.raises(DataFault, match=says):
        spec.data(1)


def test_untrained_model_gives_scores_and_misses_the_target(spec: WorkloadSpec) -> None:
    torch.manual_seed(0)
    splits = spec.data(1)
    outputs = predict(spec, spec.model().eval(), splits)
    assert outputs.shape == (1_000, 10)
    assert spec.score(outputs, splits.test_labels, splits.facts) < 0.3 < spec.target.value


def test_moved_images_are_whole_images_or_their_mirror_images() -> None:
    moved = load_submission("haet-mini-adamw")[0].__globals__["moved"]
    images = np.random.default_rng(0).integers(0, 255, (60, 3, 32, 32), dtype=np.uint8)
    result = moved(images, np.random.default_rng(1))
    assert result.shape == images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    kinds = set()
    for picture, one in zip(padded, result, strict=True):
        offers = {
            mirrored: any(
                np.array_equal(picture[:, a : a + 32, b : b + 32], one[..., ::step])
                for a in range(9)
                for b in range(9)
            )
            for mirrored, step in ((False, 1), (True, -1))
        }
        assert sum(offers.values()) == 1
        kinds.add(offers[True])
    assert kinds == {True, False}


def test_a_run_on_the_stand_in_says_so_and_ranks_nowhere(tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "submission.toml").write_text(TOML)
    (entry / "train.py").write_text(ZEROS)
    request = SeriesRequest(
        workload="haet-mini",
        submission=str(entry),
        ruleset=load_ruleset("smoke"),
        seeds_count=1,
        meters=("none",),
        launcher="plain",
        results=tmp_path / "results",
    )
    outcome = run_one(next(orders(request, tmp_path / "source")), Silent(), Interrupt())
    state = outcome.run.workload.data
    assert state is not None
    assert (state.synthetic, state.partial, state.manifest_sha256) == (True, False, None)
    findings = check_findings(Bundle(outcome.bundle, checked=True), load_ruleset("default"))
    assert [finding.level for finding in findings if finding.rule == "data-synthetic"] == ["fail"]
