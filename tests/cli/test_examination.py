"""What a machine can enter for follows from its meters, its walls and its facts, each told why."""

from typing import Any

import pytest

from harness.cli.documents import PluginItem, PrizeDoor
from harness.cli.examination import _title, doors, measuring
from harness.records import MachineFact
from harness.registry import Plugin, discover
from tests.lab.results import Plan, machine_of

JOULES = {item.name for item in discover("prizes") if isinstance(item, Plugin)
          and item.value.unit == "J"}  # fmt: skip


def item(name: str, *, available: bool | None = True, advice: str = "", **facts: Any) -> PluginItem:
    return PluginItem(
        kind="meters", name=name, title=name, origin="built-in", error="", available=available,
        advice=advice, facts=facts,
    )  # fmt: skip


WALL = item("bubblewrap", level="bubblewrap")
RAPL = item("rapl", origin="hardware")


def opened(*meters: PluginItem, walls: Any = (WALL,), facts: Any = ()) -> dict[str, PrizeDoor]:
    return {door.prize: door for door in doors(meters, walls, facts)}


@pytest.mark.parametrize("origin", ["modelled", "simulated", "external", "", None])
def test_only_hardware_measures(origin: Any) -> None:
    assert measuring([RAPL, item("other", origin=origin)]) == ["rapl"]
    assert not any(opened(item("other", origin=origin))[name].enters for name in JOULES)


@pytest.mark.parametrize("available", [False, None])
def test_a_meter_that_may_not_be_there_opens_nothing(available: bool | None) -> None:
    meter = item("rapl", available=available, advice="give read access", origin="hardware")
    assert measuring([meter]) == []
    for name in JOULES:
        assert not opened(meter)[name].enters
        assert "rapl: give read access" in opened(meter)[name].advice


@pytest.mark.parametrize("level", ["none", "", None])
def test_a_wall_that_rules_do_not_accept_opens_no_prize(level: Any) -> None:
    weak = (item("plain", level=level), item("bwrap", available=False, advice="install it"))
    found = opened(RAPL, walls=weak)
    assert found
    assert not any(door.enters for door in found.values())
    assert {door.advice for door in found.values()} == {"install it"}


def test_a_failed_fact_is_told_once_and_closes_no_door() -> None:
    facts = [
        MachineFact(id=name, value=9, verdict="fail", source="s", advice="wait") for name in "ab"
    ]
    before, after = opened(RAPL), opened(RAPL, facts=facts)
    assert all(door.enters for door in before.values())
    assert all(door.enters and door.advice == "wait" for door in after.values())
    assert all(door.reason.endswith("; but not as it is now: a, b") for door in after.values())


@pytest.mark.parametrize("verdict", ["ok", "warn", "unknown", "recorded"])
def test_facts_that_did_not_fail_change_nothing(verdict: Any) -> None:
    fact = MachineFact(id="x", value=None, verdict=verdict, source="s", advice="wait")
    assert opened(RAPL, facts=[fact]) == opened(RAPL)


@pytest.mark.parametrize(
    ("virtual", "end"), [(True, ", virtual machine"), (False, ", 6"), (None, "unknown")]
)
def test_an_unknown_hypervisor_is_not_told_as_bare_metal(virtual: bool | None, end: str) -> None:
    machine = machine_of(Plan()).model_copy(update={"virtualised": virtual, "gpus": ("A", "B")})
    assert _title(machine).endswith(end)
    assert "1.0 GiB, A, B, 6" in _title(machine)
    assert "no GPU" in _title(machine_of(Plan()))
