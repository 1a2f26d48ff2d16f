"""Examines the machine: meters, isolation, facts, and the prizes that follow from them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from harness.cli.documents import (
    DoctorDocument,
    MeterTrial,
    PluginItem,
    PrizeDoor,
    SensorItem,
)
from harness.cli.listing import items_of
from harness.measure.choice import MeterChoice
from harness.measure.machine import describe
from harness.measure.metering import MeteringError
from harness.measure.preflight import facts
from harness.measure.trial import TrialResult, try_meters
from harness.records import Machine, MachineFact
from harness.registry import Plugin, discover
from harness.rules.load import load_ruleset

MEASURING = "hardware"
"""Origin of meters that measure by themselves; others estimate, simulate, or need a device."""

GIB = 1 << 30

TRIAL_S = 3.0
"""How long meters are tried: three estimates of the slowest, thirty updates of most."""


def _title(machine: Machine) -> str:
    gpus = f", {', '.join(machine.gpus)}" if machine.gpus else ", no GPU"
    virtual = {True: ", virtual machine", False: "", None: ", virtual or not: unknown"}
    return (
        f"{machine.name}: {machine.cpu_model}, {machine.cpu_count} processors, "
        f"{machine.memory_bytes / GIB:.1f} GiB{gpus}, {machine.kernel}"
        f"{virtual[machine.virtualised]}"
    )


def measuring(meters: Sequence[PluginItem]) -> list[str]:
    """Meters that measure joules here, with nothing to be attached."""
    return _of_origin(meters, MEASURING)


def _of_origin(meters: Sequence[PluginItem], origin: str) -> list[str]:
    return [m.name for m in meters if m.available and m.facts.get("origin") == origin]


def _cures(meters: Sequence[PluginItem]) -> Iterator[str]:
    """What would make joules measurable."""
    for meter in meters:
        if not meter.available and meter.advice:
            yield f"{meter.name}: {meter.advice}"
    for name in _of_origin(meters, "external"):
        yield f"{name}: attach an external meter and name its log with --meter {name}:path=FILE"


def _joules(prize: str, meters: Sequence[PluginItem]) -> PrizeDoor:
    """Whether joules are measured here."""
    if there := measuring(meters):
        return PrizeDoor(prize=prize, enters=True, reason=f"joules measured by {', '.join(there)}")
    guess = _of_origin(meters, "modelled")
    shown = f"; those of {', '.join(guess)} are estimates, shown and never ranked" if guess else ""
    reason = f"no meter measures joules here{shown}"
    return PrizeDoor(prize=prize, enters=False, reason=reason, advice="; ".join(_cures(meters)))


def _walled(door: PrizeDoor, launchers: Sequence[PluginItem]) -> PrizeDoor:
    """No isolation that the default rules accept: no prize."""
    accepted = load_ruleset("default").score.isolation
    there = [item for item in launchers if item.available and item.facts.get("level") in accepted]
    if there:
        return door
    advice = "; ".join(item.advice for item in launchers if not item.available and item.advice)
    reason = f"no isolation that rules accept ({' or '.join(accepted)}) works here"
    return PrizeDoor(prize=door.prize, enters=False, reason=reason, advice=advice)


def _warned(door: PrizeDoor, found: Sequence[MachineFact]) -> PrizeDoor:
    """A machine that is not ready now may enter later."""
    failed = [fact for fact in found if fact.verdict == "fail"]
    if not (door.enters and failed):
        return door
    names = ", ".join(fact.id for fact in failed)
    advice = "; ".join(dict.fromkeys(fact.advice for fact in failed if fact.advice))
    reason = f"{door.reason}; but not as it is now: {names}"
    return PrizeDoor(prize=door.prize, enters=True, reason=reason, advice=advice)


def doors(
    meters: Sequence[PluginItem], launchers: Sequence[PluginItem], found: Sequence[MachineFact]
) -> Iterator[PrizeDoor]:
    """Each prize, and whether this machine can enter for it."""
    for plugin in discover("prizes"):
        if not isinstance(plugin, Plugin):
            continue
        if plugin.value.unit == "J":
            door = _joules(plugin.name, meters)
        else:
            door = PrizeDoor(prize=plugin.name, enters=True, reason="seconds need only the clock")
        yield _warned(_walled(door, launchers), found)


def tried(choice: Sequence[MeterChoice], duration_s: float = TRIAL_S) -> MeterTrial:
    """Read meters for a moment; a sampler that fails is told in place of figures."""
    try:
        trial = try_meters(choice, duration_s)
    except MeteringError as error:
        trial = TrialResult((), {item.name: str(error) for item in choice}, ())
    return MeterTrial(
        duration_s=duration_s,
        sensors=tuple(SensorItem(**asdict(domain)) for domain in trial.domains),
        failed=trial.failed,
        faults=trial.faults,
    )


def examine(trial: Callable[[], MeterTrial] | None = None) -> DoctorDocument:
    """All that `joulemark doctor` has to say.

    Args:
        trial: tries the meters; called after the facts are in, since it keeps the machine busy.
    """
    meters, launchers = items_of("meters"), items_of("launchers")
    found = facts()
    return DoctorDocument(
        machine=_title(describe()),
        meters=tuple(meters),
        trial=trial() if trial is not None else None,
        launchers=tuple(launchers),
        facts=tuple(found),
        prizes=tuple(doors(meters, launchers, found)),
    )
