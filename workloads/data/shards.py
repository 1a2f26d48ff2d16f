"""Packed data sets: one `.npy` file an array, mapped read-only, and a manifest of their SHA-256."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Array, DataFault, DataMissing, Splits

FORMAT = 1
MANIFEST = "manifest.json"
VARIABLE = "JOULEMARK_DATA"
"""Environment variable that names the data root: a folder with one subfolder a packed set."""
HASHED_BYTES = 1 << 29
"""Files up to this size are hashed whenever they are loaded; larger ones by `data check` alone."""
GROUPS = ("train", "validation", "inputs", "labels")
"""What an array's name begins with; the last two are the hidden test split's."""

Part = tuple[str, Array]
"""An array's name, as `train/x`, and some more of its rows."""


def data_root() -> Path | None:
    """The folder that `JOULEMARK_DATA` names; None where it is not set."""
    text = os.environ.get(VARIABLE, "")
    return Path(text) if text else None


class _Shard:
    """A `.npy` file that grows by rows."""

    def __init__(self, path: Path, first: Array) -> None:
        self.path = path
        self.rows = 0
        self._like = first
        self._file = path.open("wb")
        self._header()

    def _header(self) -> None:
        """Numpy leaves room for a longer first axis, so that the length never changes."""
        np.lib.format.write_array_header_1_0(
            self._file,
            {"descr": self._like.dtype.str, "fortran_order": False, "shape": self.shape},
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows so far, and the shape of a row."""
        return (self.rows, *self._like.shape[1:])

    @property
    def dtype(self) -> str:
        """As numpy writes it, byte order included."""
        return self._like.dtype.str

    def add(self, rows: Array) -> None:
        """Append rows of the first ones' type and shape."""
        if rows.dtype != self._like.dtype or rows.shape[1:] != self._like.shape[1:]:
            raise DataFault(
                f"{self.path.name}: rows of {rows.dtype}{list(rows.shape[1:])} follow "
                f"{self._like.dtype}{list(self._like.shape[1:])}; give data of one shape"
            )
        self._file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def finish(self) -> None:
        """Write the true length into the header, and make the bytes durable."""
        self._file.seek(0)
        self._header()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(parts: Iterator[Part], folder: Path) -> list[dict[str, Any]]:
    """All arrays as files; one row of the manifest for each."""
    shards: dict[str, _Shard] = {}
    with ExitStack() as stack:
        for name, rows in parts:
            if name not in shards:
                path = folder / f"{name.replace('/', '.')}.npy"
                shards[name] = _Shard(path, rows)
                stack.callback(shards[name].close)
            shards[name].add(rows)
        for shard in shards.values():
            shard.finish()
    return [_entry(name, shard) for name, shard in sorted(shards.items())]


def _entry(name: str, shard: _Shard) -> dict[str, Any]:
    return {
        "name": name,
        "file": shard.path.name,
        "size_bytes": shard.path.stat().st_size,
        "sha256": sha256_of(shard.path),
        "shape": list(shard.shape),
        "dtype": shard.dtype,
    }


def _rows(files: list[dict[str, Any]]) -> dict[str, int]:
    """Rows of each group.

    Raises:
        DataFault: arrays of one group differ in length, or a group is missing or empty.
    """
    result: dict[str, int] = {}
    for file in files:
        group, rows = file["name"].partition("/")[0], file["shape"][0]
        if result.setdefault(group, rows) != rows:
            raise DataFault(f"{file['file']}: {rows} rows beside {result[group]} of the same split")
    absent = [group for group in GROUPS if not result.get(group)]
    if absent:
        raise DataFault(
            f"no rows for {', '.join(absent)}; give a folder with every part of the set"
        )
    return result


@dataclass(frozen=True, kw_only=True)
class Packing:
    """One data set: how its originals are read, and where its packed form lies."""

    name: str
    how: str
    read: Callable[[Path], Iterator[Part]]
    """Folder of originals to arrays, by and by."""
    rows: Mapping[str, int]
    """Rows of the groups by which the whole set is told from a part of it."""
    counts: Callable[[Path], Mapping[str, int]] | None = None
    """Further counts of the originals that `rows` may name, as the lines of their lists."""

    def prepare(self, originals: Path, root: Path, *, partial: bool = False) -> dict[str, Any]:
        """Pack a folder of originals into `root/name`, whole or not at all.

        Args:
            originals: Folder with the files as they are published.
            root: The data root; made where it does not exist.
            partial: Accept fewer or more rows than the published set has; marked for good.

        Raises:
            DataMissing: a file is not there.
            DataFault: a file is not as its format says, or the set is not whole.
        """
        if not originals.is_dir():
            raise DataMissing(f"{originals}: no such folder; {self.how}")
        target = root / self.name
        if target.exists():
            raise DataFault(f"{target}: is there already; remove it first to pack the set again")
        root.mkdir(parents=True, exist_ok=True)
        # Mode 0700, and a name that no loader looks for.
        beside = Path(tempfile.mkdtemp(prefix=f".{self.name}-", suffix=".part", dir=root))
        try:
            manifest = self._packed(originals, beside, partial=partial)
            beside.rename(target)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        return manifest

    def _packed(self, originals: Path, folder: Path, *, partial: bool) -> dict[str, Any]:
        files = _write(self.read(originals), folder)
        rows = _rows(files)
        result = {**rows, **(self.counts(originals) if self.counts else {})}
        other = {
            name: result.get(name, 0) for name, n in self.rows.items() if result.get(name) != n
        }
        if other and not partial:
            wanted = ", ".join(f"{self.rows[item]} in {item}, not {n}" for item, n in other.items())
            raise DataFault(f"{originals}: not the whole set ({wanted} rows); {self.how}")
        manifest = {
            "format": FORMAT,
            "data": self.name,
            "partial": bool(other),
            "rows": rows,
            "files": files,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        return manifest

    def manifest(self, root: Path) -> dict[str, Any]:
        """The manifest of the packed set.

        Raises:
            DataMissing: there is none.
            DataFault: it is damaged, or of another format or set.
        """
        path = root / self.name / MANIFEST
        if not path.is_file():
            raise DataMissing(f"{path}: not there, so '{self.name}' is not packed; {self.remedy}")
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            fits = (tree["format"], tree["data"]) == (FORMAT, self.name)
        except (ValueError, KeyError, TypeError) as error:
            raise DataFault(
                f"{path}: damaged ({type(error).__name__}); remove {path.parent}, pack again"
            ) from error
        if not fits:
            raise DataFault(f"{path}: not format {FORMAT} of '{self.name}'; pack the set again")
        return dict(tree)

    @property
    def remedy(self) -> str:
        """What to do where the set is missing."""
        return (
            f"{self.how}; then run `joulemark data prepare` on that folder and set {VARIABLE} to "
            "the data root"
        )

    def _file(self, root: Path, entry: Mapping[str, Any], *, hashed: bool) -> Path:
        """The path of one array's file, checked."""
        path = root / self.name / str(entry["file"])
        if not path.is_file():
            raise DataMissing(
                f"{path}: missing, though the manifest lists it; remove {path.parent}, pack again"
            )
        size_bytes = path.stat().st_size
        if size_bytes != entry["size_bytes"]:
            raise DataFault(
                f"{path}: {size_bytes} bytes, not {entry['size_bytes']}: cut off or replaced; "
                f"remove {path.parent} and pack the set again"
            )
        if hashed and (result := sha256_of(path)) != entry["sha256"]:
            raise DataFault(
                f"{path}: SHA-256 is {result}, not {entry['sha256']}; remove {path.parent} and "
                "pack the set again"
            )
        return path

    def check(self, root: Path) -> dict[str, Any]:
        """Hash every packed file, whatever its size; returns the manifest.

        Raises:
            DataMissing: nothing is packed there, or a file is missing.
            DataFault: a file is not as the manifest says.
        """
        manifest = self.manifest(root)
        for entry in manifest["files"]:
            self._file(root, entry, hashed=True)
        return manifest

    def load(self) -> Splits:
        """The splits as mapped, read-only arrays, from the root that `JOULEMARK_DATA` names.

        Raises:
            DataMissing: the root is not set, or the set is not packed there.
            DataFault: a file is not as the manifest says.
        """
        root = data_root()
        if root is None:
            raise DataMissing(
                f"{VARIABLE} is not set, so '{self.name}' cannot be found; {self.remedy}"
            )
        manifest = self.manifest(root)
        groups: dict[str, dict[str, Array]] = {group: {} for group in GROUPS}
        for entry in manifest["files"]:
            path = self._file(root, entry, hashed=entry["size_bytes"] <= HASHED_BYTES)
            group, _, name = entry["name"].partition("/")
            groups[group][name] = np.load(path, mmap_mode="r")
        return Splits(
            train=groups["train"],
            validation=groups["validation"],
            test_inputs=groups["inputs"],
            test_labels=groups["labels"],
            facts={"partial": float(manifest["partial"])},
            manifest_sha256=sha256_of(root / self.name / MANIFEST),
        )


def labelled(group: str, x: Array, y: Array) -> Iterator[Part]:
    """Images and labels under the names of a split; `test` becomes inputs and labels."""
    first, second = ("inputs", "labels") if group == "test" else (group, group)
    yield f"{first}/x", x
    yield f"{second}/y", y


def check_labels(labels: Array, classes: int, where: str) -> None:
    """Every label in range, and no class empty.

    Raises:
        DataFault: otherwise; the message begins with `where`.
    """
    if len(labels) and (labels.min() < 0 or labels.max() >= classes):
        odd = labels[(labels < 0) | (labels >= classes)][0]
        raise DataFault(
            f"{where}: label {odd} is out of range 0 to {classes - 1}; get the file again"
        )
    empty = sorted(set(range(classes)) - set(np.unique(labels).tolist()))
    if empty:
        raise DataFault(f"{where}: no example of class {empty[0]}; give every class some")
