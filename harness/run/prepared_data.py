"""Training data, drawn and made immutable before the start signal."""

import os
from dataclasses import dataclass
from typing import Any

from harness.api import Splits, WorkloadSpec
from harness.run.memory import reopened, sealed_array
from harness.run.protocol import close_all
from harness.run.readonly import file_of, open_readonly


@dataclass(frozen=True)
class PreparedData:
    """Training data that cannot be altered, and the test split."""

    splits: Splits
    names: tuple[str, ...]
    """`train/x`, in the order of the descriptors; the test split stays with the judge."""
    descriptors: tuple[int, ...]

    def close(self) -> None:
        """Close the descriptors."""
        close_all(self.descriptors)

    def shapes(self) -> list[dict[str, Any]]:
        """Name, shape and dtype of each array: all that `setup` may know about the data."""
        return [
            {"name": name, "shape": list(array.shape), "dtype": array.dtype.str}
            for name, array in _named(self.splits)
        ]


def _named(splits: Splits) -> list[tuple[str, Any]]:
    groups = {"train": splits.train, "validation": splits.validation}
    return [(f"{split}/{name}", array) for split in groups for name, array in groups[split].items()]


def _sealed(name: str, array: Any) -> int:
    """A sealed copy, read-only, with its own file offset."""
    writable = sealed_array(name, array)
    try:
        return reopened(writable)
    finally:
        os.close(writable)


def prepare_data(workload: WorkloadSpec, instance_seed: int) -> PreparedData:
    """Draw the instance and make the arrays of the submission immutable.

    An array that maps a whole file is passed as that file, opened on a read-only mount, since it
    may be larger than the memory. Every other array is passed as a sealed copy. Without bubblewrap
    all arrays are copied, which also makes the page cache equal for every entry.

    Raises:
        OSError: data are missing, or there is no memory for them.
        ValueError: an array contains Python objects.
    """
    splits = workload.data(instance_seed)
    named = _named(splits)
    files = {name: path for name, array in named if (path := file_of(array)) is not None}
    opened = open_readonly(list(files.values()))
    descriptors = {} if opened is None else dict(zip(files, opened, strict=True))
    try:
        for name, array in named:
            if name not in descriptors:
                descriptors[name] = _sealed(name, array)
    except BaseException:
        close_all(descriptors.values())
        raise
    names = tuple(name for name, _ in named)
    return PreparedData(splits, names, tuple(descriptors[name] for name in names))
