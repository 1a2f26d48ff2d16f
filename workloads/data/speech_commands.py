"""Speech Commands v2 from its folders of WAV files: ten words, unknown words and silence."""

import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.api import Array, DataFault, DataMissing
from workloads.data.shards import Packing, Part, labelled

RATE_HZ = 16_000
SAMPLES = RATE_HZ
"""One second."""
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
UNKNOWN, SILENCE = len(WORDS), len(WORDS) + 1
CLASSES = len(WORDS) + 2
NOISE = "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
SHARE = 10
"""Unknown words and silence are each one in so many of the ten words' utterances."""
CHUNK = 1000
SEED = 0
HOW = (
    "fetch speech_commands_v0.02.tar.gz (download.tensorflow.org/data, CC BY 4.0) and unpack it "
    "into the folder"
)
Item = tuple[Path, int]


def read_wave(path: Path) -> Array:
    """Samples of a mono file of 16 bits at 16 kHz, int16.

    Raises:
        DataFault: it is cut off or of another kind.
    """
    try:
        with wave.open(str(path), "rb") as file:
            kind = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            count, data = file.getnframes(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataFault(f"{path}: no WAV file that can be read ({error}); get it again") from error
    if kind != (RATE_HZ, 1, 2):
        raise DataFault(
            f"{path}: {kind[0]} Hz, {kind[1]} channels, {8 * kind[2]} bits; 16 kHz mono 16 fit"
        )
    if len(data) != 2 * count or not count:
        raise DataFault(
            f"{path}: {len(data) // 2} samples where its header says {count}; get it again"
        )
    return np.frombuffer(data, "<i2")


def _second(path: Path) -> Array:
    """Exactly one second: zeros follow what is shorter."""
    samples = read_wave(path)
    if len(samples) > SAMPLES:
        raise DataFault(f"{path}: {len(samples)} samples, more than one second; get it again")
    return np.pad(samples, (0, SAMPLES - len(samples)))


def _lines(path: Path) -> set[str]:
    if not path.is_file():
        raise DataMissing(f"{path}: missing; {HOW}")
    return set(path.read_text(encoding="utf-8").split())


def list_lengths(folder: Path) -> dict[str, int]:
    """Utterances in each of the two published lists.

    Raises:
        DataMissing: a list is not there.
    """
    return {name: len(_lines(folder / name)) for name in LISTS.values()}


def _named(folder: Path) -> dict[str, list[str]]:
    """Names, as `yes/0a7c2a8d_nohash_0.wav`, of each split, sorted."""
    held = {split: _lines(folder / name) for split, name in LISTS.items()}
    every = {
        f"{path.parent.name}/{path.name}"
        for path in folder.glob("*/*.wav")
        if path.parent.name != NOISE
    }
    absent = sorted((held["validation"] | held["test"]) - every)
    if absent:
        raise DataMissing(f"{folder / absent[0]}: missing, though a list names it; {HOW}")
    train = every - held["validation"] - held["test"]
    return {"train": sorted(train), **{split: sorted(names) for split, names in held.items()}}


def _items(folder: Path, names: list[str], rng: np.random.Generator) -> list[Item]:
    """The ten words' utterances and a share of the other words', shuffled."""
    words = [name for name in names if name.partition("/")[0] in WORDS]
    others = sorted(set(names) - set(words))
    kept = rng.permutation(len(others))[: max(1, len(words) // SHARE)]
    result = [(folder / name, WORDS.index(name.partition("/")[0])) for name in words]
    result += [(folder / others[place], UNKNOWN) for place in kept]
    for label in range(SILENCE):
        if all(item != label for _, item in result):
            word = WORDS[label] if label < UNKNOWN else "any other word"
            raise DataFault(f"{folder}: a split has no utterance of {word}; {HOW}")
    return [result[place] for place in rng.permutation(len(result))]


def _silence(noises: list[Array], count: int, rng: np.random.Generator) -> Array:
    """Seconds cut from the recordings of noise, each made quieter by a drawn factor."""
    rows = np.empty((count, SAMPLES), np.int16)
    for row in rows:
        noise = noises[rng.integers(len(noises))]
        start = rng.integers(len(noise) - SAMPLES + 1)
        row[:] = noise[start : start + SAMPLES] * rng.random()
    return rows


def _noises(folder: Path) -> list[Array]:
    noises = [read_wave(path) for path in sorted((folder / NOISE).glob("*.wav"))]
    if not noises or min(map(len, noises)) < SAMPLES:
        raise DataMissing(f"{folder / NOISE}: no recordings of at least a second; {HOW}")
    return noises


def read(folder: Path) -> Iterator[Part]:
    """Seconds of int16 with labels; the published lists say what validates and what is hidden.

    Raises:
        DataMissing: a list, a recording or the noise is not there.
        DataFault: a recording is damaged or of another kind, or a class is empty.
    """
    noises = _noises(folder)
    rng = np.random.default_rng(SEED)
    for split, names in _named(folder).items():
        items = _items(folder, names, rng)
        for start in range(0, len(items), CHUNK):
            chosen = items[start : start + CHUNK]
            x = np.stack([_second(path) for path, _ in chosen]).astype(np.int16)
            yield from labelled(split, x, np.array([label for _, label in chosen]))
        quiet = max(1, sum(label < UNKNOWN for _, label in items) // SHARE)
        yield from labelled(split, _silence(noises, quiet, rng), np.full(quiet, SILENCE))


SPEECH_COMMANDS = Packing(
    name="speech-commands",
    how=HOW,
    read=read,
    rows={"validation_list.txt": 9_981, "testing_list.txt": 11_005},
    counts=list_lengths,
)
