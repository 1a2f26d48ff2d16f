"""Every fault of a measurement is found by name, and a sound one is left in peace."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import NS_PER_S, Anchor
from harness.measure.audit import Circumstances, Drifts, audit, audit_run
from harness.measure.metering import Metering
from harness.measure.series import Series
from harness.measure.trace import Trace
from harness.records import Domain, Finding
from harness.records.ruleset import MeasureRules
from tests.lab.clock import VirtualClock
from tests.lab.waves import Sensor, Setting, constant
from tests.measure.test_energy import draw

WINDOW = (5.0, 35.0)
Spoiler = Callable[[Series], Series]


def setting(method: str = "counter", **sensor: float) -> Setting:
    return Setting(constant(200.0), Sensor(**sensor), method, WINDOW)


def rules_of(findings: list[Finding], *levels: str) -> set[str]:
    return {finding.rule for finding in findings if not levels or finding.level in levels}


def spoiled(method: str, spoil: Spoiler, **sensor: float) -> list[Finding]:
    case = setting(method, **sensor)
    return audit(case.trace(spoil), [case.domain()], case.window_ns)


def without(begin_s: float, end_s: float) -> Spoiler:
    return lambda series: series.at(np.flatnonzero((series.t_s < begin_s) | (series.t_s > end_s)))


def changed(change: Callable[[Series, np.ndarray], np.ndarray]) -> Spoiler:
    """Alters the shown values after 20 s."""

    def spoil(series: Series) -> Series:
        late = series.t_s > 20
        joules, watts = change(series, late), series.power_w
        if np.isnan(series.energy_j).all():
            joules, watts = series.energy_j, joules
        return Series(series.t_ns, joules, watts, series.u_ns)

    return spoil


def values(series: Series) -> np.ndarray:
    return series.power_w if np.isnan(series.energy_j).all() else series.energy_j


def frozen(series: Series, late: np.ndarray) -> np.ndarray:
    return np.where(late, values(series)[late][0], values(series))


def reset(series: Series, late: np.ndarray) -> np.ndarray:
    return np.where(late, values(series) - values(series)[late][0], values(series))


def backwards(series: Series, late: np.ndarray) -> np.ndarray:
    return np.where(late, values(series) - 300.0, values(series))


def jumped(series: Series, late: np.ndarray) -> np.ndarray:
    return np.where(late, values(series) + 1e6, values(series))


def doubled(series: Series) -> Series:
    return series.at(np.sort(np.concatenate((np.arange(len(series.t_ns)), [100, 101]))))


def swapped(series: Series) -> Series:
    order = np.arange(len(series.t_ns))
    order[[100, 101]] = [101, 100]
    return series.at(order)


@pytest.mark.parametrize(
    ("method", "spoil", "rule", "level"),
    [
        ("counter", without(10, 34.9), "gap", "warn"),
        ("sampled", without(10, 14), "gap", "fail"),
        ("sampled", without(10, 14), "coverage", "fail"),
        ("counter", without(20, 60), "coverage", "fail"),
        ("counter", without(WINDOW[1] - 0.8, 999), "meter-vanished", "fail"),
        ("sampled", without(WINDOW[1] - 0.8, 999), "meter-vanished", "fail"),
        ("counter", changed(frozen), "sensor-dead", "fail"),
        ("sampled", changed(frozen), "sensor-dead", "fail"),
        ("counter", changed(reset), "counter-reset", "fail"),
        ("counter", changed(backwards), "counter-backwards", "fail"),
        ("counter", changed(jumped), "counter-jump", "fail"),
        ("counter", doubled, "stamps-doubled", "warn"),
        ("counter", swapped, "stamps-backwards", "warn"),
    ],
)
def test_every_fault_of_the_readings_raises_its_finding(method, spoil, rule, level):
    findings = spoiled(method, spoil)
    assert rule in rules_of(findings, level)
    assert all(finding.message for finding in findings)


def test_a_short_gap_of_a_counter_is_no_fault():
    assert spoiled("counter", without(10, 10.15)) == []


def crowded(series: Series) -> Series:
    """Read every 0.1 s, and five times within 40 ms around 10 s; nothing else."""
    grid = np.arange(9.6, 10.45, 0.1)
    wanted = np.sort(np.concatenate((grid, np.linspace(10.01, 10.05, 12))))
    return series.at(np.unique(np.searchsorted(series.t_s, wanted)))


@pytest.mark.parametrize(("asked_s", "said"), [(None, {"gap", "coverage"}), (0.1, set())])
def test_readings_at_marks_make_no_gap_of_the_grid(asked_s, said):
    case = Setting(constant(200.0), Sensor(update_s=0.001), "sampled", (9.7, 10.3))
    domain = replace(
        case.domain(), read_period_s=asked_s, update_period_s=None, averaging_window_s=None
    )
    fine = case.trace().columns["gpu-0"]
    t_ns = np.arange(9_500_000_000, 10_500_000_000, 1_000_000)
    unknown = np.full(len(t_ns), np.nan)
    series = Series(t_ns, unknown, np.full(len(t_ns), fine.power_w[0]), unknown)
    findings = audit(Trace({domain.name: crowded(series)}), [domain], case.window_ns)
    assert rules_of(findings, "warn", "fail") & {"gap", "coverage"} == said


def test_a_wrap_is_reported_and_is_no_fault():
    findings = spoiled("counter", lambda series: series, wrap_j=1000.0)
    assert rules_of(findings) == {"counter-wrapped"}
    assert rules_of(findings, "warn", "fail") == set()


@settings(max_examples=2000)
@given(st.integers(0, 2**32 - 1))
def test_a_sound_measurement_carries_no_finding(seed):
    case = draw(seed, band_limited=True)
    findings = audit(case.trace(), [case.domain()], case.window_ns)
    assert rules_of(findings, "warn", "fail") == set()


def test_a_domain_that_was_never_read_is_named():
    case = setting()
    findings = audit(Trace({}), [case.domain()], case.window_ns)
    assert [(item.rule, item.level) for item in findings] == [("no-readings", "fail")]
    assert "'gpu-0'" in findings[0].message


def test_a_torn_trace_is_reported():
    case = setting()
    torn = Trace(case.trace().columns, torn=True)
    assert "trace-torn" in rules_of(audit(torn, [case.domain()], case.window_ns))


def test_faults_of_the_sampler_become_one_finding_a_kind():
    case = setting()
    fault = {"meter": "nvml", "domain": "gpu-0", "message": "GPU is lost", "t_ns": 1}
    other = fault | {"domain": "", "message": "OSError: gone"}
    circumstances = Circumstances(faults=[fault, fault, other])
    findings = audit(case.trace(), [case.domain()], case.window_ns, circumstances)
    assert [item.message for item in findings] == [
        "meter 'nvml', domain 'gpu-0': GPU is lost (2 times)",
        "meter 'nvml': OSError: gone",
    ]


# --- several domains ------------------------------------------------------------------------------


def pair(ratio: float, second: str = "gpu-0-instant") -> tuple[Trace, list[Domain], Setting]:
    """A counter and a power sensor on the same card, the second off by a ratio."""
    first = setting()
    power = Setting(constant(200.0 * ratio), Sensor(), "sampled", WINDOW)
    trace = Trace({"gpu-0": first.trace().columns["gpu-0"], second: power.trace().columns["gpu-0"]})
    domains = [first.domain(), power.domain(name=second, parents=("gpu-0",))]
    return trace, domains, first


def test_two_meters_of_one_card_that_disagree_are_reported_with_the_ratio():
    trace, domains, case = pair(1.7)
    findings = audit(trace, domains, case.window_ns)
    disagree = next(item for item in findings if item.rule == "meters-disagree")
    assert disagree.level == "fail"
    assert "1.7 times as much" in disagree.message


def test_two_meters_that_agree_within_their_uncertainty_are_accepted():
    trace, domains, case = pair(1.05)
    assert audit(trace, domains, case.window_ns) == []


def test_an_average_over_a_second_is_not_compared_over_half_a_second():
    trace, domains, case = pair(1.7)
    slow = [domains[0], replace(domains[1], averaging_window_s=1.0)]
    begin_ns, _ = case.window_ns
    short = audit(trace, slow, (begin_ns, begin_ns + NS_PER_S // 2))
    assert "meters-disagree" not in rules_of(short)
    assert "meters-disagree" in rules_of(audit(trace, slow, case.window_ns))


def test_a_part_that_exceeds_its_whole_is_reported():
    trace, domains, case = pair(2.0, second="gpu-0-memory")
    assert "part-exceeds-whole" in rules_of(audit(trace, domains, case.window_ns), "fail")


def test_a_sensor_in_lockstep_with_the_training_step_is_reported():
    case = Setting(constant(200.0), Sensor(window_s=0.025), "sampled", WINDOW)
    trace, domains = case.trace(), [case.domain()]
    locked = audit(trace, domains, case.window_ns, Circumstances(step_s=0.05))
    free = audit(trace, domains, case.window_ns, Circumstances(step_s=0.0473))
    assert rules_of(locked) == {"sampling-locked"}
    assert rules_of(free) == set()


def test_a_sensor_that_averages_over_all_of_its_period_cannot_lock():
    case = Setting(constant(200.0), Sensor(window_s=0.1), "sampled", WINDOW)
    findings = audit(case.trace(), [case.domain()], case.window_ns, Circumstances(step_s=0.1))
    assert findings == []


# --- clocks ---------------------------------------------------------------------------------------


def drifts(anchors: list[Anchor]) -> Drifts:
    """As the sampler records them."""
    return {
        name: [
            (
                anchor.monotonic_ns / NS_PER_S,
                (getattr(anchor, f"{name}_ns") - anchor.monotonic_ns) / NS_PER_S,
            )
            for anchor in anchors
        ]
        for name in ("wall", "boottime", "raw")
    }


def moments(*happen: Callable[[VirtualClock], None]) -> Drifts:
    """Drifts a second apart, with something happening to the clock after each."""
    clock = VirtualClock()
    result = [clock.anchor()]
    for item in (*happen, lambda _: None):
        clock.advance(NS_PER_S)
        item(clock)
        result.append(clock.anchor())
    return drifts(result)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 0.6, -0.6])
def test_a_step_of_the_wall_clock_is_reported_and_changes_no_joule(step_s):
    case = setting()
    circumstances = Circumstances(
        drifts=moments(lambda clock: clock.step_wall(round(step_s * NS_PER_S)))
    )
    findings = audit(case.trace(), [case.domain()], case.window_ns, circumstances)
    assert [(item.rule, item.level) for item in findings] == [("clock-step", "warn")]
    assert f"{step_s:+.3g} s" in findings[0].message


def test_a_suspend_is_a_failure():
    case = setting()
    circumstances = Circumstances(drifts=moments(lambda clock: clock.suspend(5 * NS_PER_S)))
    findings = audit(case.trace(), [case.domain()], case.window_ns, circumstances)
    assert ("suspended", "fail") in {(item.rule, item.level) for item in findings}


def test_a_clock_that_is_slewed_is_reported():
    case = setting()
    anchors = [Anchor(t, round(t * 1.001), t, t) for t in (0, 10 * NS_PER_S)]
    findings = audit(
        case.trace(), [case.domain()], case.window_ns, Circumstances(drifts=drifts(anchors))
    )
    assert rules_of(findings) == {"clock-slew"}
    assert "1000 ppm" in findings[0].message


def test_a_steady_clock_is_accepted():
    case = setting()
    circumstances = Circumstances(drifts=moments(lambda _: None))
    assert audit(case.trace(), [case.domain()], case.window_ns, circumstances) == []


# --- the ruleset's limits -------------------------------------------------------------------------


def test_an_uncertainty_over_the_rulesets_limit_fails():
    case = setting()
    circumstances = Circumstances(rules=MeasureRules(uncertainty_ratio_max=0.01))
    findings = audit(case.trace(), [case.domain()], case.window_ns, circumstances)
    assert rules_of(findings, "fail") == {"uncertainty"}


def test_an_estimate_never_fails_a_run_but_is_marked():
    case = setting()
    domain = case.domain(method="modelled", update_period_s=None)
    findings = audit(case.trace(without(20, 60)), [domain], case.window_ns)
    assert rules_of(findings, "warn") >= {"coverage"}
    assert rules_of(findings, "fail") == set()


# --- a bundle's own files -------------------------------------------------------------------------


def bundle(folder: Path) -> Setting:
    """A trace and events as a run leaves them."""
    import gzip

    case = Setting(constant(200.0), Sensor(window_s=0.025), "sampled", WINDOW)
    series = case.trace().columns["gpu-0"]
    rows = [
        f"{t},gpu-0,,{w!r},1000" for t, w in zip(series.t_ns, series.power_w.tolist(), strict=True)
    ]
    text = "\n".join(["t_ns,domain,energy_j,power_w,u_ns", *rows, ""])
    (folder / "trace.csv.gz").write_bytes(gzip.compress(text.encode()))
    events = [
        {
            "seq": i,
            "t_ns": 5 * NS_PER_S + i * NS_PER_S // 2,
            "kind": "log",
            "data": {"step": 10 * i},
        }
        for i in range(20)
    ]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n")
    vitals = "t_ns,name,value\n0,clock-wall-drift-s,0\n1000000000,clock-wall-drift-s,-1.5\n"
    (folder / "vitals.csv.gz").write_bytes(gzip.compress(vitals.encode()))
    return case


def test_the_audit_of_a_bundle_sees_trace_events_clocks_and_meters(tmp_path: Path):
    case = bundle(tmp_path)
    metering = Metering.start([], tmp_path, 0)
    metering.failed = {"nvml": "no driver"}
    metering.faults = [{"meter": "fake", "domain": "", "message": "gone", "t_ns": 1}]
    findings = audit_run(tmp_path, [case.domain()], case.window_ns, metering)
    assert rules_of(findings) == {
        "meter-not-opened",
        "meter-fault",
        "sampling-locked",
        "clock-step",
    }


def test_a_run_whose_window_never_opened_still_reports_of_its_meters(tmp_path: Path):
    metering = Metering.start([], tmp_path, 0)
    metering.failed = {"nvml": "no driver"}
    findings = audit_run(tmp_path, [], (None, None), metering)
    assert rules_of(findings) == {"meter-not-opened"}


def test_a_trace_that_cannot_be_read_fails_the_run(tmp_path: Path):
    (tmp_path / "trace.csv.gz").write_bytes(b"\x1f\x8bgarbage")
    findings = audit_run(tmp_path, [], (0, 10), Metering.start([], tmp_path, 0))
    assert rules_of(findings, "fail") == {"trace-unreadable"}
