"""WMT17's German and English sentences, as bytes, from the files of statmt.org."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.api import Array, DataFault, DataMissing
from workloads.data.shards import Packing, Part

CORPORA = (
    "europarl-v7.de-en",
    "commoncrawl.de-en",
    "news-commentary-v12.de-en",
    "rapid2016.de-en",
)
"""Training corpora: two files each, `.de` and `.en`, line by line."""
NEWS = {
    "validation": ("newstest2013-src.de.sgm", "newstest2013-ref.en.sgm"),
    "test": ("newstest2014-deen-src.de.sgm", "newstest2014-deen-ref.en.sgm"),
}
LENGTH = 1024
"""Bytes that a hidden sentence or its translation may have."""
CHUNK = 100_000
"""Pairs that are held in memory at once."""
END_SOURCE, END_PAIR = "\t", "\n"
HOW = (
    "fetch training-parallel-europarl-v7, -commoncrawl, -nc-v12, rapid2016, dev and test-full of "
    "statmt.org/wmt17/translation-task.html and put europarl-v7.de-en.de, .en and so on and the "
    "newstest2013 and newstest2014-deen .sgm files into one folder"
)
_SEGMENT = re.compile(r"<seg[^>]*>(.*?)</seg>", re.DOTALL)


def clean(text: str) -> str:
    """One line without tabs or zeros, which mark ends here; runs of white space become one."""
    return " ".join(text.replace("\0", " ").split())


def _text(path: Path) -> str:
    if not path.is_file():
        raise DataMissing(f"{path}: missing; {HOW}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataFault(
            f"{path}: no UTF-8 at byte {error.start}: cut off or damaged; get it again"
        ) from error


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise DataMissing(f"{path}: missing; {HOW}")
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise DataFault(
            f"{path}: no UTF-8 ({error.reason}): cut off or damaged; get it again"
        ) from error


def pairs_of(folder: Path, corpus: str) -> Iterator[tuple[str, str]]:
    """Source and translation, in order; pairs of which one is empty are left out.

    Raises:
        DataMissing: a file is not there.
        DataFault: one has more lines than the other, or is damaged.
    """
    paths = [folder / f"{corpus}.{language}" for language in ("de", "en")]
    try:
        for source, target in zip(*map(_lines, paths), strict=True):
            pair = clean(source), clean(target)
            if all(pair):
                yield pair
    except ValueError as error:
        # A `DataFault` is one too, and has said it.
        if isinstance(error, DataFault):
            raise
        raise DataFault(
            f"{paths[0]}: another number of lines than {paths[1].name}; get both again"
        ) from error


def segments(path: Path) -> list[str]:
    """The sentences of one SGML file of a news test.

    Raises:
        DataMissing: it is not there.
        DataFault: it is cut off, or holds none.
    """
    text = _text(path)
    matches = [clean(html.unescape(item)) for item in _SEGMENT.findall(text)]
    if not matches or text.count("<seg") != len(matches):
        raise DataFault(
            f"{path}: {text.count('<seg')} sentences begin and {len(matches)} end; get it again"
        )
    return matches


def _news(folder: Path, split: str) -> list[tuple[str, str]]:
    paths = [folder / name for name in NEWS[split]]
    source, target = map(segments, paths)
    if len(source) != len(target):
        message = f"{paths[0]}: {len(source)} sentences beside {len(target)} in {paths[1].name}"
        message += "; get both again"
        raise DataFault(message)
    return list(zip(source, target, strict=True))


def stream(pairs: list[tuple[str, str]]) -> Array:
    """Bytes of `source TAB translation LF`, pair after pair."""
    text = "".join(f"{source}{END_SOURCE}{target}{END_PAIR}" for source, target in pairs)
    return np.frombuffer(text.encode(), np.uint8)


def table(texts: list[str], path: Path) -> Array:
    """UTF-8 of each text, uint8 (texts, 1024), zeros after its end.

    Raises:
        DataFault: one is longer.
    """
    result = np.zeros((len(texts), LENGTH), np.uint8)
    for row, text in zip(result, texts, strict=True):
        data = text.encode()
        if len(data) > LENGTH:
            raise DataFault(
                f"{path}: a sentence of {len(data)} bytes; {LENGTH} fit; get the file again"
            )
        row[: len(data)] = np.frombuffer(data, np.uint8)
    return result


def read(folder: Path) -> Iterator[Part]:
    """One stream of training pairs, one of newstest2013, and newstest2014 as hidden rows.

    Raises:
        DataMissing: a file is not there.
        DataFault: a file is damaged, cut off, or does not fit its other half.
    """
    for corpus in CORPORA:
        waiting: list[tuple[str, str]] = []
        for pair in pairs_of(folder, corpus):
            waiting.append(pair)
            if len(waiting) == CHUNK:
                yield "train/x", stream(waiting)
                waiting = []
        if waiting:
            yield "train/x", stream(waiting)
    yield "validation/x", stream(_news(folder, "validation"))
    source, target = zip(*_news(folder, "test"), strict=True)
    yield "inputs/x", table(list(source), folder / NEWS["test"][0])
    yield "labels/y", table(list(target), folder / NEWS["test"][1])


def sentence_counts(folder: Path) -> dict[str, int]:
    """Sentences of the two news tests."""
    return {name: len(segments(folder / files[0])) for name, files in NEWS.items()}


WMT17 = Packing(
    name="wmt17-de-en",
    how=HOW,
    read=read,
    rows={"validation": 3_000, "test": 3_003},
    counts=sentence_counts,
)
