"""CIFAR-10 for generators: the hidden images and the labels stay away from what is given."""

from pathlib import Path

import numpy as np
import pytest

from harness.api import DataFault
from tests.workloads.data.originals import cifar_binary, cifar_python
from workloads.data import cifar10
from workloads.data.cifar_samples import CIFAR_SAMPLES, STRIDE, read


def gathered(folder: Path) -> dict[str, np.ndarray]:
    return dict(read(folder))


def test_images_are_those_of_the_other_packing_and_no_labels_are_reported(tmp_path: Path) -> None:
    ours, theirs = gathered(cifar_python(tmp_path)), dict(cifar10.read(tmp_path))
    assert sorted(ours) == ["inputs/z", "labels/x", "train/x", "validation/x"]
    for name in ("train/x", "validation/x"):
        np.testing.assert_array_equal(ours[name], theirs[name])
    np.testing.assert_array_equal(ours["labels/x"], theirs["inputs/x"][::STRIDE])


def test_noise_is_standard_normal_and_the_same_for_everybody(tmp_path: Path) -> None:
    one = gathered(cifar_python(tmp_path / "one"))["inputs/z"]
    other = gathered(cifar_binary(tmp_path / "other"))["inputs/z"]
    np.testing.assert_array_equal(one, other)
    assert one.shape == (10, 3, 32, 32)
    assert one.dtype == np.float32
    assert abs(one.mean()) < 3 / one.size**0.5
    assert one.std() == pytest.approx(1, abs=0.02)


def test_a_quarter_of_the_published_test_images_is_hidden() -> None:
    assert CIFAR_SAMPLES.rows["inputs"] * STRIDE == cifar10.CIFAR10.rows["inputs"]
    assert CIFAR_SAMPLES.name != cifar10.CIFAR10.name


def test_damage_is_reported_as_there(tmp_path: Path) -> None:
    folder = cifar_binary(tmp_path / "originals")
    (folder / "test_batch.bin").write_bytes(b"cut")
    with pytest.raises(DataFault, match=r"test_batch\.bin: 3 bytes are no whole records"):
        CIFAR_SAMPLES.prepare(folder, tmp_path / "root", partial=True)
    assert not list((tmp_path / "root").iterdir())
