"""What is shown, under which names, and that a mask covers every one of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.launchers import _mounts
from harness.launchers.interpreter import below, outermost
from harness.plugins import Limits, SandboxRequest

PARTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)
PATHS = st.lists(PARTS.map(lambda parts: Path("/", *parts)), max_size=8)


@given(PATHS)
def test_outermost_covers_all_and_holds_none_twice(paths: list[Path]) -> None:
    kept = outermost(paths)
    for path in paths:
        assert sum(below(path, folder) for folder in kept) == 1
    assert set(kept) <= set(paths)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("real/package/data", "other", "source"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    (tmp_path / "other" / "way").symlink_to(tmp_path / "real" / "package")
    return tmp_path


def test_a_path_is_shown_by_its_own_name_and_where_it_is(tree: Path) -> None:
    assert set(_mounts.paths_to_bind([tree / "alias"])) == {tree / "alias", tree / "real"}
    # The link lies in a shown folder; what it leads to does not.
    shown = _mounts.paths_to_bind([tree / "other", tree / "other" / "way"])
    assert set(shown) == {tree / "other", tree / "real" / "package"}


def test_the_whole_file_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "all").symlink_to("/")
    for path in (Path("/"), tmp_path / "all", Path("/usr/..")):
        with pytest.raises(OSError, match="whole file system"):
            _mounts.paths_to_bind([path])


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        _mounts.paths_to_bind([tmp_path / "nowhere"])
    with pytest.raises(OSError, match="nowhere: no such folder to mask"):
        _mounts.paths_inside(tmp_path / "nowhere", [])


def test_a_mask_is_detected_under_every_name(tree: Path) -> None:
    mask = tree / "real" / "package" / "data"
    bound = [(path, path) for path in (tree / "alias", tree / "real")]
    bound.append((tree / "real" / "package", Path("/sub")))
    expected = {tree / "alias/package/data", mask, Path("/sub/data")}
    for name in (mask, tree / "alias/package/data", tree / "other/way/data"):
        assert set(_mounts.paths_inside(name, bound)) == expected


def _options(tree: Path, **fields: object) -> list[str]:
    request = SandboxRequest(
        command=("/bin/true",),
        source=tree / "source",
        readable=(tree / "alias",),
        masks=(tree / "real" / "package" / "data",),
        limits=Limits(tmp_bytes=12345),
        **fields,  # type: ignore[arg-type]
    )
    return _mounts.options(request, [Path("/usr/lib")])


def test_order_of_mounts(tree: Path) -> None:
    words = _options(tree)
    bind = words.index(str(tree / "alias"))
    mask = words.index(str(tree / "alias" / "package" / "data"))
    assert words.index("/tmp") < bind < mask < words.index("/dev")
    assert words[-4:] == ["--remount-ro", "/", "--chdir", "/tmp"]
    assert words.count("12345") == 2
    # What lies below /usr is there already.
    assert "/usr/lib" not in words


def test_devices_come_with_sys_and_only_when_asked(tree: Path) -> None:
    assert "/sys" not in _options(tree)
    words = _options(tree, devices=(Path("/dev/null"),))
    assert words[words.index("--dev-bind") + 1] == "/dev/null"
    assert words.index("--dev") < words.index("--dev-bind") < words.index("/sys")
    remounts = [i for i, word in enumerate(words[:-1]) if word == "--remount-ro"]
    assert any(words[i + 1] == "/dev" and i > words.index("--dev-bind") for i in remounts)
