"""The bundle: what is sealed is what is read, and nothing that was changed since is believed."""

import gzip
import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bundle import (
    MANIFEST,
    Bundle,
    BundleError,
    EventLog,
    find_bundles,
    harness_sha256,
    listed_files,
    manifest_files,
    seal,
)
from harness.records import Event, Manifest, load
from tests.lab.faulty import count_calls, failing
from tests.lab.results import (
    Plan,
    evaluation_of,
    machine_of,
    reseal,
    rules_of,
    run_record,
    write_run,
)

NAMES = ["run.json", "machine.json", "eval.json", "ruleset.toml", "trace.csv.gz"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path, Plan())


def read_all(bundle: Bundle) -> None:
    """Read every part of a bundle."""
    for name in ("manifest", "run", "machine", "evaluation", "ruleset"):
        getattr(bundle, name)
    bundle.trace_text()


# --- reading --------------------------------------------------------------------------------------


def test_what_was_written_is_what_is_read(folder: Path) -> None:
    bundle = Bundle(folder, checked=True)
    assert bundle.run == run_record(Plan(), folder.name)
    assert bundle.machine == machine_of(Plan())
    assert bundle.evaluation == evaluation_of(Plan())
    assert bundle.ruleset == rules_of(Plan())
    assert {file.path for file in bundle.manifest.files} == {*NAMES, "events.jsonl"}
    assert bundle.trace_path == folder / "trace.csv.gz"
    text = bundle.trace_text()
    assert text is not None
    assert text.startswith(b"t_ns,domain")


def test_parts_that_a_run_never_got_to_are_none(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Plan(watts=None))
    (folder / "eval.json").unlink()
    reseal(folder, "ok", folder.name)
    bundle = Bundle(folder, checked=True)
    assert (bundle.evaluation, bundle.trace_path, bundle.trace_text()) == (None, None, None)


def test_the_identity_is_the_digest_of_the_manifest(folder: Path) -> None:
    manifest = Bundle(folder).manifest
    assert Bundle(folder).manifest_sha256 == seal(folder, manifest)


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a sealed bundle"):
        Bundle(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_every_flipped_byte_of_what_is_read_is_refused_by_name(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    for place in range(0, len(data), max(1, len(data) // 60)):
        altered = bytearray(data)
        altered[place] ^= 0x10
        (folder / name).write_bytes(altered)
        with pytest.raises(BundleError, match=name.replace(".", r"\.")):
            read_all(Bundle(folder, checked=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_removed_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        read_all(Bundle(folder, checked=True))


def test_a_file_that_was_added_is_not_believed(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Plan(watts=None))
    header = b"t_ns,domain,energy_j,power_w,u_ns\n"
    (folder / "trace.csv.gz").write_bytes(gzip.compress(header, mtime=0))
    with pytest.raises(BundleError, match="was changed"):
        Bundle(folder, checked=True).trace_text()


BAD_RECORDS: list[tuple[bytes, str]] = [
    (b"", "run.json"),
    (b"[]", "not a JSON object"),
    (b"{}", "no valid format number"),
    (b'{"format": 99}', "has format 99, and this version reads 1"),
    (b'{"format": 1}', "not a valid Run record"),
    (b"\xff\xfe", "run.json"),
    (b"[" * 100_000, "run.json"),
    (b'{"format": 1, "status": "ok", "status": "ok"}', "not a valid Run record"),
]


@pytest.mark.parametrize(
    ("data", "said"), BAD_RECORDS, ids=[bad_record[1] for bad_record in BAD_RECORDS]
)
def test_a_record_that_is_none_is_refused_with_the_reason(
    folder: Path, data: bytes, said: str
) -> None:
    (folder / "run.json").write_bytes(data)
    with pytest.raises(BundleError, match=said) as caught:
        _ = Bundle(folder).run
    assert "run.json" in str(caught.value)


def test_a_record_without_its_format_is_refused_although_it_has_a_default(folder: Path) -> None:
    tree = json.loads((folder / "run.json").read_bytes())
    del tree["format"]
    (folder / "run.json").write_text(json.dumps(tree))
    with pytest.raises(BundleError, match="no valid format number"):
        _ = Bundle(folder).run


def test_an_unknown_key_is_refused_by_name(folder: Path) -> None:
    tree = json.loads((folder / "run.json").read_bytes()) | {"colour": "red"}
    (folder / "run.json").write_text(json.dumps(tree))
    with pytest.raises(BundleError, match="colour"):
        _ = Bundle(folder).run


# --- finding --------------------------------------------------------------------------------------


def test_bundles_are_listed_sorted_and_not_inside_others(tmp_path: Path) -> None:
    folders = [write_run(tmp_path, Plan(name=name, seed=seed)) for name in "ba" for seed in (1, 2)]
    shutil.copytree(folders[0], folders[1] / "submission" / "copy")
    assert find_bundles(tmp_path) == sorted(folders)
    assert find_bundles(folders[0]) == [folders[0]]
    assert find_bundles(tmp_path / "none") == []


def test_a_run_that_was_cut_off_is_no_bundle(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Plan())
    (folder / MANIFEST).unlink()
    assert find_bundles(tmp_path) == []


# --- sealing --------------------------------------------------------------------------------------


def test_a_manifest_lists_every_file_but_itself(folder: Path) -> None:
    (folder / "submission").mkdir()
    (folder / "submission" / "train.py").write_text("x = 1\n")
    (folder / "manifest.dsse.json").write_text("{}")
    names = [path.relative_to(folder).as_posix() for path in listed_files(folder)]
    assert names == sorted([*NAMES, "events.jsonl", "submission/train.py"])
    sizes = {
        manifest_file.path: manifest_file.size_bytes for manifest_file in manifest_files(folder)
    }
    assert sizes["submission/train.py"] == 6


def test_a_folder_is_sealed_or_not_whatever_call_fails(tmp_path: Path) -> None:
    def unsealed(name: str) -> tuple[Path, Manifest]:
        folder = write_run(tmp_path / name, Plan())
        manifest = Bundle(folder).manifest
        (folder / MANIFEST).unlink()
        return folder, manifest

    probe = unsealed("probe")
    for at in range(len(count_calls(lambda: seal(*probe)))):
        folder, manifest = unsealed(str(at))
        before = {path.name for path in folder.iterdir()}
        with failing(at, "torn"), pytest.raises(OSError, match="No space"):
            seal(folder, manifest)
        assert {path.name for path in folder.iterdir()} - {MANIFEST} == before
        if (folder / MANIFEST).exists():
            read_all(Bundle(folder, checked=True))
        seal(folder, manifest)
        read_all(Bundle(folder, checked=True))


def test_the_harness_knows_its_own_sources() -> None:
    assert harness_sha256() == harness_sha256()
    assert len(harness_sha256()) == 64


# --- events ---------------------------------------------------------------------------------------

scalars: Any = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
kinds = st.text(min_size=1, max_size=10)


@given(st.lists(st.tuples(kinds, st.dictionaries(st.text(max_size=8), scalars, max_size=3))))
@settings(max_examples=30)
def test_events_read_back_in_order(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, dict[str, Any]]]
) -> None:
    folder = write_run(tmp_path_factory.mktemp("results"), Plan(watts=None))
    log = EventLog(folder / "events.jsonl", 1000)
    for number, (kind, data) in enumerate(events):
        log.append(1000 + number, kind, **data)
    log.close()
    read = list(Bundle(folder).events())
    assert [(item.seq, item.t_ns) for item in read] == [(n, n) for n in range(len(events))]
    assert [(item.kind, item.data) for item in read] == events


@pytest.mark.parametrize("kind", ["error", "torn", "short"])
def test_an_event_is_written_whole_or_not_at_all(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, 0)
    log.append(1, "gun")
    fails = pytest.raises(OSError, match="No space") if kind != "short" else nullcontext()
    with failing(0, kind), fails:
        log.append(2, "snapshot", note="x" * 100)
    log.append(3, "end")
    log.close()
    read = [load(Event, line, "events") for line in path.read_bytes().splitlines()]
    assert [item.kind for item in read] == ["gun", *["snapshot"] * (kind == "short"), "end"]
    assert [item.seq for item in read] == list(range(len(read)))


def test_a_number_that_json_has_not_is_refused(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", 0)
    with pytest.raises(ValueError, match="Out of range"):
        log.append(1, "log", loss=float("nan"))
    log.close()
    assert (tmp_path / "events.jsonl").read_bytes() == b""


def test_a_line_that_is_no_event_is_refused_by_number(folder: Path) -> None:
    (folder / "events.jsonl").write_text('{"seq":0,"t_ns":0,"kind":"gun"}\n{"seq":1}\n')
    with pytest.raises(BundleError, match=r"events\.jsonl:2"):
        list(Bundle(folder).events())


def test_closing_makes_events_durable(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", 0)
    assert "fdatasync" in count_calls(log.close)
    assert (tmp_path / "events.jsonl").read_bytes() == b""
