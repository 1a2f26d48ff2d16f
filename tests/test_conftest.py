"""A missing part of the machine is a skip with its reason, and a failure where it is demanded."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import absence, needs, pytest_runtest_setup

MISSING = "no-such-program-anywhere"


def test_absent_part_skips_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOULEMARK_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match=MISSING):
        needs(MISSING)


def test_absent_part_fails_where_it_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEMARK_REQUIRE", f"chromium {MISSING}")
    with pytest.raises(pytest.fail.Exception, match="JOULEMARK_REQUIRE demands"):
        needs(MISSING)


def test_present_part_lets_the_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEMARK_REQUIRE", "sh")
    needs("sh")
    assert absence("sh") == ""


@pytest.mark.needs("sh")
def test_marker_lets_the_test_run_where_the_part_is_present() -> None:
    assert absence("sh") == ""


def test_marker_skips_where_the_part_is_absent(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOULEMARK_REQUIRE", raising=False)
    request.node.add_marker(pytest.mark.needs(MISSING))
    with pytest.raises(pytest.skip.Exception, match=MISSING):
        pytest_runtest_setup(request.node)


@pytest.mark.parametrize("nth", [1, 2])
def test_what_a_test_draws_hangs_on_no_test_before_it(nth: int) -> None:
    drawn = (random.random(), torch.rand(1).item())
    random.seed(0)
    torch.manual_seed(0)
    assert drawn == (random.random(), torch.rand(1).item())


@pytest.mark.parametrize(("ci", "said"), [("1", "True"), ("", "False")])
def test_examples_are_always_the_same_where_a_gate_asks(ci: str, said: str) -> None:
    code = "import tests.conftest; from hypothesis import settings as s; print(s().derandomize)"
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "CI": ci}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True)
    assert done.stdout.decode().strip() == said
