"""Other integration rules: what each sums, when they agree, and what they cannot be applied to."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bundle import Bundle
from harness.clock import NS_PER_S
from harness.measure.energy import INTEGRATION_RULES, EnergyReader
from harness.measure.power import Rule, integrate
from harness.measure.series import Series
from harness.measure.trace import Trace
from harness.prizes import Prize, awards
from harness.records import Award
from harness.registry import find
from harness.rules.load import load_ruleset
from harness.score.run.energy import energies_by_rule
from harness.score.score import score_results
from tests.lab.results import GUN_S, Plan, domains_of, reseal, series

RULESET = load_ruleset("default")
EIGHT = [10.0, 10.01, 9.99, 10.0, 10.01, 9.99, 10.0, 10.0]
LEFT, RIGHT, LINES, LAST = INTEGRATION_RULES


def readings(t_s: list[float], watts: list[float], joules: list[float] | None = None) -> Series:
    t_ns = np.array([round(item * NS_PER_S) for item in t_s])
    energy = np.array(joules if joules is not None else [np.nan] * len(t_s), dtype=float)
    return Series(t_ns, energy, np.array(watts, dtype=float), np.zeros(len(t_s)))


RULES: tuple[Rule, ...] = ("hold", "linear", "hold-back")


# --- the sums -------------------------------------------------------------------------------------


def test_a_worked_example() -> None:
    t_s, watts = np.array([0.0, 1.0, 2.0, 3.0]), np.array([10.0, 20.0, 40.0, 80.0])
    assert integrate(t_s, watts, 0.5, 2.5, "hold") == pytest.approx(5 + 20 + 20)
    assert integrate(t_s, watts, 0.5, 2.5, "hold-back") == pytest.approx(10 + 40 + 40)
    assert integrate(t_s, watts, 0.5, 2.5) == pytest.approx(8.75 + 30 + 25)


def test_outside_of_the_readings_the_outermost_ones_hold() -> None:
    t_s, watts = np.array([1.0, 2.0]), np.array([10.0, 30.0])
    for rule in RULES:
        assert integrate(t_s, watts, 3.0, 5.0, rule) == pytest.approx(60.0)
        assert integrate(t_s, watts, 0.0, 1.0, rule) == pytest.approx(10.0)


STEPS = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=20)


@given(STEPS, st.data())
def test_the_two_holds_lie_around_the_lines_on_a_rise(
    steps: list[float], data: st.DataObject
) -> None:
    t_s = np.cumsum(steps)
    watts = np.sort(np.array([data.draw(st.floats(0, 500)) for _ in steps]))
    a_s, b_s = float(t_s[0]), float(t_s[-1])
    low, mid, high = (integrate(t_s, watts, a_s, b_s, rule) for rule in RULES)
    assert low <= mid + 1e-9
    assert mid <= high + 1e-9
    assert mid == pytest.approx((low + high) / 2)


@given(STEPS, st.floats(0.0, 1.0), st.floats(1.0, 500.0))
def test_constant_power_is_the_same_by_every_rule(
    steps: list[float], share: float, watts: float
) -> None:
    t_s = np.cumsum(steps)
    a_s = float(t_s[0])
    b_s = a_s + 0.01 + share * float(t_s[-1] - t_s[0])
    level = np.full(len(steps), watts)
    for rule in RULES:
        assert integrate(t_s, level, a_s, b_s, rule) == pytest.approx(watts * (b_s - a_s))


def test_a_counter_is_taken_at_its_last_readings_with_wraps_undone() -> None:
    (domain,) = domains_of(Plan())
    energies = readings([0, 1, 2, 3], [np.nan] * 4, [90.0, 95.0, 3.0, 10.0])
    wrapping = replace(domain, wrap_j=100.0, power_high_w=20.0)
    trace = Trace({domain.name: energies})
    reader = EnergyReader(trace, [wrapping])
    assert reader.energy_by_rule(domain.name, 1.5, 3.5, LAST) == pytest.approx(15.0)
    reader = EnergyReader(trace, [replace(domain, method="sampled")])
    assert reader.energy_by_rule(domain.name, 1.5, 3.5, LAST) is None


# --- of runs --------------------------------------------------------------------------------------


def ramp(folder: Path, watts: float, swing: float) -> None:
    """Power in place of what the plan said: idle, then a rise of that swing while scored."""
    bundle = Bundle(folder)
    end_s = bundle.run.snapshots[-1].stamp_ns / NS_PER_S
    lines = ["t_ns,domain,energy_j,power_w,u_ns"]
    for tick in range(round((end_s + 1.5) * 10) + 1):
        share = min(max((tick / 10 - GUN_S) / (end_s - GUN_S), 0.0), 1.0)
        power = watts + swing * (share - 0.5) if tick / 10 > GUN_S - 0.35 else 3.0
        lines.append(f"{tick * NS_PER_S // 10},cpu-package-0,,{power:.9g},1000")
    (folder / "trace.csv.gz").write_bytes(
        gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)
    )
    reseal(folder, "ok", bundle.run.id)


def decided(results: Path, *, with_traces: bool = True) -> Award:
    prize: Prize = find("prizes", "energy").value
    scores = score_results(results, RULESET)
    (award,) = awards(scores, prize, RULESET, results if with_traces else None)
    return award


def test_a_lead_that_hangs_on_the_sum_does_not_hold(tmp_path: Path) -> None:
    """Half a per cent ahead; a rising course counts one per cent more where readings hold back."""
    for folder in series(tmp_path, Plan(name="rising", source="r", method="sampled"), EIGHT):
        ramp(folder, 100.0, 190.0)
    for folder in series(tmp_path, Plan(name="flat", source="f", method="sampled"), EIGHT):
        ramp(folder, 100.5, 0.0)
    award = decided(tmp_path)
    assert award.board.standings[0].entry.submission == "rising"
    held = {item.variation: item for item in award.sensitivity}
    backwards = held[f"another integration rule: {RIGHT}"]
    assert (backwards.holds, backwards.leader) == (False, "flat")
    assert "%" in backwards.note
    assert held[f"another integration rule: {LEFT}"].holds
    assert held[f"another integration rule: {LINES}"].holds
    assert f"another integration rule: {LAST}" not in held, "there is no counter"
    assert not any("integration" in item.variation
                   for item in decided(tmp_path, with_traces=False).sensitivity)  # fmt: skip


def test_counters_are_read_without_interpolation_and_lack_power(tmp_path: Path) -> None:
    series(tmp_path, Plan(name="fast", source="f"), EIGHT)
    series(tmp_path, Plan(name="slow", source="s"), [1.5 * item for item in EIGHT])
    names = [item.variation for item in decided(tmp_path).sensitivity if "integ" in item.variation]
    assert names == [f"another integration rule: {LAST}"]
    (score, _) = score_results(tmp_path, RULESET)
    energies = energies_by_rule(score.runs[0], tmp_path)
    assert energies[LAST] == pytest.approx(score.runs[0].energy.energy_j, abs=10.1), (
        "a tenth of a second"
    )
    assert energies[LEFT] is None


def test_what_cannot_be_recomputed_is_left_open(tmp_path: Path) -> None:
    folders = series(tmp_path, Plan(name="fast", source="f"), EIGHT)
    series(tmp_path, Plan(name="slow", source="s"), [1.5 * item for item in EIGHT])
    scores = score_results(tmp_path, RULESET)
    (folders[0] / "trace.csv.gz").write_bytes(b"torn")
    prize: Prize = find("prizes", "energy").value
    (award,) = awards(scores, prize, RULESET, tmp_path)
    (left_open,) = [item for item in award.sensitivity if "integration" in item.variation]
    assert (left_open.holds, left_open.leader) == (None, "fast")
    assert set(energies_by_rule(scores[0].runs[0], tmp_path).values()) == {None}
