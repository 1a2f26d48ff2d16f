"""Faulty sensors of every kind are named or their figures right, and healthy ones have no finding.

The rows are those of an independent review and of public reports, at runs of two and of eight
seconds. Each kind is played with the values that were seen in the field and with others.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab.sensor_kinds import (
    ALL,
    CPU,
    LENGTHS_S,
    LIMIT,
    LIVE,
    Build,
    Change,
    Course,
    Expected,
    Row,
    always,
    blind,
    card,
    counter,
    healthy,
    missing,
    named,
    once,
    power,
    rapl,
    right,
    scaled,
    server,
    slow,
    stopped,
    then,
    true_j,
    with_cards,
    with_dram,
    with_grace,
    with_package,
    with_psys,
    with_stop,
    wrapped,
)
from tests.lab.virtual_run import Outcome, VirtualRun


def package_rows() -> Iterator[Row]:
    """Processors and memory."""
    yield "healthy package and dram", lambda s: [rapl(s)], healthy(*CPU)
    for label, value in {
        "0": 0.0, "constant": 4711.25, "2^64-1": 2.0**64 - 1, "2^64-1 uJ": (2**64 - 1) / 1e6,
        "2^32-1": 2.0**32 - 1,
    }.items():  # fmt: skip
        change = always(value)
        yield (
            f"package dead at {label}",
            with_package(change),
            missing("sensor-dead"),
        )
        yield f"dram dead at {label}", with_dram(change), missing("sensor-dead")
    yield "package -1 uJ", with_package(always(-1e-6)), missing("sensor-dead")
    for watts in (0.001, 0.3, 0.6):
        change = scaled(watts / 81.0)
        yield (
            f"package {watts} W under load",
            with_package(change),
            missing("sensor-implausible"),
        )
    for watts in (1400.0, 80e3, 5e6):
        change = scaled(watts / 81.0)
        yield (
            f"package {watts} W",
            with_package(change),
            missing("counter-jump"),
        )
    spike: Change = lambda t_s, true: true + 300e3 * (t_s > 1.0)  # noqa: E731 - one of many
    yield "package spikes by 300 kJ", with_package(spike), named("counter-jump")
    yield (
        "package 1.4 kW over a limit of 150 W",
        lambda s: [[counter("cpu-package-0", Course(s, 1400.0, 90.0), power_high_w=300.0)]],
        missing("counter-jump"),
    )
    yield "dram unit 4 x high", with_dram(scaled(4)), named("memory-power")
    yield "dram / 1000", with_dram(scaled(1e-3)), missing("sensor-implausible")
    yield (
        "dram of one socket 200 W, of the other 6 W",
        lambda s: [
            [
                *rapl(s, dram=scaled(200 / 13)),
                counter("cpu-package-1", server(s)["cpu-package-0"], offset_j=5.0),
                counter("dram-1", server(s)["dram-0"], scaled(6 / 13)),
            ]
        ],
        named("memory-power"),
    )
    for before_s in (0.3, 0.8, 1.3, 2.1, 1e3):
        yield (
            f"package stops {before_s} s before the end",
            with_stop(before_s),
            missing("sensor-dead"),
        )
    yield (
        "socket 1 dead",
        lambda s: [[*rapl(s), counter("cpu-package-1", server(s)["cpu-package-0"], always(0.0))]],
        missing("sensor-dead"),
    )
    yield (
        "core dead, package live",
        lambda s: [
            [
                *rapl(s),
                counter(
                    "cpu-core-0",
                    server(s)["cpu-package-0"],
                    always(0.0),
                    parents=("cpu-package-0",),
                ),
            ]
        ],
        right("sensor-dead", *CPU),
    )
    yield (
        "package dead, core live",
        lambda s: [
            [
                *rapl(s, package=always(0.0)),
                counter(
                    "cpu-core-0",
                    server(s)["cpu-package-0"],
                    scaled(0.7),
                    parents=("cpu-package-0",),
                ),
            ]
        ],
        missing("sensor-dead"),
    )
    for label, change, rule in (
        ("0", always(0.0), "sensor-dead"),
        ("1/16384 x", scaled(1 / 16384), "sensor-implausible"),
        ("1000 x", scaled(1000), "counter-jump"),
    ):
        yield (
            f"psys {label} over a live package",
            with_psys(change),
            right(rule, *CPU),
        )
    yield "psys 0.5 x", with_psys(scaled(0.5)), named("part-exceeds-whole")
    yield (
        "two packages show one counter",
        lambda s: [[*rapl(s), counter("cpu-package-1", server(s)["cpu-package-0"])]],
        named("counter-mirrored"),
    )


def card_rows() -> Iterator[Row]:
    """Graphics cards beside a live processor."""

    def with_card(*changes: Change | None, **fields: Any) -> Build:
        return lambda s: [rapl(s), card(s, *changes, **fields)]

    yield "healthy card", with_card(LIVE, LIVE, **LIMIT), healthy(*ALL)
    yield "counter 0, power live", with_card(always(0.0), LIVE, **LIMIT), right("sensor-dead", *ALL)
    yield "counter 2^64-1", with_card(always(2.0**64 - 1), LIVE), right("sensor-dead", *ALL)
    yield "counter 2^64-1 alone", with_card(always(2.0**64 - 1), None), named("meter-not-opened")
    yield "counter and power 0", with_card(always(0.0), always(0.0)), named("meter-not-opened")
    yield "counter in uJ", with_card(scaled(1000), LIVE, **LIMIT), right("counter-jump", *ALL)
    yield "counter / 1000", with_card(scaled(1e-3), LIVE), right("sensor-implausible", *ALL)
    yield "counter / 1000 alone", with_card(scaled(1e-3), None), missing("sensor-implausible")
    yield "counter 5 MW, no limit", with_card(scaled(5e6 / 240), None), missing("counter-jump")
    yield "counter +30 %, power right", with_card(scaled(1.3), LIVE), named("meters-disagree")
    yield (
        "card lost",
        lambda s: [rapl(s), card(s, then(1.0, None), then(1.0, None))],
        missing("meter-vanished", "sensor-dead"),
    )
    yield (
        "counter and power stop",
        lambda s: [rapl(s), card(s, stopped(1.0), stopped(1.0))],
        missing("sensor-dead"),
    )
    yield "counter stops", with_card(stopped(1.0), LIVE), right("sensor-dead", *ALL)
    for value in (0.0, 0xFFFFFFFF / 1000, 65535.0, 2.0**32 - 1, 2147.483647, 42e3):
        yield (
            f"power alone {value:.10g} W",
            with_card(None, always(value)),
            named("meter-not-opened"),
        )
        yield (
            f"counter fine, power {value:.10g} W",
            with_card(LIVE, always(value)),
            right("sensor-dead", *ALL),
        )
    yield "power alone constant", with_card(None, always(240.0)), missing("sensor-dead")
    for watts in (0.08, 0.24):
        change = scaled(watts / 240)
        yield f"power alone {watts} W", with_card(None, change), missing("sensor-implausible")
    yield (
        "power alone 42 kW over a limit of 80 W",
        with_card(None, scaled(42e3 / 240), power_high_w=120.0),
        named("meter-not-opened"),
    )
    yield "power alone stops", with_card(None, stopped(1.0)), missing("sensor-dead")
    yield (
        "power alone goes to 0",
        with_card(None, then(0.5, 0.0)),
        missing("coverage", "sensor-dead"),
    )
    yield (
        "power alone is 65535 W once",
        with_card(None, once(1.0, 65535.0), **LIMIT),
        replace(right("reading-implausible", *ALL), eligible=None),
    )
    yield "counter 2^64 once", with_card(once(1.0, 2.0**64), None), named("counter-jump")
    yield (
        "MIG",
        lambda s: [
            rapl(s),
            card(s, LIVE, LIVE, source="A100, MIG on: figures are of the whole card"),
        ],
        right("card-shared", *ALL),
    )
    yield "vGPU", with_card(always(None), always(None)), named("meter-not-opened")
    yield (
        "idle card whose power stands still",
        lambda s: [
            rapl(s),
            card(s, LIVE, always(8.3), course=Course(s, 8.3, 8.3)),
        ],
        healthy(*CPU, card=8.3),
    )
    yield (
        "blind power sensor beside an exact counter",
        lambda s: [rapl(s), blind(s)],
        healthy(*ALL),
    )
    for label, changes in {
        "counter 0, power live": (always(0.0), LIVE),
        "both 0": (always(0.0), always(0.0)),
        "both constant": (always(99.0), always(99.0)),
    }.items():
        expected = (
            Expected(
                lambda s: true_j(*CPU)(s) + 8 * server(s)["gpu-0"].run_j,
                frozenset({"sensor-dead"}),
            )
            if changes[1] is LIVE
            else missing("sensor-dead")
        )
        yield f"card 3 of 8: {label}", with_cards(changes), expected


def node_rows() -> Iterator[Row]:
    """Node and wall meters, Grace and boards."""
    rare: dict[str, Any] = {"update_s": 1.0, "window_s": None, "step_w": 1.0, "power_high_w": 20e3}

    def node(change: Change, watts: float = 210.0, **fields: Any) -> Build:
        made = rare | fields
        return lambda s: [[power("node", Course(s, watts, 0.6 * watts), change, **made)]]

    def beside(change: Change, watts: float) -> Build:
        return lambda s: [*node(change, watts)(s), rapl(s)]

    yield "healthy node alone", node(LIVE), slow(node=210.0)
    for value in (0.0, 65535.0, 2.0**32 - 1, (2**32 - 1) / 1000):
        yield f"node {value:.10g} W", node(always(value)), named("meter-not-opened")
    yield "node constant", node(always(210.0)), missing("sensor-dead")
    yield "node 30 W above a package of 81 W", beside(LIVE, 30.0), named("part-exceeds-whole")
    yield (
        "wall below its node",
        lambda s: [
            [power("wall", Course(s, 150.0, 40.0), power_high_w=3000.0)],
            [power("node", Course(s, 250.0, 90.0), power_high_w=3000.0)],
        ],
        named("part-exceeds-whole"),
    )
    yield (
        "healthy node, dead psys",
        lambda s: [*node(LIVE)(s), [counter("cpu-psys", Course(s, 1, 1), always(0.0)), *rapl(s)]],
        Expected(lambda s: math.nan, frozenset({"sensor-dead"})),
    )
    for value in (0.0, 2147.0, 2147.483647, 0xFFFFFFFF / 1000):
        yield (
            f"Grace {value:.10g} W",
            with_grace(always(value)),
            named("meter-not-opened"),
        )
    yield "Grace constant 50 W", with_grace(always(50.0)), missing("sensor-dead")
    yield (
        "Grace 2.2 kW from a socket of 1 kW",
        with_grace(scaled(2200 / 81)),
        named("sensor-implausible", "meter-not-opened", "coverage"),
    )
    yield (
        "board with a live node sensor and a driver that supports nothing",
        lambda s: [
            [power("node-vdd-in", Course(s, 20.0, 6.0))],
            card(s, always(None), always(None)),
        ],
        named("meter-not-opened"),
    )


def healthy_rows() -> Iterator[Row]:
    """Machines that must be left in peace, from a laptop to a big server."""
    yield (
        "laptop of 2 W",
        lambda s: [[counter("cpu-package-0", Course(s, 2.0, 1.2), power_high_w=30.0)]],
        healthy(package=2.0),
    )
    yield (
        "client with an idle graphics part of 0.02 W",
        lambda s: [
            [
                counter("cpu-package-0", Course(s, 80.0, 10.0)),
                counter("cpu-core-0", Course(s, 60.0, 4.0), parents=("cpu-package-0",)),
                counter("cpu-uncore-0", Course(s, 0.02, 0.02), parents=("cpu-package-0",)),
            ]
        ],
        healthy(package=80.0),
    )
    yield (
        "wall meter of 1 Hz",
        lambda s: [
            [
                power(
                    "wall",
                    Course(s, 140.0, 60.0),
                    update_s=1.0,
                    window_s=1.0,
                    step_w=0.1,
                    power_high_w=3000.0,
                )
            ]
        ],
        slow(wall=140.0),
    )
    yield "card without a counter", lambda s: [rapl(s), card(s, None, LIVE, **LIMIT)], healthy(*ALL)
    yield (
        "idle card at 8 W",
        lambda s: [rapl(s), card(s, LIVE, LIVE, course=Course(s, 8.0, 8.0), **LIMIT)],
        healthy(*CPU, card=8.0),
    )
    yield (
        "big server",
        lambda s: [
            [
                counter(
                    f"{part}-{index}", Course(s, watts + index, 0.4 * watts), offset_j=9.0 * index
                )
                for part, watts in (("cpu-package", 480.0), ("dram", 60.0))
                for index in range(2)
            ],
            *[
                card(s, LIVE, LIVE, index=index, course=Course(s, 900.0 + index, 120.0))
                for index in range(8)
            ],
        ],
        Expected(lambda s: Course(s, 2 * 540.0 + 2 + 8 * 900.0 + 28, 0).run_j, clean=True),
    )
    yield (
        "counter that a hypervisor refreshes once a second",
        lambda s: [[counter("cpu-package-0", server(s)["cpu-package-0"], real_update_s=1.0)]],
        slow("cpu-package-0"),
    )
    yield (
        "counter that wraps",
        lambda s: [
            [counter("cpu-package-0", server(s)["cpu-package-0"], wrapped, wrap_j=262_143.0)]
        ],
        healthy("cpu-package-0"),
    )
    yield (
        "card whose counter is updated once a second",
        lambda s: [rapl(s), card(s, LIVE, LIVE, real_update_s=1.0, **LIMIT)],
        slow(*ALL),
    )
    yield (
        "two sockets with the same power",
        lambda s: [
            [*rapl(s), counter("cpu-package-1", server(s)["cpu-package-0"], offset_j=311.0)]
        ],
        healthy(*CPU, "cpu-package-0"),
    )


ROWS = [*package_rows(), *card_rows(), *node_rows(), *healthy_rows()]


@pytest.mark.parametrize("length_s", LENGTHS_S)
@pytest.mark.parametrize(
    ("meters", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_a_faulty_sensor_is_named_or_its_figure_right(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    meters: Build,
    expected: Expected,
    length_s: float,
) -> None:
    cards = sum(sensor.domain.kind == "gpu" for meter in meters(length_s) for sensor in meter)
    run = VirtualRun(tmp_path, monkeypatch)
    outcome = run.play(meters(length_s), length_s, memory_gib=24.0 + 48.0 * cards)
    check(outcome, expected, length_s)


def check(outcome: Outcome, expected: Expected, length_s: float) -> None:
    messages = [(item.rule, item.level, item.message) for item in outcome.findings]
    if expected.rules:
        assert outcome.rules() & expected.rules, messages
    if expected.clean:
        assert outcome.rules("warn", "fail") == set(), messages
    truth_j = expected.truth(length_s)
    if truth_j is None:
        assert outcome.energy.energy_j is None, messages
    elif not math.isnan(truth_j):
        assert outcome.energy.energy_j is not None, messages
        assert outcome.energy.energy_j == pytest.approx(truth_j, rel=expected.near), messages
        low_j, high_j = outcome.bounds["total"] or (0.0, math.inf)
        assert low_j <= truth_j <= high_j
    assert expected.eligible in (None, outcome.eligible), messages
    for bound in outcome.bounds.values():
        assert bound is None or bound[0] <= bound[1]


def test_memory_with_a_unit_that_is_four_times_low_is_named_where_its_size_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = VirtualRun(tmp_path, monkeypatch).play([rapl(2.2, dram=scaled(0.25))], 2.2, 384.0)
    assert "memory-power" in outcome.rules("fail")
