"""`joulemark doctor`: what is there, what is not, why, and what to do about it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli.printer import Printer
from harness.cli.verbs import doctor as verb
from harness.cli.verbs.doctor import (
    DoctorDocument,
    MeterTrial,
    PrizeEligibility,
    _title,
    available_meters,
    examine,
    prize_eligibility,
    run_trial,
)
from harness.cli.verbs.list import PluginItem
from harness.cli.verbs.schema import schema_of
from harness.measure.choice import MeterChoice
from harness.measure.metering import MeteringError
from harness.measure.trial import DomainTrial
from harness.meters.fake import Wave
from harness.records import MachineFact
from harness.registry import Plugin, discover
from tests.lab import nvml, powercap
from tests.lab.results import Plan, machine_of
from tests.lab.schema import violations


@pytest.fixture(scope="module")
def examined() -> DoctorDocument:
    return examine()


def item(kind: str, name: str, available: bool, **facts: Any) -> PluginItem:
    return PluginItem(
        kind=kind, name=name, title="", origin="built-in", error="", available=available,
        reason="because", advice="" if available else f"fix {name}", facts=facts,
    )  # fmt: skip


BWRAP = item("launchers", "bubblewrap", True, level="bubblewrap")
NO_WALLS = (item("launchers", "bubblewrap", False), item("launchers", "plain", True, level="none"))
RAPL = item("meters", "rapl", True, origin="hardware")
NVML = item("meters", "nvml", False, origin="hardware")
GUESS = item("meters", "codecarbon", True, origin="modelled")
FAKE = item("meters", "fake", True, origin="simulated")
BUSY = MachineFact(id="load", value=9.0, verdict="fail", source="/x", advice="wait")
IDLE = MachineFact(id="load", value=None, verdict="unknown", source="/x")


def eligibility(
    prize: str,
    meters: Sequence[PluginItem],
    launchers: Sequence[PluginItem] = (BWRAP,),
    facts: Sequence[MachineFact] = (IDLE,),
) -> Any:
    results = prize_eligibility(meters, launchers, facts)
    return {item.prize: item for item in results}[prize]


def test_measured_joules_open_the_energy_prize() -> None:
    shown = eligibility("energy", [RAPL, NVML, GUESS])
    assert shown.eligible
    assert "rapl" in shown.reason


def test_estimates_and_simulations_do_not() -> None:
    shown = eligibility("energy", [NVML, GUESS, FAKE])
    assert not shown.eligible
    assert "codecarbon" in shown.reason
    assert shown.advice == "nvml: fix nvml"
    assert available_meters([NVML, GUESS, FAKE]) == []


def test_a_meter_that_has_to_be_attached_is_advice_and_no_measurement() -> None:
    shown = eligibility("energy", [item("meters", "logfile", True, origin="external")])
    assert not shown.eligible
    assert "--meter logfile:path=FILE" in shown.advice


def test_seconds_need_no_meter() -> None:
    assert eligibility("speed", []).eligible


@pytest.mark.parametrize("prize", ["energy", "speed"])
def test_without_isolation_there_is_no_prize(prize: str) -> None:
    shown = eligibility(prize, [RAPL], NO_WALLS)
    assert not shown.eligible
    assert "isolation" in shown.reason
    assert "fix bubblewrap" in shown.advice


def test_a_busy_machine_has_to_wait() -> None:
    shown = eligibility("speed", [], facts=[BUSY])
    assert shown.eligible
    assert "not in the machine's present state: load" in shown.reason
    assert shown.advice == "wait"


def test_every_prize_has_a_door(examined: DoctorDocument) -> None:
    assert {"energy", "speed"} <= {prize.prize for prize in examined.prizes}


def test_everything_says_why_and_what_is_missing_what_to_do(examined: DoctorDocument) -> None:
    every = (*examined.meters, *examined.launchers)
    assert all(item.reason or item.error for item in every)
    sensors = [meter for meter in examined.meters if meter.name in ("nvml", "rapl")]
    assert all(sensor.available or sensor.advice for sensor in sensors)


def test_facts_say_where_they_come_from(examined: DoctorDocument) -> None:
    assert len(examined.facts) > 10
    assert all(fact.source for fact in examined.facts)
    nothing = [fact for fact in examined.facts if fact.value is None]
    assert all(fact.verdict == "unknown" for fact in nothing)


def test_the_page_shows_all_of_it(joulemark) -> None:
    result = joulemark("doctor", "--quick")
    assert result.exit_code == 0
    for part in ("meters", "isolation", "machine", "prizes that this machine can enter"):
        assert f"\n{part}\n" in f"\n{result.stdout}"
    for name in ("codecarbon", "nvml", "rapl", "bubblewrap", "speed", "load-average"):
        assert f"\n{name} " in result.stdout


def fits(text: str) -> Any:
    """The document, checked against the schema that `joulemark schema doctor` prints."""
    document = json.loads(text)
    schema = schema_of("doctor")
    assert violations(document, schema, schema) == []
    DoctorDocument.model_validate_json(text)
    return document


def test_the_quick_document_fits_its_schema_and_says_nothing_else(joulemark) -> None:
    result = joulemark("doctor", "--quick", "--json")
    assert fits(result.stdout)["trial"] is None
    assert result.stderr == ""


def doctor(environment: Mapping[str, str]) -> tuple[Any, str]:
    """`joulemark doctor --json` in a process of its own: its document and its other words."""
    command = [sys.executable, "-c", "from harness.cli import main; main()", "doctor", "--json"]
    seen = {**os.environ, **environment}
    done = subprocess.run(
        command, env=seen, capture_output=True, text=True, timeout=120, check=True
    )
    return fits(done.stdout), done.stderr


def test_every_available_sensor_is_read_here() -> None:
    document, words = doctor({})
    assert "reading the meters for 3 s: " in words
    named = {item["meter"] for item in document["trial"]["sensors"]} | set(
        document["trial"]["failed"]
    )
    there = [m for m in document["meters"] if m["available"]]
    assert {m["name"] for m in there if m["facts"]["origin"] in ("hardware", "modelled")} == named


@pytest.mark.needs("compiler")
def test_pace_and_noise_of_simulated_cards_and_packages_are_measured(tmp_path: Path) -> None:
    environment = nvml.knobs(gpus=2, shape="square", wave_s=0.4, update_s=0.2)
    packages = powercap.server(tmp_path / "powercap", sockets=2)
    root = {"JOULEMARK_POWERCAP_ROOT": str(tmp_path / "powercap")}
    with powercap.running(dict.fromkeys(packages.values(), Wave("constant", 70.0))):
        document, _ = doctor(environment | root)
    seen = {item["domain"]: item for item in document["trial"]["sensors"]}
    assert {"gpu-0", "gpu-1-instant", "cpu-package-0", "cpu-package-1", "dram-1"} <= set(seen)
    # Wide enough for a sampler, or a stand-in for a package, that stands still for a moment.
    assert 0.13 < seen["gpu-0-instant"]["update_period_s"] < 0.39, "neither 0.1 s nor the wave's"
    assert seen["gpu-0-instant"]["mean_w"] == pytest.approx(200.0, rel=0.3)
    assert seen["gpu-0-instant"]["noise_w"] > 50.0
    assert seen["cpu-package-0"]["mean_w"] == pytest.approx(70.0, rel=0.3)
    assert seen["cpu-package-0"]["noise_w"] < 50.0, "less than that of the wave"
    assert document["trial"]["failed"] == {}
    energy = next(item for item in document["prizes"] if item["prize"] == "energy")
    assert "nvml" in energy["reason"]


def test_a_sampler_that_fails_is_reported_for_every_meter(monkeypatch) -> None:
    def fails(*_: object) -> Any:
        raise MeteringError("the sampler was not ready")

    monkeypatch.setattr(verb, "try_meters", fails)
    trial = run_trial([MeterChoice(name="rapl")])
    assert trial.failed == {"rapl": "the sampler was not ready"}
    assert trial.sensors == ()


def test_the_page_shows_what_was_seen_and_what_was_not(capsys) -> None:
    sensor = DomainTrial(
        domain="gpu-0", meter="nvml", method="counter", mean_w=61.5, noise_w=None,
        update_period_s=0.1, stated_period_s=None, readings_count=30,
    )  # fmt: skip
    trial = MeterTrial(
        duration_s=3.0, sensors=(sensor,), failed={"rapl": "gone"}, faults=("nvml: lost",)
    )
    verb._show_trial(trial, Printer(sys.stdout))
    text = capsys.readouterr().out
    assert "61.5 W" in text.replace("\u202f", " ").replace("\xa0", " ")
    assert "rapl did not open: gone" in text
    assert "fault: nvml: lost" in text


JOULES = {item.name for item in discover("prizes") if isinstance(item, Plugin)
          and item.value.unit == "J"}  # fmt: skip


def meter_item(
    name: str, *, available: bool | None = True, advice: str = "", **facts: Any
) -> PluginItem:
    return PluginItem(
        kind="meters", name=name, title=name, origin="built-in", error="", available=available,
        advice=advice, facts=facts,
    )  # fmt: skip


WALL = meter_item("bubblewrap", level="bubblewrap")
PLAIN_RAPL = meter_item("rapl", origin="hardware")


def opened(
    *meters: PluginItem, walls: Any = (WALL,), facts: Any = ()
) -> dict[str, PrizeEligibility]:
    return {item.prize: item for item in prize_eligibility(meters, walls, facts)}


@pytest.mark.parametrize("origin", ["modelled", "simulated", "external", "", None])
def test_only_hardware_measures(origin: Any) -> None:
    assert available_meters([PLAIN_RAPL, meter_item("other", origin=origin)]) == ["rapl"]
    assert not any(opened(meter_item("other", origin=origin))[name].eligible for name in JOULES)


@pytest.mark.parametrize("available", [False, None])
def test_a_meter_that_may_not_be_there_opens_nothing(available: bool | None) -> None:
    meter = meter_item("rapl", available=available, advice="give read access", origin="hardware")
    assert available_meters([meter]) == []
    for name in JOULES:
        assert not opened(meter)[name].eligible
        assert "rapl: give read access" in opened(meter)[name].advice


@pytest.mark.parametrize("level", ["none", "", None])
def test_a_wall_that_rules_do_not_accept_opens_no_prize(level: Any) -> None:
    weak = (
        meter_item("plain", level=level),
        meter_item("bwrap", available=False, advice="install it"),
    )
    shown = opened(PLAIN_RAPL, walls=weak)
    assert shown
    assert not any(door.eligible for door in shown.values())
    assert {door.advice for door in shown.values()} == {"install it"}


def test_a_failed_fact_is_reported_once_and_excludes_no_machine() -> None:
    facts = [
        MachineFact(id=name, value=9, verdict="fail", source="s", advice="wait") for name in "ab"
    ]
    before, after = opened(PLAIN_RAPL), opened(PLAIN_RAPL, facts=facts)
    assert all(door.eligible for door in before.values())
    assert all(door.eligible and door.advice == "wait" for door in after.values())
    assert all(
        door.reason.endswith("; but not in the machine's present state: a, b")
        for door in after.values()
    )


@pytest.mark.parametrize("verdict", ["ok", "warn", "unknown", "recorded"])
def test_facts_that_did_not_fail_change_nothing(verdict: Any) -> None:
    fact = MachineFact(id="x", value=None, verdict=verdict, source="s", advice="wait")
    assert opened(PLAIN_RAPL, facts=[fact]) == opened(PLAIN_RAPL)


@pytest.mark.parametrize(
    ("virtual", "end"), [(True, ", virtual machine"), (False, ", 6"), (None, "unknown")]
)
def test_an_unknown_hypervisor_is_not_shown_as_bare_metal(virtual: bool | None, end: str) -> None:
    machine = machine_of(Plan()).model_copy(update={"virtualised": virtual, "gpus": ("A", "B")})
    assert _title(machine).endswith(end)
    assert "1.0 GiB, A, B, 6" in _title(machine)
    assert "no GPU" in _title(machine_of(Plan()))
