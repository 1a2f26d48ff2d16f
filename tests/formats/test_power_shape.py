"""The shape of a run's power: counters with wraps, readings, flat where nothing is known."""

from pathlib import Path

import pytest

from harness.bundle import Bundle
from harness.formats._power_shape import _cumulated, shape_w
from tests.lab.results import Plan, write_run

NS = 1_000_000_000


def bundle(root: Path, **changes) -> Bundle:
    return Bundle(write_run(root, Plan(**changes)))


@pytest.mark.parametrize("method", ["counter", "sampled"])
def test_constant_power_is_constant(tmp_path: Path, method: str) -> None:
    found = shape_w(bundle(tmp_path, method=method), ["cpu-package-0"], [3 * NS, 4 * NS, 8 * NS])
    assert found == pytest.approx([100.0, 100.0])


@pytest.mark.parametrize(
    ("changes", "names"),
    [({"watts": None}, ["cpu-package-0"]), ({}, []), ({}, ["elsewhere"])],
    ids=["no meter", "no domain", "unknown domain"],
)
def test_without_a_trace_the_shape_is_flat(tmp_path: Path, changes: dict, names: list) -> None:
    assert shape_w(bundle(tmp_path, **changes), names, [0, NS, 3 * NS]) == [1.0, 1.0]


def test_counters_wrap_and_restart() -> None:
    rows = [(0, 90.0, None), (NS, 98.0, None), (2 * NS, 6.0, None), (3 * NS, 10.0, None)]
    assert [joules for _, joules in _cumulated(rows, 100.0)] == [0.0, 8.0, 16.0, 20.0]
    assert [joules for _, joules in _cumulated(rows, None)] == [0.0, 8.0, 8.0, 12.0]
    assert _cumulated([], None) == []
