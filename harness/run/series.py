"""A series: one submission, several seeds, one bundle each; alone, or with the reference."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.api import WorkloadSpec
from harness.launchers.choice import choose as choose_launcher
from harness.ledger import machine_lock
from harness.measure.choice import choose as choose_meters
from harness.records import Ruleset, SeedPair, TuningTrial
from harness.registry import Plugin, UnknownPlugin, discover, find
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.order import Order, Progress, Provenance, RunResult, Watcher
from harness.run.seeds import declared_seeds, draw_seeds, new_secret, turn_order
from harness.run.source_checks import check_lock
from harness.run.submission import (
    Source,
    SubmissionError,
    check_division,
    check_fits,
    open_submission,
)
from harness.run.tuning import PlannedRun, external_trials
from harness.sign import SignError, load_key

__all__ = ["Progress", "RunResult", "SeriesRequest", "Watcher", "run_series"]

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
    tuning: Literal["", "external", "self"] = ""
    """Who tunes: nobody, the harness between runs, or the submission inside each run."""
    trials_count: int = 5
    """Runs of a study of external tuning; the series has a study for each seed asked for."""
    price_usd_per_h: float | None = None
    interleave: bool = False
    """Alternate with the workload's reference: both get the same seeds and instances."""
    interleave_with: tuple[str, ...] = ()
    """Further submissions that take turns on the same seeds and instances."""
    provenance: Provenance = "self"
    key: Path | None = None
    """Private key that signs every bundle of the series."""
    overtime_s: float = 0.0
    """Seconds between the budget that the submission is told and its end; rehearsals alone."""


def reference_of(workload: str) -> str:
    """Name of the reference submission of a workload."""
    return f"{workload}{REFERENCE_SUFFIX}"


def _entries_for(workload: str) -> list[str]:
    """Listed submissions that name the workload."""
    found = []
    for item in discover("submissions"):
        with suppress(SubmissionError, UnknownPlugin):  # a broken one is no advice
            if isinstance(item, Plugin) and workload in open_submission(item.name).file.workloads:
                found.append(item.name)
    return found


def _open_reference(workload: str) -> Source:
    """Read the workload's reference submission.

    Raises:
        SubmissionError: it has none; the message names what there is.
    """
    name = reference_of(workload)
    try:
        return open_entry(name, workload)
    except UnknownPlugin as error:
        known = " or ".join(_entries_for(workload)) or "a folder"
        raise SubmissionError(
            f"workload '{workload}' has no reference submission '{name}', to be run where none is "
            f"named or to alternate with; name {known} by --submission, without --interleave"
        ) from error


def open_entry(name_or_path: str, workload: str) -> Source:
    """Read a submission that is to run on a workload.

    Raises:
        UnknownPlugin: neither a folder nor a listed name.
        SubmissionError: it is not valid, not for this workload, or its lock has no hashes.
    """
    source = open_submission(name_or_path)
    check_fits(source, workload)
    check_lock(source.folder)
    return source


def seeds_of(request: SeriesRequest) -> list[SeedPair]:
    """The seeds of the series: distinct, drawn from one fresh secret, or as declared.

    Under external tuning as many for each study as it has trials.
    """
    if request.declared_seeds:
        return [declared_seeds(fromkey) for fromkey in dict.fromkeys(request.declared_seeds)]
    count = request.ruleset.run.seeds_count if request.seeds_count is None else request.seeds_count
    count *= request.trials_count if request.tuning == "external" else 1
    secret = new_secret()
    return [draw_seeds(secret, index) for index in range(count)]


def _sources(request: SeriesRequest) -> list[Source]:
    """Return the submission, and those that it is interleaved with."""
    workload, named = request.workload, request.submission
    source = open_entry(named, workload) if named else _open_reference(workload)
    others = [open_entry(name, workload) for name in request.interleave_with]
    if request.interleave:
        others.insert(0, _open_reference(workload))
    if any(other.folder == source.folder for other in others):
        raise SubmissionError(
            f"'{source.name}' cannot be interleaved with itself; name another submission, or run "
            "it alone"
        )
    return [source, *others]


def _check_tunable(request: SeriesRequest, source: Source) -> None:
    """Refuse what external tuning cannot be joined with.

    Raises:
        SubmissionError: there is no search space, or seeds or a partner that tuning has no use for.
    """
    if not source.file.tuning.space:
        raise SubmissionError(
            f"{source.folder / 'submission.toml'}: no search space to draw from; write "
            "[tuning.space] with a list, or min, max and scaling, for each hyperparameter"
        )
    if request.declared_seeds:
        raise SubmissionError(
            "external tuning draws its points from the harness's seed; leave --seed out"
        )
    if request.interleave or request.interleave_with:
        raise SubmissionError(
            "external tuning cannot alternate with the reference, which is tuned already; run the "
            "two one after the other"
        )


def trials(request: SeriesRequest, source: Source) -> list[PlannedRun]:
    """What each run of the series tries.

    Raises:
        SubmissionError: external tuning was asked for and cannot be done.
    """
    if request.tuning == "external":
        _check_tunable(request, source)
        space = source.file.tuning.space
        drawn = external_trials(space, seeds_of(request), request.trials_count)
        return [item._replace(hyperparameters=request.hyperparameters | item.hyperparameters)
                for item in drawn]  # fmt: skip
    tuning = TuningTrial(mode="self") if request.tuning == "self" else None
    return [PlannedRun(pair, request.hyperparameters, tuning) for pair in seeds_of(request)]


def _interleaved(order: Order, others: Sequence[Source]) -> Iterator[Order]:
    """Return the runs of all entries on one seed and instance, in an order drawn for this seed."""
    sources = [order.source, *others]
    reference = reference_of(order.workload.name)
    for place, turn in enumerate(turn_order(order.seeds, len(sources))):
        source = sources[turn]
        own = turn == 0
        yield replace(
            order,
            source=source,
            interleaved_with=", ".join(other.name for other in sources if other is not source),
            is_reference=not own and source.name == reference,
            hyperparameters=order.hyperparameters if own else {},
            tuning=order.tuning if own else None,
            index=len(sources) * order.index + place,
            count=len(sources) * order.count,
        )


def _kept_apart(key: Path, sources: Sequence[Source]) -> Path:
    """A private key that no bundle will hold.

    Raises:
        SignError: it lies in the folder of a submission, which every bundle holds a copy of.
    """
    for source in sources:
        if key.resolve().is_relative_to(source.folder.resolve()):
            raise SignError(
                f"{key}: lies in the submission, which goes into every bundle; move it away"
            )
    return key


def orders(request: SeriesRequest) -> Iterator[Order]:
    """One order a seed, two where it is interleaved; what can be refused is refused beforehand.

    Raises:
        UnknownPlugin: no such workload, submission, meter or launcher.
        BrokenPlugin: it is there but does not load.
        SubmissionError: a submission is not valid or not for this workload.
        MeterUnavailable: an asked-for meter is not there.
        LauncherUnavailable: an asked-for launcher is not there.
        SignError: the key cannot be used, or would be published with the source.
        SigningMissing: there is a key, and the package that signs is not installed.
    """
    plugin = find("workloads", request.workload)
    workload: WorkloadSpec = plugin.value
    source, *others = _sources(request)
    check_division(source, workload.divisions, workload.name)
    choice, meters = choose_meters(request.meters)
    launcher_name, launcher, reason = choose_launcher(request.launcher)
    tried = trials(request, source)
    key = None if request.key is None else load_key(_kept_apart(request.key, [source, *others]))
    for index, trial in enumerate(tried):
        order = Order(
            workload=workload,
            plugin=plugin,
            source=source,
            ruleset=request.ruleset,
            seeds=trial.seeds,
            choice=choice,
            meters=tuple(meters),
            launcher_name=launcher_name,
            launcher=launcher,
            launcher_reason=reason,
            results=request.results,
            hyperparameters=trial.hyperparameters,
            tuning=trial.tuning,
            price_usd_per_h=request.price_usd_per_h,
            provenance=request.provenance,
            overtime_s=request.overtime_s,
            key=key,
            index=index,
            count=len(tried),
        )
        yield from _interleaved(order, others) if others else [order]


def run_series(request: SeriesRequest, watcher: Watcher) -> list[RunResult]:
    """Run every seed; after an interrupt the rest is left out.

    Raises:
        MachineBusy: another run uses this machine.
        (and what `orders` raises)
    """
    outcomes: list[RunResult] = []
    ordered = list(orders(request))
    with machine_lock(), Interrupt() as interrupt:
        for order in ordered:
            outcomes.append(run_one(order, watcher, interrupt))
            if interrupt.asked:
                break
    return outcomes
