"""The secret set of HAET: folders of images or one archive, split by the contest's shares."""

from pathlib import Path

import numpy as np
import pytest

from harness.api import DataFault
from tests.workloads.data.originals import image_tree, pixels
from workloads.data.haet import ARCHIVE, HAET, read


def archive(folder: Path, **changes: object) -> Path:
    images, labels = pixels(120)
    arrays = {"x": images.transpose(0, 2, 3, 1), "y": labels, **changes}
    np.savez(folder / ARCHIVE, **arrays)  # type: ignore[arg-type]
    return folder


def test_shares_are_those_of_the_contest(tmp_path: Path) -> None:
    images, labels = pixels(6000)
    np.savez(tmp_path / ARCHIVE, x=images.transpose(0, 2, 3, 1), y=labels)
    manifest = HAET.prepare(tmp_path, tmp_path / "root")
    assert manifest["rows"] == {"train": 4500, "validation": 500, "inputs": 1000, "labels": 1000}
    assert manifest["partial"] is False


def test_the_last_images_of_every_class_are_the_test(tmp_path: Path) -> None:
    image_tree(tmp_path, 10, 12)
    arrays = dict(read(tmp_path))
    images, labels = pixels(120, 10)
    wanted = np.concatenate([images[labels == label][-2:] for label in range(10)])
    np.testing.assert_array_equal(arrays["inputs/x"], wanted)
    assert np.bincount(arrays["train/y"]).tolist() == [9] * 10
    assert np.bincount(arrays["validation/y"]).tolist() == [1] * 10


def test_folders_and_archive_give_the_same_images(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first = dict(read(image_tree(tmp_path / "a", 10, 12)))
    second = dict(read(archive(tmp_path / "b")))

    def rows(arrays: dict[str, np.ndarray]) -> set[bytes]:
        return {array.tobytes() for array in arrays["train/x"]}

    assert rows(first) == rows(second)


def test_another_size_is_refused_by_file(tmp_path: Path) -> None:
    image_tree(tmp_path, 10, 12, side=28)
    with pytest.raises(DataFault, match=r"0000\.png: 28 x 28 pixels, not 32 x 32"):
        list(read(tmp_path))


def test_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="9 class folders, not 10"):
        list(read(image_tree(tmp_path, 9, 12)))


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    image_tree(tmp_path, 10, 3)
    for path in (tmp_path / "n00000004").iterdir():
        path.unlink()
    with pytest.raises(DataFault, match="n00000004: no PNG or JPEG file, so the class is empty"):
        list(read(tmp_path))


def test_a_damaged_image_is_refused_by_file(tmp_path: Path) -> None:
    image_tree(tmp_path, 10, 3)
    path = tmp_path / "n00000002" / "0001.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataFault, match=r"0001\.png: no image that can be read"):
        list(read(tmp_path))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"y": np.arange(120) % 11}, "label 10 is out of range"),
        ({"y": np.arange(120) % 9}, "no example of class 9"),
        ({"x": np.zeros((120, 28, 28, 3), np.uint8)}, "not uint8"),
        ({"x": np.zeros((120, 32, 32, 3), np.float32)}, "float32"),
        ({"y": np.array([None] * 120)}, "no .npz with arrays x and y"),
        ({"y": np.arange(120) % 10 + 0.5}, r"y is float64\[120\], not one row of whole numbers"),
        ({"y": np.zeros((120, 1), np.int64)}, r"y is int64\[120, 1\], not one row"),
        ({"y": np.array(3)}, r"y is int64\[\], not one row"),
    ],
)
def test_a_wrong_archive_is_refused(
    tmp_path: Path, changes: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(DataFault, match=says):
        list(read(archive(tmp_path, **changes)))


def test_too_few_images_to_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="too few images to be split"):
        list(read(image_tree(tmp_path, 10, 1)))
