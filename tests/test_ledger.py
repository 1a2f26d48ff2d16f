"""The ledger: appended, chained, and unharmed by any failing call; every alteration is found."""

import json
import multiprocessing
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ledger import (
    FOREIGN,
    GENESIS,
    Ledger,
    LedgerError,
    MachineBusy,
    lock_path,
    machine_lock,
    read_ledger,
    row_hash,
)
from tests.lab.faulty import count_calls, failing

FIELDS: dict[str, Any] = {
    "run_id": "r1", "workload": "w", "submission": "s", "submission_sha256": "0",
    "seed_commitment": "c", "bundle": "w/s/m/r1",
}  # fmt: skip


def filled(results: Path, count: int = 4) -> Path:
    """A ledger of that many rows, started and finished in turn."""
    book = Ledger(results, "desk")
    for number in range(count):
        fields = FIELDS | {"run_id": f"r{number // 2}"}
        if number % 2:
            book.append("finished", status="ok", manifest_sha256=f"m{number}", **fields)
        else:
            book.append("started", **fields)
    return book.path


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
@settings(max_examples=20)
def test_what_is_appended_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    book = Ledger(tmp_path_factory.mktemp("results"), "desk")
    written = [book.append("started", **(FIELDS | {"workload": name})) for name in names]
    assert read_ledger(book.path) == written
    assert [row.workload for row in written] == names


def test_rows_are_numbered_and_chained(tmp_path: Path) -> None:
    rows = read_ledger(filled(tmp_path))
    assert [row.seq for row in rows] == [0, 1, 2, 3]
    assert [row.previous for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]
    assert all(row.hash == row_hash(row.model_dump(mode="json")) for row in rows)
    assert [row.utc for row in rows] == sorted(row.utc for row in rows)


def test_the_last_manifest_is_that_of_the_last_finished_run(tmp_path: Path) -> None:
    assert Ledger(tmp_path, "desk").last_manifest() is None
    filled(tmp_path, 5)
    assert Ledger(tmp_path, "desk").last_manifest() == "m3"


def test_no_ledger_is_an_empty_one(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / "none.jsonl") == []


# --- what must be found ---------------------------------------------------------------------------


def test_every_flipped_bit_is_detected(tmp_path: Path) -> None:
    path = filled(tmp_path, 2)
    data = path.read_bytes()
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises(LedgerError, match=r"desk\.jsonl"):
            read_ledger(path)


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 2, 3], [1, 2, 3], [0, 1, 1, 2, 3]])
def test_rows_that_were_moved_removed_or_repeated_are_detected(
    tmp_path: Path, order: list[int]
) -> None:
    path = filled(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[index] for index in order))
    with pytest.raises(LedgerError, match="breaks the chain"):
        read_ledger(path)


def test_a_row_rewritten_with_its_hash_breaks_the_chain_behind_it(tmp_path: Path) -> None:
    path = filled(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    tree = json.loads(lines[1])
    tree["status"] = "aborted"
    tree["hash"] = row_hash(tree)
    lines[1] = json.dumps(tree, sort_keys=True).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match=r"desk\.jsonl:3: breaks the chain"):
        read_ledger(path)


def test_nothing_is_added_to_a_damaged_ledger(tmp_path: Path) -> None:
    path = filled(tmp_path)
    damaged = path.read_bytes().replace(b'"w"', b'"x"', 1)
    path.write_bytes(damaged)
    with pytest.raises(LedgerError, match="hash does not match"):
        Ledger(tmp_path, "desk").append("started", **FIELDS)
    assert path.read_bytes() == damaged


# --- what must not harm it ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["error", "torn", "short"])
def test_a_row_is_there_whole_or_not_at_all_whatever_call_fails(tmp_path: Path, kind: str) -> None:
    filled(tmp_path / "probe")
    calls = count_calls(lambda: Ledger(tmp_path / "probe", "desk").append("started", **FIELDS))
    for at in range(len(calls)):
        results = tmp_path / str(at)
        path = filled(results)
        before = read_ledger(path)
        book = Ledger(results, "desk")
        row = None
        with failing(at, kind), suppress(OSError):
            row = book.append("started", **FIELDS)
        assert row is None or kind == "short"
        assert read_ledger(path) == [*before, *([row] if row else [])]
        book.append("started", **FIELDS)
        assert len(read_ledger(path)) == len(before) + 1 + bool(row)


def test_a_torn_last_line_is_reported_and_set_aside_by_the_next_run(tmp_path: Path) -> None:
    path = filled(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"format": 1, "se')
    with pytest.raises(LedgerError, match="last line is torn"):
        read_ledger(path)
    row = Ledger(tmp_path, "desk").append("started", **FIELDS)
    assert (row.seq, len(read_ledger(path))) == (4, 5)
    assert path.read_bytes().startswith(whole)
    assert path.with_name("desk.jsonl.torn").read_bytes() == b'{"format": 1, "se\n'


def _append_many(results: Path) -> None:
    for _ in range(10):
        Ledger(results, "desk").append("started", **FIELDS)


def test_two_processes_append_in_turn(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append_many, args=(tmp_path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(read_ledger(Ledger(tmp_path, "desk").path)) == 20


# --- the lock -------------------------------------------------------------------------------------


def test_one_run_at_a_time_holds_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    busy = pytest.raises(MachineBusy, match="wait for it or stop it")
    with machine_lock(path), busy, machine_lock(path):
        pytest.fail("two runs held the machine")
    with machine_lock(path):
        assert path.exists()


def test_the_lock_is_let_go_when_a_run_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), machine_lock(tmp_path / "lock"):
        _ = 1 / 0
    with machine_lock(tmp_path / "lock"):
        pass


def test_the_lock_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEMARK_LOCK", str(tmp_path / "mine"))
    assert lock_path() == tmp_path / "mine"
    with machine_lock():
        assert (tmp_path / "mine").exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_lock_that_is_no_plain_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lock"
    if kind == "link":
        path.symlink_to(tmp_path / "made-by-us")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(MachineBusy, match="lock"), machine_lock(path):
        pytest.fail("it was locked")
    assert not (tmp_path / "made-by-us").exists()


def test_another_user_cannot_open_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOULEMARK_LOCK")
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / "joulemark-4711").mkdir()
    with pytest.raises(MachineBusy, match="not a folder of user 4711 alone"):
        lock_path()
    monkeypatch.undo()
    with machine_lock(tmp_path / "lock"):
        assert (tmp_path / "lock").stat().st_mode & 0o077 == 0


def test_a_run_that_was_cut_off_is_unfinished_until_it_is_closed(tmp_path: Path) -> None:
    book = Ledger(tmp_path, "desk")
    assert book.unfinished() == []
    filled(tmp_path, 3)
    (left,) = book.unfinished()
    assert (left.run_id, left.kind) == ("r1", "started")
    closed = book.finish(left, "ok", "m9")
    assert book.unfinished() == []
    assert read_ledger(book.path)[-1] == closed
    assert {name: getattr(closed, name) for name in FIELDS} == FIELDS | {"run_id": "r1"}


def test_a_torn_row_is_set_aside_before_anything_is_read(tmp_path: Path) -> None:
    path = filled(tmp_path, 1)
    path.write_bytes(path.read_bytes() + b'{"bundle": "w/s')
    assert [row.run_id for row in Ledger(tmp_path, "desk").unfinished()] == ["r0"]
    assert path.with_name(f"{path.name}.torn").read_bytes() == b'{"bundle": "w/s\n'


def test_a_new_ledger_is_durable_in_its_folder(tmp_path: Path, monkeypatch) -> None:
    import os

    real, names = os.fsync, []

    def noted(descriptor: int) -> None:
        names.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    filled(tmp_path, 2)
    assert names == [tmp_path.name, "desk.jsonl", "ledgers", "desk.jsonl"]


def test_rows_of_strangers_are_no_runs_of_ours(tmp_path: Path) -> None:
    """They are neither unfinished, nor the manifest before ours."""
    strangers = Ledger(tmp_path, FOREIGN)
    row = strangers.append(
        "foreign",
        run_id="r",
        workload="w",
        submission="s",
        submission_sha256="0" * 64,
        seed_commitment="0" * 64,
        bundle="w/s/m/r",
        status="ok",
        manifest_sha256="1" * 64,
    )
    assert read_ledger(strangers.path) == [row]
    ours = Ledger(tmp_path, "m")
    assert ours.unfinished() == []
    assert ours.last_manifest() is None
