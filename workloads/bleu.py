"""BLEU of translations that are given as bytes."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from harness.api import Array, Arrays

ORDER = 4
_RULES = (
    (re.compile(r"([{-~\[-` -&(-+:-@/])"), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
"""Where mteval-v13a parts words: around signs, and around dots and commas not within numbers."""

_ENTITIES = {"<skipped>": "", "&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}


def words(text: str) -> list[str]:
    """Words as NIST's mteval-v13a makes them, which sacreBLEU calls `13a`; case is kept."""
    for name, sign in _ENTITIES.items():
        text = text.replace(name, sign)
    text = f" {text} "
    for pattern, parted in _RULES:
        text = pattern.sub(parted, text)
    return text.split()


def _grams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))


def corpus_bleu(translations: Sequence[str], references: Sequence[str]) -> float:
    """BLEU-4 of a whole set against one reference each, 0 to 100 (Papineni et al., 2002).

    100 min(1, e^(1 - r/c)) (p1 p2 p3 p4)^(1/4), p_n the clipped share of n-grams that the
    references have; where none of an order fits, the k-th such p_n is 1 / (2^k n-grams), as in
    sacreBLEU's default smoothing; 0 without any common word.
    """
    hits, totals = [0] * ORDER, [0] * ORDER
    ours = theirs = 0
    for text, truth in zip(translations, references, strict=True):
        tokens, wanted = words(text), words(truth)
        ours, theirs = ours + len(tokens), theirs + len(wanted)
        for order in range(ORDER):
            result = _grams(tokens, order + 1)
            hits[order] += (result & _grams(wanted, order + 1)).total()
            totals[order] += result.total()
    if not hits[0] or not all(totals):
        return 0.0
    logs, missed = 0.0, 0
    for hit, total in zip(hits, totals, strict=True):
        missed += not hit
        logs += math.log(hit / total if hit else 1 / (2**missed * total))
    brevity = min(0.0, 1 - theirs / ours)
    return 100 * math.exp(brevity + logs / ORDER)


def text_of(row: Array) -> str:
    """The text of a row of bytes, given as any numbers, up to the first zero.

    Numbers are rounded and held to 0 to 255; bytes that are no UTF-8 become a sign for that.
    """
    data = np.clip(np.rint(row.astype(np.float64)), 0, 255).astype(np.uint8).tobytes()
    return data.partition(b"\0")[0].decode(errors="replace")


def bleu(outputs: Array, labels: Arrays, _facts: Mapping[str, float]) -> float:
    """BLEU of rows of bytes (rows, length) against those of `labels["y"]`."""
    return corpus_bleu([text_of(row) for row in outputs], [text_of(row) for row in labels["y"]])
