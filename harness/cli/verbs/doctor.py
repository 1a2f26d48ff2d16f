"""`joulemark doctor`: what this machine can measure and wall in, and which prizes it may enter."""

from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cli.documents import DoctorDocument, MeterTrial, PluginItem
    from harness.cli.page import Page
    from harness.records import MachineFact

QUIET = ("ok", "recorded")
"""Verdicts of facts that need nobody's attention."""


def _show_plugins(title: str, items: "Sequence[PluginItem]", page: "Page") -> None:
    page.heading(title)
    rows = [
        (i.name, "ok" if i.available else "missing", i.error or i.reason, i.advice) for i in items
    ]
    page.table(("name", "here", "why", "what to do"), rows)
    page.line()


def _show_trial(trial: "MeterTrial | None", page: "Page") -> None:
    """Pace and noise of each sensor as it was seen just now."""
    if trial is None:
        return
    page.heading(f"sensors, read for {trial.duration_s:g} s on this machine as it is")
    from harness.report.numbers import quantity

    columns = ("domain", "meter", "method", "mean", "noise", "new value every", "states")
    rows = [
        (
            sensor.domain,
            sensor.meter,
            sensor.method,
            quantity(sensor.mean_w, "W"),
            quantity(sensor.noise_w, "W"),
            quantity(sensor.update_period_s, "s"),
            quantity(sensor.stated_period_s, "s"),
        )
        for sensor in trial.sensors
    ]
    page.table(columns, rows, right=columns[3:])
    for name, reason in trial.failed.items():
        page.line(f"{name} did not open: {reason}")
    for fault in trial.faults:
        page.line(f"fault: {fault}")
    page.line()


def _value(fact: "MachineFact") -> object:
    return f"{fact.value:.4g}" if isinstance(fact.value, float) else fact.value


def _show_facts(facts: "Sequence[MachineFact]", page: "Page") -> None:
    page.heading("machine")
    rows = [(fact.id, fact.verdict, _value(fact), fact.source, fact.advice) for fact in facts]
    page.table(("fact", "verdict", "value", "source", "what to do"), rows)
    told = [fact for fact in facts if fact.verdict not in QUIET]
    if told:
        page.line(f"{len(told)} of {len(facts)} facts need attention or are unknown")
    page.line()


def _show(document: "DoctorDocument", page: "Page") -> None:
    page.heading(document.machine)
    page.line()
    _show_plugins("meters", document.meters, page)
    _show_trial(document.trial, page)
    _show_plugins("isolation", document.launchers, page)
    _show_facts(document.facts, page)
    page.heading("prizes that this machine can enter")
    rows = [
        (door.prize, "yes" if door.enters else "no", door.reason, door.advice)
        for door in document.prizes
    ]
    page.table(("prize", "enters", "why", "what to do"), rows)


@click.command("doctor")
@click.option("--quick", is_flag=True, help="Do not read the meters, which takes some seconds.")
@answers
def COMMAND(*, quick: bool) -> Answer:  # noqa: N802 - the name by which verbs are found
    """What can be measured here, how submissions are walled in, and what to mend.

    Ends with the prizes that this machine can enter. Leaves with 0 whatever it finds.
    """
    from harness.cli.examination import TRIAL_S, examine, tried
    from harness.measure.choice import sensors

    def trial() -> "MeterTrial":
        choice = sensors()
        names = ", ".join(item.name for item in choice) or "none is there"
        click.echo(f"reading the meters for {TRIAL_S:g} s: {names}", err=True)
        return tried(choice)

    document = examine(None if quick else trial)
    return Answer(document, lambda page: _show(document, page))
