"""The writer: a folder for each run, entered before anything happens and sealed after it."""

import base64
import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from harness.bundle import MANIFEST, SIGNATURE, SOURCE, Bundle
from harness.ledger import GENESIS, LedgerError, read_ledger
from harness.records import Run
from harness.run.bundle_writer import BundleWriter, open_bundle
from harness.run.readme import README_TEXT
from harness.run.submission import SubmissionError
from harness.sign import generate, load_key, sign
from harness.source_archive import unpack_source
from harness.verify import verify
from tests.run.made import Folder
from tests.run.test_conductor import honest

__all__ = ["honest"]


def test_a_run_is_in_the_ledger_before_anything_happens(folder: Folder) -> None:
    writer = open_bundle(folder.order(), "machine-1")
    (row,) = read_ledger(folder.results / "ledgers" / "machine-1.jsonl")
    assert (row.kind, row.run_id, row.previous, row.status) == (
        "started",
        writer.run_id,
        GENESIS,
        None,
    )
    assert row.submission_sha256 == writer.order.entry.source.submission.sha256
    assert folder.results / row.bundle == writer.folder
    assert writer.folder.parts[-4:-1] == ("tiny", "entry", "machine-1")
    writer.close()


def test_an_open_writer_holds_source_rules_and_readme(folder: Folder) -> None:
    writer = open_bundle(folder.order("entry", "run.idle_s=1.5"), "m")
    names = {path.name for path in writer.folder.iterdir()}
    assert names == {"README.txt", "ruleset.toml", "events.jsonl", "submission.tar.gz"}
    files = unpack_source((writer.folder / SOURCE).read_bytes())
    source = folder.plugins / "submissions" / "entry"
    assert {name: file.data for name, file in files.items()} == {
        path.name: path.read_bytes() for path in source.iterdir()
    }
    assert "idle_s = 1.5" in (writer.folder / "ruleset.toml").read_text()
    writer.close()


def test_two_runs_of_one_second_have_folders_of_their_own(folder: Folder) -> None:
    order = folder.order()
    writers = [open_bundle(order, "m") for _ in range(3)]
    assert len({writer.folder for writer in writers}) == 3
    assert [writer.row.seq for writer in writers] == [0, 1, 2]
    for writer in writers:
        writer.close()


def test_a_name_that_is_taken_is_drawn_again(folder: Folder, monkeypatch) -> None:
    order = folder.order()
    drawn = iter(["aaaa", "aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("harness.run.bundle_writer.utc_compact", lambda _: "20260101T000000Z")
    monkeypatch.setattr("harness.run.bundle_writer.secrets.token_hex", lambda _: next(drawn))
    writers = [open_bundle(order, "m") for _ in range(2)]
    assert [writer.run_id[-4:] for writer in writers] == ["aaaa", "bbbb"]
    assert [writer.folder.name for writer in writers] == [writer.run_id for writer in writers]
    for writer in writers:
        writer.close()


def test_stamps_are_relative_to_the_origin_and_missing_stays_missing(folder: Folder) -> None:
    writer = open_bundle(folder.order(), "m")
    assert writer.relative_ns(writer.origin.monotonic_ns + 5) == 5
    assert writer.relative_ns(None) is None
    writer.close()
    writer.close()


def test_a_frozen_source_that_was_changed_starts_no_run(folder: Folder) -> None:
    order = folder.order()
    with (order.entry.source.folder / "train.py").open("a") as file:
        file.write("x = 1\n")
    with pytest.raises(SubmissionError, match="changed by an earlier run"):
        open_bundle(order, "m")
    assert not folder.results.exists()


def test_a_broken_ledger_takes_no_run(folder: Folder) -> None:
    (folder.results / "ledgers").mkdir(parents=True)
    (folder.results / "ledgers" / "m.jsonl").write_text("{}\n")
    with pytest.raises(LedgerError, match=r"m\.jsonl:1"):
        open_bundle(folder.order(), "m")
    assert list((folder.results / "tiny" / "entry" / "m").iterdir()) == []


def record_for(writer: BundleWriter, honest) -> Run:
    """The record of an honest run, as if it had been this one."""
    tree = {**json.loads((honest.bundle / "run.json").read_text()), "id": writer.run_id}
    return Run.model_validate_json(json.dumps(tree))


def test_seal_lists_every_file_and_closes_the_row(folder: Folder, honest) -> None:
    writer = open_bundle(folder.order(), "m")
    writer.events.append(writer.origin.monotonic_ns, "launch", launcher="plain")
    digest = writer.seal(record_for(writer, honest))
    assert digest == hashlib.sha256((writer.folder / MANIFEST).read_bytes()).hexdigest()
    listed = {file.path for file in Bundle(writer.folder).manifest.files}
    there = {
        path.relative_to(writer.folder).as_posix()
        for path in writer.folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    assert listed == there
    _, finished = read_ledger(folder.results / "ledgers" / "m.jsonl")
    assert (finished.kind, finished.manifest_sha256) == ("finished", digest)
    writer.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate(tmp_path / "key")
    return tmp_path / "key"


def test_with_a_key_a_sealed_bundle_is_signed(folder: Folder, honest, key: Path) -> None:
    """The signature is there before the manifest is, and the manifest before the ledger's row."""
    writer = open_bundle(folder.order(key=key), "m")
    digest = writer.seal(record_for(writer, honest))
    envelope = json.loads((writer.folder / SIGNATURE).read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["subject"][0]["digest"]["sha256"] == digest
    written = [(writer.folder / name).stat().st_mtime_ns for name in (SIGNATURE, MANIFEST)]
    ledger = folder.results / "ledgers" / "m.jsonl"
    assert sorted([*written, ledger.stat().st_mtime_ns]) == [*written, ledger.stat().st_mtime_ns]
    (result,) = verify(writer.folder, key.with_name("key.pub")).bundles[0].signers
    assert result == envelope["signatures"][0]["keyid"]


def test_no_run_is_lost_for_want_of_a_signature(
    folder: Folder, honest, key: Path, monkeypatch
) -> None:
    writer = open_bundle(folder.order(key=key), "m")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("harness.sign.write_file", full)
    with pytest.raises(OSError, match="No space"):
        writer.seal(record_for(writer, honest))
    assert not (writer.folder / SIGNATURE).exists()
    _, finished = read_ledger(folder.results / "ledgers" / "m.jsonl")
    assert finished.manifest_sha256 == Bundle(writer.folder).manifest_sha256
    monkeypatch.undo()
    sign(writer.folder, load_key(key))
    checked = verify(writer.folder, key.with_name("key.pub")).bundles[0].checks
    assert next(item.verdict for item in checked if item.rule == "signature") == "pass"


def test_readme_names_every_file_of_a_bundle(honest) -> None:
    for path in honest.bundle.iterdir():
        assert path.name == "README.txt" or path.name in README_TEXT, path.name
    assert Path(honest.bundle / "README.txt").read_text() == README_TEXT
