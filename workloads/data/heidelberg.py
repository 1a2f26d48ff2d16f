"""Spiking Heidelberg Digits from their HDF5 files, spikes counted in bins of time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Array, DataFault, DataMissing
from workloads.data.shards import Packing, Part, check_labels, labelled
from workloads.data.splits import stratified, without

CLASSES = 20
"""Ten digits in German and in English."""
UNITS = 700
"""Channels of the artificial cochlea."""
BINS, SPAN_S = 100, 1.4
"""Bins of 14 ms; the few spikes after the last fall into it."""
VALIDATION_SHARE = 10
"""One training utterance in so many validates."""
SPLIT_SEED = 0
CHUNK = 500
TRAIN, TEST = "shd_train.h5", "shd_test.h5"
HOW = (
    "fetch shd_train.h5.gz and shd_test.h5.gz (zenkelab.org/datasets, CC BY 4.0) and unpack both "
    "into one folder"
)


def _hdf5() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise DataMissing(
            "h5py is needed to read HDF5 files and is not installed; pip install h5py"
        ) from error
    return h5py


def counts(times_s: Array, units: Array, where: str) -> Array:
    """Spikes of each unit in each bin, uint8 (bins, units); more than 255 count as 255.

    Raises:
        DataFault: times and units are no pairs, or one is out of range.
    """
    if len(times_s) != len(units):
        raise DataFault(
            f"{where}: {len(times_s)} times beside {len(units)} units; get the file again"
        )
    exact = times_s.astype(np.float64)
    if len(units) and not (0 <= units.min() <= units.max() < UNITS):
        raise DataFault(f"{where}: a unit is out of range 0 to {UNITS - 1}; get the file again")
    if not (np.isfinite(exact).all() and (exact >= 0).all()):
        raise DataFault(f"{where}: a time is negative or no number; get the file again")
    bins = np.minimum((exact * (BINS / SPAN_S)).astype(np.int64), BINS - 1)
    result = np.bincount(bins * UNITS + units.astype(np.int64), minlength=BINS * UNITS)
    return np.minimum(result, 255).astype(np.uint8).reshape(BINS, UNITS)


def _opened(path: Path) -> Any:
    """The file, and within it the three arrays that count."""
    if not path.is_file():
        raise DataMissing(f"{path}: missing; {HOW}")
    h5py = _hdf5()
    try:
        file = h5py.File(path, "r")
        shapes = [file[name].shape for name in ("spikes/times", "spikes/units", "labels")]
    except (OSError, KeyError, AttributeError) as error:
        raise DataFault(
            f"{path}: no HDF5 file of spikes that can be read ({error}); get it again"
        ) from error
    if len(set(shapes)) != 1 or len(shapes[0]) != 1 or not shapes[0][0]:
        raise DataFault(
            f"{path}: times, units and labels are {shapes}, not of one length; get it again"
        )
    return file


def _labels(path: Path, file: Any) -> Array:
    labels: Array = file["labels"][...]
    if labels.dtype.kind not in "iu":
        raise DataFault(f"{path}: labels are {labels.dtype}, not whole numbers; get it again")
    labels = labels.astype(np.int64)
    check_labels(labels, CLASSES, str(path))
    return labels


def _utterances(path: Path, group: str, rows: Array, file: Any) -> Iterator[Part]:
    labels = _labels(path, file)
    for start in range(0, len(rows), CHUNK):
        chosen = rows[start : start + CHUNK]
        try:
            x = [
                counts(file["spikes/times"][row], file["spikes/units"][row], f"{path} at {row}")
                for row in chosen.tolist()
            ]
        except (OSError, RuntimeError) as error:
            raise DataFault(
                f"{path}: spikes cannot be read ({error}): cut off or damaged; get it again"
            ) from error
        yield from labelled(group, np.stack(x), labels[chosen])


def read(folder: Path) -> Iterator[Part]:
    """The training utterances less a stratified tenth, that tenth, and the test utterances.

    Raises:
        DataMissing: a file or h5py is not there.
        DataFault: a file is not as the format says, or a class is empty.
    """
    with _opened(folder / TRAIN) as file:
        labels = _labels(folder / TRAIN, file)
        rng = np.random.default_rng(SPLIT_SEED)
        held = stratified(labels, max(1, len(labels) // VALIDATION_SHARE), rng)
        kept = without(np.arange(len(labels)), held)
        for group, rows in (("train", kept), ("validation", held)):
            yield from _utterances(folder / TRAIN, group, rows, file)
    with _opened(folder / TEST) as file:
        count = len(_labels(folder / TEST, file))
        yield from _utterances(folder / TEST, "test", np.arange(count), file)


SHD = Packing(
    name="shd",
    how=HOW,
    read=read,
    rows={"train": 7_341, "validation": 815, "inputs": 2_264},
)
