"""Dead sensors in a run: none has a figure, at any length of the window, and healthy ones do."""

from dataclasses import replace

import numpy as np
import pytest

from harness.measure.audit import audit
from harness.measure.energy import EnergyReader
from harness.measure.series import Series
from harness.measure.trace import Trace
from harness.records import Domain
from harness.records.run import Level

BEGIN_S = 3.0
"""The sampler reads for so long before the start signal."""

LENGTHS_S = (2.2, 7.5)


def times(length_s: float, after_s: float = 0.0) -> np.ndarray:
    return np.arange(0.0, BEGIN_S + length_s + after_s + 0.05, 0.1)


def series(t_s: np.ndarray, joules: np.ndarray | None, watts: np.ndarray | None = None) -> Series:
    missing = np.full(len(t_s), np.nan)
    t_ns = np.round(t_s * 1e9).astype(np.int64)
    energy_j, power_w = (missing if item is None else item for item in (joules, watts))
    return Series(t_ns, energy_j, power_w, np.full(len(t_s), 1000.0))


def domain(name: str, **fields: object) -> Domain:
    kind = "dram" if name.startswith("dram") else "gpu" if name.startswith("gpu") else "cpu"
    known = {
        "kind": kind,
        "method": "counter",
        "meter": "virtual",
        "source": "virtual",
        "resolution_j": 2**-14,
        "update_period_s": 0.001,
        "power_low_w": 0.0,
        "power_high_w": 1500.0,
        "gain_error_ratio": 0.05,
    }
    return Domain(name=name, **(known | fields))  # type: ignore[arg-type]


def power_domain(name: str, **fields: object) -> Domain:
    known: dict[str, object] = {"method": "sampled", "resolution_j": None}
    known |= {"update_period_s": 0.1, "averaging_window_s": 0.1}
    return domain(name, **(known | fields))


def counting(t_s: np.ndarray, watts: float = 81.0, until_s: float = np.inf) -> np.ndarray:
    return watts * np.minimum(t_s, until_s)


def flickering(t_s: np.ndarray, watts: float) -> np.ndarray:
    return watts + 0.5 * np.sin(7 * t_s)


def run(
    length_s: float, sensors: dict[Domain, Series]
) -> tuple[dict[str, float | None], set[tuple[str, Level]]]:
    trace = Trace({item.name: column for item, column in sensors.items()})
    window = (round(BEGIN_S * 1e9), round((BEGIN_S + length_s) * 1e9))
    interval = EnergyReader(trace, sensors).between(*window)
    figures: dict[str, float | None] = {
        name: item.energy_j for name, item in interval.domains.items()
    }
    findings: set[tuple[str, Level]] = {
        (item.rule, item.level)
        for item in audit(trace, list(sensors), window)
        if item.level != "info"
    }
    return figures | {"total": interval.total.energy_j}, findings


@pytest.mark.parametrize("length_s", LENGTHS_S)
@pytest.mark.parametrize("value", [0.0, 4711.25, 2.0**64 - 1])
@pytest.mark.parametrize("name", ["cpu-package-1", "dram-0"])
def test_a_counter_that_never_moves_has_no_figure(length_s, value, name):
    t_s = times(length_s)
    live, dead = domain("cpu-package-0"), domain(name)
    sensors = {live: series(t_s, counting(t_s)), dead: series(t_s, np.full(len(t_s), value))}
    figures, findings = run(length_s, sensors)
    assert figures[name] is None
    assert figures["total"] is None
    assert figures["cpu-package-0"] == pytest.approx(81 * length_s, rel=0.01)
    assert ("sensor-dead", "fail") in findings


@pytest.mark.parametrize("length_s", LENGTHS_S)
@pytest.mark.parametrize("moment", ["2.1 s before the end", "at the start", "1.3 s before the end"])
def test_a_counter_that_stops_has_no_figure(length_s, moment):
    before_end_s = {"at the start": length_s}.get(moment) or float(moment.split()[0])
    t_s, package = times(length_s), domain("cpu-package-0")
    stops_s = BEGIN_S + length_s - before_end_s
    figures, findings = run(length_s, {package: series(t_s, counting(t_s, until_s=stops_s))})
    assert figures["cpu-package-0"] is None
    assert ("sensor-dead", "fail") in findings


@pytest.mark.parametrize("length_s", LENGTHS_S)
@pytest.mark.parametrize("watts", [0.0, 50.0, 65535.0, 2.0**32 - 1])
def test_a_power_reading_without_any_change_has_no_figure(length_s, watts):
    t_s, card = times(length_s), power_domain("gpu-0")
    figures, findings = run(length_s, {card: series(t_s, None, np.full(len(t_s), watts))})
    assert figures["total"] is None
    assert any(level == "fail" for _, level in findings)


@pytest.mark.parametrize("length_s", LENGTHS_S)
def test_impossible_power_readings_are_left_out(length_s):
    t_s, card = times(length_s), power_domain("gpu-0", power_high_w=80.0)
    watts = flickering(t_s, 60.0)
    watts[40] = 65535.0
    glitch, _ = run(length_s, {card: series(t_s, None, watts)})
    assert glitch["gpu-0"] == pytest.approx(60 * length_s, rel=0.02)
    always, findings = run(length_s, {card: series(t_s, None, flickering(t_s, 42_000.0))})
    assert always["gpu-0"] is None
    assert any(level == "fail" for _, level in findings)


@pytest.mark.parametrize("length_s", LENGTHS_S)
def test_a_dead_part_of_a_live_package_only_warns(length_s):
    t_s = times(length_s)
    package, core = domain("cpu-package-0"), domain("cpu-core-0", parents=("cpu-package-0",))
    sensors = {package: series(t_s, counting(t_s)), core: series(t_s, np.zeros(len(t_s)))}
    figures, findings = run(length_s, sensors)
    assert figures["total"] == pytest.approx(81 * length_s, rel=0.01)
    assert figures["cpu-core-0"] is None
    assert ("sensor-dead", "warn") in findings
    assert not any(level == "fail" for _, level in findings)


@pytest.mark.parametrize("length_s", LENGTHS_S)
def test_an_idle_card_whose_power_stands_still_beside_its_counter_does_not_fail(length_s):
    t_s = times(length_s)
    card = domain("gpu-0", update_period_s=0.1)
    beside = power_domain("gpu-0-instant", parents=("gpu-0",))
    sensors = {
        card: series(t_s, counting(t_s, 20.0)),
        beside: series(t_s, None, np.full(len(t_s), 20.0)),
    }
    figures, findings = run(length_s, sensors)
    assert figures["total"] == pytest.approx(20 * length_s, rel=0.05)
    assert not any(level == "fail" for _, level in findings)


@pytest.mark.parametrize("length_s", LENGTHS_S)
@pytest.mark.parametrize("method", ["counter", "sampled"])
def test_a_healthy_machine_has_no_finding(length_s, method):
    t_s = times(length_s, after_s=0.2)
    names = ("cpu-package-0", "dram-0")
    if method == "counter":
        sensors = {domain(name): series(t_s, counting(t_s)) for name in names}
    else:
        sensors = {power_domain(name): series(t_s, None, flickering(t_s, 81.0)) for name in names}
    figures, findings = run(length_s, sensors)
    assert figures["total"] == pytest.approx(2 * 81 * length_s, rel=0.02)
    assert findings == set()


def test_a_counter_that_is_refreshed_once_a_second_is_alive():
    t_s, package = times(7.5), domain("cpu-package-0")
    figures, _ = run(7.5, {package: series(t_s, counting(np.floor(t_s)))})
    assert figures["cpu-package-0"] is not None


def test_an_estimate_is_not_judged():
    t_s = times(7.5)
    guess = replace(domain("cpu-modelled"), method="modelled", resolution_j=None)
    _, findings = run(7.5, {guess: series(t_s, np.zeros(len(t_s)))})
    assert "sensor-dead" not in {rule for rule, _ in findings}
