"""The bench: a folder for each run, entered before anything happens and sealed after it."""

import base64
import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from harness.bundle import MANIFEST, SIGNATURE, Bundle
from harness.ledger import GENESIS, LedgerError, read_ledger
from harness.records import Run
from harness.run.bundle_writer import BundleWriter, open_bundle
from harness.run.readme import README_TEXT
from harness.run.submission import SubmissionError
from harness.sign import generate, load_key, sign
from harness.verify import verify
from tests.run.made import Folder
from tests.run.test_conductor import honest

__all__ = ["honest"]


def test_a_run_is_in_the_ledger_before_anything_happens(folder: Folder) -> None:
    bench = open_bundle(folder.order(), "machine-1")
    (row,) = read_ledger(folder.results / "ledgers" / "machine-1.jsonl")
    assert (row.kind, row.run_id, row.previous, row.status) == (
        "started",
        bench.run_id,
        GENESIS,
        None,
    )
    assert row.submission_sha256 == bench.submission.sha256
    assert folder.results / row.bundle == bench.folder
    assert bench.folder.parts[-4:-1] == ("tiny", "entry", "machine-1")
    bench.close()


def test_an_open_bench_holds_source_rules_and_readme(folder: Folder) -> None:
    bench = open_bundle(folder.order("entry", "run.idle_s=1.5"), "m")
    names = {path.name for path in bench.folder.iterdir()}
    assert names == {"README.txt", "ruleset.toml", "events.jsonl", "submission"}
    assert (bench.source / "train.py").read_text() == (
        folder.plugins / "submissions" / "entry" / "train.py"
    ).read_text()
    assert "idle_s = 1.5" in (bench.folder / "ruleset.toml").read_text()
    bench.close()


def test_two_runs_of_one_second_have_folders_of_their_own(folder: Folder) -> None:
    order = folder.order()
    benches = [open_bundle(order, "m") for _ in range(3)]
    assert len({bench.folder for bench in benches}) == 3
    assert [bench.row.seq for bench in benches] == [0, 1, 2]
    for bench in benches:
        bench.close()


def test_a_name_that_is_taken_is_drawn_again(folder: Folder, monkeypatch) -> None:
    order = folder.order()
    drawn = iter(["aaaa", "aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("harness.run.bundle_writer.utc_compact", lambda _: "20260101T000000Z")
    monkeypatch.setattr("harness.run.bundle_writer.secrets.token_hex", lambda _: next(drawn))
    benches = [open_bundle(order, "m") for _ in range(2)]
    assert [bench.run_id[-4:] for bench in benches] == ["aaaa", "bbbb"]
    assert [bench.folder.name for bench in benches] == [bench.run_id for bench in benches]
    for bench in benches:
        bench.close()


def test_stamps_are_relative_to_the_origin_and_missing_stays_missing(folder: Folder) -> None:
    bench = open_bundle(folder.order(), "m")
    assert bench.relative_ns(bench.origin.monotonic_ns + 5) == 5
    assert bench.relative_ns(None) is None
    bench.close()
    bench.close()


def test_source_that_cannot_be_frozen_leaves_nothing(folder: Folder) -> None:
    order = folder.order()
    (order.source.folder / "sub").mkdir()
    (order.source.folder / "sub" / "link").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match="neither a plain file"):
        open_bundle(order, "m")
    assert [path for path in folder.results.rglob("*") if path.is_file()] == []
    assert list((folder.results / "tiny" / "entry" / "m").iterdir()) == []


def test_a_broken_ledger_takes_no_run(folder: Folder) -> None:
    (folder.results / "ledgers").mkdir(parents=True)
    (folder.results / "ledgers" / "m.jsonl").write_text("{}\n")
    with pytest.raises(LedgerError, match=r"m\.jsonl:1"):
        open_bundle(folder.order(), "m")
    assert list((folder.results / "tiny" / "entry" / "m").iterdir()) == []


def record_for(bench: BundleWriter, honest) -> Run:
    """The record of an honest run, as if it had been this one."""
    tree = {**json.loads((honest.bundle / "run.json").read_text()), "id": bench.run_id}
    return Run.model_validate_json(json.dumps(tree))


def test_seal_lists_every_file_and_closes_the_row(folder: Folder, honest) -> None:
    bench = open_bundle(folder.order(), "m")
    bench.events.append(bench.origin.monotonic_ns, "launch", launcher="plain")
    digest = bench.seal(record_for(bench, honest))
    assert digest == hashlib.sha256((bench.folder / MANIFEST).read_bytes()).hexdigest()
    listed = {file.path for file in Bundle(bench.folder).manifest.files}
    there = {
        path.relative_to(bench.folder).as_posix()
        for path in bench.folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    assert listed == there
    _, finished = read_ledger(folder.results / "ledgers" / "m.jsonl")
    assert (finished.kind, finished.manifest_sha256) == ("finished", digest)
    bench.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate(tmp_path / "key")
    return tmp_path / "key"


def test_with_a_key_a_sealed_bundle_is_signed(folder: Folder, honest, key: Path) -> None:
    """The signature is there before the manifest is, and the manifest before the ledger's row."""
    bench = open_bundle(folder.order(key=key), "m")
    digest = bench.seal(record_for(bench, honest))
    envelope = json.loads((bench.folder / SIGNATURE).read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["subject"][0]["digest"]["sha256"] == digest
    written = [(bench.folder / name).stat().st_mtime_ns for name in (SIGNATURE, MANIFEST)]
    ledger = folder.results / "ledgers" / "m.jsonl"
    assert sorted([*written, ledger.stat().st_mtime_ns]) == [*written, ledger.stat().st_mtime_ns]
    (found,) = verify(bench.folder, key.with_name("key.pub")).bundles[0].signers
    assert found == envelope["signatures"][0]["keyid"]


def test_no_run_is_lost_for_want_of_a_signature(
    folder: Folder, honest, key: Path, monkeypatch
) -> None:
    bench = open_bundle(folder.order(key=key), "m")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("harness.sign.write_file", full)
    with pytest.raises(OSError, match="No space"):
        bench.seal(record_for(bench, honest))
    assert not (bench.folder / SIGNATURE).exists()
    _, finished = read_ledger(folder.results / "ledgers" / "m.jsonl")
    assert finished.manifest_sha256 == Bundle(bench.folder).manifest_sha256
    monkeypatch.undo()
    sign(bench.folder, load_key(key))
    checked = verify(bench.folder, key.with_name("key.pub")).bundles[0].checks
    assert next(item.verdict for item in checked if item.rule == "signature") == "pass"


def test_readme_names_every_file_of_a_bundle(honest) -> None:
    for path in honest.bundle.iterdir():
        assert path.name == "README.txt" or path.name in README_TEXT, path.name
    assert Path(honest.bundle / "README.txt").read_text() == README_TEXT
