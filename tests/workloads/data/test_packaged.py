"""Packaged files are what they were, and a missing or changed one is named with its remedy."""

from pathlib import Path

import pytest

import workloads
from workloads.data.packaged import FOLDER, MASK, packaged
from workloads.data.shakespeare import FILE, SHA256


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(workloads, "__path__", [str(tmp_path)])
    (tmp_path / FOLDER).mkdir()
    return tmp_path / FOLDER


def test_masked_folder_holds_every_packaged_file() -> None:
    assert (f"{workloads.__name__}/{FOLDER}",) == MASK
    names = {path.name for path in Path(workloads.__path__[0], FOLDER).iterdir()}
    assert names == {"README.md", FILE, "japanese_vowels.npz"}


def test_absent_file_is_named(elsewhere: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{FILE}: no such file; reinstall joulemark"):
        packaged(FILE, SHA256)


def test_flipped_byte_is_refused(elsewhere: Path) -> None:
    true = bytearray(packaged_bytes())
    true[1000] ^= 1
    (elsewhere / FILE).write_bytes(true)
    with pytest.raises(ValueError, match=rf"{FILE}: SHA-256 is [0-9a-f]{{64}}, not {SHA256}"):
        packaged(FILE, SHA256)


def packaged_bytes() -> bytes:
    return (Path(workloads.__file__).parent / FOLDER / FILE).read_bytes()


def test_every_file_has_its_source_and_licence_beside_it() -> None:
    text = (Path(workloads.__path__[0]) / FOLDER / "README.md").read_text()
    assert FILE in text
    assert "public domain" in text
    assert "japanese_vowels.npz" in text
    assert "CC BY 4.0" in text
