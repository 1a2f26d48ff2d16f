"""Spiking Heidelberg Digits: each spike in its bin and channel, damage told by file."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import shd, spikes
from workloads.data import heidelberg
from workloads.data.heidelberg import BINS, SHD, SPAN_S, UNITS, counts, read


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shd(tmp_path_factory.mktemp("originals"))


def gathered(folder: Path) -> dict[str, np.ndarray]:
    result: dict[str, list[np.ndarray]] = {}
    for name, rows in read(folder):
        result.setdefault(name, []).append(rows)
    return {name: np.concatenate(pieces) for name, pieces in result.items()}


times = st.floats(0, 3, width=16)
places = st.lists(st.tuples(times, st.integers(0, UNITS - 1)), max_size=40)


@given(places)
def test_every_spike_is_counted_once(pairs: list[tuple[float, int]]) -> None:
    stamps = np.array([time_s for time_s, _ in pairs], np.float16)
    units = np.array([unit for _, unit in pairs], np.uint16)
    result = counts(stamps, units, "here")
    assert result.shape == (BINS, UNITS)
    assert result.sum() == len(pairs)
    for time_s, unit in zip(stamps.tolist(), units.tolist(), strict=True):
        assert result[min(int(time_s / SPAN_S * BINS), BINS - 1), unit] > 0


def test_more_than_a_byte_holds_stays_at_its_greatest() -> None:
    result = counts(np.zeros(700, np.float16), np.full(700, 3, np.uint16), "here")
    assert result[0, 3] == result.sum() == 255


def test_digits_keep_their_channels(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heidelberg, "CHUNK", 7)
    arrays = gathered(made)
    for inputs, labels in (("train", "train"), ("validation", "validation"), ("inputs", "labels")):
        x, y = arrays[f"{inputs}/x"], arrays[f"{labels}/y"]
        assert (x.sum(axis=1).argmax(axis=1) // 35).tolist() == y.tolist()
    assert np.bincount(arrays["train/y"]).tolist() == [9] * 20
    assert np.bincount(arrays["validation/y"]).tolist() == [1] * 20
    assert arrays["inputs/x"].shape == (40, 100, 700)


def test_the_same_files_give_the_same_arrays(made: Path) -> None:
    first, second = gathered(made), gathered(made)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_the_whole_set_is_a_tenth_and_nine() -> None:
    assert SHD.rows["validation"] == 8_156 // 10
    assert SHD.rows["train"] + SHD.rows["validation"] == 8_156


def altered(path: Path, change: Callable[[object], None]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "r+") as file:
        change(file)


def other_label(file: object) -> None:
    file["labels"][3] = 20  # type: ignore[index]


def no_units(file: object) -> None:
    del file["spikes/units"]  # type: ignore[attr-defined]


def far_unit(file: object) -> None:
    file["spikes/units"][5] = np.array([700], np.uint16)  # type: ignore[index]
    file["spikes/times"][5] = np.array([0.1], np.float16)  # type: ignore[index]


def odd_time(file: object) -> None:
    file["spikes/units"][5] = np.array([7], np.uint16)  # type: ignore[index]
    file["spikes/times"][5] = np.array([np.nan], np.float16)  # type: ignore[index]


def unpaired(file: object) -> None:
    file["spikes/times"][5] = np.array([0.1], np.float16)  # type: ignore[index]


def fewer_labels(file: object) -> None:
    del file["labels"]  # type: ignore[attr-defined]
    file["labels"] = np.arange(20)  # type: ignore[index]


def half_labels(file: object) -> None:
    labels = file["labels"][...]  # type: ignore[index]
    del file["labels"]  # type: ignore[attr-defined]
    file["labels"] = labels + 0.5  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (half_labels, "labels are float64, not whole numbers"),
        (other_label, "label 20 is out of range 0 to 19"),
        (no_units, "no HDF5 file of spikes"),
        (far_unit, "at 5: a unit is out of range 0 to 699"),
        (odd_time, "at 5: a time is negative or no number"),
        (unpaired, "at 5: 1 times beside 30 units"),
        (fewer_labels, "not of one length"),
    ],
)
def test_odd_contents_are_reported_by_file(
    tmp_path: Path, made: Path, change: Callable[[object], None], says: str
) -> None:
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    altered(tmp_path / "shd_test.h5", change)
    with pytest.raises(DataFault, match=rf"shd_test\.h5.*{says}.*again"):
        gathered(tmp_path)


@pytest.mark.parametrize("kept_ratio", [0.0, 0.02, 0.5])
def test_a_file_that_was_cut_off_is_reported(tmp_path: Path, made: Path, kept_ratio: float) -> None:
    for path in made.iterdir():
        data = path.read_bytes()
        (tmp_path / path.name).write_bytes(data[: int(kept_ratio * len(data))])
    with pytest.raises(DataFault, match=r"shd_train\.h5.*get it again"):
        SHD.prepare(tmp_path, tmp_path / "root", partial=True)
    assert not list((tmp_path / "root").iterdir()), "nothing half-prepared stays behind"


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    shd(tmp_path)
    spikes(tmp_path / "shd_test.h5", 19, 1)
    with pytest.raises(DataFault, match=r"shd_test\.h5: no example of class"):
        gathered(tmp_path)


def test_a_missing_file_says_how_to_get_it(tmp_path: Path, made: Path) -> None:
    (tmp_path / "shd_train.h5").write_bytes((made / "shd_train.h5").read_bytes())
    with pytest.raises(DataMissing, match=r"shd_test\.h5: missing.*zenkelab\.org/datasets"):
        gathered(tmp_path)


def test_without_h5py_the_package_is_named(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataMissing, match=r"h5py is needed.*pip install h5py"):
        gathered(made)
