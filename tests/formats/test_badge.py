"""Badges: shields' schema, three digits, and no joules that were not measured."""

import json
from pathlib import Path

import pytest

from harness.formats.badge import amount, write
from tests.formats.made_results import five_runs, one_failed, request_for


def badges(results: Path) -> dict[str, dict]:
    return {name: json.loads(data) for name, data in write(request_for(results)).files.items()}


def test_energy_and_time(tmp_path: Path) -> None:
    result = badges(five_runs(tmp_path))
    energy, time = result["toy/adam/desk/energy.json"], result["toy/adam/desk/time.json"]
    assert set(energy) == {"schemaVersion", "label", "message", "color"}
    assert energy["schemaVersion"] == 1
    assert energy["message"].startswith("7.15 kJ ±")
    assert time["message"].startswith("71.5 s ±")


def test_modelled_joules_say_so(tmp_path: Path) -> None:
    result = badges(five_runs(tmp_path, method="modelled"))
    energy = result["toy/adam/desk/energy.json"]
    assert "(modelled)" in energy["message"]
    assert energy["color"] == "orange"


def test_missing_is_no_zero(tmp_path: Path) -> None:
    result = badges(one_failed(tmp_path))
    assert result["toy/bad/desk/energy.json"]["message"] == "not measured"
    assert result["toy/bad/desk/time.json"]["message"] == "no result"


@pytest.mark.parametrize(
    ("value", "said"),
    [(26_000.0, "26.0 kJ"), (0.5, "0.500 J"), (999.0, "999 J"), (1.5e9, "1.50 GJ")],
)
def test_amounts(value: float, said: str) -> None:
    assert amount(value, "J") == said
