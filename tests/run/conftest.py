"""Keeps every run of a test to itself: its own lock, its own plug-ins, its own results."""

from pathlib import Path

import pytest

from tests.run.made import HONEST, Folder


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test waits for another run on this machine, nor stops one."""
    path = tmp_path / "joulemark.lock"
    monkeypatch.setenv("JOULEMARK_LOCK", str(path))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The tiny workload and an honest submission called `entry`, found as plug-ins."""
    made = Folder(tmp_path)
    made.entry(HONEST)
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
    return made
