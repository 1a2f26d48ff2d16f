"""Text of strangers: encodings, line ends, numbers of every locale, files that are none."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.formats import text
from harness.formats.text import (
    TextError,
    columns,
    decoded,
    delimiter_of,
    number,
    read_text,
    shown,
    split_lines,
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding: str) -> None:
    assert decoded("zwölf\n".encode(encoding)) == "zwölf\n"


@given(st.binary())
def test_any_bytes_are_some_text(data: bytes) -> None:
    assert isinstance(decoded(data), str)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n")), min_size=1))
def test_all_line_ends_mean_the_same(lines: list[str]) -> None:
    texts = [end.join(lines) + end for end in ("\n", "\r\n", "\r")]
    assert split_lines(texts[0]) == split_lines(texts[1]) == split_lines(texts[2])
    assert len(split_lines(texts[0])) == len(lines)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), (" 1,5 ", 1.5), ("-2e3", -2000.0), ("1,234.5", None), ("1.234,5", None),
     ("1_000", None), ("nan", None), ("inf", None), ("", None), ("1,2,3", None), ("0x10", None)],
)  # fmt: skip
def test_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_every_digit(value: float) -> None:
    assert number(repr(value)) == value


def test_headers() -> None:
    assert columns(' a ,"b", c', ",") == ["a", "b", "c"]
    assert [delimiter_of(text) for text in ("a,b", "a;b", "a\tb", "a")] == [",", ";", "\t", ","]


def test_a_cut_file_is_reported_from_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data, whole in ((b"a\n", True), (b"a\r", True), (b"a", False), (b"", False)):
        path.write_bytes(data)
        assert read_text(path).whole is whole


def test_what_is_no_file_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "lfs").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    (tmp_path / "large").write_text("x" * 100)
    monkeypatch.setattr(text, "FILE_BYTES_MAX", 99)
    for name, said in (
        ("pipe", "no regular file"), ("loop", "loop"), ("missing", "no regular file"),
        ("lfs", "pointer of Git LFS"), ("large", "larger than"),
    ):  # fmt: skip
        with pytest.raises(TextError, match=said):
            read_text(tmp_path / name)


def test_strangers_text_in_messages() -> None:
    assert shown("a\x1b[31m\nb") == "'a\ufffd[31m\ufffdb'"
    assert len(shown("x" * 1000)) < 130
