"""The simulated meter: its waves are integrated exactly and its faults are real."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.meters import fake
from harness.meters.fake import FakeReader, Wave, parse
from harness.plugins import Reading
from tests.lab.clock import VirtualClock

SHAPES = st.sampled_from(["constant", "square", "pulse", "ramp", "sine"])


@given(SHAPES, st.floats(1, 500), st.floats(0, 1), st.floats(0.3, 5), st.floats(0, 20))
def test_the_energy_is_the_integral_of_the_power(shape, watts, low, period_s, until_s):
    wave = Wave(shape, watts, low * watts, period_s)
    steps = np.linspace(0, until_s, 20_001)
    middles = (steps[1:] + steps[:-1]) / 2
    summed = sum(wave.power_w(float(t)) for t in middles) * until_s / 20_000
    # A square or ramp jumps at most once a period, and the sum misses part of one step there.
    jumps = 2 + 2 * until_s / period_s
    assert wave.energy_j(until_s) == pytest.approx(
        summed, rel=1e-4, abs=watts * jumps * until_s / 20_000 + 1e-9
    )


def reader(**options: str) -> tuple[FakeReader, VirtualClock]:
    clock = VirtualClock(start_ns=NS_PER_S)
    return FakeReader(parse(options), now=clock.now_ns), clock


def run(reads: int, **options: str) -> list[Reading]:
    made, clock = reader(**options)
    result: list[Reading] = []
    for _ in range(reads):
        clock.advance(NS_PER_S // 10)
        result += made.read()
    return result


def test_a_counter_counts_the_truth():
    made, clock = reader(watts="250", shape="square", wave_s="0.5")
    before = made.read()[0].energy_j
    clock.advance(10 * NS_PER_S)
    after = made.read()[0].energy_j
    assert before is not None
    assert after is not None
    truth = made.truth_j(NS_PER_S, 11 * NS_PER_S)
    assert after - before == pytest.approx(truth, abs=2.5 + 0.001)
    assert truth == pytest.approx(1250)


def test_one_domain_a_name_with_its_kind():
    made, _ = reader(domains="gpu-0+cpu-package-0+wall")
    assert [(domain.name, domain.kind) for domain in made.domains] == [
        ("gpu-0", "gpu"),
        ("cpu-package-0", "cpu"),
        ("wall", "wall"),
    ]
    assert all(domain.simulated for domain in made.domains)


def test_a_sampled_domain_has_no_counter():
    (reading,) = run(1, counter="false")
    assert reading.energy_j is None
    assert reading.power_w == pytest.approx(100)


def test_the_counter_wraps_where_it_is_set_to():
    readings = run(40, wrap_j="100", power="false")
    joules = [reading.energy_j for reading in readings if reading.energy_j is not None]
    assert len(joules) == 40
    assert max(joules) < 100
    assert any(b < a for a, b in pairwise(joules))


def test_noise_follows_its_seed():
    one, same, other = (
        [item.power_w for item in run(20, noise="0.1", seed=seed)] for seed in ("1", "1", "2")
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("nan", lambda r: r.power_w is not None and math.isnan(r.power_w)),
        ("negative", lambda r: r.power_w == -1.0),
    ],
)
def test_a_fault_sets_in_after_the_reads_that_are_set(fault, sign):
    readings = run(10, fault=fault, fault_after="5")
    assert [sign(reading) for reading in readings] == [False] * 5 + [True] * 5


def test_a_frozen_counter_stands_still_and_a_reset_one_falls():
    frozen = [item.energy_j for item in run(30, fault="frozen", fault_after="5")]
    assert len(set(frozen[5:])) == 1
    fallen = [item.energy_j or 0.0 for item in run(30, fault="reset", fault_after="15")]
    assert min(b - a for a, b in pairwise(fallen)) < -50


def test_a_device_that_vanishes_raises():
    with pytest.raises(OSError, match="gone"):
        run(10, fault="vanish", fault_after="5")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"wats": "1"}, "unknown option 'wats'"),
        ({"watts": "many"}, "option watts"),
        ({"watts": "-1"}, "must not be negative"),
        ({"update_s": "0"}, "above zero"),
        ({"shape": "triangle"}, "'triangle' is none of"),
        ({"counter": "false", "power": "false"}, "cannot both be false"),
        ({"counter": "perhaps"}, "neither true nor false"),
    ],
)
def test_wrong_options_are_refused_by_name(options, fault):
    with pytest.raises(ValueError, match=fault):
        fake.METER.open(options)


def test_a_domain_without_a_kind_is_refused():
    with pytest.raises(ValueError, match="must begin with one of"):
        fake.METER.open({"domains": "fridge"})


def test_it_is_there_and_never_chosen_by_itself():
    assert fake.METER.probe().ok
    assert fake.METER.origin == "simulated"
