"""Bundles of somebody else's: let in whole, checked and entered, or refused with a sentence."""

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.ledger import Ledger, read_ledger
from harness.run.bundle_import import BundleImportError, ImportResult, import_bundles
from harness.score.score import score_results
from harness.sign import generate, load_key, sign
from harness.verify import BadArchive, verify
from tests.verify.made import MACHINE, Parts, Results, sha256

RUN_ID = "20261122T000000Z-0001"
OTHER_ID = "20261122T000100Z-0002"


@pytest.fixture
def theirs(tmp_path: Path) -> Results:
    made = Results(tmp_path / "theirs")
    made.add(RUN_ID)
    return made


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return tmp_path / "ours" / "results"


@pytest.fixture
def bundle(theirs: Results) -> Path:
    return theirs.root / theirs.place(RUN_ID)


def packed(folder: Path, target: Path) -> Path:
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, f"{folder.name}/{path.relative_to(folder)}")
    else:
        with tarfile.open(target, "w:gz" if target.suffix == ".gz" else "w") as tar:
            tar.add(folder, folder.name)
    return target


def tree_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def nothing_of_it(ours: Path) -> bool:
    """Neither in the results nor beside them."""
    left = [path for path in ours.parent.rglob("*") if path != ours]
    return not left


# --- what is let in ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["folder", ".tar", ".tar.gz", ".zip"])
def test_a_sound_bundle_is_kept_byte_for_byte(
    bundle: Path, ours: Path, tmp_path: Path, how: str
) -> None:
    path = bundle if how == "folder" else packed(bundle, tmp_path / f"x{how}")
    (admitted,) = import_bundles(path, ours).admitted
    assert admitted.bundle == ours / "tiny" / "entry" / MACHINE / RUN_ID
    assert tree_of(admitted.bundle) == tree_of(bundle)
    (row,) = read_ledger(ours / "ledgers" / "foreign.jsonl")
    assert (row.kind, row.run_id, row.status) == ("foreign", RUN_ID, "ok")
    assert row.manifest_sha256 == sha256((bundle / "manifest.json").read_bytes())
    assert row.bundle == admitted.bundle.relative_to(ours).as_posix()
    assert {path.name for path in ours.parent.iterdir()} == {"results"}


def test_a_whole_tree_comes_in_and_says_what_was_cut_off(theirs: Results, ours: Path) -> None:
    theirs.add(OTHER_ID)
    theirs.start_only("20261122T000200Z-0003")
    entry = import_bundles(theirs.root, ours)
    assert [item.run.id for item in entry.admitted] == [RUN_ID, OTHER_ID]
    assert entry.left_out == (theirs.place("20261122T000200Z-0003"),)
    assert not (ours / theirs.place("20261122T000200Z-0003")).exists()
    assert not (ours / "ledgers" / f"{MACHINE}.jsonl").exists(), "their ledger stays theirs"
    assert verify(ours).ok


def test_score_and_checker_see_it(bundle: Path, ours: Path) -> None:
    import_bundles(bundle, ours)
    (score,) = score_results(ours)
    assert (score.entry.workload, score.entry.submission, score.n) == ("tiny", "entry", 1)
    checks = {check.rule: check for check in verify(ours).bundles[0].checks}
    assert checks["foreign-row"].verdict == "pass"
    assert checks["ledger-row"].verdict == "skip"
    alone = verify(ours / "tiny" / "entry" / MACHINE / RUN_ID)
    assert {check.rule: check.verdict for check in alone.bundles[0].checks}["foreign-row"] == "pass"


def test_it_stands_beside_our_own_machine_of_the_same_name(bundle: Path, tmp_path: Path) -> None:
    """Their row 0 is not our row 0: the two ledgers are kept apart."""
    mine = Results(tmp_path / "mine")
    mine.add(OTHER_ID)
    import_bundles(bundle, mine.root)
    report = verify(mine.root)
    assert report.ok, list(report.failures())
    assert {item.run_id for item in report.bundles} == {RUN_ID, OTHER_ID}


def test_a_second_import_changes_nothing(bundle: Path, ours: Path) -> None:
    import_bundles(bundle, ours)
    before = tree_of(ours)
    (again,) = import_bundles(bundle, ours).admitted
    assert not again.fresh
    assert tree_of(ours) == before


def test_an_import_cut_off_before_its_row_is_finished_by_the_next(
    bundle: Path, ours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", cut)
        with pytest.raises(KeyboardInterrupt):
            import_bundles(bundle, ours)
    assert verify(ours / "tiny" / "entry" / MACHINE / RUN_ID).ok
    import_bundles(bundle, ours)
    assert len(read_ledger(ours / "ledgers" / "foreign.jsonl")) == 1


def test_our_own_bundle_coming_back_is_no_stranger(theirs: Results, tmp_path: Path) -> None:
    path = packed(theirs.root / theirs.place(RUN_ID), tmp_path / "back.zip")
    (admitted,) = import_bundles(path, theirs.root).admitted
    assert not admitted.fresh
    assert read_ledger(theirs.root / "ledgers" / "foreign.jsonl") == []


# --- what was let in and changed -----------------------------------------------------------------


def reseal(folder: Path, change: Callable[[Path], None]) -> None:
    """Change a bundle and make its manifest fit again: only a witness can tell."""
    change(folder)
    path = folder / "manifest.json"
    tree = json.loads(path.read_bytes())
    for item in tree["files"]:
        data = (folder / item["path"]).read_bytes()
        item["size_bytes"], item["sha256"] = len(data), sha256(data)
    path.write_text(json.dumps(tree))


def test_a_later_change_is_detected_by_the_row(bundle: Path, ours: Path) -> None:
    (admitted,) = import_bundles(bundle, ours).admitted
    reseal(admitted.bundle, replaced("log.txt", b"better"))
    (fault,) = verify(ours).failures()
    assert "foreign-row" in fault
    assert "row 0 of the ledger foreign" in fault


def test_a_removed_bundle_is_missed(bundle: Path, ours: Path) -> None:
    (admitted,) = import_bundles(bundle, ours).admitted
    (admitted.bundle / "manifest.json").unlink()
    assert any("is missing" in fault for fault in verify(ours).failures())


def test_a_machines_ledger_takes_no_foreign_rows(bundle: Path, ours: Path) -> None:
    """Else a bundle from elsewhere could be passed off as one that was made here."""
    import_bundles(bundle, ours)
    (ours / "ledgers" / "foreign.jsonl").rename(ours / "ledgers" / f"{MACHINE}.jsonl")
    assert any("a row of kind foreign" in fault for fault in verify(ours).failures())


# --- tiers ---------------------------------------------------------------------------------------


def witnessed(parts: Parts) -> None:
    parts.run["provenance"] = "organizer"


@pytest.fixture
def organized(tmp_path: Path) -> Path:
    made = Results(tmp_path / "organized")
    return made.add(RUN_ID, witnessed)


def test_no_one_raises_his_own_tier(organized: Path, ours: Path) -> None:
    with pytest.raises(BundleImportError, match="provenance 'organizer'; name with --key"):
        import_bundles(organized, ours)
    assert nothing_of_it(ours)


def test_a_tier_is_kept_where_its_signature_holds(
    organized: Path, ours: Path, tmp_path: Path
) -> None:
    for name in ("organizer", "somebody"):
        generate(tmp_path / name)
    sign(organized, load_key(tmp_path / "somebody"))
    with pytest.raises(BundleImportError, match="has no signature by"):
        import_bundles(organized, ours, tmp_path / "organizer.pub")
    sign(organized, load_key(tmp_path / "organizer"))
    (admitted,) = import_bundles(organized, ours, tmp_path / "organizer.pub").admitted
    assert admitted.run.provenance == "organizer"


# --- what is refused -----------------------------------------------------------------------------


def change_json(name: str, text: Callable[[str], str]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(text(path.read_text()))

    return change


def replaced(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data)  # type: ignore[return-value]


DEEP = '{"a":' * 5000 + "1" + "}" * 5000
SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "deep JSON": (replaced("run.json", DEEP.encode()), "run.json: nested deeper than"),
    "no UTF-8": (replaced("run.json", b'{"id": "\xff"}'), "run.json: byte 8 is not UTF-8"),
    "NaN": (change_json("eval.json", lambda t: t.replace("0.9", "NaN", 1)), "not a JSON number"),
    "a large integer": (
        change_json("machine.json", lambda text: text.replace("{", '{"x": 9007199254740993, ', 1)),
        "beyond 2\\^53",
    ),
    "a key twice": (
        change_json("run.json", lambda text: text.replace("{", '{"status": "ok", ', 1)),
        "is twice",
    ),
    "a newer format": (
        change_json("run.json", lambda text: text.replace('"format": 1', '"format": 99', 1)),
        "format 99 is newer",
    ),
    "no gzip": (replaced("trace.csv.gz", b"plain"), "trace: trace.csv.gz: damaged gzip"),
    "another status": (
        change_json("run.json", lambda text: text.replace('"status": "ok"', '"status": "oom"', 1)),
        "identity: manifest.json: status ok, run.json says oom",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_bundle_that_seals_nonsense_is_refused(name: str, bundle: Path, ours: Path) -> None:
    """Hashes that fit prove nothing about what was hashed."""
    change, said = SPOILT[name]
    before = sha256((bundle / "manifest.json").read_bytes())
    reseal(bundle, change)
    assert sha256((bundle / "manifest.json").read_bytes()) != before, "the change took"
    with pytest.raises(BundleImportError, match=said) as caught:
        import_bundles(bundle, ours)
    assert str(caught.value).isprintable()
    assert "nothing was imported" in str(caught.value)
    assert nothing_of_it(ours)


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "name", ["manifest.json", "run.json", "trace.csv.gz", "submission/train.py"]
)
@pytest.mark.parametrize("spoil", [flipped, lambda data: data[:-1]], ids=["flip", "cut"])
def test_a_changed_file_is_refused(
    name: str, spoil: Callable[[bytes], bytes], bundle: Path, ours: Path
) -> None:
    (bundle / name).write_bytes(spoil((bundle / name).read_bytes()))
    with pytest.raises(BundleImportError, match="nothing was imported"):
        import_bundles(bundle, ours)
    assert nothing_of_it(ours)


def test_one_bad_bundle_keeps_the_good_ones_out(theirs: Results, ours: Path) -> None:
    (theirs.add(OTHER_ID) / "log.txt").write_text("changed")
    with pytest.raises(BundleImportError, match=OTHER_ID):
        import_bundles(theirs.root, ours)
    assert nothing_of_it(ours)


def test_another_bundle_in_the_place_is_never_replaced(
    bundle: Path, ours: Path, tmp_path: Path
) -> None:
    other = Results(tmp_path / "other")
    folder = other.add(RUN_ID, lambda parts: parts.files.update({"log.txt": b"other"}))
    import_bundles(folder, ours)
    before = tree_of(ours)
    with pytest.raises(BundleImportError, match="is not replaced"):
        import_bundles(bundle, ours)
    assert tree_of(ours) == before


def renamed(key: str, name: str) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        if key == "machine":
            parts.run["machine"] = parts.machine["name"] = name
        else:
            parts.run[key]["name"] = name

    return change


@pytest.mark.parametrize("key", ["workload", "submission", "machine"])
@pytest.mark.parametrize("name", ["..", "../../evil", "/tmp/evil", ".hidden", "", "a\x1b[2Jb"])
def test_a_name_that_leads_elsewhere_is_refused(
    key: str, name: str, tmp_path: Path, ours: Path
) -> None:
    folder = Results(tmp_path / "named").add(RUN_ID, renamed(key, name))
    alone = tmp_path / RUN_ID
    folder.rename(alone)
    with pytest.raises(BundleImportError) as caught:
        import_bundles(alone, ours)
    assert str(caught.value).isprintable()
    assert nothing_of_it(ours)


def test_no_machine_is_called_as_the_ledger_of_strangers(tmp_path: Path, ours: Path) -> None:
    folder = Results(tmp_path / "named").add(RUN_ID, renamed("machine", "foreign"))
    alone = tmp_path / RUN_ID
    folder.rename(alone)
    with pytest.raises(BundleImportError, match="'foreign' is not a valid folder name"):
        import_bundles(alone, ours)


# --- folders and archives as such ----------------------------------------------------------------


def linked(folder: Path) -> None:
    (folder / "submission" / "passwd").symlink_to("/etc/passwd")


def piped(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def cased(folder: Path) -> None:
    (folder / "RUN.JSON").write_bytes((folder / "run.json").read_bytes())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(linked, "neither a plain file"), (piped, "neither a plain file"), (cased, "listed twice")],
)
def test_an_odd_folder_is_refused_before_it_is_read(
    spoil: Callable[[Path], None], said: str, bundle: Path, ours: Path
) -> None:
    spoil(bundle)
    with pytest.raises(BadArchive, match=said):
        import_bundles(bundle, ours)
    assert nothing_of_it(ours)


def hostile(suffix: str, name: str, **fields: Any) -> bytes:
    out = io.BytesIO()
    if suffix == ".zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = fields.get("mode", 0) << 16
            archive.writestr(info, fields.get("data", b"x"))
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(name)
        data = fields.pop("data", b"")
        member.size = len(data)
        for key, value in fields.items():
            setattr(member, key, value)
        tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


ARCHIVES: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "slip": (".zip", lambda: hostile(".zip", "../evil"), "not a plain relative name"),
    "slip of a tar": (".tar", lambda: hostile(".tar", "../evil"), "not a plain relative name"),
    "link": (".tar", lambda: hostile(".tar", "a", type=tarfile.SYMTYPE, linkname="/etc"), "plain"),
    "bomb": (".zip", lambda: hostile(".zip", "a", data=bytes(50 << 20)), "a bomb"),
    "cut off": (".zip", lambda: hostile(".zip", "a")[:-9], "damaged"),
    "nonsense": (".tar.gz", lambda: b"nonsense", "damaged"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_leaves_nothing(name: str, ours: Path, tmp_path: Path) -> None:
    suffix, build, said = ARCHIVES[name]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(build())
    before = {element.name for element in tmp_path.iterdir()}
    with pytest.raises(BadArchive, match=said):
        import_bundles(path, ours)
    assert nothing_of_it(ours)
    assert {item.name for item in tmp_path.iterdir()} - before == {"ours"}


@pytest.mark.parametrize("what", ["nothing", "file", "empty"])
def test_what_holds_no_bundle_is_refused(what: str, tmp_path: Path, ours: Path) -> None:
    path = tmp_path / what
    if what == "file":
        path.write_text("x")
    elif what == "empty":
        path.mkdir()
    with pytest.raises(BundleImportError, match=r"neither a bundle"):
        import_bundles(path, ours)
    assert nothing_of_it(ours)


def test_an_entry_tells_where_its_rows_are(bundle: Path, ours: Path) -> None:
    entry: ImportResult = import_bundles(bundle, ours)
    assert entry.ledger == ours / "ledgers" / "foreign.jsonl"
    assert entry.ledger.is_file()
