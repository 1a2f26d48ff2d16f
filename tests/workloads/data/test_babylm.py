"""BabyLM: texts in the order of their sources, every byte once, windows evenly spaced."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import babylm
from workloads.data import babylm as module
from workloads.data.babylm import BABYLM, DOMAINS, read


def gathered(folder: Path) -> dict[str, np.ndarray]:
    result: dict[str, list[np.ndarray]] = {}
    for name, rows in read(folder):
        result.setdefault(name, []).append(rows)
    return {name: np.concatenate(pieces) for name, pieces in result.items()}


def joined(folder: Path, place: str) -> bytes:
    paths = [next((folder / place).glob(f"{name}.*")) for name in DOMAINS]
    return b"".join(path.read_bytes() for path in paths)


def test_every_byte_is_there_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 97)
    arrays = gathered(babylm(tmp_path))
    assert bytes(arrays["train/x"]) == joined(tmp_path, "train_10M")
    assert bytes(arrays["validation/x"]) == joined(tmp_path, "dev")
    assert arrays["train/x"].dtype == np.uint8


def test_windows_are_evenly_spaced_and_shifted_by_one(tmp_path: Path) -> None:
    arrays = gathered(babylm(tmp_path))
    text = np.frombuffer(joined(tmp_path, "test"), np.uint8)
    count = len(text) // 1025
    assert arrays["inputs/x"].shape == (count, 1024)
    assert count > 1
    start = len(text) // count
    np.testing.assert_array_equal(arrays["inputs/x"][1], text[start : start + 1024])
    np.testing.assert_array_equal(arrays["labels/y"][1], text[start + 1 : start + 1025])
    assert arrays["labels/bytes"].min() == arrays["labels/bytes"].max() == 1


def test_a_longer_text_gives_256_windows_within_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONTEXT", 10)
    arrays = gathered(babylm(tmp_path))
    assert len(arrays["inputs/x"]) == BABYLM.rows["inputs"] == 256


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("train_10M/childes.train", lambda path: path.write_bytes(b""), "empty"),
    ("dev/gutenberg.dev", lambda path: path.write_bytes(b"caf\xc3"), "no UTF-8"),
    ("test/switchboard.test", lambda path: path.write_bytes(b"\xff\xfe"), "no UTF-8"),
]


@pytest.mark.parametrize(("name", "damage", "says"), DAMAGES)
def test_damage_is_reported_by_file(
    tmp_path: Path, name: str, damage: Callable[[Path], object], says: str
) -> None:
    damage(babylm(tmp_path) / name)
    with pytest.raises(DataFault, match=f"{name}: {says}.*get it again"):
        gathered(tmp_path)


def test_too_little_to_test_on_is_refused(tmp_path: Path) -> None:
    for path in (babylm(tmp_path) / "test").iterdir():
        path.write_text("short")
    with pytest.raises(DataFault, match="30 bytes are less than one window of 1025"):
        gathered(tmp_path)


@pytest.mark.parametrize("name", ["train_10M/bnc_spoken.train", "dev/simple_wiki.dev"])
def test_a_missing_file_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    (babylm(tmp_path) / name).unlink()
    with pytest.raises(DataMissing, match=rf"{name}: missing.*babylm\.github\.io"):
        gathered(tmp_path)


def test_a_missing_folder_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"train_10M: no such folder.*babylm\.github\.io"):
        gathered(tmp_path)


def test_ten_million_words_make_the_whole_set(tmp_path: Path) -> None:
    folder = babylm(tmp_path / "originals")
    with pytest.raises(DataFault, match="10 in million words, not 0"):
        BABYLM.prepare(folder, tmp_path / "root")
    assert not list((tmp_path / "root").iterdir()), "nothing half-prepared stays behind"
    assert BABYLM.prepare(folder, tmp_path / "root", partial=True)["partial"] is True
