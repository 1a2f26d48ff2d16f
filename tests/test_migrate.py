"""Lifting older files: step by step, without touching what was read, refusing what is unknown."""

from typing import Any

import pytest

from harness import migrate
from harness.migrate import FormatError, lift
from harness.records.base import FORMAT


def test_the_present_format_is_left_alone() -> None:
    tree = {"format": FORMAT, "a": 1}
    assert lift("run", tree, "run.json") == {"format": FORMAT, "a": 1}


@pytest.mark.parametrize("number", [None, "1", 1.0, True, 0, -1, []])
def test_a_file_without_a_valid_number_is_refused(number: Any) -> None:
    with pytest.raises(FormatError, match=r"run\.json: .*not a JouleMark run file"):
        lift("run", {"format": number}, "run.json")
    with pytest.raises(FormatError, match="no valid format number"):
        lift("run", {}, "run.json")


def test_a_newer_file_is_refused_with_advice() -> None:
    with pytest.raises(FormatError, match=rf"{FORMAT + 1} is newer .*update"):
        lift("run", {"format": FORMAT + 1}, "run.json")


def test_steps_are_taken_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "FORMAT", 3)
    steps = {
        ("run", 1): lambda tree: {**tree, "one": True},
        ("run", 2): lambda tree: {**tree, "two": tree["one"]},
    }
    monkeypatch.setattr(migrate, "STEPS", steps)
    old = {"format": 1, "a": 1}
    assert lift("run", old, "run.json") == {"format": 3, "a": 1, "one": True, "two": True}
    assert old == {"format": 1, "a": 1}
    with pytest.raises(FormatError, match="no step lifts a manifest file of format 1"):
        lift("manifest", {"format": 1}, "manifest.json")


def test_every_older_format_can_be_lifted() -> None:
    kinds = {"run", "machine", "evaluation", "manifest", "ruleset"}
    lacking = [(k, n) for k in kinds for n in range(1, FORMAT) if (k, n) not in migrate.STEPS]
    assert not lacking
