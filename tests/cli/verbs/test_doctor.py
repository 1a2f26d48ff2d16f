"""`joulemark doctor`: what is there, what is not, why, and what to do about it."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import examination
from harness.cli.documents import DoctorDocument, MeterTrial, PluginItem, SensorItem
from harness.cli.examination import doors, measuring
from harness.cli.page import Page
from harness.cli.schemas import schema_of
from harness.measure.choice import MeterChoice
from harness.measure.metering import MeteringError
from harness.meters.fake import Wave
from harness.records import MachineFact
from tests.lab import nvml, powercap
from tests.lab.schema import violations

verb = importlib.import_module("harness.cli.verbs.doctor")


@pytest.fixture(scope="module")
def examined() -> DoctorDocument:
    from harness.cli.examination import examine

    return examine()


def item(kind: str, name: str, available: bool, **facts: Any) -> PluginItem:
    return PluginItem(
        kind=kind, name=name, title="", origin="built-in", error="", available=available,
        reason="because", advice="" if available else f"mend {name}", facts=facts,
    )  # fmt: skip


BWRAP = item("launchers", "bubblewrap", True, level="bubblewrap")
NO_WALLS = (item("launchers", "bubblewrap", False), item("launchers", "plain", True, level="none"))
RAPL = item("meters", "rapl", True, origin="hardware")
NVML = item("meters", "nvml", False, origin="hardware")
GUESS = item("meters", "codecarbon", True, origin="modelled")
FAKE = item("meters", "fake", True, origin="simulated")
BUSY = MachineFact(id="load", value=9.0, verdict="fail", source="/x", advice="wait")
IDLE = MachineFact(id="load", value=None, verdict="unknown", source="/x")


def door(
    prize: str,
    meters: Sequence[PluginItem],
    launchers: Sequence[PluginItem] = (BWRAP,),
    facts: Sequence[MachineFact] = (IDLE,),
) -> Any:
    return {door.prize: door for door in doors(meters, launchers, facts)}[prize]


def test_measured_joules_open_the_energy_prize() -> None:
    found = door("energy", [RAPL, NVML, GUESS])
    assert found.enters
    assert "rapl" in found.reason


def test_estimates_and_simulations_do_not() -> None:
    found = door("energy", [NVML, GUESS, FAKE])
    assert not found.enters
    assert "codecarbon" in found.reason
    assert found.advice == "nvml: mend nvml"
    assert measuring([NVML, GUESS, FAKE]) == []


def test_a_meter_that_has_to_be_attached_is_advice_and_no_measurement() -> None:
    found = door("energy", [item("meters", "logfile", True, origin="external")])
    assert not found.enters
    assert "--meter logfile:path=FILE" in found.advice


def test_seconds_need_no_meter() -> None:
    assert door("speed", []).enters


@pytest.mark.parametrize("prize", ["energy", "speed"])
def test_without_isolation_there_is_no_prize(prize: str) -> None:
    found = door(prize, [RAPL], NO_WALLS)
    assert not found.enters
    assert "isolation" in found.reason
    assert "mend bubblewrap" in found.advice


def test_a_busy_machine_is_told_to_wait() -> None:
    found = door("speed", [], facts=[BUSY])
    assert found.enters
    assert "not as it is now: load" in found.reason
    assert found.advice == "wait"


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
    told = json.loads(text)
    schema = schema_of("doctor")
    assert violations(told, schema, schema) == []
    DoctorDocument.model_validate_json(text)
    return told


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
    told, words = doctor({})
    assert "reading the meters for 3 s: " in words
    named = {item["meter"] for item in told["trial"]["sensors"]} | set(told["trial"]["failed"])
    there = [m for m in told["meters"] if m["available"]]
    assert {m["name"] for m in there if m["facts"]["origin"] in ("hardware", "modelled")} == named


@pytest.mark.needs("compiler")
def test_pace_and_noise_of_simulated_cards_and_packages_are_measured(tmp_path: Path) -> None:
    environment = nvml.knobs(gpus=2, shape="square", wave_s=0.4, update_s=0.2)
    packages = powercap.server(tmp_path / "powercap", sockets=2)
    root = {"JOULEMARK_POWERCAP_ROOT": str(tmp_path / "powercap")}
    with powercap.running(dict.fromkeys(packages.values(), Wave("constant", 70.0))):
        told, _ = doctor(environment | root)
    seen = {item["domain"]: item for item in told["trial"]["sensors"]}
    assert {"gpu-0", "gpu-1-instant", "cpu-package-0", "cpu-package-1", "dram-1"} <= set(seen)
    # Wide enough for a sampler, or a stand-in for a package, that stands still for a moment.
    assert 0.13 < seen["gpu-0-instant"]["update_period_s"] < 0.39, "neither 0.1 s nor the wave's"
    assert seen["gpu-0-instant"]["mean_w"] == pytest.approx(200.0, rel=0.3)
    assert seen["gpu-0-instant"]["noise_w"] > 50.0
    assert seen["cpu-package-0"]["mean_w"] == pytest.approx(70.0, rel=0.3)
    assert seen["cpu-package-0"]["noise_w"] < 50.0, "less than that of the wave"
    assert told["trial"]["failed"] == {}
    energy = next(item for item in told["prizes"] if item["prize"] == "energy")
    assert "nvml" in energy["reason"]


def test_a_sampler_that_fails_is_told_in_place_of_figures(monkeypatch) -> None:
    def fails(*_: object) -> Any:
        raise MeteringError("the sampler was not ready")

    monkeypatch.setattr(examination, "try_meters", fails)
    told = examination.tried([MeterChoice(name="rapl")])
    assert told.failed == {"rapl": "the sampler was not ready"}
    assert told.sensors == ()


def test_the_page_shows_what_was_seen_and_what_was_not(capsys) -> None:
    sensor = SensorItem(
        domain="gpu-0", meter="nvml", method="counter", mean_w=61.5, noise_w=None,
        update_period_s=0.1, stated_period_s=None, readings_count=30,
    )  # fmt: skip
    trial = MeterTrial(
        duration_s=3.0, sensors=(sensor,), failed={"rapl": "gone"}, faults=("nvml: lost",)
    )
    verb._show_trial(trial, Page(sys.stdout))
    text = capsys.readouterr().out
    assert "61.5 W" in text.replace("\u202f", " ").replace("\xa0", " ")
    assert "rapl did not open: gone" in text
    assert "fault: nvml: lost" in text
