"""Small folders in the true formats of the published sets, with drawn contents."""

import json
import pickle
import wave
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.api import Array


def pixels(rows: int, classes: int = 10, seed: int = 0) -> tuple[Array, Array]:
    """Images (rows, 3, 32, 32) whose brightness tells the class, each class equally often."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % classes)
    noise = rng.integers(0, 20, (rows, 3, 32, 32))
    return (noise + 20 * labels[:, None, None, None]).astype(np.uint8), labels


class _OldArrays(pickle._Pickler):
    """Writes arrays as numpy did when the batches of CIFAR-10 were published."""

    write: Any
    memoize: Any

    def save_global(self, obj: object, name: str | None = None) -> None:
        if getattr(obj, "__module__", "") == "numpy._core.multiarray":
            self.write(b"cnumpy.core.multiarray\n_reconstruct\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)  # type: ignore[misc]


def pickled(path: Path, tree: object) -> None:
    """Protocol 2, the module names of old numpy, keys as bytes."""
    with path.open("wb") as file:
        pickler = _OldArrays(file, protocol=2)
        pickler.dump(tree)


def cifar_python(folder: Path, rows: int = 40) -> Path:
    """Five training batches and one test batch of the Python version."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        images, labels = pixels(rows, seed=number)
        flat = np.ascontiguousarray(images.reshape(rows, -1))
        tree = {b"batch_label": b"of six", b"data": flat, b"labels": labels.tolist()}
        pickled(folder / name, tree)
    return folder


def cifar_binary(folder: Path, rows: int = 40) -> Path:
    """The same images as records of one label and 3,072 bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]):
        images, labels = pixels(rows, seed=number)
        records = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(rows, -1)], 1)
        records.tofile(folder / f"{name}.bin")
    return folder


def image_tree(
    folder: Path, classes: int, each: int, *, side: int = 32, suffix: str = "png"
) -> Path:
    """Class folders of image files."""
    images, labels = pixels(classes * each, classes)
    for label in range(classes):
        place = folder / f"n{label:08d}"
        place.mkdir(parents=True)
        for number, row in enumerate(np.flatnonzero(labels == label)):
            picture = Image.fromarray(images[row].transpose(1, 2, 0))
            picture.resize((side, side)).save(place / f"{number:04d}.{suffix}")
    return folder


def shard(path: Path, tokens: Array) -> None:
    """One file as llm.c writes it: 256 words of header, then uint16."""
    header = np.zeros(256, "<i4")
    header[:3] = 20240520, 1, len(tokens)
    path.write_bytes(header.tobytes() + tokens.astype("<u2").tobytes())


def fineweb(folder: Path) -> Path:
    """Two training shards, one to validate that holds two windows, and a vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    shard(folder / "fineweb_train_000001.bin", rng.integers(0, 50_257, 3000))
    shard(folder / "fineweb_train_000002.bin", rng.integers(0, 50_257, 2000))
    shard(folder / "fineweb_val_000000.bin", rng.integers(0, 50_257, 42_000))
    names = {f"{'a' * (1 + n % 7)}{n}": n for n in range(50_256)} | {"<|endoftext|>": 50_256}
    (folder / "encoder.json").write_text(json.dumps(names))
    return folder


def sound(path: Path, samples: Array, rate_hz: int = 16_000) -> None:
    """A mono WAV file of 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())


def speech_commands(folder: Path) -> Path:
    """Ten words and one other, a tone for each, with lists and noise as published."""
    words = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "bed")
    times = np.arange(15_000) / 16_000
    for place, word in enumerate(words):
        for speaker in range(6):
            tone = 8000 * np.sin(2 * np.pi * 200 * (place + 2) * times)
            sound(folder / word / f"{speaker}_nohash_0.wav", tone + speaker)
    rng = np.random.default_rng(0)
    sound(folder / "_background_noise_" / "pink_noise.wav", rng.normal(0, 500, 40_000))
    for name, speaker in (("validation_list.txt", 4), ("testing_list.txt", 5)):
        (folder / name).write_text("".join(f"{w}/{speaker}_nohash_0.wav\n" for w in words))
    return folder


def imagenet(folder: Path) -> Path:
    """Ten classes of larger JPEG files, to train and to validate."""
    image_tree(folder / "train", 10, 4, side=200, suffix="JPEG")
    image_tree(folder / "val", 10, 2, side=200, suffix="JPEG")
    return folder
