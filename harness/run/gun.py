"""What is ready when the gun goes off: the drawn data, sealed, and the seeds of the run."""

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from harness.api import Arrays, Splits, WorkloadSpec
from harness.records import SeedPair
from harness.run.memory import reopened, sealed_array
from harness.run.protocol import close_all
from harness.run.readonly import file_of, open_readonly

SPLITS = ("train", "validation")
"""What a submission gets; the test split stays with the judge."""


def _derived(secret: bytes, index: int, purpose: str, bits: int) -> int:
    """A seed from a secret, so that one commitment covers a whole series."""
    digest = hashlib.sha256(secret + f"|{index}|{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)


def draw_seeds(secret: bytes, index: int) -> SeedPair:
    """The seeds of run `index` of a series whose secret the harness drew."""
    return SeedPair(
        session=_derived(secret, index, "session", 31),
        instance=_derived(secret, index, "instance", 53),
        source="harness",
        commitment=hashlib.sha256(secret).hexdigest(),
        secret=secret.hex(),
        index=index,
    )


def declared_seeds(value: int) -> SeedPair:
    """The seeds of a run whose seed a person chose: repeatable, so it may rehearse, not win."""
    secret = f"declared {value}".encode()
    drawn = draw_seeds(secret, 0)
    return drawn.model_copy(update={"session": value, "source": "declared"})


def reference_goes_first(seeds: SeedPair) -> bool:
    """Which half of an interleaved pair runs first, drawn from the secret like the seeds.

    Nobody can choose it, and everybody can recompute it once the secret is revealed.
    """
    drawn = seeds.session if seeds.source == "declared" else seeds.index
    return bool(_derived(bytes.fromhex(seeds.secret), drawn, "order", 1))


def new_secret() -> bytes:
    """128 bits from the kernel."""
    return secrets.token_bytes(16)


@dataclass(frozen=True)
class Ammunition:
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


def load_gun(workload: WorkloadSpec, instance_seed: int) -> Ammunition:
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
    return Ammunition(splits, names, tuple(held[name] for name in names))
