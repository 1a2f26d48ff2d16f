"""Small folders in the true formats of the published sets, with drawn contents."""

import gzip
import html
import json
import pickle
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.api import Array
from workloads.data import babylm as babylm_module
from workloads.data import translation


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
    folder: Path, classes: int, element: int, *, side: int = 32, suffix: str = "png"
) -> Path:
    """Class folders of image files."""
    images, labels = pixels(classes * element, classes)
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


WORDS = (
    "the",
    "a",
    "cat",
    "dog",
    "sat",
    "ran",
    "on",
    "by",
    "mat",
    "hill",
    "and",
    "it",
    "saw",
    "sun",
)


def prose(words: int, seed: int) -> str:
    """Lines of drawn words."""
    rng = np.random.default_rng(seed)
    drawn = rng.choice(WORDS, words)
    return "".join(
        f"{word}{chr(10) if place % 9 == 8 else ' '}" for place, word in enumerate(drawn)
    )


def babylm(folder: Path) -> Path:
    """Six short texts to train, to develop and to test, as BabyLM names them."""
    for number, (place, ending) in enumerate(babylm_module.PLACES.values()):
        (folder / place).mkdir(parents=True)
        for source, name in enumerate(babylm_module.DOMAINS):
            path = folder / place / f"{name}.{ending}"
            path.write_text(f"Ä{prose(150, 10 * number + source)}", encoding="utf-8")
    return folder


def spikes(path: Path, rows: int, seed: int) -> None:
    """An HDF5 file of SHD: each digit spikes in channels of its own."""
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % 20)
    with h5py.File(path, "w") as file:
        for name, kind in (("times", np.float16), ("units", np.uint16)):
            file.create_dataset(f"spikes/{name}", (rows,), dtype=h5py.vlen_dtype(kind))
        for row, label in enumerate(labels):
            count = 30 + row % 5
            file["spikes/times"][row] = np.sort(rng.random(count)).astype(np.float16)
            file["spikes/units"][row] = (35 * label + rng.integers(0, 35, count)).astype(np.uint16)
        file["labels"] = labels.astype(np.uint16)
        file["extra/speaker"] = np.zeros(rows, np.uint16)


def shd(folder: Path) -> Path:
    """A training file of 200 and a test file of 40 utterances."""
    folder.mkdir(parents=True, exist_ok=True)
    spikes(folder / "shd_train.h5", 200, 1)
    spikes(folder / "shd_test.h5", 40, 2)
    return folder


def zipped(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """A compressed CSV file without a head; None leaves a field empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="ascii") as file:
        for row in rows:
            file.write(",".join("" if item is None else str(item) for item in row) + "\n")


def molecules(folder: Path, count: int = 60) -> Path:
    """Rings of two to six atoms; an assay is true for those of many atoms, or not known."""
    rng = np.random.default_rng(0)
    sizes = [2 + number % 5 for number in range(count)]
    bonds = [(atom, (atom + 1) % size) for size in sizes for atom in range(size)]
    raw = folder / "raw"
    zipped(raw / "num-node-list.csv.gz", ([size] for size in sizes))
    zipped(raw / "num-edge-list.csv.gz", ([size] for size in sizes))
    zipped(raw / "edge.csv.gz", bonds)
    zipped(raw / "edge-feat.csv.gz", ([0, 0, 1] for _ in bonds))
    zipped(raw / "node-feat.csv.gz", ([6, *rng.integers(0, 3, 8)] for _ in bonds))
    known = rng.random((count, 128)) < 0.5
    rows = [
        [float(size > 3) if there else None for there in row]
        for size, row in zip(sizes, known.tolist(), strict=True)
    ]
    zipped(raw / "graph-label.csv.gz", rows)
    for place, name in enumerate(("train", "valid", "test")):
        numbers = range(20 * place, 20 * place + 20)
        zipped(folder / "split" / "scaffold" / f"{name}.csv.gz", ([number] for number in numbers))
    return folder


def news(path: Path, sentences: list[str]) -> None:
    """An SGML file of a news test."""
    lines = [
        f'<seg id="{number}">{html.escape(text)}</seg>' for number, text in enumerate(sentences, 1)
    ]
    body = "\n".join(lines)
    path.write_text(f'<srcset setid="n">\n<doc docid="d">\n<p>\n{body}\n</p>\n</doc>\n</srcset>\n')


def wmt17(folder: Path) -> Path:
    """Four small corpora and two news tests; translations share their names with the sources."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, corpus in enumerate(translation.CORPORA):
        lines = prose(90, number).splitlines()
        (folder / f"{corpus}.de").write_text("".join(f"Süß {line}\n" for line in lines))
        (folder / f"{corpus}.en").write_text("".join(f"{line} .\n" for line in lines))
    for number, names in enumerate(translation.NEWS.values()):
        lines = [f'{line} & "{line[:3]}"' for line in prose(54, 20 + number).splitlines()]
        news(folder / names[0], [f"Süß {line}" for line in lines])
        news(folder / names[1], lines)
    return folder
