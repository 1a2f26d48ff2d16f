"""ogbg-molpcba from the CSV files of the Open Graph Benchmark: one row a molecule, padded."""

import gzip
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt

from harness.api import Array, DataFault, DataMissing
from workloads.data.shards import Packing, Part

ATOM_FEATURES, BOND_FEATURES = 9, 3
ASSAYS = 128
UNKNOWN = -1
"""A missing label."""
NO_ATOM, NO_BOND = 255, 255
"""What fills the places after a molecule's last atom or bond."""
CHUNK = 10_000
"""Molecules that are held in memory at once."""
SPLITS = {"train": "train", "validation": "valid", "test": "test"}
HOW = (
    "fetch pcba.zip of ogbg-molpcba (ogb.stanford.edu, MIT licence) and unpack it, so that raw/ "
    "and split/scaffold/ lie in one folder"
)

Whole = npt.NDArray[np.int64]


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise DataMissing(f"{path}: missing; {HOW}")
    return path


def _rows(file: TextIO, path: Path, count: int, width: int, *, gaps: bool) -> Array:
    """The next lines as numbers (count, width); where `gaps` are allowed, an empty one is NaN.

    Raises:
        DataFault: there are fewer, or one is not of that many numbers.
    """
    if not count:
        return np.empty((0, width))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loadtxt: input contained no data")
            # A converter is called for each number, so that only the file with gaps gets one.
            matches = np.loadtxt(
                file,
                delimiter=",",
                ndmin=2,
                max_rows=count,
                converters=_number if gaps else None,
                comments=None,
            )
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise DataFault(f"{path}: cut off or damaged ({error}); get it again") from error
    if matches.shape != (count, width):
        message = (
            f"{path}: {matches.shape[0]} rows of {matches.shape[-1]} numbers where {count} of "
        )
        message += f"{width} are due; get it again"
        raise DataFault(message)
    return matches


def _number(text: str) -> float:
    return float(text) if text.strip() else np.nan


def _all(path: Path) -> Whole:
    """Every number of a file of one column."""
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            return np.array([int(line) for line in file], dtype=np.int64)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise DataFault(f"{path}: cut off or damaged ({error}); get it again") from error


def _groups(folder: Path, molecules: int) -> Whole:
    """For each molecule its split: 0 to 2, in the order of `SPLITS`.

    Raises:
        DataFault: one is in no split or in two, or a split names one that is not there.
    """
    matches = np.full(molecules, -1, dtype=np.int64)
    for place, name in enumerate(SPLITS.values()):
        path = _file(folder, f"split/scaffold/{name}.csv.gz")
        rows = _all(path)
        if not len(rows) or rows.min() < 0 or rows.max() >= molecules:
            raise DataFault(
                f"{path}: names none, or one beyond the {molecules} molecules; get it again"
            )
        if len(np.unique(rows)) != len(rows) or (matches[rows] >= 0).any():
            raise DataFault(
                f"{path}: names a molecule twice, or one of another split; get it again"
            )
        matches[rows] = place
    if (matches < 0).any():
        raise DataFault(f"{folder / 'split/scaffold'}: a molecule is in no split; get it again")
    return matches


def padded(rows: Array, counts: Whole, width: int, fill: int) -> Array:
    """Rows of all molecules, one after the other, to (molecules, width, features)."""
    result = np.full((len(counts), width, rows.shape[1]), fill, dtype=rows.dtype)
    result[np.arange(width) < counts[:, None]] = rows
    return result


def _ranged(rows: Array, path: Path, low: int, high: Array | int) -> Array:
    """The rows, all of them whole numbers in range."""
    if np.isnan(rows).any() or (rows < low).any() or (rows >= high).any() or (rows % 1).any():
        raise DataFault(f"{path}: a number is missing or out of range; get it again")
    return rows


class _Tables:
    """The five files of rows, read side by side, some molecules at a time."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.atoms = _all(_file(folder, "raw/num-node-list.csv.gz"))
        self.bonds = _all(_file(folder, "raw/num-edge-list.csv.gz"))
        if len(self.atoms) != len(self.bonds) or not len(self.atoms) or self.atoms.min() < 1:
            message = f"{folder / 'raw'}: {len(self.atoms)} counts of atoms, {len(self.bonds)} of "
            message += "bonds, or a molecule without atoms; get the files again"
            raise DataFault(message)
        names = ("node-feat", "edge", "edge-feat", "graph-label")
        self.paths = {name: _file(folder, f"raw/{name}.csv.gz") for name in names}
        opened = (gzip.open(path, "rt", encoding="ascii") for path in self.paths.values())  # noqa: SIM115 - closed below
        self._files = dict(zip(names, map(stack.enter_context, opened), strict=True))

    def _next(self, name: str, count: int, width: int) -> Array:
        gaps = name == "graph-label"
        return _rows(self._files[name], self.paths[name], count, width, gaps=gaps)

    def end(self) -> None:
        """Nothing may follow the last molecule.

        Raises:
            DataFault: something does.
        """
        for name, file in self._files.items():
            if file.read(1).strip():
                raise DataFault(
                    f"{self.paths[name]}: rows follow those that are counted; get it again"
                )

    def take(self, chosen: slice) -> dict[str, Array]:
        """Atoms, bonds and labels of the next molecules, which `chosen` names, padded."""
        atoms, bonds = self.atoms[chosen], self.bonds[chosen]
        x = self._next("node-feat", int(atoms.sum()), ATOM_FEATURES)
        x = _ranged(x, self.paths["node-feat"], 0, NO_ATOM).astype(np.uint8)
        ends = self._next("edge", int(bonds.sum()), 2)
        ends = _ranged(ends, self.paths["edge"], 0, np.repeat(atoms, bonds)[:, None])
        kinds = self._next("edge-feat", int(bonds.sum()), BOND_FEATURES)
        kinds = _ranged(kinds, self.paths["edge-feat"], 0, NO_BOND).astype(np.uint8)
        y = np.nan_to_num(self._next("graph-label", len(atoms), ASSAYS), nan=UNKNOWN)
        y = _ranged(y, self.paths["graph-label"], UNKNOWN, 2).astype(np.int8)
        atoms_most, bonds_most = int(self.atoms.max()), max(1, int(self.bonds.max()))
        return {
            "atoms": padded(x, atoms, atoms_most, NO_ATOM),
            "ends": padded(ends.astype(np.int16), bonds, bonds_most, 0),
            "bonds": padded(kinds, bonds, bonds_most, NO_BOND),
            "y": y,
        }


def read(folder: Path) -> Iterator[Part]:
    """Molecules of the scaffold split, each split in the order of the files.

    `atoms` (molecules, most atoms, 9) and `bonds` (molecules, most bonds, 3) are uint8, 255 where
    there is none; `ends` (molecules, most bonds, 2) names the two atoms of a bond, which stands
    there once; `y` (molecules, 128) is 1, 0, or -1 where the label is missing.

    Raises:
        DataMissing: a file is not there.
        DataFault: a file is cut off, or a number is out of range.
    """
    with ExitStack() as stack:
        tables = _Tables(folder, stack)
        groups = _groups(folder, len(tables.atoms))
        for start in range(0, len(groups), CHUNK):
            chosen = slice(start, start + CHUNK)
            arrays = tables.take(chosen)
            for place, name in enumerate(SPLITS):
                rows = groups[chosen] == place
                inputs, labels = ("inputs", "labels") if name == "test" else (name, name)
                if rows.any():
                    for part, array in arrays.items():
                        yield f"{labels if part == 'y' else inputs}/{part}", array[rows]
        tables.end()


MOLPCBA = Packing(
    name="ogbg-molpcba",
    how=HOW,
    read=read,
    rows={"train": 350_343, "validation": 43_793, "inputs": 43_793},
)
