"""Checks of the seal, each by itself: what the manifest lists is there, and nothing else."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.bundle import Bundle
from harness.source_archive import SourceFile, pack_source
from harness.storage import sha256_tree
from harness.verify import seals
from harness.verify.disk import Unreadable
from harness.verify.reader import BundleReader
from harness.verify.report import SkipCheck
from harness.verify.source import source_digest
from tests.verify.made import SOURCE, Parts, Results

RUN_ID = "20261122T000000Z-0001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Results(tmp_path / "results").add(RUN_ID)


def faults(check: Callable[[BundleReader], Any], folder: Path) -> dict[str, str]:
    """File to message."""
    return {fault.file: fault.text for fault in check(BundleReader(folder))}


ALL = (
    seals.manifest,
    seals.names,
    seals.kinds,
    seals.unlisted,
    seals.required,
    seals.contents,
    seals.submission,
)


@pytest.mark.parametrize("check", ALL)
def test_a_sound_bundle_passes(check: Callable[[BundleReader], Any], folder: Path) -> None:
    assert faults(check, folder) == {}


def relist(folder: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Rewrite the manifest's list, as somebody who can write files would."""
    path = folder / "manifest.json"
    tree = json.loads(path.read_text())
    change(tree["files"])
    path.write_text(json.dumps(tree))


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "a/../b", "./run.json", "a//b", "", "a\\b", "a\nb", "a\x00b"],
)
def test_paths_that_lead_elsewhere_are_refused(folder: Path, name: str) -> None:
    entry = {"path": name, "size_bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    relist(folder, lambda files: files.append(entry))
    assert ascii(name) in faults(seals.names, folder)


@pytest.mark.parametrize("name", ["run.json", "manifest.json", "manifest.dsse.json"])
def test_nothing_is_listed_twice_and_the_seal_not_at_all(folder: Path, name: str) -> None:
    entry = {"path": name, "size_bytes": 1, "sha256": "0" * 64}
    relist(folder, lambda files: files.append(entry))
    assert "twice" in faults(seals.names, folder)[name]


def test_links_and_pipes_are_named(folder: Path) -> None:
    (folder / "link").symlink_to("run.json")
    os.mkfifo(folder / "pipe")
    texts = faults(seals.kinds, folder)
    assert texts == {"link": "a symbolic link", "pipe": "neither file nor folder"}


def test_a_file_too_many_is_named(folder: Path) -> None:
    (folder / "submission" / "extra.py").write_text("import os\n")
    assert list(faults(seals.unlisted, folder)) == ["submission/extra.py"]


@pytest.mark.parametrize("name", ["run.json", "events.jsonl", "ruleset.toml", "README.txt"])
def test_no_bundle_does_without_its_files(folder: Path, name: str) -> None:
    relist(folder, lambda files: files.remove(next(f for f in files if f["path"] == name)))
    assert list(faults(seals.required, folder)) == [name]


def test_a_changed_byte_and_a_changed_length_are_distinguished(folder: Path) -> None:
    path = folder / "run.json"
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(bytes(data))
    assert "SHA-256" in faults(seals.contents, folder)["run.json"]
    path.write_bytes(bytes(data) + b" ")
    assert "bytes, the manifest says" in faults(seals.contents, folder)["run.json"]


def test_a_removed_file_is_named(folder: Path) -> None:
    (folder / "log.txt").unlink()
    assert list(faults(seals.contents, folder)) == ["log.txt"]


def test_another_source_is_not_the_one_that_ran(folder: Path) -> None:
    path = folder / "submission" / "train.py"
    path.write_bytes(path.read_bytes().replace(b"pass", b"fail"))
    assert "digest" in faults(seals.submission, folder)["submission"]


def test_compiled_files_do_not_count_as_source(folder: Path) -> None:
    cache = folder / "submission" / "__pycache__"
    cache.mkdir()
    (cache / "train.pyc").write_bytes(b"\x00")
    assert faults(seals.submission, folder) == {}
    assert "submission/__pycache__/train.pyc" in faults(seals.unlisted, folder)


def test_the_checker_and_the_writer_come_to_the_same_digest(folder: Path) -> None:
    ours = source_digest(BundleReader(folder))
    assert ours.sha256 == sha256_tree(folder / "submission")
    assert seals.own_digest() == sha256_tree(seals.HARNESS, "*.py")


def test_another_harness_is_reported_and_is_no_fault(tmp_path: Path) -> None:
    def other(parts: Parts) -> None:
        parts.manifest["harness_sha256"] = "f" * 64

    folder = Results(tmp_path / "other").add(RUN_ID, other)
    with pytest.raises(SkipCheck, match="other than these"):
        list(seals.harness(BundleReader(folder)))


# --- the source as an archive --------------------------------------------------------------------


def archived(tmp_path: Path, files: dict[str, SourceFile], *, folder_too: bool = False) -> Path:
    """A bundle whose source is an archive of these files."""

    def change(parts: Parts) -> None:
        if not folder_too:
            parts.files = {
                name: data
                for name, data in parts.files.items()
                if not name.startswith("submission/")
            }
        parts.files["submission.tar.gz"] = pack_source(files)

    return Results(tmp_path / "packed").add(RUN_ID, change)


PACKED = {name: SourceFile(data) for name, data in SOURCE.items()}


def test_an_archive_has_the_digest_of_the_folder(folder: Path, tmp_path: Path) -> None:
    packed = archived(tmp_path, PACKED)
    assert source_digest(BundleReader(packed)) == source_digest(BundleReader(folder))
    assert faults(seals.submission, packed) == {}
    assert Bundle(packed).source_files() == Bundle(folder).source_files() == PACKED


def test_another_source_in_the_archive_is_detected(tmp_path: Path) -> None:
    packed = archived(tmp_path, {**PACKED, "train.py": SourceFile(b"pass\n")})
    assert "digest" in next(fault.text for fault in seals.submission(BundleReader(packed)))


def test_the_source_is_there_once(tmp_path: Path) -> None:
    packed = archived(tmp_path, PACKED, folder_too=True)
    with pytest.raises(Unreadable, match="in addition to"):
        list(seals.submission(BundleReader(packed)))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../x"])
def test_a_name_that_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    packed = archived(tmp_path, {**PACKED, name: SourceFile(b"")})
    with pytest.raises(Unreadable, match="not a plain relative name"):
        list(seals.submission(BundleReader(packed)))
