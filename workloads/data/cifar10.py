"""CIFAR-10 from its published files, Python or binary version, without running what they hold."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Array, DataFault, DataMissing
from workloads.data.shards import Packing, Part, check_labels, labelled
from workloads.data.splits import stratified, without

CLASSES = 10
PIXELS = 3 * 32 * 32
SPLIT_SEED = 0
VALIDATION_SHARE = 10
"""One training image in so many validates."""
HOW = (
    "fetch cifar-10-python.tar.gz or cifar-10-binary.tar.gz from the page of the University of "
    "Toronto (www.cs.toronto.edu/~kriz/cifar.html) and unpack it"
)
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _Plain(pickle.Unpickler):
    """Reads numbers, text, lists, mappings and numpy's arrays; everything else is refused."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """The few makers of arrays.

        Raises:
            UnpicklingError: anything else, which could run code.
        """
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return super().find_class(module_name.replace("numpy.core", "numpy._core"), global_name)


def read_pickle(path: Path) -> tuple[Array, Array]:
    """Images (rows, 3, 32, 32) of uint8 and labels of int64 of one file of the Python version.

    Raises:
        DataFault: it is cut off, holds other than plain data, or images of another size.
    """
    try:
        with path.open("rb") as file:
            tree = _Plain(file, encoding="bytes").load()
        images = np.asarray(tree[b"data"])
        labels = np.asarray(tree[b"labels"], dtype=np.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError) as error:
        raise DataFault(
            f"{path}: no batch of CIFAR-10 ({type(error).__name__}: {error}); get it again"
        ) from error
    if images.dtype != np.uint8 or images.shape != (len(labels), PIXELS):
        raise DataFault(
            f"{path}: images are {images.dtype}{list(images.shape)}, not "
            f"uint8[{len(labels)}, {PIXELS}]; only 32 x 32 pixels of three colours fit"
        )
    return images.reshape(-1, 3, 32, 32), labels


def read_binary(path: Path) -> tuple[Array, Array]:
    """The same of one file of the binary version: records of one label and 3,072 bytes.

    Raises:
        DataFault: its size is no multiple of a record's.
    """
    data = np.fromfile(path, np.uint8)
    if not len(data) or len(data) % (1 + PIXELS):
        raise DataFault(
            f"{path}: {len(data)} bytes are no whole records of {1 + PIXELS}; get it again"
        )
    records = data.reshape(-1, 1 + PIXELS)
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)


def _places(folder: Path) -> tuple[Path, str]:
    """The folder that holds the batches, and what their names end with."""
    for place in (folder, folder / "cifar-10-batches-py", folder / "cifar-10-batches-bin"):
        for suffix in ("", ".bin"):
            if (place / f"{TEST}{suffix}").is_file():
                return place, suffix
    raise DataMissing(f"{folder}: no {TEST} or {TEST}.bin in it; {HOW}")


def _batch(folder: Path, name: str, suffix: str) -> tuple[Array, Array]:
    path = folder / f"{name}{suffix}"
    if not path.is_file():
        raise DataMissing(f"{path}: missing beside the other batches; {HOW}")
    images, labels = (read_binary if suffix else read_pickle)(path)
    if len(labels) and not 0 <= labels.min() <= labels.max() < CLASSES:
        raise DataFault(f"{path}: a label is out of range 0 to {CLASSES - 1}; get the file again")
    return images, labels


def read(folder: Path) -> Iterator[Part]:
    """The published training images less a stratified tenth, that tenth, and the test images.

    Raises:
        DataMissing: a batch is not there.
        DataFault: a batch is not as the format says, or a class is empty.
    """
    place, suffix = _places(folder)
    batches = [_batch(place, name, suffix) for name in TRAIN]
    images, labels = (np.concatenate(item) for item in zip(*batches, strict=True))
    check_labels(labels, CLASSES, str(place))
    rng = np.random.default_rng(SPLIT_SEED)
    validation = stratified(labels, len(labels) // VALIDATION_SHARE, rng)
    train = without(np.arange(len(labels)), validation)
    yield from labelled("train", images[train], labels[train])
    yield from labelled("validation", images[validation], labels[validation])
    yield from labelled("test", *_batch(place, TEST, suffix))


CIFAR10 = Packing(
    name="cifar10",
    how=HOW,
    read=read,
    rows={"train": 45_000, "validation": 5_000, "inputs": 10_000},
)
