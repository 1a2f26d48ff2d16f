"""The digits are scikit-learn's own, split once and for all, and read without scikit-learn."""

import gzip
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from workloads.data import digits as digits_module
from workloads.data.digits import digit_splits, digits, few_label_splits, split_rows


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty installation of scikit-learn, and nothing remembered of the true one."""
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    digits.cache_clear()
    yield tmp_path
    digits.cache_clear()


def test_images_and_labels_equal_what_scikit_learn_loads() -> None:
    from sklearn.datasets import load_digits

    peer = load_digits()
    images, labels = digits()
    assert images.dtype == np.float32
    assert np.array_equal(images * 16, peer.data.astype(np.float32))
    assert np.array_equal(labels, peer.target)


def test_splits_are_disjoint_and_cover_every_row() -> None:
    train, validation, test = split_rows()
    assert (len(train), len(validation), len(test)) == (1257, 180, 360)
    assert np.array_equal(np.sort(np.concatenate([train, validation, test])), np.arange(1797))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_every_split_has_every_class_in_its_share(part: int) -> None:
    labels = digits()[1]
    rows = split_rows()[part]
    share = np.bincount(labels) * len(rows) / len(labels)
    assert np.all(np.abs(np.bincount(labels[rows]) - share) <= 1.2)


def test_split_is_the_same_in_another_process() -> None:
    code = "from workloads.data.digits import split_rows; print(*split_rows()[2])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [int(word) for word in done.stdout.split()] == split_rows()[2].tolist()


def test_arrays_carry_the_asked_shape_and_no_test_label_reaches_the_inputs() -> None:
    splits = digit_splits(1, 8, 8)
    assert splits.train["x"].shape == (1257, 1, 8, 8)
    assert splits.validation["x"].shape == (180, 1, 8, 8)
    assert set(splits.test_inputs) == {"x"}
    assert splits.test_labels["y"].shape == (360,)
    assert splits.train["x"].min() == 0
    assert splits.train["x"].max() == 1


def test_reading_digits_loads_neither_scikit_learn_nor_scipy() -> None:
    code = (
        "import sys; from workloads.data.digits import digits; digits();"
        "print(sorted({'sklearn', 'scipy', 'torch', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_masked_folder_is_named_with_its_remedy(elsewhere: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"digits\.csv\.gz .* install scikit-learn"):
        digits()


def test_changed_table_is_refused_by_name_and_hash(elsewhere: Path) -> None:
    folder = elsewhere / "datasets" / "data"
    folder.mkdir(parents=True)
    (folder / "digits.csv.gz").write_bytes(gzip.compress(b"0.0,1.0\n"))
    with pytest.raises(ValueError, match=rf"digits\.csv\.gz: SHA-256.*{digits_module.SHA256}"):
        digits()


def test_callers_cannot_change_the_shared_table() -> None:
    with pytest.raises(ValueError, match="read-only"):
        digits()[0][0, 0] = 1.0


def test_few_labels_are_five_a_class_and_true() -> None:
    splits = few_label_splits(64)
    shown = splits.train["y"]
    assert np.bincount(shown[shown >= 0]).tolist() == [5] * 10
    assert np.bincount(splits.validation["y"]).tolist() == [1] * 10
    assert len(shown) == 1427
    images, labels = digits()
    for row in np.flatnonzero(shown >= 0):
        places = np.flatnonzero((images == splits.train["x"][row]).all(axis=1))
        assert shown[row] in labels[places]


def test_few_labels_hide_the_same_rows_as_the_full_task() -> None:
    full, few = digit_splits(64), few_label_splits(64)
    assert np.array_equal(full.test_inputs["x"], few.test_inputs["x"])
    assert np.array_equal(full.test_labels["y"], few.test_labels["y"])
