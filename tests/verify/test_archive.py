"""Archives from strangers: good ones are checked like folders, hostile ones are refused."""

import contextlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.verify import BadArchive, NothingToVerify, verify
from harness.verify.archive import ENTRIES_MAX, copy_folder, unpack
from tests.verify.made import Results

RUN_ID = "20261122T000000Z-0001"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(tmp_path / "results")
    made.add(RUN_ID)
    return made


def tarred(path: Path, folder: Path, name: str) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        tar.add(folder, name)
    return path


def zipped(path: Path, folder: Path, name: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for item in sorted(folder.rglob("*")):
            archive.write(item, f"{name}/{item.relative_to(folder)}")
    return path


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".zip"])
def test_a_packed_tree_is_checked_like_a_folder(
    results: Results, tmp_path: Path, suffix: str
) -> None:
    pack = zipped if suffix == ".zip" else tarred
    path = pack(tmp_path / f"all{suffix}", results.root, "results")
    report = verify(path)
    assert report.ok
    assert report.root == path
    assert report.bundles[0].run_id == RUN_ID
    assert report.bundles[0].bundle.endswith(RUN_ID)


@pytest.mark.parametrize("name", [RUN_ID, "."])
def test_a_packed_bundle_is_checked_alone(results: Results, tmp_path: Path, name: str) -> None:
    path = tarred(tmp_path / f"{RUN_ID}.tar.gz", results.root / results.place(RUN_ID), name)
    report = verify(path)
    assert report.ok
    assert report.bundles[0].run_id == RUN_ID


def test_a_changed_file_in_an_archive_is_detected(results: Results, tmp_path: Path) -> None:
    folder = results.root / results.place(RUN_ID)
    (folder / "log.txt").write_text("changed")
    report = verify(tarred(tmp_path / "x.tar", folder, RUN_ID))
    assert "log.txt" in next(report.failures())


def tar_of(*members: tuple[str, dict[str, object], bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, fields, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(*members: tuple[str, int, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, attributes, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


HOSTILE: list[tuple[str, str, Callable[[], bytes], str]] = [
    ("up", ".tar", lambda: tar_of(("../evil", {}, b"x")), "not a plain relative name"),
    ("absolute", ".tar", lambda: tar_of(("/tmp/evil", {}, b"x")), "not a plain relative name"),
    ("inner up", ".tar", lambda: tar_of(("a/../../evil", {}, b"x")), "not a plain relative name"),
    ("backslash", ".tar", lambda: tar_of(("a\\b", {}, b"x")), "not a plain relative name"),
    ("escape", ".tar", lambda: tar_of(("a\x1b[2J", {}, b"x")), "not a plain relative name"),
    ("link", ".tar", lambda: tar_of(("a", {"type": tarfile.SYMTYPE, "linkname": "/etc"}, b"")),
     "neither a plain file"),
    ("hard link", ".tar", lambda: tar_of(("a", {"type": tarfile.LNKTYPE, "linkname": "b"}, b"")),
     "neither a plain file"),
    ("device", ".tar", lambda: tar_of(("a", {"type": tarfile.CHRTYPE}, b"")), "neither a plain"),
    ("pipe", ".tar", lambda: tar_of(("a", {"type": tarfile.FIFOTYPE}, b"")), "neither a plain"),
    ("twice", ".tar", lambda: tar_of(("a", {}, b"x"), ("a", {}, b"y")), "listed twice"),
    ("case", ".tar", lambda: tar_of(("a", {}, b"x"), ("A", {}, b"y")), "listed twice"),
    ("accents", ".tar", lambda: tar_of(("\u00e9", {}, b"x"), ("e\u0301", {}, b"y")), "twice"),
    ("file as folder", ".tar", lambda: tar_of(("a", {}, b"x"), ("a/b", {}, b"y")), "listed twice"),
    ("cut off", ".tar", lambda: tar_of(("a", {}, b"x" * 5000))[:2000], "damaged"),
    ("nonsense", ".tar", lambda: b"nonsense" * 100, "damaged"),
    ("nonsense", ".tar.gz", lambda: b"nonsense" * 100, "damaged"),
    ("nonsense", ".zip", lambda: b"nonsense" * 100, "damaged"),
    ("zip up", ".zip", lambda: zip_of(("../evil", 0, b"x")), "not a plain relative name"),
    ("zip absolute", ".zip", lambda: zip_of(("/evil", 0, b"x")), "not a plain relative name"),
    ("zip link", ".zip", lambda: zip_of(("a", 0o120777, b"/etc")), "a link, a special file"),
    ("zip bomb", ".zip", lambda: zip_of(("a", 0, bytes(50 << 20))), "a bomb"),
    ("zip twice", ".zip", lambda: zip_of(("a", 0, b"x"), ("A", 0, b"y")), "listed twice"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("suffix", "build", "said"),
    [item[1:] for item in HOSTILE],
    ids=[f"{a}{b}" for a, b, *_ in HOSTILE],
)
def test_a_hostile_archive_is_refused(
    tmp_path: Path, suffix: str, build: Callable[[], bytes], said: str
) -> None:
    path = tmp_path / f"hostile{suffix}"
    path.write_bytes(build())
    with pytest.raises(BadArchive, match=said) as caught:
        verify(path)
    assert path.name in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_nothing_is_written_outside(tmp_path: Path) -> None:
    inner = tmp_path / "in"
    inner.mkdir()
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(("ok", {}, b"1"), ("../evil", {}, b"x")))
    with pytest.raises(BadArchive):
        unpack(path, inner)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in", "x.tar"]


def test_a_bomb_of_gzip_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 300 << 20
        with open("/dev/zero", "rb") as zeros:  # noqa: PTH123 - a device
            tar.addfile(info, zeros)
    with pytest.raises(BadArchive, match="a bomb"):
        verify(path)


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.tar"
    path.write_bytes(tar_of(*[(f"f{number}", {}, b"") for number in range(ENTRIES_MAX + 1)]))
    with pytest.raises(BadArchive, match="entries"):
        verify(path)


def test_a_header_of_negative_size_ends(tmp_path: Path) -> None:
    """Such headers made Python's own reader loop for ever (CVE-2025-8194)."""
    data = bytearray(tar_of(("a", {}, b""), ("b", {}, b"")))
    data[124:136] = b"\xff" * 8 + (-1024).to_bytes(4, "big", signed=True)
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path = tmp_path / "negative.tar"
    path.write_bytes(data)
    with pytest.raises(BadArchive):
        verify(path)


@settings(max_examples=60)
@given(st.integers(0, 10_239), st.integers(1, 255))
def test_any_flip_in_an_archive_ends_in_a_verdict(
    tmp_path_factory: pytest.TempPathFactory, place: int, mask: int
) -> None:
    folder = tmp_path_factory.mktemp("flips")
    made = Results(folder / "results")
    path = tarred(folder / "x.tar", made.add(RUN_ID), RUN_ID)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= mask
    path.write_bytes(data)
    with contextlib.suppress(BadArchive, NothingToVerify):
        assert verify(path).bundles


def test_scratch_folders_are_removed(results: Results, tmp_path: Path, monkeypatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    verify(tarred(tmp_path / "x.tar.gz", results.root, "results"))
    assert list(scratch.iterdir()) == []


def test_a_folder_is_gathered_by_the_same_rules(results: Results, tmp_path: Path) -> None:
    folder = results.root / results.place(RUN_ID)
    target = tmp_path / "copy"
    target.mkdir()
    copy_folder(folder, target)
    assert verify(folder).ok
    assert {path.relative_to(target) for path in target.rglob("*")} == {
        path.relative_to(folder) for path in folder.rglob("*")
    }
    (folder / "link").symlink_to("/etc/passwd")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(BadArchive, match="'link': neither a plain file nor a folder"):
        copy_folder(folder, other)
    assert not (other / "link").exists()


def test_an_archive_of_nothing_is_reported_by_its_own_name(tmp_path: Path) -> None:
    """Where it was unpacked to is nothing that anybody could look at."""
    path = tmp_path / "empty.tar"
    with tarfile.open(path, "w"):
        pass
    with pytest.raises(NothingToVerify) as caught:
        verify(path)
    assert str(caught.value).startswith(f"{path}: contains neither a bundle nor a ledger")
