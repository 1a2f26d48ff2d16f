"""Manifests and rows of ledgers: nothing in them may be guessed, left out or of another type."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import FORMAT, LedgerRow, Manifest, ManifestFile, RecordError, dump, load

FILES = st.builds(ManifestFile, path=st.text(), size_bytes=st.integers(0), sha256=st.text())
MANIFESTS = st.builds(
    Manifest,
    run_id=st.text(),
    status=st.sampled_from(["ok", "oom", "aborted"]),
    files=st.lists(FILES, max_size=4).map(tuple),
    harness_version=st.text(),
    harness_sha256=st.text(),
    ledger_seq=st.integers(0),
    previous_manifest_sha256=st.none() | st.text(),
)
FILE: dict[str, Any] = {"path": "run.json", "size_bytes": 3, "sha256": "0" * 64}
MANIFEST: dict[str, Any] = {
    "run_id": "r", "status": "ok", "files": [FILE], "harness_version": "0",
    "harness_sha256": "0" * 64, "ledger_seq": 4, "previous_manifest_sha256": None,
}  # fmt: skip
ROW: dict[str, Any] = {
    "seq": 0, "utc": "2026", "kind": "started", "run_id": "r", "workload": "w",
    "submission": "s", "submission_sha256": "0", "seed_commitment": "c", "bundle": "b",
    "previous": "0" * 64, "hash": "1" * 64,
}  # fmt: skip


@given(MANIFESTS)
def test_a_manifest_reads_back_with_the_order_of_its_files(manifest: Manifest) -> None:
    again = load(Manifest, dump(manifest), "file")
    assert again == manifest
    assert [file.path for file in again.files] == [file.path for file in manifest.files]


@pytest.mark.parametrize(("kind", "tree"), [(Manifest, MANIFEST), (LedgerRow, ROW)])
def test_no_key_may_be_left_out(kind: Any, tree: dict[str, Any]) -> None:
    assert load(kind, tree, "file").format == FORMAT
    for key in tree:
        with pytest.raises(RecordError, match=f"^file: .*: {key}: Field required"):
            load(kind, {name: item for name, item in tree.items() if name != key}, "file")


@pytest.mark.parametrize("key", list(FILE))
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}], ids=repr)
def test_a_listed_file_is_refused_by_its_place(key: str, value: Any) -> None:
    tree = MANIFEST | {"files": [FILE, FILE | {key: value}]}
    with pytest.raises(RecordError, match=rf"files\.1\.{key}: "):
        load(Manifest, tree, "file")


@pytest.mark.parametrize("key", list(ROW))
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}], ids=repr)
def test_a_row_is_refused_by_key(key: str, value: Any) -> None:
    with pytest.raises(RecordError, match=f"^ledger line 3: .*: {key}: "):
        load(LedgerRow, ROW | {key: value}, "ledger line 3")


@pytest.mark.parametrize("kind", ["Started", "resumed", ""])
def test_a_row_opens_or_closes_a_run_and_nothing_else(kind: str) -> None:
    with pytest.raises(RecordError, match="kind"):
        load(LedgerRow, json.dumps(ROW | {"kind": kind}).encode(), "file")
