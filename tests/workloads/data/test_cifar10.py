"""CIFAR-10: both published versions give the same arrays, and no pickle can run anything."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import cifar_binary, cifar_python, pickled, pixels
from workloads.data.cifar10 import CIFAR10, read, read_pickle


def test_both_versions_give_the_same_arrays(tmp_path: Path) -> None:
    python = list(read(cifar_python(tmp_path / "py")))
    binary = list(read(cifar_binary(tmp_path / "bin")))
    assert [name for name, _ in python] == [name for name, _ in binary]
    for (_, first), (_, second) in zip(python, binary, strict=True):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


def test_splits_are_stratified_and_nothing_is_lost(tmp_path: Path) -> None:
    arrays = dict(read(cifar_python(tmp_path / "cifar-10-batches-py").parent))
    assert arrays["train/x"].shape == (180, 3, 32, 32)
    assert np.bincount(arrays["validation/y"]).tolist() == [2] * 10
    assert np.bincount(arrays["train/y"]).tolist() == [18] * 10
    images, labels = pixels(40, seed=5)
    np.testing.assert_array_equal(arrays["inputs/x"], images)
    np.testing.assert_array_equal(arrays["labels/y"], labels)
    both = np.concatenate([arrays["train/x"], arrays["validation/x"]]).reshape(200, -1)
    published = np.concatenate([pixels(40, seed=n)[0] for n in range(5)]).reshape(200, -1)
    assert {item.tobytes() for item in both} == {item.tobytes() for item in published}


class _Touches:
    """A pickle that would make a file when it is read by `pickle.load`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_cannot_run_anything(tmp_path: Path) -> None:
    victim = tmp_path / "made"
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps({b"data": _Touches(victim), b"labels": [1]}, protocol=2))
    with pytest.raises(DataFault, match=r"it asks for \w+\.mkdir"):
        read_pickle(path)
    assert not victim.exists()
    with path.open("rb") as file:
        pickle.load(file)
    assert victim.exists(), "the attack is real"


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q", b"no pickle at all", b"\x80\x02]."])
def test_a_damaged_batch_names_its_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(content)
    with pytest.raises(DataFault, match=f"^{path}: no batch of CIFAR-10"):
        read_pickle(path)


def test_another_image_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1"
    pickled(path, {b"data": np.zeros((2, 3 * 28 * 28), np.uint8), b"labels": [0, 1]})
    with pytest.raises(DataFault, match="only 32 x 32 pixels"):
        read_pickle(path)


def test_a_cut_binary_batch_is_refused(tmp_path: Path) -> None:
    folder = cifar_binary(tmp_path)
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataFault, match=r"data_batch_3\.bin: 122915 bytes are no whole records"):
        list(read(folder))


def test_a_label_out_of_range_is_refused(tmp_path: Path) -> None:
    folder = cifar_binary(tmp_path)
    data = bytearray((folder / "test_batch.bin").read_bytes())
    data[0] = 10
    (folder / "test_batch.bin").write_bytes(data)
    with pytest.raises(DataFault, match=r"test_batch\.bin: a label is out of range 0 to 9"):
        list(read(folder))


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    folder = cifar_binary(tmp_path, rows=9)
    with pytest.raises(DataFault, match="no example of class 9"):
        list(read(folder))


def test_missing_files_say_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"no test_batch.*cs\.toronto\.edu"):
        list(read(tmp_path))
    folder = cifar_python(tmp_path)
    (folder / "data_batch_2").unlink()
    with pytest.raises(DataMissing, match=r"data_batch_2: missing.*cs\.toronto\.edu"):
        list(read(folder))


def test_a_set_of_another_size_is_not_taken_for_the_published_one(tmp_path: Path) -> None:
    folder = cifar_python(tmp_path / "originals")
    with pytest.raises(DataFault, match="45000 in train, not 180"):
        CIFAR10.prepare(folder, tmp_path / "root")
    assert list((tmp_path / "root").iterdir()) == []
    assert CIFAR10.prepare(folder, tmp_path / "root", partial=True)["partial"] is True
