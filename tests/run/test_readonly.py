"""Descriptors of large arrays: whole files only, on a mount that no right can write through."""

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import Splits
from harness.run import readonly
from harness.run.memory import check_sealed, map_array
from harness.run.prepared_data import prepare_data
from harness.run.readonly import file_of, open_readonly
from tests.run.test_prepared_data import open_fds, spec


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(24, dtype=np.float32).reshape(6, 4))
    return path


def mapped(path: Path) -> Any:
    return np.load(path, mmap_mode="r")


def splits_of(path: Path) -> Splits:
    return Splits(
        train={"x": mapped(path), "y": np.arange(6)},
        validation={"x": mapped(path)[:2]},
        test_inputs={"x": np.zeros((1, 4))},
        test_labels={"y": np.zeros(1)},
    )


# --- which arrays are files ----------------------------------------------------------------------


def test_a_whole_map_is_its_file(table: Path) -> None:
    assert file_of(mapped(table)) == table


@pytest.mark.parametrize(
    "part",
    [
        lambda x: x[1:],
        lambda x: x[::-1],
        lambda x: x.T,
        lambda x: x.reshape(4, 6),
        lambda x: x.view(np.int32),
        lambda x: x[[0, 1, 2, 3, 4, 5]],
        lambda x: x + 0,
        np.array,
    ],
)
def test_a_part_or_change_of_a_map_is_no_file(table: Path, part: Any) -> None:
    assert file_of(part(mapped(table))) is None


@pytest.mark.parametrize("mode", ["r+", "c"])
def test_a_map_that_can_be_written_is_no_file(table: Path, mode: Any) -> None:
    assert file_of(np.load(table, mmap_mode=mode)) is None


# --- what cannot be done with the descriptor -----------------------------------------------------


@pytest.mark.needs("bubblewrap")
def test_it_cannot_be_written_by_any_way(table: Path) -> None:
    before = table.read_bytes()
    (descriptor,) = open_readonly([table]) or [-1]
    name = f"/proc/self/fd/{descriptor}"
    try:
        for attempt in (
            lambda: os.open(name, os.O_RDWR),
            lambda: os.open(name, os.O_WRONLY | os.O_TRUNC),
            lambda: os.fchmod(descriptor, 0o666),
            lambda: os.truncate(name, 0),
            lambda: os.utime(name),
        ):
            with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
                attempt()
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            os.write(descriptor, b"x")
        np.testing.assert_array_equal(map_array(descriptor), mapped(table))
    finally:
        os.close(descriptor)
    assert table.read_bytes() == before


@pytest.mark.needs("bubblewrap")
def test_files_come_in_the_order_asked_for(tmp_path: Path) -> None:
    paths = []
    for number in range(20):
        paths.append(tmp_path / f"{number}.npy")
        np.save(paths[-1], np.array([number]))
    fds = open_readonly(paths)
    assert fds is not None
    assert [int(map_array(fd)[0]) for fd in fds] == list(range(20))
    for descriptor in fds:
        os.close(descriptor)


@pytest.mark.needs("bubblewrap")
def test_a_missing_file_gives_nothing_and_leaks_nothing(table: Path) -> None:
    before = open_fds()
    assert open_readonly([table, table.with_name("none.npy")]) is None
    assert open_fds() == before


def test_a_descriptor_that_is_not_read_only_is_refused(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_fds()

    def lying(program: Path, paths: Any) -> list[int]:
        return [os.open(path, os.O_RDONLY) for path in paths]

    monkeypatch.setattr(readonly, "_open_in_helper", lying)
    monkeypatch.setattr(readonly, "_programs", lambda: iter([Path("/bin/true")]))
    assert open_readonly([table]) is None
    assert open_fds() == before


# --- the start signal -----------------------------------------------------------------------------


@pytest.mark.needs("bubblewrap")
def test_the_start_signal_hands_over_files_as_files_and_the_rest_sealed(table: Path) -> None:
    before = open_fds()
    with closing(prepare_data(spec(lambda _: splits_of(table)), 0)) as prepared:
        whole, labels, part = prepared.descriptors
        assert os.fstat(whole).st_ino == table.stat().st_ino
        with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
            os.open(f"/proc/self/fd/{whole}", os.O_RDWR)
        for descriptor in (labels, part):
            assert check_sealed(descriptor, 1 << 20)
        np.testing.assert_array_equal(map_array(part), mapped(table)[:2])
    del prepared  # a map keeps a descriptor of its own
    assert open_fds() == before


def test_without_bubblewrap_the_start_signal_seals_a_copy(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readonly, "_programs", lambda: iter([Path("/bin/false")]))
    with closing(prepare_data(spec(lambda _: splits_of(table)), 0)) as prepared:
        for descriptor in prepared.descriptors:
            assert check_sealed(descriptor, 1 << 20)
        np.testing.assert_array_equal(map_array(prepared.descriptors[0]), mapped(table))
