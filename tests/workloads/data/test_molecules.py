"""ogbg-molpcba: every atom and bond at its molecule, gaps kept apart, damage told by file."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import molecules, zipped
from workloads.data import molecules as module
from workloads.data.molecules import MOLPCBA, NO_ATOM, padded, read


def gathered(folder: Path) -> dict[str, np.ndarray]:
    result: dict[str, list[np.ndarray]] = {}
    for name, rows in read(folder):
        result.setdefault(name, []).append(rows)
    return {name: np.concatenate(pieces) for name, pieces in result.items()}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_padding_loses_and_mixes_nothing(sizes: list[int]) -> None:
    rows = np.arange(2 * sum(sizes)).reshape(-1, 2)
    result = padded(rows, np.array(sizes), max(sizes), -1)
    assert result.shape == (len(sizes), max(sizes), 2)
    kept = [row[:size] for row, size in zip(result, sizes, strict=True)]
    np.testing.assert_array_equal(np.concatenate(kept), rows)
    assert (result == -1).sum() == 2 * (len(sizes) * max(sizes) - sum(sizes))


@pytest.mark.parametrize("chunk", [7, 10_000])
def test_molecules_keep_their_atoms_bonds_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    arrays = gathered(molecules(tmp_path))
    for place, (inputs, labels) in enumerate(
        (("train", "train"), ("validation", "validation"), ("inputs", "labels"))
    ):
        sizes = 2 + np.arange(20 * place, 20 * place + 20) % 5
        atoms, ends = arrays[f"{inputs}/atoms"], arrays[f"{inputs}/ends"]
        assert (atoms[..., 0] != NO_ATOM).sum(axis=1).tolist() == sizes.tolist()
        assert atoms.shape == (20, 6, 9)
        assert set(atoms[..., 0].ravel()) == {6, NO_ATOM}
        for size, row in zip(sizes.tolist(), ends, strict=True):
            assert row[:size].tolist() == [[k, (k + 1) % size] for k in range(size)]
        y = arrays[f"{labels}/y"]
        known = y >= 0
        assert 0.3 < known.mean() < 0.7
        wanted = np.broadcast_to((sizes > 3)[:, None], y.shape)
        np.testing.assert_array_equal(y[known], wanted[known])


def rewritten(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    with gzip.open(path, "rt") as file:
        lines = file.read().splitlines()
    with gzip.open(path, "wt") as file:
        file.writelines(f"{line}\n" for line in change(lines))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def shorter(path: Path) -> None:
    rewritten(path, lambda lines: lines[:-1])


def longer(path: Path) -> None:
    rewritten(path, lambda lines: [*lines, lines[-1]])


def first(text: str) -> Callable[[Path], None]:
    return lambda path: rewritten(path, lambda lines: [text, *lines[1:]])


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("raw/node-feat.csv.gz", cut, "cut off or damaged"),
        ("raw/num-edge-list.csv.gz", cut, "cut off or damaged"),
        ("raw/graph-label.csv.gz", lambda p: p.write_bytes(b"no gzip"), "cut off or damaged"),
        ("raw/edge.csv.gz", shorter, "rows of 2 numbers where"),
        ("raw/edge-feat.csv.gz", longer, "rows follow those that are counted"),
        ("raw/edge.csv.gz", first("0,2"), "missing or out of range"),
        ("raw/edge.csv.gz", first("0,-1"), "missing or out of range"),
        ("raw/edge.csv.gz", first("0,x"), "cut off or damaged"),
        ("raw/node-feat.csv.gz", first("255,0,0,0,0,0,0,0,0"), "out of range"),
        ("raw/node-feat.csv.gz", first("1.5,0,0,0,0,0,0,0,0"), "out of range"),
        ("raw/edge-feat.csv.gz", first("0,0"), "cut off or damaged"),
        ("raw/graph-label.csv.gz", first(",".join(["2"] * 128)), "out of range"),
        ("raw/graph-label.csv.gz", first("1,0"), "cut off or damaged"),
        ("split/scaffold/test.csv.gz", first("60"), "beyond the 60 molecules"),
        ("split/scaffold/test.csv.gz", first("0"), "or one of another split"),
        ("split/scaffold/valid.csv.gz", first("21"), "a molecule twice"),
        ("split/scaffold/train.csv.gz", lambda p: zipped(p, []), "names none"),
    ],
)
def test_damage_is_reported_by_file(
    tmp_path: Path, name: str, damage: Callable[[Path], object], says: str
) -> None:
    damage(molecules(tmp_path / "originals") / name)
    with pytest.raises(DataFault, match=rf"{name}: .*{says}.*get it again"):
        MOLPCBA.prepare(tmp_path / "originals", tmp_path / "root", partial=True)
    assert not list((tmp_path / "root").iterdir()), "nothing half-prepared stays behind"


def test_counts_that_do_not_fit_are_reported(tmp_path: Path) -> None:
    shorter(molecules(tmp_path) / "raw" / "num-node-list.csv.gz")
    with pytest.raises(DataFault, match="59 counts of atoms, 60 of bonds"):
        gathered(tmp_path)


def test_a_molecule_in_no_split_is_reported(tmp_path: Path) -> None:
    shorter(molecules(tmp_path) / "split" / "scaffold" / "train.csv.gz")
    with pytest.raises(DataFault, match="a molecule is in no split"):
        gathered(tmp_path)


@pytest.mark.parametrize("name", ["raw/edge.csv.gz", "split/scaffold/valid.csv.gz"])
def test_a_missing_file_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    (molecules(tmp_path) / name).unlink()
    with pytest.raises(DataMissing, match=rf"{name}: missing.*ogb\.stanford\.edu"):
        gathered(tmp_path)


def test_the_published_split_tells_the_whole_set(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="350343 in train, not 20"):
        MOLPCBA.prepare(molecules(tmp_path / "originals"), tmp_path / "root")
    assert sum(MOLPCBA.rows.values()) == 437_929
