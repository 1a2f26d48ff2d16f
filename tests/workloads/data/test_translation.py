"""WMT17: pairs stay pairs, markup and white space go, damage is told by file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import news, wmt17
from workloads.data import translation
from workloads.data.translation import CORPORA, LENGTH, WMT17, clean, read, segments, stream, table


def gathered(folder: Path) -> dict[str, np.ndarray]:
    result: dict[str, list[np.ndarray]] = {}
    for name, rows in read(folder):
        result.setdefault(name, []).append(rows)
    return {name: np.concatenate(pieces) for name, pieces in result.items()}


def pairs(array: np.ndarray) -> list[list[str]]:
    return [line.split("\t") for line in bytes(array).decode().splitlines()]


@given(st.text(), st.text())
def test_a_pair_can_be_read_back(source: str, target: str) -> None:
    pair = clean(source), clean(target)
    text = bytes(stream([pair])).decode()
    assert text.count("\t") == text.count("\n") == 1
    assert tuple(text[:-1].split("\t")) == pair


@given(st.lists(st.text(max_size=200).map(clean), min_size=1, max_size=5))
def test_rows_hold_their_text_up_to_the_first_zero(texts: list[str]) -> None:
    rows = table(texts, Path("here"))
    assert [bytes(row).partition(b"\0")[0].decode() for row in rows] == texts
    assert rows.shape == (len(texts), LENGTH)


def test_streams_hold_every_pair_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation, "CHUNK", 3)
    arrays = gathered(wmt17(tmp_path))
    result = pairs(arrays["train/x"])
    lines = [(tmp_path / f"{corpus}.en").read_text().splitlines() for corpus in CORPORA]
    assert [target for _, target in result] == [line for part in lines for line in part]
    assert all(f"{source.removeprefix('Süß ')} ." == target for source, target in result)


def test_news_is_unescaped_and_hidden_row_by_row(tmp_path: Path) -> None:
    arrays = gathered(wmt17(tmp_path))
    source, target = (
        [bytes(row).partition(b"\0")[0].decode() for row in arrays[name]]
        for name in ("inputs/x", "labels/y")
    )
    assert [f"Süß {item}" for item in target] == source
    assert all("&" in item and '"' in item and "&amp;" not in item for item in target)
    assert pairs(arrays["validation/x"])[0][0].startswith("Süß ")
    assert len(source) == 6


def test_pairs_with_an_empty_half_are_left_out(tmp_path: Path) -> None:
    path = wmt17(tmp_path) / f"{CORPORA[0]}.de"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["  ", *lines[1:]]) + "\n")
    before = len(lines)
    assert len(list(translation.pairs_of(tmp_path, CORPORA[0]))) == before - 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def one_line_less(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("commoncrawl.de-en.de", one_line_less, "another number of lines than commoncrawl"),
        ("rapid2016.de-en.de", lambda p: p.write_bytes(b"\xff\n"), "no UTF-8"),
        ("newstest2013-ref.en.sgm", lambda p: p.write_bytes(b"\xff"), "no UTF-8 at byte 0"),
        ("newstest2014-deen-src.de.sgm", cut, "6 sentences begin and 5 end"),
        ("newstest2014-deen-ref.en.sgm", lambda p: p.write_text(""), "0 sentences begin"),
        ("newstest2013-src.de.sgm", lambda p: news(p, ["eins"]), "1 sentences beside 6"),
        ("newstest2014-deen-src.de.sgm", lambda p: news(p, ["x" * 1025] * 6), "of 1025 bytes"),
    ],
)
def test_damage_is_reported_by_file(
    tmp_path: Path, name: str, damage: Callable[[Path], object], says: str
) -> None:
    damage(wmt17(tmp_path / "originals") / name)
    with pytest.raises(DataFault, match=rf"{name}: .*{says}.*again"):
        WMT17.prepare(tmp_path / "originals", tmp_path / "root", partial=True)
    assert not list((tmp_path / "root").iterdir()), "nothing half-prepared stays behind"


def test_a_segment_may_run_over_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.sgm"
    path.write_text('<doc><seg id="1">one\ntwo &lt;b&gt;</seg> <seg id="2"> x </seg></doc>')
    assert segments(path) == ["one two <b>", "x"]


@pytest.mark.parametrize("name", ["europarl-v7.de-en.en", "newstest2014-deen-src.de.sgm"])
def test_a_missing_file_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    (wmt17(tmp_path) / name).unlink()
    with pytest.raises(DataMissing, match=rf"{name}: missing.*statmt\.org/wmt17"):
        gathered(tmp_path)


def test_the_news_tests_tell_the_whole_set(tmp_path: Path) -> None:
    folder = wmt17(tmp_path / "originals")
    with pytest.raises(DataFault, match="3000 in validation, not 6, 3003 in test, not 6"):
        WMT17.prepare(folder, tmp_path / "root")
    assert WMT17.prepare(folder, tmp_path / "root", partial=True)["partial"] is True
