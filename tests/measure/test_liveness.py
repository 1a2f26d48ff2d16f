"""Dead sensors are found when a meter is opened, and live ones are kept."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import now_ns
from harness.measure import opening
from harness.measure.energy import disjoint
from harness.measure.limits import is_sentinel
from harness.measure.liveness import check_meter, find_dead
from harness.measure.metering import dead_sensor, limit_parents
from harness.plugins import Availability, Decoded, Domain, Reader, Reading

Value = Callable[[], tuple[float | None, float | None]]


def spec(name: str, method: str = "counter", **fields: object) -> Domain:
    known = {"kind": "cpu", "meter": "m", "source": "test", "update_period_s": 0.001} | fields
    return Domain(name=name, method=method, **known)  # type: ignore[arg-type]


class Scripted(Reader):
    """A meter of which each domain has a function of its own."""

    def __init__(self, **sensors: tuple[Domain, Value]) -> None:
        self._sensors = [sensor for _, sensor in sensors.items()]
        self.domains = tuple(domain for domain, _ in self._sensors)
        self.closed = False

    def read(self) -> Sequence[Reading]:
        return [Reading(now_ns(), domain.name, *value()) for domain, value in self._sensors]

    def close(self) -> dict[str, float]:
        self.closed = True
        return {}


def moving() -> tuple[float | None, float | None]:
    return now_ns() / 1e7, None


def constant(joules: float | None = None, watts: float | None = None) -> Value:
    return lambda: (joules, watts)


@pytest.mark.parametrize("value", [0.0, 1234.5, 2.0**64 - 1, (2**64 - 1) / 1e6])
def test_a_counter_that_does_not_move_is_dead(value):
    reader = Scripted(a=(spec("cpu-package-0"), moving), b=(spec("dram-0"), constant(value)))
    (dead,) = find_dead(reader)
    assert dead.domain.name == "dram-0"
    assert "under load" in dead.reason


def test_a_counter_that_a_hypervisor_refreshes_once_a_second_is_alive():
    begin_ns = now_ns()

    def slow() -> tuple[float | None, float | None]:
        return 50.0 + 80 * ((now_ns() - begin_ns) // 10**9), None

    assert find_dead(Scripted(a=(spec("cpu-package-0"), slow))) == []


@pytest.mark.parametrize(
    "watts", [0.0, 65535.0, 2.0**32 - 1, (2**32 - 1) / 1000, 2.0**64 - 1, 2**31 / 1e6 - 1e-6]
)
def test_a_power_reading_of_zero_or_a_sentinel_is_dead(watts):
    reader = Scripted(a=(spec("node", "sampled", kind="node"), constant(watts=watts)))
    assert [item.domain.name for item in find_dead(reader)] == ["node"]


@pytest.mark.parametrize("watts", [0.4, 50.0, 65.535, 255.0, 2147.0])
def test_a_power_reading_that_stands_still_is_not_dead(watts):
    node = spec("node", "sampled", kind="node")
    assert find_dead(Scripted(a=(node, constant(watts=watts)))) == []
    assert not is_sentinel(watts)


@pytest.mark.parametrize(("kind", "watts"), [("cpu", 2147.0), ("gpu", 42_000.0), ("dram", 450.0)])
def test_a_power_that_no_device_of_its_kind_uses_is_dead(kind, watts):
    reader = Scripted(a=(spec("a", "sampled", kind=kind), constant(watts=watts)))
    assert [item.domain.name for item in find_dead(reader)] == ["a"]


def test_a_domain_that_the_device_does_not_answer_for_is_dead():
    class Silent(Scripted):
        def decode(self, answer: Any) -> Decoded:
            return answer[0][:1], {"gpu-1": "Not Supported"}

    cards = {name: (spec(name, kind="gpu"), moving) for name in ("gpu-0", "gpu-1")}
    reader = Silent(**cards)
    assert [(item.domain.name, item.reason) for item in find_dead(reader)] == [
        ("gpu-1", "it gives no reading: Not Supported")
    ]


def test_simulated_domains_and_estimates_are_not_judged():
    domains = [spec("a", simulated=True), spec("b", "modelled")]
    sensors = {domain.name: (domain, constant(0.0)) for domain in domains}
    assert find_dead(Scripted(**sensors)) == []


def test_a_meter_loses_its_dead_domain_and_is_refused_without_a_live_one(monkeypatch):
    live = Scripted(a=(spec("cpu-package-0"), moving), b=(spec("dram-0"), constant(0.0)))
    dead = Scripted(a=(spec("cpu-psys"), constant(0.0)))
    readers = {"one": live, "two": dead}

    class Meter:
        def __init__(self, name: str) -> None:
            self._name = name

        def open(self, options: dict[str, str]) -> Reader:
            return readers[self._name]

    monkeypatch.setattr(opening, "load_meter", lambda entry: Meter(entry["name"]))
    opened = opening.open_meters([{"name": "one"}, {"name": "two"}])
    sessions, failed = opening.start_sessions(opened)
    assert [domain.name for item in sessions for domain in item.domains] == ["cpu-package-0"]
    (row,) = sessions[0].read(mark=False)
    assert ",cpu-package-0," in row
    assert [item["meter"] for item in failed] == ["two"]
    assert "'cpu-psys' is dead" in failed[0]["reason"]
    assert dead.closed
    (entry,) = opening.dead_domains(opened)
    assert entry["domain"]["name"] == "dram-0"
    there = Availability(ok=True, reason="there")
    assert check_meter(Meter("one"), there).ok
    assert not check_meter(Meter("two"), there).ok


def test_a_dead_sensor_is_replaced_by_its_parts_or_its_whole():
    package = spec("cpu-package-0", parents=("cpu-psys",))
    assert dead_sensor(spec("cpu-psys"), "dead", [package]).replaced
    assert dead_sensor(spec("cpu-core-0", parents=("cpu-package-0",)), "dead", [package]).replaced
    assert not dead_sensor(spec("dram-0"), "dead", [package]).replaced


NAMES = ("a", "b", "c", "d", "e")


@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from((*NAMES, "x", "y")))),
        unique_by=lambda item: item[0],
    )
)
def test_parents_are_domains_of_the_run_and_form_no_circle(tree):
    domains = limit_parents([spec(name, parents=tuple(parents)) for name, parents in tree])
    above = {domain.name: domain.parents for domain in domains}
    for name, parents in above.items():
        assert all(parent in above and parent != name for parent in parents)
        assert all(name not in above[parent] for parent in parents)
    assert bool(disjoint(domains)) == bool(domains)
