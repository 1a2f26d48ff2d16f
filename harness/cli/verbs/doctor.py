"""`joulemark doctor`: show what this machine can measure and which prizes it can enter."""

from collections.abc import Iterator, Sequence

import click

from harness.cli.command import CommandResult, Document, json_command
from harness.cli.printer import Printer
from harness.cli.verbs.list import PluginItem, items_of
from harness.measure.choice import MeterChoice, sensors
from harness.measure.machine import describe
from harness.measure.metering import MeteringError
from harness.measure.preflight import facts
from harness.measure.trial import DomainTrial, TrialResult, try_meters
from harness.records import Machine, MachineFact
from harness.records.base import Record
from harness.registry import Plugin, discover
from harness.report.numbers import quantity
from harness.rules.load import load_ruleset

GIB = 1 << 30

TRIAL_S = 3.0
"""Duration of a trial of the meters: three estimates of the slowest, thirty of most."""


class PrizeEligibility(Record):
    """Whether this machine can enter for a prize."""

    prize: str
    eligible: bool
    reason: str
    advice: str = ""


class MeterTrial(Record):
    """The meters of this machine, read for some seconds by the sampler."""

    duration_s: float
    sensors: tuple[DomainTrial, ...]
    failed: dict[str, str]
    """Meters that are available but did not open, with the reason."""
    faults: tuple[str, ...]
    """Errors that occurred while they were read."""


class DoctorDocument(Document):
    """`joulemark doctor`."""

    machine: str
    """One line: processor, memory, GPUs, kernel."""
    meters: tuple[PluginItem, ...]
    trial: MeterTrial | None = None
    """None if the meters were not read, as with `--quick`."""
    launchers: tuple[PluginItem, ...]
    facts: tuple[MachineFact, ...]
    prizes: tuple[PrizeEligibility, ...]


def _title(machine: Machine) -> str:
    gpus = f", {', '.join(machine.gpus)}" if machine.gpus else ", no GPU"
    virtual = {True: ", virtual machine", False: "", None: ", virtual or not: unknown"}
    return (
        f"{machine.name}: {machine.cpu_model}, {machine.cpu_count} processors, "
        f"{machine.memory_bytes / GIB:.1f} GiB{gpus}, {machine.kernel}"
        f"{virtual[machine.virtualised]}"
    )


def available_meters(meters: Sequence[PluginItem], origin: str = "hardware") -> list[str]:
    """Return the names of the available meters of an origin."""
    return [m.name for m in meters if m.available and m.facts.get("origin") == origin]


def _energy_eligibility(prize: str, meters: Sequence[PluginItem]) -> PrizeEligibility:
    if names := available_meters(meters):
        reason = f"joules measured by {', '.join(names)}"
        return PrizeEligibility(prize=prize, eligible=True, reason=reason)
    reason = "no meter measures joules here"
    if estimates := ", ".join(available_meters(meters, "modelled")):
        reason += f"; joules of {estimates} are estimates, shown and never ranked"
    advice = [f"{m.name}: {m.advice}" for m in meters if not m.available and m.advice]
    advice += [
        f"{name}: attach an external meter and name its log with --meter {name}:path=FILE"
        for name in available_meters(meters, "external")
    ]
    return PrizeEligibility(prize=prize, eligible=False, reason=reason, advice="; ".join(advice))


def prize_eligibility(
    meters: Sequence[PluginItem],
    launchers: Sequence[PluginItem],
    machine_facts: Sequence[MachineFact],
) -> Iterator[PrizeEligibility]:
    """Return for each prize whether this machine can enter, and why."""
    accepted = load_ruleset("default").score.isolation
    isolated = any(item.available and item.facts.get("level") in accepted for item in launchers)
    failed = [fact for fact in machine_facts if fact.verdict == "fail"]
    for plugin in discover("prizes"):
        if not isinstance(plugin, Plugin):
            continue
        name, reason = plugin.name, "seconds need only the clock"
        result = PrizeEligibility(prize=name, eligible=True, reason=reason)
        if plugin.value.unit == "J":
            result = _energy_eligibility(name, meters)
        if not isolated:
            reason = f"no accepted isolation ({' or '.join(accepted)}) works here"
            advice = "; ".join(i.advice for i in launchers if not i.available and i.advice)
            result = PrizeEligibility(prize=name, eligible=False, reason=reason, advice=advice)
        if result.eligible and failed:
            names = ", ".join(fact.id for fact in failed)
            reason = f"{result.reason}; but not in the machine's present state: {names}"
            advice = "; ".join(dict.fromkeys(fact.advice for fact in failed if fact.advice))
            result = result.model_copy(update={"reason": reason, "advice": advice})
        yield result


def run_trial(choice: Sequence[MeterChoice], duration_s: float = TRIAL_S) -> MeterTrial:
    """Read meters for some seconds; if the sampler fails, every meter is shown as failed."""
    try:
        trial = try_meters(choice, duration_s)
    except MeteringError as error:
        trial = TrialResult((), {meter.name: str(error) for meter in choice}, ())
    return MeterTrial(
        duration_s=duration_s, sensors=trial.domains, failed=trial.failed, faults=trial.faults
    )


def examine(*, with_trial: bool = False) -> DoctorDocument:
    """Examine meters, isolation and machine; the trial of the meters takes some seconds."""
    meters, launchers = items_of("meters"), items_of("launchers")
    machine_facts = facts()
    trial = None
    # After the facts, since the trial keeps the machine busy.
    if with_trial:
        choice = sensors()
        names = ", ".join(meter.name for meter in choice) or "none is available"
        click.echo(f"reading the meters for {TRIAL_S:g} s: {names}", err=True)
        trial = run_trial(choice)
    return DoctorDocument(
        machine=_title(describe()),
        meters=tuple(meters),
        trial=trial,
        launchers=tuple(launchers),
        facts=tuple(machine_facts),
        prizes=tuple(prize_eligibility(meters, launchers, machine_facts)),
    )


def _show_plugins(title: str, items: Sequence[PluginItem], printer: Printer) -> None:
    printer.heading(title)
    rows = [
        (i.name, "ok" if i.available else "missing", i.error or i.reason, i.advice) for i in items
    ]
    printer.table(("name", "here", "reason", "what to do"), rows)
    printer.line()


def _show_trial(trial: MeterTrial, printer: Printer) -> None:
    printer.heading(f"sensors, read for {trial.duration_s:g} s on this machine")
    rows = []
    for sensor in trial.sensors:
        powers = (quantity(value, "W") for value in (sensor.mean_w, sensor.noise_w))
        periods = (quantity(s, "s") for s in (sensor.update_period_s, sensor.stated_period_s))
        rows.append((sensor.domain, sensor.meter, sensor.method, *powers, *periods))
    columns = ("domain", "meter", "method", "mean", "noise", "update period", "stated period")
    printer.table(columns, rows, right=columns[3:])
    for name, reason in trial.failed.items():
        printer.line(f"{name} did not open: {reason}")
    for fault in trial.faults:
        printer.line(f"fault: {fault}")
    printer.line()


def _show_facts(machine_facts: Sequence[MachineFact], printer: Printer) -> None:
    printer.heading("machine")
    rows = []
    for fact in machine_facts:
        value = f"{fact.value:.4g}" if isinstance(fact.value, float) else fact.value
        rows.append((fact.id, fact.verdict, value, fact.source, fact.advice))
    printer.table(("fact", "verdict", "value", "source", "what to do"), rows)
    count = sum(fact.verdict not in ("ok", "recorded") for fact in machine_facts)
    if count:
        printer.line(f"{count} of {len(machine_facts)} facts need attention or are unknown")
    printer.line()


def _show(document: DoctorDocument, printer: Printer) -> None:
    printer.heading(document.machine)
    printer.line()
    _show_plugins("meters", document.meters, printer)
    if document.trial is not None:
        _show_trial(document.trial, printer)
    _show_plugins("isolation", document.launchers, printer)
    _show_facts(document.facts, printer)
    printer.heading("prizes that this machine can enter")
    rows = [(p.prize, "yes" if p.eligible else "no", p.reason, p.advice) for p in document.prizes]
    printer.table(("prize", "eligible", "reason", "what to do"), rows)


@json_command("doctor")
@click.option("--quick", is_flag=True, help="Do not read the meters, which takes some seconds.")
def command(*, quick: bool) -> CommandResult:
    """Show what can be measured here, how submissions are isolated, and what to fix.

    Ends with the prizes that this machine can enter. Always exits with 0.
    """
    document = examine(with_trial=not quick)
    return CommandResult(document, _show)
