"""Every byte of a bundle and its ledger is under a seal: each flip and each cut is found."""

from pathlib import Path

import pytest

from harness.verify import verify
from tests.verify.made import Results

MASKS = (0x01, 0x20, 0x80, 0xFF, 0x29)
"""Small and large changes; 0x20 changes the case of letters, 0x29 makes a blank a tab."""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(tmp_path / "results")
    made.add("20261122T000000Z-0001")
    return made


def files_of(results: Results) -> list[Path]:
    return sorted(path for path in results.root.rglob("*") if path.is_file())


@pytest.mark.slow
def test_every_flipped_byte_is_detected(results: Results) -> None:
    assert verify(results.root).ok
    missed, count = [], 0
    for path in files_of(results):
        whole = path.read_bytes()
        for place in range(len(whole)):
            mask = MASKS[place % len(MASKS)]
            path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            count += 1
            if verify(results.root).ok:
                missed.append(f"{path.relative_to(results.root)}: byte {place} ^ {mask:#x}")
        path.write_bytes(whole)
    assert missed == []
    assert count > 5000


@pytest.mark.slow
def test_every_cut_is_detected(results: Results) -> None:
    missed = []
    for path in files_of(results):
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            if verify(results.root).ok:
                missed.append(f"{path.relative_to(results.root)}: {length} of {len(whole)} bytes")
        path.write_bytes(whole)
    assert missed == []
