"""Packed sets: whole or not there, mapped as they were written, and every damage has a sentence."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import DataFault, DataMissing
from workloads.data import shards
from workloads.data.shards import MANIFEST, VARIABLE, Packing, Part, check_labels

ROWS = {"train": 6, "validation": 2, "inputs": 3}


def parts(_folder: Path) -> Iterator[Part]:
    rng = np.random.default_rng(1)
    for group, rows in (*ROWS.items(), ("labels", 3)):
        if group != "labels":
            yield f"{group}/x", rng.integers(0, 255, (rows - 1, 4)).astype(np.uint8)
            yield f"{group}/x", np.full((1, 4), 7, np.uint8)
        if group != "inputs":
            yield f"{group}/y", np.arange(rows)


def packing(read: Callable[[Path], Iterator[Part]] = parts, **rows: int) -> Packing:
    return Packing(name="made", how="make it by hand", read=read, rows={**ROWS, **rows})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def packed(root: Path, tmp_path: Path) -> Path:
    packing().prepare(tmp_path, root)
    return root / "made"


def test_what_was_packed_is_mapped_read_only(packed: Path) -> None:
    splits = packing().load()
    assert splits.train["x"].shape == (6, 4)
    assert splits.train["x"][-1].tolist() == [7, 7, 7, 7]
    assert isinstance(splits.train["x"], np.memmap)
    assert splits.train["x"].mode == "r"
    assert splits.test_labels["y"].tolist() == [0, 1, 2]
    assert splits.facts == {"partial": 0.0}
    assert splits.manifest_sha256 == shards.sha256_of(packed / MANIFEST)
    with pytest.raises(ValueError, match="read-only"):
        splits.train["x"][0, 0] = 1


def test_files_are_plain_npy(packed: Path) -> None:
    for path in packed.glob("*.npy"):
        assert len(np.load(path, allow_pickle=False)) in {2, 3, 6}


def test_same_originals_give_the_same_bytes(packed: Path, tmp_path: Path) -> None:
    packing().prepare(tmp_path, tmp_path / "again")
    for path in packed.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / "made" / path.name).read_bytes()


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_pieces_of_any_size_make_the_same_file(sizes: list[int]) -> None:
    import tempfile

    whole = np.arange(sum(sizes) * 3, dtype=np.float32).reshape(-1, 3)
    with tempfile.TemporaryDirectory() as folder:
        pieces = iter([("a/x", part) for part in np.split(whole, np.cumsum(sizes)[:-1])])
        (entry,) = shards._write(pieces, Path(folder))
        np.testing.assert_array_equal(np.load(Path(folder, entry["file"])), whole)


def test_nothing_half_prepared_stays(root: Path, tmp_path: Path) -> None:
    def broken(folder: Path) -> Iterator[Part]:
        yield from list(parts(folder))[:3]
        raise DataFault("file 7: damaged")

    with pytest.raises(DataFault, match="file 7"):
        packing(broken).prepare(tmp_path, root)
    assert list(root.iterdir()) == []


def test_an_interrupt_leaves_nothing_either(root: Path, tmp_path: Path) -> None:
    def interrupted(folder: Path) -> Iterator[Part]:
        yield from list(parts(folder))[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packing(interrupted).prepare(tmp_path, root)
    assert list(root.iterdir()) == []


def test_packed_data_are_for_their_owner_alone(packed: Path) -> None:
    assert packed.stat().st_mode & 0o077 == 0


def test_a_part_of_a_set_is_refused_or_marked_for_good(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFault, match=r"600 in train, not 6 .*make it by hand"):
        packing(train=600).prepare(tmp_path, root)
    assert packing(train=600).prepare(tmp_path, root, partial=True)["partial"] is True
    assert packing(train=600).load().facts == {"partial": 1.0}


def test_packing_twice_overwrites_nothing(packed: Path, root: Path, tmp_path: Path) -> None:
    before = (packed / MANIFEST).read_bytes()
    with pytest.raises(DataFault, match="is there already"):
        packing().prepare(tmp_path, root)
    assert (packed / MANIFEST).read_bytes() == before


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda folder: iter(list(parts(folder))[3:]), "no rows for train"),
        (lambda folder: iter([*parts(folder), ("train/y", np.arange(3))]), "9 rows beside 6"),
        (lambda folder: iter([*parts(folder), ("train/y", np.ones(1))]), "float64.*follow int64"),
        (
            lambda folder: iter([*parts(folder), ("train/x", np.ones((1, 5), np.uint8))]),
            r"uint8\[5\] follow uint8\[4\]",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    root: Path, tmp_path: Path, read: Callable[[Path], Iterator[Part]], says: str
) -> None:
    with pytest.raises(DataFault, match=says):
        packing(read).prepare(tmp_path, root)
    assert list(root.iterdir()) == []


# --- damage --------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "damage", "kind", "says"),
    [
        ("train.x.npy", cut, DataFault, "151 bytes, not 152: cut off"),
        ("train.x.npy", flip, DataFault, "SHA-256 is"),
        ("labels.y.npy", Path.unlink, DataMissing, "missing, though the manifest lists it"),
        (MANIFEST, cut, DataFault, "damaged|format"),
        (MANIFEST, Path.unlink, DataMissing, "not packed; make it by hand"),
        (MANIFEST, lambda path: path.write_text("[]"), DataFault, "damaged"),
    ],
)
def test_damage_is_reported_by_file_and_remedy(
    packed: Path, name: str, damage: Callable[[Path], Any], kind: type[Exception], says: str
) -> None:
    damage(packed / name)
    if says == "damaged|format":
        (packed / MANIFEST).write_text("{")
    for use in (packing().load, lambda: packing().check(packed.parent)):
        with pytest.raises(kind, match=says) as reported:
            use()
        assert str(packed / name) in str(reported.value)
        assert re.search(r"pack\w* |prepare", str(reported.value))


def test_another_format_is_refused(packed: Path) -> None:
    tree = json.loads((packed / MANIFEST).read_text())
    (packed / MANIFEST).write_text(json.dumps({**tree, "format": 2}))
    with pytest.raises(DataFault, match="not format 1"):
        packing().load()


def test_large_files_are_hashed_by_check_alone(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(packed / "train.x.npy")
    monkeypatch.setattr(shards, "HASHED_BYTES", 100)
    assert len(packing().load().train["x"]) == 6
    with pytest.raises(DataFault, match="SHA-256"):
        packing().check(packed.parent)


def test_no_data_root_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DataMissing, match=r"JOULEMARK_DATA is not set.*make it by hand.*prepare"):
        packing().load()


def test_a_missing_folder_says_how_to_get_it(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="no such folder; make it by hand"):
        packing().prepare(tmp_path / "nowhere", root)
    assert not root.exists()


@pytest.mark.parametrize(
    ("labels", "says"), [([0, 1, 3], "label 3 is out of range 0 to 2"), ([0, 2], "class 1")]
)
def test_labels_out_of_range_and_empty_classes_are_refused(labels: list[int], says: str) -> None:
    with pytest.raises(DataFault, match=f"^there: .*{says}"):
        check_labels(np.array(labels), 3, "there")
