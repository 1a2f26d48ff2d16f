"""ImageNet's folders of JPEG files become shuffled squares of one size."""

from pathlib import Path

import numpy as np
import pytest

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import imagenet as made
from workloads.data import imagenet
from workloads.data.imagenet import read
from workloads.data.images import read_image


@pytest.fixture(autouse=True)
def ten_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet, "CLASSES", 10)
    monkeypatch.setattr(imagenet, "CHUNK", 7)


def gathered(folder: Path) -> dict[str, np.ndarray]:
    result: dict[str, list[np.ndarray]] = {}
    for name, rows in read(folder):
        result.setdefault(name, []).append(rows)
    return {name: np.concatenate(pieces) for name, pieces in result.items()}


def test_every_photograph_is_a_square_with_its_label(tmp_path: Path) -> None:
    arrays = gathered(made(tmp_path))
    assert arrays["train/x"].shape == (30, 3, 160, 160)
    assert arrays["train/x"].dtype == np.uint8
    assert np.bincount(arrays["train/y"]).tolist() == [3] * 10
    assert np.bincount(arrays["validation/y"]).tolist() == [1] * 10
    assert np.bincount(arrays["labels/y"]).tolist() == [2] * 10
    assert arrays["train/y"].tolist() != sorted(arrays["train/y"])
    brightness = arrays["train/x"].mean(axis=(1, 2, 3))
    # Made so that brightness tells the class: images kept their labels through the shuffle.
    assert np.corrcoef(brightness, arrays["train/y"])[0, 1] > 0.999


def test_the_middle_is_taken(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    middle = read_image(tmp_path / "a.png", 10, 1.0)
    assert middle.shape == (10, 10, 3)
    assert middle.min() == 200


@pytest.mark.parametrize("name", ["train", "val"])
def test_a_missing_split_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    (made(tmp_path) / name).rename(tmp_path / "elsewhere")
    with pytest.raises(DataMissing, match=rf"/{name}: no such folder; .*image-net\.org"):
        list(read(tmp_path))


def test_a_class_without_test_images_is_refused(tmp_path: Path) -> None:
    (made(tmp_path) / "val" / "n00000003").rename(tmp_path / "elsewhere")
    with pytest.raises(DataMissing, match="n00000003: no folder for a class"):
        list(read(tmp_path))


def test_a_cut_file_is_refused_by_name(tmp_path: Path) -> None:
    path = made(tmp_path) / "train" / "n00000003" / "0001.JPEG"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataFault, match=r"0001\.JPEG: no image that can be read"):
        list(read(tmp_path))


def test_another_number_of_classes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imagenet, "CLASSES", 11)
    with pytest.raises(DataFault, match="10 class folders, not 11"):
        list(read(made(tmp_path)))
