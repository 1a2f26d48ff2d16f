"""Which users are free, and what they can reach."""

import os
import threading
from pathlib import Path

import pytest

from harness.launchers import _identity


def test_a_free_user_has_no_process() -> None:
    uids = {_identity.free_uid() for _ in range(5)}
    assert uids <= set(_identity.UIDS)
    assert len(uids) > 1
    owners = {path.stat().st_uid for path in Path("/proc").glob("[0-9]*") if path.exists()}
    assert not uids & owners


def test_taken_users_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_identity, "UIDS", range(61184, 61186))
    monkeypatch.setattr(_identity, "_owner", lambda pid: 61184)
    assert {_identity.free_uid() for _ in range(8)} == {61185}


def test_threads_count() -> None:
    before = _identity.own_threads()
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    during = _identity.own_threads()
    stop.set()
    for thread in threads:
        thread.join()
    # Other processes of this user come and go meanwhile.
    assert before >= 1
    assert during > before + 5


def test_closed_folders_on_the_way_are_named(tmp_path: Path) -> None:
    deep = tmp_path / "one" / "two"
    deep.mkdir(parents=True)
    file = deep / "file"
    file.write_text("x")
    for path in (file, deep, deep.parent):
        path.chmod(0o755)
    assert _identity.first_private([file, deep]) is None
    file.chmod(0o640)
    assert _identity.first_private([deep, file]) == file
    file.chmod(0o644)
    deep.parent.chmod(0o750)
    assert _identity.unreachable([deep]) in {deep.parent, *tmp_path.parents, tmp_path}
    assert _identity.unreachable([Path("/usr/bin")]) is None


def test_pipes_can_be_handed_over_and_files_stay(tmp_path: Path) -> None:
    if not _identity.is_root():
        pytest.skip("needs root, who alone can give files away")
    reading, writing = os.pipe()
    with (tmp_path / "file").open("wb") as file:
        _identity.hand_over((writing, file.fileno()), 61200)
        assert os.fstat(writing).st_uid == 61200
        assert os.fstat(file.fileno()).st_uid == 0
    os.close(reading)
    os.close(writing)
