"""A series: one submission, several seeds, one bundle for each; alone or with the reference."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.api import WorkloadSpec
from harness.launchers.choice import choose as choose_launcher
from harness.ledger import machine_lock
from harness.measure.choice import choose as choose_meters
from harness.records import Ruleset, SeedPair, TuningTrial, reference_of
from harness.registry import Plugin, UnknownPlugin, discover, find
from harness.run.conductor import run_one
from harness.run.freeze import FrozenSource, freeze
from harness.run.interrupt import Interrupt
from harness.run.order import Order, Progress, Provenance, Rig, RunEntry, RunResult, Watcher
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


@dataclass(frozen=True, kw_only=True)
class SeriesRequest:
    """A series as requested on the command line."""

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
    """Empty: no tuning; `external`: between runs, by the harness; `self`: inside each run."""
    trials_count: int = 5
    """Runs of a study of external tuning; the series has one study per requested seed."""
    price_usd_per_h: float | None = None
    interleave: bool = False
    """Alternate with the workload's reference: both get the same seeds and instances."""
    interleave_with: tuple[str, ...] = ()
    """Further submissions that take turns on the same seeds and instances."""
    provenance: Provenance = "self"
    key: Path | None = None
    """Private key that signs every bundle of the series."""
    overtime_s: float = 0.0
    """Seconds between the budget that the submission is told and its end; only in dry runs."""


def _submissions_for(workload: str) -> list[str]:
    """Listed submissions that name the workload."""
    names = []
    for plugin in discover("submissions"):
        with suppress(SubmissionError, UnknownPlugin):  # a broken one is no advice
            is_loaded = isinstance(plugin, Plugin)
            if is_loaded and workload in open_submission(plugin.name).file.workloads:
                names.append(plugin.name)
    return names


def _open_reference(workload: str) -> Source:
    """Read the workload's reference submission."""
    name = reference_of(workload)
    try:
        return open_entry(name, workload)
    except UnknownPlugin as error:
        known = " or ".join(_submissions_for(workload)) or "a folder"
        raise SubmissionError(
            f"workload '{workload}' has no reference submission '{name}', which runs if no other "
            f"one is named, and with --interleave; name {known} by --submission, without "
            "--interleave"
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
    """The seeds of the series: drawn from one new secret, or declared; no seed twice.

    With external tuning each study has one seed per trial.
    """
    if request.declared_seeds:
        return [declared_seeds(seed) for seed in dict.fromkeys(request.declared_seeds)]
    count = request.ruleset.run.seeds_count if request.seeds_count is None else request.seeds_count
    count *= request.trials_count if request.tuning == "external" else 1
    secret = new_secret()
    return [draw_seeds(secret, index) for index in range(count)]


def _sources(request: SeriesRequest) -> list[Source]:
    """The submission, and those that it is interleaved with."""
    workload, name = request.workload, request.submission
    source = open_entry(name, workload) if name else _open_reference(workload)
    others = [open_entry(other, workload) for other in request.interleave_with]
    if request.interleave:
        others.insert(0, _open_reference(workload))
    if any(other.folder == source.folder for other in others):
        raise SubmissionError(
            f"'{source.name}' cannot be interleaved with itself; name another submission, or run "
            "it alone"
        )
    return [source, *others]


def _check_tunable(request: SeriesRequest, source: Source) -> None:
    """Check that external tuning is possible."""
    if not source.file.tuning.space:
        raise SubmissionError(
            f"{source.folder / 'submission.toml'}: no search space to draw from; write "
            "[tuning.space] with a list, or min, max and scaling, for each hyperparameter"
        )
    if request.declared_seeds:
        raise SubmissionError(
            "external tuning draws its points from the harness's seed; leave --seed out"
        )
    if request.interleave:
        raise SubmissionError(
            "external tuning cannot alternate with the reference, which is tuned already; run the "
            "two one after the other"
        )


def plan_runs(request: SeriesRequest, source: Source) -> list[PlannedRun]:
    """Seeds and hyperparameters of each run; those of submission.toml are the defaults.

    Raises:
        SubmissionError: external tuning was requested and is not possible.
    """
    fixed = {**source.file.hyperparameters, **request.hyperparameters}
    if request.tuning == "external":
        _check_tunable(request, source)
        space = source.file.tuning.space
        trials = external_trials(space, seeds_of(request), request.trials_count)
        return [trial._replace(hyperparameters=fixed | trial.hyperparameters) for trial in trials]
    tuning = TuningTrial(mode="self") if request.tuning == "self" else None
    return [PlannedRun(seeds, fixed, tuning) for seeds in seeds_of(request)]


def _interleaved(order: Order, others: Sequence[FrozenSource]) -> Iterator[Order]:
    """The runs of all entries on one seed and instance, in an order drawn for this seed."""
    sources = [order.entry.source, *others]
    reference = reference_of(order.entry.workload.name)
    for place, turn in enumerate(turn_order(order.seeds, len(sources))):
        source, entry = sources[turn], order.entry
        if turn > 0:
            defaults = dict(source.file.hyperparameters)
            entry = replace(entry, source=source, hyperparameters=defaults, tuning=None)
        names = [other.submission.name for other in sources if other is not source]
        yield replace(
            order,
            entry=entry,
            interleaved_with=", ".join(names),
            is_reference=turn > 0 and source.submission.name == reference,
            index=len(sources) * order.index + place,
            count=len(sources) * order.count,
        )


def orders(request: SeriesRequest, scratch: Path) -> Iterator[Order]:
    """One order per seed and entry; all checks are made before the first one.

    Args:
        request: The series.
        scratch: Empty folder for the frozen sources; the runs need it until they are over.

    Raises:
        UnknownPlugin: no such workload, submission, meter or launcher.
        BrokenPlugin: it exists but does not load.
        SubmissionError: a submission is not valid, too large, or not for this workload.
        MeterUnavailable: a requested meter is not available.
        LauncherUnavailable: a requested launcher is not available.
        SignError: the key cannot be used, or would be published with the source.
        SigningMissing: there is a key, and the package that signs is not installed.
    """
    plugin = find("workloads", request.workload)
    workload: WorkloadSpec = plugin.value
    sources = _sources(request)
    check_division(sources[0], workload.divisions, workload.name)
    rig = _rig(request, sources)
    planned = plan_runs(request, sources[0])
    size_max = request.ruleset.run.source_bytes_max
    frozen, *others = (
        freeze(source, scratch / str(number), size_max) for number, source in enumerate(sources)
    )
    for index, run in enumerate(planned):
        order = Order(
            entry=RunEntry(
                workload=workload,
                plugin=plugin,
                source=frozen,
                hyperparameters=run.hyperparameters,
                tuning=run.tuning,
            ),
            rig=rig,
            ruleset=request.ruleset,
            seeds=run.seeds,
            provenance=request.provenance,
            overtime_s=request.overtime_s,
            index=index,
            count=len(planned),
        )
        yield from _interleaved(order, others) if others else [order]


def _rig(request: SeriesRequest, sources: list[Source]) -> Rig:
    """Meters, launcher and key."""
    choice, meters = choose_meters(request.meters)
    launcher_name, launcher, reason = choose_launcher(request.launcher)
    for source in sources:
        if request.key and request.key.resolve().is_relative_to(source.folder.resolve()):
            raise SignError(
                f"{request.key}: lies in the submission, which every bundle contains; move it "
                "elsewhere"
            )
    return Rig(
        choice=choice,
        meters=tuple(meters),
        launcher_name=launcher_name,
        launcher=launcher,
        launcher_reason=reason,
        results=request.results,
        price_usd_per_h=request.price_usd_per_h,
        key=None if request.key is None else load_key(request.key),
    )


def run_series(request: SeriesRequest, watcher: Watcher) -> list[RunResult]:
    """Run every seed; after an interrupt the remaining ones are left out.

    Raises:
        MachineBusy: another run is in progress on this machine.
        (and what `orders` raises)
    """
    results: list[RunResult] = []
    with tempfile.TemporaryDirectory(prefix="joulemark-source-") as scratch:
        Path(scratch).chmod(0o755)  # a sandbox may run as another user
        series = list(orders(request, Path(scratch)))
        with machine_lock(), Interrupt() as interrupt:
            for order in series:
                results.append(run_one(order, watcher, interrupt))
                if interrupt.asked:
                    break
    return results
