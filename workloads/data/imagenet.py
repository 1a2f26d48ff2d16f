"""ImageNet-1k from its folders of JPEG files, packed as the middle square of each photograph."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.api import DataFault, DataMissing
from workloads.data.images import image_files, read_image
from workloads.data.shards import Packing, Part, labelled

CLASSES = 1000
SIDE = 160
"""Pixels of the packed square."""
CROP_RATIO = 0.875
"""Of the shorter side: 224 of 256, as the usual centre crop."""
VALIDATION_SHARE = 100
CHUNK = 256
"""Images that are held in memory at once."""
ORDER_SEED = 0
HOW = (
    "fetch the ILSVRC 2012 archives with an account of image-net.org and unpack them as train/ and "
    "val/, each with one folder of JPEG files for each of the 1,000 classes"
)
Item = tuple[Path, int]


def _classes(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if len(names) != CLASSES:
        raise DataFault(f"{folder}: {len(names)} class folders, not {CLASSES}; {HOW}")
    return names


def _items(folder: Path, names: list[str]) -> Iterator[list[Item]]:
    """Files with labels, one list for each class."""
    for label, name in enumerate(names):
        if not (folder / name).is_dir():
            raise DataMissing(
                f"{folder / name}: no folder for a class that the other split has; {HOW}"
            )
        yield [(path, label) for path in image_files(folder / name)]


def _parts(group: str, items: list[Item]) -> Iterator[Part]:
    """A split in a shuffled order that is the same for everybody."""
    order = np.random.default_rng(ORDER_SEED).permutation(len(items))
    for start in range(0, len(items), CHUNK):
        chosen = [items[place] for place in order[start : start + CHUNK]]
        pixels = np.stack([read_image(path, SIDE, CROP_RATIO) for path, _ in chosen])
        labels = np.array([label for _, label in chosen], dtype=np.int64)
        yield from labelled(group, pixels.transpose(0, 3, 1, 2), labels)


def read(folder: Path) -> Iterator[Part]:
    """Training images less every hundredth of a class (at least one), those, and the test images.

    Raises:
        DataMissing: a folder is not there.
        DataFault: another number of classes, an empty class, or a damaged image.
    """
    for name in ("train", "val"):
        if not (folder / name).is_dir():
            raise DataMissing(f"{folder / name}: no such folder; {HOW}")
    names = _classes(folder / "train")
    train: list[Item] = []
    validation: list[Item] = []
    for items in _items(folder / "train", names):
        kept = max(1, len(items) // VALIDATION_SHARE)
        train += items[:-kept]
        validation += items[-kept:]
    test = [item for items in _items(folder / "val", names) for item in items]
    for group, chosen in (("train", train), ("validation", validation), ("test", test)):
        yield from _parts(group, chosen)


IMAGENET = Packing(name="imagenet", how=HOW, read=read, rows={"inputs": 50_000})
