"""Keeps every run of a test to itself: its own lock, its own plug-ins, its own results."""

from pathlib import Path
from typing import Any

import pytest

from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.order import RunResult
from tests.run.made import (
    HONEST,
    AskedAfter,
    Folder,
    Perform,
    Silent,
    check_bundle,
    children,
    reason_is_one_sentence,
)


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


@pytest.fixture
def perform(folder: Folder) -> Perform:
    """Run one submission and check all that holds of every run."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    def run(
        train: str,
        *overrides: str,
        more: str = "",
        interrupt: Interrupt | None = None,
        **changes: Any,
    ) -> RunResult:
        folder.entry(train, more=more)
        asked = interrupt or Interrupt()
        watcher = asked.watcher if isinstance(asked, AskedAfter) else Silent()
        outcome = run_one(folder.order("entry", *overrides, **changes), watcher, asked)
        check_bundle(outcome, folder.results)
        assert reason_is_one_sentence(outcome.run), outcome.run.reason
        assert len(list(Path("/proc/self/fd").iterdir())) == before, "a descriptor leaked"
        assert children() == [], "a process stayed"
        return outcome

    return run
