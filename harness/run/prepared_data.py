"""Training data made immutable before the start signal."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from harness.api import Arrays, Splits, WorkloadSpec
from harness.run.memory import reopened, sealed_array
from harness.run.protocol import close_all
from harness.run.readonly import file_of, open_readonly

SPLITS = ("train", "validation")
"""What a submission gets; the test split stays with the judge."""


@dataclass(frozen=True)
class PreparedData:
    """Training data that nobody can alter, and the test split; closes its descriptors at exit."""

    splits: Splits
    names: tuple[str, ...]
    """`train/x`, in the order of the descriptors."""
    descriptors: tuple[int, ...]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)

    def shapes(self) -> list[dict[str, Any]]:
        """Name, shape and dtype of each array: all that `setup` may know of the data."""
        return [
            {"name": name, "shape": list(array.shape), "dtype": array.dtype.str}
            for name, array in _named(self.splits)
        ]


def _named(splits: Splits) -> list[tuple[str, Any]]:
    groups: Mapping[str, Arrays] = {"train": splits.train, "validation": splits.validation}
    return [(f"{split}/{name}", array) for split in SPLITS for name, array in groups[split].items()]


def _sealed(name: str, array: Any) -> int:
    """A sealed copy, read-only, with an offset of its own."""
    writable = sealed_array(name, array)
    try:
        return reopened(writable)
    finally:
        os.close(writable)


def _mapped(named: list[tuple[str, Any]]) -> dict[str, int]:
    """Descriptors of the arrays that map whole files, opened on a read-only mount."""
    files = {name: path for name, array in named if (path := file_of(array)) is not None}
    opened = open_readonly(list(files.values()))
    return {} if opened is None else dict(zip(files, opened, strict=True))


def prepare_data(workload: WorkloadSpec, instance_seed: int) -> PreparedData:
    """Draw the instance and make what the submission will get unalterable.

    Arrays that map a file are handed over as that file, on a read-only mount, since they may be
    larger than the memory; every other one, and those too where there is no bubblewrap, as a
    sealed copy, which also makes the page cache equal for everybody.

    Raises:
        OSError: data are missing, or there is no memory for them.
        ValueError: an array is no plain array of numbers.
    """
    splits = workload.data(instance_seed)
    named = _named(splits)
    held = _mapped(named)
    try:
        for name, array in named:
            if name not in held:
                held[name] = _sealed(name, array)
    except BaseException:
        close_all(held.values())
        raise
    names = tuple(name for name, _ in named)
    return PreparedData(splits, names, tuple(held[name] for name in names))
