"""Token shards: headers are believed only where the length agrees, and bytes are counted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.api import DataFault, DataMissing
from tests.workloads.data.originals import fineweb, shard
from workloads.data import tokens
from workloads.data.tokens import FINEWEB, token_file


def gathered(folder: Path) -> dict[str, np.ndarray]:
    result: dict[str, list[np.ndarray]] = {}
    for name, rows in FINEWEB.read(folder):
        result.setdefault(name, []).append(rows)
    return {name: np.concatenate(pieces) for name, pieces in result.items()}


def test_streams_are_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CHUNK", 7777)
    arrays = gathered(fineweb(tmp_path))
    parts = [token_file(tmp_path / f"fineweb_train_00000{n}.bin") for n in (1, 2)]
    stream = np.concatenate([arrays["train/x"], arrays["validation/x"]])
    np.testing.assert_array_equal(stream, np.concatenate(parts))
    assert arrays["train/x"].dtype == np.uint16
    assert len(arrays["validation/x"]) == 20


def test_hidden_windows_are_evenly_spaced_and_shifted_by_one(tmp_path: Path) -> None:
    arrays = gathered(fineweb(tmp_path))
    text = token_file(tmp_path / "fineweb_val_000000.bin")
    assert arrays["inputs/x"].shape == (2, 1024)
    np.testing.assert_array_equal(arrays["inputs/x"][1], text[40_960 : 40_960 + 1024])
    np.testing.assert_array_equal(arrays["labels/y"][1], text[40_961 : 40_961 + 1024])
    np.testing.assert_array_equal(arrays["inputs/x"][:, 1:], arrays["labels/y"][:, :-1])


def test_the_whole_shard_gives_256_windows() -> None:
    starts = range(0, tokens.TEST_TOKENS - tokens.CONTEXT, tokens.STRIDE)
    assert len(starts) == FINEWEB.rows["inputs"] == 256


def test_bytes_are_those_of_the_vocabulary(tmp_path: Path) -> None:
    arrays = gathered(fineweb(tmp_path))
    y, sizes = arrays["labels/y"], arrays["labels/bytes"]
    wanted = [0 if n == 50_256 else 1 + n % 7 + len(str(n)) for n in y.ravel().tolist()]
    assert sizes.ravel().tolist() == wanted


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def other_magic(path: Path) -> None:
    path.write_bytes(b"\0" * 4 + path.read_bytes()[4:])


@pytest.mark.parametrize(
    ("name", "damage", "says"),
    [
        ("fineweb_train_000002.bin", cut, "holds 1999 tokens where its header says 2000"),
        ("fineweb_train_000001.bin", other_magic, "no token shard"),
        ("fineweb_val_000000.bin", lambda p: p.write_bytes(b""), "no token shard"),
        ("fineweb_val_000000.bin", lambda p: shard(p, np.zeros(900)), "less than one window"),
        ("fineweb_train_000001.bin", lambda p: shard(p, np.full(9, 50_257)), "out of range"),
        ("fineweb_val_000000.bin", lambda p: shard(p, np.full(2000, 60_000)), "out of range"),
        ("encoder.json", lambda p: p.write_text('{"a": 0}'), "no vocabulary of 50257 tokens"),
        ("encoder.json", lambda p: p.write_text("["), "no vocabulary"),
    ],
)
def test_damage_is_reported_by_file(
    tmp_path: Path, name: str, damage: Callable[[Path], object], says: str
) -> None:
    damage(fineweb(tmp_path) / name)
    with pytest.raises(DataFault, match=f"{name}: .*{says}"):
        gathered(tmp_path)


@pytest.mark.parametrize("name", ["fineweb_val_000000.bin", "encoder.json"])
def test_a_missing_file_says_how_to_get_it(tmp_path: Path, name: str) -> None:
    (fineweb(tmp_path) / name).unlink()
    with pytest.raises(DataMissing, match=r"cached_fineweb10B\.py"):
        gathered(tmp_path)
