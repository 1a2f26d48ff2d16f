"""An organizer's secret set under the rules of HAET: ten classes of 32 x 32 colour images."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Array, DataFault, DataMissing
from workloads.data.images import image_files, read_image
from workloads.data.shards import Packing, Part, check_labels, labelled

CLASSES = 10
SIDE = 32
TEST_SHARE, VALIDATION_SHARE = 6, 10
"""The last sixth of each class is the test; the last tenth of what is left validates."""
ARCHIVE = "images.npz"
HOW = (
    "put ten folders, one a class, of 600 PNG or JPEG images of 32 x 32 pixels each into a folder "
    f"that no competitor knows, or {ARCHIVE} with x, uint8 (6000, 32, 32, 3), and y, 0 to 9"
)


def _from_folders(folder: Path) -> tuple[Array, Array]:
    """All images, class by class in the order of names; the last of each class are its test."""
    places = sorted(path for path in folder.iterdir() if path.is_dir())
    if len(places) != CLASSES:
        raise DataFault(f"{folder}: {len(places)} class folders, not {CLASSES}; {HOW}")
    images: list[Array] = []
    labels: list[int] = []
    for label, place in enumerate(places):
        files = image_files(place)
        images += [_small(path) for path in files]
        labels += [label] * len(files)
    return np.stack(images).transpose(0, 3, 1, 2), np.array(labels)


def _small(path: Path) -> Array:
    pixels = read_image(path)
    if pixels.shape != (SIDE, SIDE, 3):
        height, width = pixels.shape[:2]
        raise DataFault(
            f"{path}: {width} x {height} pixels, not {SIDE} x {SIDE}; resize it beforehand"
        )
    return pixels


def _from_archive(path: Path) -> tuple[Array, Array]:
    """The arrays x and y of a `.npz` file, which may hold no Python objects."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            images: Any = archive["x"]
            labels: Any = archive["y"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataFault(
            f"{path}: no .npz with arrays x and y ({error}); write it by numpy.savez"
        ) from error
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataFault(
            f"{path}: y is {labels.dtype}{list(labels.shape)}, not one row of whole numbers; "
            f"store the class of each image, 0 to {CLASSES - 1}"
        )
    if images.dtype != np.uint8 or images.shape != (len(labels), SIDE, SIDE, 3):
        raise DataFault(
            f"{path}: x is {images.dtype}{list(images.shape)}, not "
            f"uint8[{len(labels)}, {SIDE}, {SIDE}, 3]; store images with colours last"
        )
    return images.transpose(0, 3, 1, 2), labels.astype(np.int64)


def _last(rows: Array, share: int) -> tuple[Array, Array]:
    """All but the last 1/share of the rows, at least one; and those."""
    cut = len(rows) - max(1, len(rows) // share)
    return rows[:cut], rows[cut:]


def read(folder: Path) -> Iterator[Part]:
    """Of each class the first 450 of 600 train, 50 validate, and the last 100 are the test.

    Raises:
        DataFault: another number of classes, an image of another size, or a damaged file.
    """
    archive = folder / ARCHIVE
    images, labels = _from_archive(archive) if archive.is_file() else _from_folders(folder)
    check_labels(labels, CLASSES, str(folder))
    parts: dict[str, list[Array]] = {"train": [], "validation": [], "test": []}
    for label in range(CLASSES):
        rest, test = _last(np.flatnonzero(labels == label), TEST_SHARE)
        train, validation = _last(rest, VALIDATION_SHARE)
        for name, rows in zip(parts, (train, validation, test), strict=True):
            if not len(rows):
                raise DataMissing(f"{folder}: class {label} has too few images to be split; {HOW}")
            parts[name].append(rows)
    for name, chosen in parts.items():
        rows = np.sort(np.concatenate(chosen))
        yield from labelled(name, images[rows], labels[rows])


HAET = Packing(
    name="haet",
    how=HOW,
    read=read,
    rows={"train": 4_500, "validation": 500, "inputs": 1_000},
)
