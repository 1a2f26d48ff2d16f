"""A bundle under examination: what it reads, what it refuses, and that it reads once."""

import gzip
from pathlib import Path

import pytest

from harness.verify.disk import Unreadable
from harness.verify.reader import BundleReader
from tests.verify.made import TRACE, Parts, Results

RUN_ID = "20261122T000000Z-0001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Results(tmp_path / "results").add(RUN_ID)


@pytest.fixture
def opened(folder: Path) -> BundleReader:
    return BundleReader(folder)


def test_every_record_of_a_sound_bundle_is_read(opened: BundleReader) -> None:
    assert opened.manifest.run_id == RUN_ID
    assert opened.run.id == RUN_ID
    assert opened.machine.name == opened.run.machine
    assert opened.evaluation.values
    assert opened.ruleset.name == "smoke"
    assert [event.seq for event in opened.events] == list(range(len(opened.events)))
    assert opened.trace.rows == {"cpu-package-0": 3}
    assert opened.trace.errors == []


def test_files_are_plain_relative_names(opened: BundleReader) -> None:
    assert "run.json" in opened.files
    assert "submission/train.py" in opened.files
    assert not [path for path in opened.files if path.startswith("/") or ".." in path]
    assert opened.files_in("submission") == ["submission/submission.toml", "submission/train.py"]
    assert opened.files_in("nothing") == []


def test_a_file_is_hashed_once(folder: Path, opened: BundleReader) -> None:
    first = opened.fingerprint("run.json")
    (folder / "run.json").write_bytes(b"{}")
    assert opened.fingerprint("run.json") == first
    assert opened.bytes_count == first.size_bytes
    assert BundleReader(folder).fingerprint("run.json") != first


def test_all_files_together_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many large ones are as good as one."""
    monkeypatch.setattr("harness.verify.reader.HASHED_MAX", 1000)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(600))
    opened = BundleReader(tmp_path)
    assert opened.fingerprint("a").size_bytes == opened.bytes_count == 600
    with pytest.raises(Unreadable, match="more than a bundle can have"):
        opened.fingerprint("b")
    assert opened.fingerprint("a").size_bytes == opened.bytes_count == 600


def test_has_tells_of_anything_of_that_name(folder: Path, opened: BundleReader) -> None:
    (folder / "dangling").symlink_to("nowhere")
    assert opened.has("run.json")
    assert opened.has("dangling")
    assert not opened.has("absent.json")


@pytest.mark.parametrize(
    ("name", "attribute", "data"),
    [
        ("run.json", "run", b"not json"),
        ("run.json", "run", b"[]"),
        ("run.json", "run", b'{"format": 1}'),
        ("machine.json", "machine", b"\xff\xfe"),
        ("eval.json", "evaluation", b'{"format": 999}'),
        ("manifest.json", "manifest", b""),
        ("ruleset.toml", "ruleset", b"name = "),
        ("ruleset.toml", "ruleset", b"\xff"),
        ("ruleset.toml", "ruleset", b"colour = 3\n"),
        ("events.jsonl", "events", b'{"seq": 0}\n'),
        ("events.jsonl", "events", b'{"seq": 0, "t_ns": 1, "kind": "x", "data": {}}'),
    ],
)
def test_what_is_no_record_is_refused_by_file(
    folder: Path, name: str, attribute: str, data: bytes
) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(Unreadable) as caught:
        getattr(BundleReader(folder), attribute)
    assert caught.value.file.startswith(name)
    assert str(caught.value)


@pytest.mark.parametrize("attribute", ["run", "machine", "evaluation", "events", "trace"])
def test_a_missing_file_is_unreadable_and_not_empty(tmp_path: Path, attribute: str) -> None:
    with pytest.raises(Unreadable):
        getattr(BundleReader(tmp_path), attribute)


def traced(tmp_path: Path, text: str) -> BundleReader:
    """A bundle with another trace."""

    def change(parts: Parts) -> None:
        parts.files["trace.csv.gz"] = gzip.compress(text.encode(), mtime=0)

    return BundleReader(Results(tmp_path / "results").add(RUN_ID, change))


def test_a_trace_with_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="header"):
        _ = traced(tmp_path, TRACE.replace("power_w", "watts")).trace


def test_errors_of_a_trace_name_their_lines(tmp_path: Path) -> None:
    checker = traced(tmp_path, TRACE + "500,cpu-package-0,9.5,,40\n1,2,3\n").trace
    assert [error.split(":")[0] for error in checker.errors] == ["line 5", "line 6"]
    assert "back in time" in checker.errors[0]
    assert "3 columns" in checker.errors[1]
