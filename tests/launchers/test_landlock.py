"""A mask is a grant of everything beside it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.launchers import _identity, _landlock_rules, _restrict, _without_namespace
from harness.launchers.interpreter import below
from harness.launchers.landlock import LAUNCHER
from harness.plugins import SandboxRequest

READ = _restrict.EXECUTE | _restrict.READ_FILE | _restrict.READ_DIR


def _effective(rules: list[tuple[Path, int]], path: Path) -> int:
    """Rights on a path: of every rule on it or above it, as the kernel adds them up."""
    probe = 0
    for place, access in rules:
        if below(path, place):
            probe |= access
    return probe


NAMES = st.sampled_from(["a", "b", "c"])
FOLDERS = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), min_size=1, max_size=6)


@given(folders=FOLDERS, masked=FOLDERS)
def test_everything_but_the_masked_can_be_read(
    tmp_path_factory: object, folders: list[str], masked: list[str]
) -> None:
    top = Path(tmp_path_factory.mktemp("tree"))  # type: ignore[attr-defined]
    for name in (*folders, *masked):
        (top / name).mkdir(parents=True, exist_ok=True)
        (top / name / "file").write_text("x")
    masks = [top / name for name in masked]
    rules = list(_landlock_rules.rules_around(top, masks))
    for file in top.rglob("file"):
        hidden = any(below(file, mask) for mask in masks)
        allowed = _effective(rules, file)
        assert bool(allowed & _restrict.READ_FILE) is not hidden, file
        # Names can be listed all the way down, or imports would find nothing.
        assert allowed & _restrict.READ_DIR
    assert all(access & ~READ == 0 for _, access in rules)


def test_without_masks_one_rule_is_enough(tmp_path: Path) -> None:
    assert list(_landlock_rules.rules_around(tmp_path, [])) == [(tmp_path, READ)]
    assert list(_landlock_rules.rules_around(tmp_path, [tmp_path.parent / "elsewhere"])) == [
        (tmp_path, READ)
    ]


def test_links_beside_a_mask_grant_nothing(tmp_path: Path) -> None:
    (tmp_path / "masked").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "masked")
    rules = dict(_landlock_rules.rules_around(tmp_path, [tmp_path / "masked"]))
    assert tmp_path / "link" not in rules


def test_rights_grow_with_the_interface() -> None:
    rights = [_restrict.all_rights(abi) for abi in range(1, 9)]
    assert rights == sorted(rights)
    assert rights[0] == (1 << 13) - 1
    assert rights[2] & _restrict.TRUNCATE
    assert not rights[3] & _restrict.IOCTL_DEV
    assert rights[4] & _restrict.IOCTL_DEV
    assert rights[4] == rights[7]


def test_probe_tells_why_not() -> None:
    probe = LAUNCHER.probe()
    assert probe.reason
    if not _restrict.version():
        assert not probe.ok
        assert "Landlock" in probe.reason


def test_a_closed_interpreter_comes_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong stands in `reason`, what to do in `advice`: doctor shows them apart."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(_identity, "is_root", lambda: True)
    monkeypatch.setattr(_identity, "unreachable", lambda _paths: closed)
    monkeypatch.setattr(_restrict, "version", lambda: 7)
    probe = LAUNCHER.probe()
    assert not probe.ok
    reason = f"{closed}: closed to other users, and root's submissions run as another user"
    assert probe.reason == reason
    assert probe.advice.startswith(f"chmod o+rX {closed}")
    request = SandboxRequest(command=("/bin/true",), source=tmp_path, stdout=1, stderr=2)
    with pytest.raises(OSError, match=r"closed to other users.*; chmod o\+rX"):
        LAUNCHER.launch(request)


def test_other_failures_are_reported_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(_restrict, "version", lambda: 7)
    monkeypatch.setattr(_without_namespace, "start", refuse)
    probe = LAUNCHER.probe()
    assert (probe.ok, probe.advice) == (False, "")
    assert "Cannot allocate memory" in probe.reason
