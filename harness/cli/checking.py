"""Checks a submission from end to end: its files, the rules, and a dry run in the sandbox."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from harness.bundle import Bundle
from harness.errors import ExitCode
from harness.records import Finding, Ruleset
from harness.records.base import FORMAT, Record
from harness.registry import BrokenPlugin, UnknownPlugin, find
from harness.rules.evidence import Evidence
from harness.run.dry_run import dry_run, dry_run_step, last_words
from harness.run.inspection import InspectionStep, StepResult, inspect
from harness.run.order import Watcher
from harness.run.series import SeriesRequest
from harness.run.submission import Source, SubmissionError, open_submission
from harness.score.cost import check_named

BESIDE_THE_POINT = frozenset({"after-budget", "declared-seeds", "sampler", "simulated-meter"})
"""Checks of a run that a dry run, with its short budget and no meter, says nothing about."""

OF_THE_PLACE = frozenset(
    {"provenance", "isolation-level", "memory-unlimited", "data-partial", "data-synthetic"}
)
"""Rules that this machine or person does not meet: no fault of the submission."""


class CheckStep(Record):
    """One thing that was looked at."""

    rule: str
    verdict: Literal["pass", "warn", "fail", "skip"]
    """`skip`: it could not be looked at, for the reason given, and is no pass."""
    message: str
    advice: str = ""


class CheckDocument(Record):
    """`joulemark check`."""

    format: int = FORMAT
    submission: str
    """Name of its folder, or what was given for it where it cannot be read."""
    path: str
    """As given."""
    workload: str
    """Workload of the dry run; empty where there was none to try."""
    ruleset: str
    ok: bool
    """Whether nothing failed; warnings do not fail."""
    steps: tuple[CheckStep, ...]
    printed: tuple[str, ...] = ()
    """Last lines that the submission printed, where its dry run failed."""
    exit_code: int


def _opened(path: str) -> tuple[Source | None, list[InspectionStep]]:
    try:
        return open_submission(path), []
    except SubmissionError as error:
        return None, [InspectionStep("schema", "fail", str(error))]


def _workload_of(source: Source, asked: str | None) -> str:
    """The workload to try: as asked for, or the first that the submission names.

    Raises:
        click.UsageError: it names all of them or none, and nobody said which.
    """
    named = [workload for workload in source.file.workloads if workload != "*"]
    if asked or named:
        return asked or named[0]
    raise click.UsageError(
        f"{source.name} is for {source.file.workloads or 'no workload'}; say --workload W"
    )


def _known(workload: str) -> list[InspectionStep]:
    """A step that failed where the workload that a submission names is not there."""
    try:
        find("workloads", workload)
    except (UnknownPlugin, BrokenPlugin) as error:
        return [InspectionStep("workload", "fail", f"submission.toml: workloads: {error}")]
    return []


def _rule_step(finding: Finding) -> InspectionStep:
    levels: dict[str, StepResult] = {"info": "pass", "warn": "warn", "fail": "fail"}
    verdict = levels[finding.level]
    if finding.rule in OF_THE_PLACE and verdict == "fail":
        verdict = "warn"
    return InspectionStep(finding.rule, verdict, finding.message, finding.advice)


def rule_steps(bundle: Bundle, ruleset: Ruleset) -> Iterator[InspectionStep]:
    """What the ruleset's checks say of the dry run."""
    evidence = Evidence(
        run=bundle.run,
        evaluation=bundle.evaluation,
        ruleset=ruleset,
        read_machine=lambda: bundle.machine,
    )
    names = [check for check in ruleset.checks if check not in BESIDE_THE_POINT]
    found = [item for name in names for item in check_named(name)(evidence)]
    yield from map(_rule_step, found)
    if not found:
        yield InspectionStep(
            "rules", "pass", f"{len(names)} checks of {ruleset.name} have nothing to say"
        )


def _dry_run(
    request: SeriesRequest, seconds: float, watcher: Watcher
) -> tuple[list[InspectionStep], list[str], int]:
    """Steps, what was printed where it failed, and an exit code."""
    with dry_run(request, seconds, watcher) as bundle:
        step = dry_run_step(bundle)
        if bundle.run.window.ended_by == "interrupt":
            return [step], [], ExitCode.INTERRUPTED
        if step.verdict == "fail":
            return [step], last_words(bundle), ExitCode.INVALID
        return [step, *rule_steps(bundle, request.ruleset)], [], ExitCode.OK


def _failed(steps: Iterable[InspectionStep]) -> bool:
    return any(step.verdict == "fail" for step in steps)


def _document(
    path: str, request: SeriesRequest, steps: list[InspectionStep], ending: tuple[list[str], int]
) -> CheckDocument:
    printed, code = ending
    code = code or (ExitCode.INVALID if _failed(steps) else ExitCode.OK)
    return CheckDocument(
        submission=Path(path).resolve().name if Path(path).is_dir() else path,
        path=path,
        workload=request.workload,
        ruleset=request.ruleset.name,
        ok=code == ExitCode.OK,
        steps=tuple(CheckStep(**step._asdict()) for step in steps),
        printed=tuple(printed),
        exit_code=code,
    )


def check(path: str, request: SeriesRequest, seconds: float, watcher: Watcher) -> CheckDocument:
    """Look a submission over, then run it for some seconds in its sandbox.

    Args:
        path: Folder or listed name.
        request: Ruleset and launcher; its workload is empty where none was asked for.
        seconds: Budget of the dry run.
        watcher: Who looks on.

    Raises:
        click.UsageError: nobody said which workload.
        UnknownPlugin: no such submission, launcher, or asked-for workload.
        MachineBusy: another run holds this machine.
    """
    if request.workload:
        find("workloads", request.workload)
    source, steps = _opened(path)
    if source is None:
        return _document(path, request, steps, ([], ExitCode.INVALID))
    workload = _workload_of(source, request.workload)
    request = replace(request, workload=workload, submission=str(source.folder))
    steps = _known(workload) or list(inspect(source, workload, request.ruleset.run))
    if _failed(steps):
        steps.append(InspectionStep("dry-run", "skip", "not tried: mend what failed above first"))
        return _document(path, request, steps, ([], ExitCode.INVALID))
    more, printed, code = _dry_run(request, seconds, watcher)
    return _document(path, request, [*steps, *more], (printed, code))
