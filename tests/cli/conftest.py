"""Runs verbs in this process and keeps what they print apart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli import main

Joulemark = Callable[..., Result]


@pytest.fixture
def joulemark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Joulemark:
    """`joulemark("list", "meters")` in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JOULEMARK_LOCK", str(tmp_path / "lock"))

    def call(*words: str) -> Result:
        result: Result = CliRunner().invoke(main, list(words))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return call


@pytest.fixture
def document(joulemark: Joulemark) -> Callable[..., Any]:
    """The one JSON document that a verb prints with `--json`."""

    def call(*words: str) -> Any:
        return json.loads(joulemark(*words, "--json").stdout)

    return call
