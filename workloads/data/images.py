"""Reads image files into arrays of uint8 with Pillow."""

from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Array, DataFault, DataMissing

SUFFIXES = (".png", ".jpg", ".jpeg", ".JPEG")


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataMissing(
            "Pillow is needed to read image files and is not installed; pip install pillow"
        ) from error
    return Image


def image_files(folder: Path) -> list[Path]:
    """Image files of a class folder, by name.

    Raises:
        DataFault: there is none.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    if not files:
        raise DataFault(
            f"{folder}: no PNG or JPEG file, so the class is empty; fill or remove the folder"
        )
    return files


def read_image(path: Path, side: int | None = None, crop_ratio: float = 1.0) -> Array:
    """Pixels as uint8 (height, width, 3).

    Args:
        path: A file that Pillow can read.
        side: Pixels of the square that its middle is resized to; None leaves it as it is.
        crop_ratio: Side of that middle square as a share of the image's shorter side.

    Raises:
        DataFault: it is damaged.
        DataMissing: Pillow is not installed.
    """
    Image = _pillow()
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
            if side is not None:
                image = _middle(image, side, crop_ratio)
            return np.asarray(image, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataFault(f"{path}: no image that can be read ({error}); get it again") from error


def _middle(image: Any, side: int, crop_ratio: float) -> Any:
    """The middle square, resized by averaging over areas."""
    width, height = image.size
    edge = min(width, height) * crop_ratio
    left, top = (width - edge) / 2, (height - edge) / 2
    box = (left, top, left + edge, top + edge)
    return image.resize((side, side), resample=_pillow().Resampling.BOX, box=box)
