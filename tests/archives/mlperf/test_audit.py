"""Faults of power logs that MLPerf's checkers pass: each is found, and a sound log says nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives.mlperf.audit import (
    COPY_READINGS_MIN,
    GAP_S_MAX,
    READINGS_MIN,
    audit_copies,
    audit_run,
)
from harness.archives.mlperf.power import PowerLog, Window
from harness.records import PowerFile

WINDOW = Window(0.0, 100_000.0)
JOULES = {"window": 5e4, "mlperf-current": 5e4}


def node(**fields: Any) -> PowerFile:
    sound = {
        "source": "node_0.txt",
        "sha256": "aa",
        "kind": "node",
        "readings_count": 120,
        "window_readings_count": 100,
        "span_s": 120.0,
        "gap_max_s": 1.0,
        "duplicates_count": 0,
        "conversion_ratio": 1.0,
        "energy_by_method_j": JOULES,
    }
    return PowerFile.model_validate(sound | fields)


def switch(**fields: Any) -> PowerFile:
    return node(**({"source": "sw_0.txt", "kind": "switch"} | fields))


def log(source: str, digest: str, values: list[float], **fields: Any) -> PowerLog:
    file = node(source=source, sha256=digest, readings_count=len(values), **fields)
    return PowerLog(file, tuple(values), ())


def rules(*files: PowerFile, window: Window = WINDOW) -> list[str]:
    return [item.rule.removeprefix("mlperf-") for item in audit_run(files, window)]


def test_sound_logs_say_nothing() -> None:
    assert audit_run([node(), node(source="node_1.txt"), switch()], WINDOW) == []
    limits = node(gap_max_s=GAP_S_MAX, window_readings_count=READINGS_MIN)
    assert audit_run([limits], WINDOW) == []


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ({"gap_max_s": GAP_S_MAX + 0.01}, "power-gap"),
        ({"window_readings_count": READINGS_MIN - 1}, "power-short"),
        ({"duplicates_count": 1}, "power-duplicate"),
        ({"energy_by_method_j": {"mlperf-current": 1.0}}, "power-coverage"),
        ({"conversion_ratio": 0.9}, "power-basis"),
        ({"conversion_ratio": 1.1}, "power-basis"),
    ],
)
def test_every_fault_has_one_finding(fault: dict[str, Any], rule: str) -> None:
    assert rules(node(**fault)) == [rule]
    assert rules(node(), node(source="node_1.txt", **fault)) == [rule]


def test_the_worst_is_reported_and_the_others_are_counted() -> None:
    files = [node(source=f"node_{i}.txt", gap_max_s=gap) for i, gap in enumerate([2.0, 9.0, 4.0])]
    (finding,) = audit_run(files, WINDOW)
    assert finding.message.startswith("node_0.txt and 2 more: up to 9.0 s of the timed run")


def test_an_unknown_gap_is_no_gap() -> None:
    assert rules(node(gap_max_s=None)) == []


def test_a_clock_that_is_off_is_no_lack_of_coverage() -> None:
    lost = node(window_readings_count=0, gap_max_s=None, energy_by_method_j={"mlperf-current": 5.0})
    assert rules(lost) == ["power-short", "power-clock"]


@given(st.sampled_from([{}, {"window": 700.0}, {"window": 700.0, "mlperf-current": 0.0}]))
def test_a_switch_without_an_estimate_is_reported_with_its_joules(
    joules: dict[str, float],
) -> None:
    result = audit_run([node(), switch(energy_by_method_j=joules)], WINDOW)
    (finding,) = (item for item in result if item.rule == "mlperf-switch-zero")
    assert f"they come to {joules.get('window', 0.0):.0f} J" in finding.message


def test_a_switch_with_an_estimate_alone_is_not_silent() -> None:
    estimate = switch(readings_count=0, window_readings_count=0, gap_max_s=None)
    assert rules(node(), estimate) == []


@pytest.mark.parametrize("stop_ms", [0.0, -1.0])
def test_a_run_without_length_is_reported(stop_ms: float) -> None:
    assert rules(window=Window(0.0, stop_ms)) == ["power-window"]


@given(st.lists(st.floats(1, 1e4), min_size=COPY_READINGS_MIN, max_size=30))
def test_a_copied_file_is_detected_once_whatever_it_holds(values: list[float]) -> None:
    copies = [log(f"{i}.txt", "aa", values) for i in range(3)]
    (finding,) = audit_copies(copies)
    assert finding.message == "0.txt is byte by byte 1.txt, 2.txt"


@given(st.lists(st.floats(1, 1e4), min_size=COPY_READINGS_MIN, max_size=30, unique=True))
def test_readings_under_another_head_are_detected(values: list[float]) -> None:
    (finding,) = audit_copies([log("0.txt", "aa", values), log("1.txt", "bb", values)])
    assert finding.message == "0.txt holds the same readings as 1.txt"
    other = [*values[:-1], values[-1] + 0.5]
    assert audit_copies([log("0.txt", "aa", values), log("1.txt", "bb", other)]) == []


@pytest.mark.parametrize(
    "values", [[400.0] * 50, [float(i) for i in range(COPY_READINGS_MIN - 1)], []]
)
def test_equal_readings_may_be_chance(values: list[float]) -> None:
    assert audit_copies([log("0.txt", "aa", values), log("1.txt", "bb", values)]) == []


def test_switches_may_be_logged_in_one_file_for_all() -> None:
    values = [float(i) for i in range(20)]
    logs = [log(f"{i}.txt", "aa", values, kind="switch") for i in range(2)]
    assert audit_copies(logs) == []
