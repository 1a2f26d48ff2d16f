"""Laws of the joules of a window, against sensors of exactly known truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.measure.energy import Energy, EnergyReader, contains, disjoint, total
from harness.measure.series import Series
from harness.measure.trace import Trace, parse_trace
from harness.records import Domain
from tests.lab.measured import energy
from tests.lab.waves import Sensor, Setting, constant, random_sines, random_steps

SEEDS = st.integers(0, 2**32 - 1)
HEADER = b"t_ns,domain,energy_j,power_w,u_ns\n"


def draw(seed: int, *, band_limited: bool, gain_error: float = 0.05) -> Setting:
    """A measurement with a sensor, a window and a course of power drawn at random."""
    rng = np.random.default_rng(seed)
    update_s = 10 ** rng.uniform(-3, -0.7)
    length_s = 10 ** rng.uniform(0, 1.8)
    begin_s = rng.uniform(2, 5)
    until_s = begin_s + length_s
    highest_hz = 0.4 / max(update_s, 0.1)
    sensor = Sensor(
        update_s=update_s,
        window_s=update_s * (1.0 if band_limited else rng.choice([1.0, 0.25])),
        phase_s=rng.uniform(0, update_s),
        gain=1 + rng.uniform(-gain_error, gain_error),
        wrap_j=1000.0 if rng.random() < 0.5 else None,
        flicker_w=0.005 if band_limited else 0.0,
    )
    return Setting(
        wave=random_sines(rng, highest_hz, 400.0)
        if band_limited
        # No device that is on uses 0 W: such readings are of a dead sensor.
        else random_steps(rng, until_s + 5, 2.0, 400.0),
        sensor=sensor,
        method=rng.choice(["counter", "sampled"]),
        window_s=(begin_s, until_s),
        grid_phase_s=rng.uniform(0, 0.1),
        gain_error=gain_error,
        followed=update_s >= 0.02 and rng.random() < 0.5,
    )


def measured(setting: Setting) -> Energy:
    spoil = woken if setting.method == "sampled" else None
    return energy(setting.trace(spoil), setting.domain(), *setting.window_ns)


def figures(result: Energy) -> tuple[float, float]:
    """Joules and their uncertainty, which must both be there."""
    assert result.energy_j is not None
    assert result.u_j is not None
    return result.energy_j, result.u_j


def bounds(result: Energy) -> tuple[float, float]:
    assert result.bound_j is not None
    return result.bound_j


def woken(series: Series) -> Series:
    """Shows 50 W in the first five readings, since a live sensor moves once."""
    watts = np.concatenate((np.full(5, 50.0), series.power_w[5:]))
    return Series(series.t_ns, series.energy_j, watts, series.u_ns)


@settings(max_examples=2000)
@given(SEEDS)
def test_the_hard_bound_holds_for_every_course_of_power_within_range(seed):
    setting = draw(seed, band_limited=False)
    result = measured(setting)
    # A course of no change for seconds is that of a dead sensor, which has no figure.
    assume("sensor is dead" not in result.reason)
    low_j, high_j = bounds(result)
    assert low_j - 1e-6 <= setting.truth_j <= high_j + 1e-6


@pytest.mark.parametrize("gain_error", [0.05, 0.0001])
def test_the_stated_uncertainty_covers_the_truth_and_is_small_enough_to_be_of_use(gain_error):
    seen: list[tuple[str, float, float]] = []

    @settings(max_examples=2000, database=None)
    @given(SEEDS)
    def collect(seed: int) -> None:
        setting = draw(seed, band_limited=True, gain_error=gain_error)
        joules, u_j = figures(measured(setting))
        seen.append((setting.method, abs(joules - setting.truth_j), u_j))

    collect()
    methods, errors, doubts = (np.array(column) for column in zip(*seen, strict=True))
    assert len(errors) >= 2000
    assert np.mean(errors <= doubts) >= 0.95
    for method in ("counter", "sampled"):
        ours = methods == method
        assert np.median(doubts[ours]) <= 3 * np.quantile(errors[ours], 0.95)


@settings(max_examples=300)
@given(SEEDS, st.floats(0.05, 0.95))
def test_a_window_has_the_joules_of_its_two_parts(seed, share):
    setting = draw(seed, band_limited=True)
    trace, domain = setting.trace(), setting.domain()
    begin_ns, end_ns = setting.window_ns
    middle_ns = begin_ns + int(share * (end_ns - begin_ns))
    # Within less than a few updates a counter may not move at all, and joules stop at zero.
    assume(min(middle_ns - begin_ns, end_ns - middle_ns) > 4e9 * setting.sensor.update_s)
    stamps = ((begin_ns, middle_ns), (middle_ns, end_ns), (begin_ns, end_ns))
    first, second, whole = (figures(energy(trace, domain, *stamp))[0] for stamp in stamps)
    assert first + second == pytest.approx(whole, rel=1e-9, abs=1e-6)


@settings(max_examples=200)
@given(SEEDS)
def test_a_counter_that_wraps_gives_exactly_what_one_that_does_not_wrap_gives(seed):
    rng = np.random.default_rng(seed)
    setting = draw(seed, band_limited=True)
    # A step that binary numbers hold exactly, so that unfolding loses nothing.
    plain = Sensor(update_s=0.001, step=2**-14)
    wraps = Sensor(update_s=0.001, step=2**-14, wrap_j=float(2 ** rng.integers(7, 12)))
    results = []
    for sensor in (plain, wraps):
        case = Setting(setting.wave, sensor, "counter", setting.window_s)
        results.append(energy(case.trace(), case.domain(), *case.window_ns))
    assert results[0].energy_j == results[1].energy_j
    assert results[0].u_j == results[1].u_j


def test_a_read_just_after_the_wrap_gives_no_negative_joules():
    rows = b"0,cpu,262143.0,,0\n100000000,cpu,262143.2,,0\n200000000,cpu,0.07115,,0\n"
    trace = parse_trace(HEADER + rows)
    domain = Setting(constant(1), Sensor(wrap_j=262143.32885), "counter", (0, 1)).domain(name="cpu")
    result = energy(trace, domain, 0, 200_000_000)
    assert result.energy_j == pytest.approx(0.4, abs=1e-6)


def test_without_a_known_range_a_falling_counter_is_a_gap_and_not_a_figure():
    setting = Setting(constant(100), Sensor(update_s=0.001, wrap_j=500.0), "counter", (5.0, 20.0))
    result = energy(setting.trace(), setting.domain(wrap_j=None), *setting.window_ns)
    assert result.terms["gaps"] > 0
    assert "reset or jumped" in result.reason
    low_j, high_j = bounds(result)
    assert low_j <= setting.truth_j <= high_j


def test_constant_power_is_measured_whatever_the_sensor_repeats():
    """A peer gives 0 J here, since it keeps changed samples only."""
    sensor = Sensor(flicker_w=0.0)
    setting = Setting(constant(300), sensor, "sampled", (5.0, 15.0), gain_error=0.0)
    result = energy(setting.trace(woken), setting.domain(), *setting.window_ns)
    assert result.energy_j == pytest.approx(3000, rel=1e-6)


def test_a_step_of_power_is_measured_from_either_side():
    """A peer is off by 37 % here, since it turns a counter into power and that into an area."""
    for watts in ([10.0, 300.0], [300.0, 10.0]):
        wave = random_steps(np.random.default_rng(0), 0, 0, 1)
        wave = type(wave)(np.array([-10.0, 14.0, 100.0]), np.array(watts))
        setting = Setting(wave, Sensor(update_s=0.001), "counter", (5.0, 15.0))
        result = measured(setting)
        assert result.energy_j == pytest.approx(setting.truth_j, abs=result.u_j)
        assert result.energy_j == pytest.approx(setting.truth_j, rel=0.01)


def test_devices_add_up_and_are_never_averaged():
    setting = Setting(constant(300), Sensor(flicker_w=0.0), "sampled", (5.0, 15.0))
    column = setting.trace(woken).columns["gpu-0"]
    trace = Trace({"gpu-0": column, "gpu-1": column})
    domains = [setting.domain(name=name) for name in ("gpu-0", "gpu-1")]
    result = total([energy(trace, domain, *setting.window_ns) for domain in domains], domains)
    assert result.energy_j == pytest.approx(6000, rel=1e-6)
    assert result.domains == ("gpu-0", "gpu-1")


@settings(max_examples=50)
@given(SEEDS, st.permutations(range(4)))
def test_the_order_of_domains_changes_nothing(seed, order):
    setting = draw(seed, band_limited=True)
    column = setting.trace().columns["gpu-0"]
    names = [f"gpu-{index}" for index in range(4)]
    domains = [setting.domain(name=name) for name in names]
    trace = Trace(dict.fromkeys(names, column))
    shuffled = Trace({names[index]: column for index in order})
    other = [domains[index] for index in order]
    results = [energy(trace, domain, *setting.window_ns) for domain in domains]
    again = [energy(shuffled, item, *setting.window_ns) for item in other]
    assert total(results, domains) == total(again, other)


def test_a_missing_domain_has_no_joules_rather_than_zero():
    setting = Setting(constant(100), Sensor(), "counter", (5.0, 15.0))
    result = energy(Trace({}), setting.domain(), *setting.window_ns)
    assert result.energy_j is None
    assert result.u_j is None
    assert result.reason == "there is no reading of this domain"


def test_a_total_with_a_missing_part_is_missing():
    setting = Setting(constant(100), Sensor(), "counter", (5.0, 15.0))
    domains = [setting.domain(), setting.domain(name="gpu-1")]
    result = total(
        [energy(setting.trace(), domain, *setting.window_ns) for domain in domains], domains
    )
    assert result.energy_j is None
    assert result.reason == "no figure for gpu-1"


def test_a_window_that_was_mostly_not_read_has_no_figure():
    setting = Setting(constant(100), Sensor(), "sampled", (5.0, 65.0), lead_s=2.0)
    trace = setting.trace(lambda series: _cut(series, 5.0, 64.0))
    result = energy(trace, setting.domain(), *setting.window_ns)
    assert result.energy_j is None
    assert "of the window lies between valid readings" in result.reason


def _cut(series: Series, begin_s: float, end_s: float) -> Series:
    kept = (series.t_s < begin_s) | (series.t_s > end_s)
    return series.at(np.flatnonzero(kept))


def test_an_unknown_gain_error_leaves_the_uncertainty_open():
    setting = Setting(constant(100), Sensor(), "counter", (5.0, 15.0))
    result = energy(setting.trace(), setting.domain(gain_error_ratio=None), *setting.window_ns)
    assert result.energy_j == pytest.approx(1000, rel=0.02)
    assert result.u_j is None
    assert result.reason == "the gain error of this meter is unknown"


def test_an_empty_window_is_refused():
    setting = Setting(constant(100), Sensor(), "counter", (5.0, 15.0))
    with pytest.raises(ValueError, match="is empty"):
        energy(setting.trace(), setting.domain(), 10, 10)


# --- totals by table: nothing is counted twice ----------------------------------------------------


def domain(name: str, kind: str, method: str = "counter", *parents: str) -> Domain:
    fields = {"name": name, "kind": kind, "method": method, "meter": "m", "source": "s"}
    return Domain(**(fields | {"parents": parents}))  # type: ignore[arg-type]


PSYS = domain("cpu-psys", "cpu")
PACKAGES = [domain(f"cpu-package-{i}", "cpu") for i in (0, 1)]
IN_PSYS = [domain(f"cpu-package-{i}", "cpu", "counter", "cpu-psys") for i in (0, 1)]
CORES = [domain(f"cpu-core-{i}", "cpu", "counter", f"cpu-package-{i}") for i in (0, 1)]
DRAM = [domain(f"dram-{i}", "dram") for i in (0, 1)]
GPUS = [domain(f"gpu-{i}", "gpu") for i in range(8)]
INSTANT = [domain(f"gpu-{i}-instant", "gpu", "sampled", f"gpu-{i}") for i in range(8)]
NODE = domain("node", "node", "sampled")
WALL = domain("wall", "wall", "sampled")
CPU_GUESS = domain("cpu-modelled", "cpu", "modelled")
DRAM_GUESS = domain("dram-modelled", "dram", "modelled")
NODE_GUESS = domain("node-declared", "node", "declared")


@pytest.mark.parametrize(
    ("domains", "counted"),
    [
        ([*PACKAGES, *CORES, *DRAM], [*PACKAGES, *DRAM]),
        ([PSYS, *IN_PSYS], [PSYS]),
        ([*GPUS, *INSTANT], GPUS),
        ([*GPUS, *INSTANT, *PACKAGES, *DRAM, *CORES], [*GPUS, *PACKAGES, *DRAM]),
        ([*GPUS, *PACKAGES, *DRAM, NODE], [NODE]),
        ([*GPUS, *INSTANT, *PACKAGES, *DRAM, NODE, WALL], [WALL]),
        ([CPU_GUESS, DRAM_GUESS], [CPU_GUESS, DRAM_GUESS]),
        ([CPU_GUESS, DRAM_GUESS, *PACKAGES], [DRAM_GUESS, *PACKAGES]),
        ([*GPUS, CPU_GUESS, DRAM_GUESS], [*GPUS, CPU_GUESS, DRAM_GUESS]),
        ([*GPUS, NODE_GUESS], [*GPUS, NODE_GUESS]),
    ],
)
def test_totals_never_count_a_joule_twice(domains, counted):
    result = total(
        [
            Energy(
                domain=domain.name,
                kind=domain.kind,
                method=domain.method,
                simulated=False,
                energy_j=1.0,
            )
            for domain in domains
        ],
        domains,
    )
    assert set(result.domains) == {item.name for item in counted}
    assert result.energy_j == len(counted)


def test_a_total_has_the_worst_method_and_the_mark_of_simulation():
    simulated = replace(GPUS[0], simulated=True)
    parts = [simulated, CPU_GUESS]
    result = total([], parts)
    assert result.method == "modelled"
    assert result.simulated
    assert result.energy_j is None


def test_no_domain_gives_no_total():
    assert total([], []).energy_j is None


def test_no_domain_contains_itself_and_two_never_contain_every_other():
    everything = [*PACKAGES, *CORES, *DRAM, *GPUS, *INSTANT, NODE, WALL, CPU_GUESS, DRAM_GUESS]
    for one in everything:
        assert not contains(one, one)
        for other in everything:
            assert not (contains(one, other) and contains(other, one))
    assert disjoint(everything) == (WALL,)


# --- the cumulative curve -------------------------------------------------------------------------


@settings(max_examples=300)
@given(SEEDS, st.floats(0.05, 0.95))
def test_the_curve_and_the_interval_agree_and_parts_add_up(seed, share):
    setting = draw(seed, band_limited=True)
    reader = EnergyReader(setting.trace(), [setting.domain()])
    curve = reader.curve("gpu-0")
    assert curve is not None
    begin_s, end_s = (stamp / 1e9 for stamp in setting.window_ns)
    middle_s = begin_s + share * (end_s - begin_s)
    whole_j = reader.energy("gpu-0", *setting.window_ns).energy_j
    assert curve.sum_j([(begin_s, end_s)]) == pytest.approx(whole_j, rel=1e-9, abs=1e-6)
    parts_j = curve.sum_j([(begin_s, middle_s), (middle_s, end_s)])
    assert parts_j == pytest.approx(whole_j, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("method", ["counter", "sampled"])
def test_the_curve_covers_what_the_interval_covers(method):
    setting = Setting(constant(100), Sensor(), method, (5.0, 25.0), lead_s=2.0)
    trace = setting.trace(lambda series: _cut(series, 8.0, 14.0))
    reader = EnergyReader(trace, [setting.domain()])
    curve = reader.curve("gpu-0")
    assert curve is not None
    for begin_s, end_s in ((5.0, 25.0), (5.0, 7.0), (9.0, 13.0), (24.0, 40.0)):
        covered_s = float(np.diff(curve.covered_s(np.array([begin_s, end_s])))[0])
        result = reader.energy("gpu-0", round(begin_s * 1e9), round(end_s * 1e9))
        assert covered_s / (end_s - begin_s) == pytest.approx(result.coverage_ratio, abs=1e-9)


def test_a_reset_counter_is_a_gap_and_never_zero_joules():
    """The counter starts at 0 again at 10 s: that second has no figure, and all others have."""
    stamps = [f"{second}000000000,cpu,{100.0 * (second % 10)},,0" for second in range(20)]
    trace = parse_trace(HEADER + ("\n".join(stamps) + "\n").encode())
    domain = Setting(constant(100), Sensor(update_s=0.001), "counter", (0, 1)).domain(name="cpu")
    reader = EnergyReader(trace, [domain])
    curve = reader.curve("cpu")
    assert curve is not None
    assert curve.sum_j([(9.0, 10.0)]) is None
    assert reader.energy("cpu", 9 * 10**9, 10 * 10**9).energy_j is None
    assert curve.sum_j([(8.0, 9.0), (10.0, 12.0)]) == pytest.approx(300, rel=0.01)
    assert 10.0 not in reader.power("cpu").t_s
    assert reader.power("cpu").power_w.min() == pytest.approx(100)
