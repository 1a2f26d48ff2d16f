"""`joulemark doctor`: what is there, what is not, why, and what to do about it."""

from collections.abc import Sequence
from typing import Any

import pytest

from harness.cli.documents import DoctorDocument, PluginItem
from harness.cli.examination import doors, measuring
from harness.records import MachineFact


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
    return {each.prize: each for each in doors(meters, launchers, facts)}[prize]


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
    assert {"energy", "speed"} <= {each.prize for each in examined.prizes}


def test_everything_says_why_and_what_is_missing_what_to_do(examined: DoctorDocument) -> None:
    every = (*examined.meters, *examined.launchers)
    assert all(each.reason or each.error for each in every)
    sensors = [each for each in examined.meters if each.name in ("nvml", "rapl")]
    assert all(each.available or each.advice for each in sensors)


def test_facts_say_where_they_come_from(examined: DoctorDocument) -> None:
    assert len(examined.facts) > 10
    assert all(fact.source for fact in examined.facts)
    nothing = [fact for fact in examined.facts if fact.value is None]
    assert all(fact.verdict == "unknown" for fact in nothing)


def test_the_page_shows_all_of_it(joulemark) -> None:
    result = joulemark("doctor")
    assert result.exit_code == 0
    for part in ("meters", "isolation", "machine", "prizes that this machine can enter"):
        assert f"\n{part}\n" in f"\n{result.stdout}"
    for name in ("codecarbon", "nvml", "rapl", "bubblewrap", "speed", "load-average"):
        assert f"\n{name} " in result.stdout


def test_the_document_fits_its_schema(joulemark) -> None:
    result = joulemark("doctor", "--json")
    DoctorDocument.model_validate_json(result.stdout)
    assert result.stderr == ""
