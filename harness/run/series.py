"""A series: one submission, several seeds, one bundle each."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.api import WorkloadSpec
from harness.launchers.choice import choose as choose_launcher
from harness.ledger import machine_lock
from harness.measure.choice import choose as choose_meters
from harness.records import Ruleset, SeedPair
from harness.registry import find
from harness.run.conductor import run_one
from harness.run.gun import declared_seeds, draw_seeds, new_secret
from harness.run.interrupt import Interrupt
from harness.run.order import Order, Outcome, Progress, Watcher
from harness.run.submission import check_fits, open_submission

__all__ = ["Outcome", "Progress", "SeriesRequest", "Watcher", "run_series"]

REFERENCE_SUFFIX = "-adamw"
"""The reference submission of a workload is named after it, with this suffix."""


@dataclass(frozen=True, kw_only=True)
class SeriesRequest:
    """What was asked for on the command line."""

    workload: str
    ruleset: Ruleset
    submission: str | None = None
    """Listed name or folder; None takes the workload's reference."""
    seeds_count: int | None = None
    """Number of runs; None takes the ruleset's."""
    declared_seeds: tuple[int, ...] = ()
    """Seeds that a person chose, instead of drawn ones."""
    meters: tuple[str, ...] = ("auto",)
    launcher: str = "auto"
    results: Path = Path("results")
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    price_usd_per_h: float | None = None


def reference_of(workload: str) -> str:
    """Name of the reference submission of a workload."""
    return f"{workload}{REFERENCE_SUFFIX}"


def seeds_of(request: SeriesRequest) -> list[SeedPair]:
    """The seeds of the series: distinct, drawn from one fresh secret, or as declared."""
    if request.declared_seeds:
        return [declared_seeds(each) for each in dict.fromkeys(request.declared_seeds)]
    count = request.ruleset.run.seeds_count if request.seeds_count is None else request.seeds_count
    secret = new_secret()
    return [draw_seeds(secret, index) for index in range(count)]


def orders(request: SeriesRequest) -> Iterator[Order]:
    """One order a seed; everything that can be refused is refused before the first run.

    Raises:
        UnknownPlugin: no such workload, submission, meter or launcher.
        BrokenPlugin: it is there but does not load.
        SubmissionError: the submission is not valid or not for this workload.
        MeterUnavailable: an asked-for meter is not there.
        LauncherUnavailable: an asked-for launcher is not there.
    """
    plugin = find("workloads", request.workload)
    workload: WorkloadSpec = plugin.value
    source = open_submission(request.submission or reference_of(request.workload))
    check_fits(source, request.workload)
    choice, meters = choose_meters(request.meters)
    launcher_name, launcher, reason = choose_launcher(request.launcher)
    seeds = seeds_of(request)
    for index, pair in enumerate(seeds):
        yield Order(
            workload=workload,
            plugin=plugin,
            source=source,
            ruleset=request.ruleset,
            seeds=pair,
            choice=choice,
            meters=tuple(meters),
            launcher_name=launcher_name,
            launcher=launcher,
            launcher_reason=reason,
            results=request.results,
            hyperparameters=request.hyperparameters,
            price_usd_per_h=request.price_usd_per_h,
            index=index,
            count=len(seeds),
        )


def run_series(request: SeriesRequest, watcher: Watcher) -> list[Outcome]:
    """Run every seed; after an interrupt the rest is left out.

    Raises:
        MachineBusy: another run holds this machine.
        (and what `orders` raises)
    """
    outcomes: list[Outcome] = []
    ordered = list(orders(request))
    with machine_lock(), Interrupt() as interrupt:
        for order in ordered:
            outcomes.append(run_one(order, watcher, interrupt))
            if interrupt.asked:
                break
    return outcomes
