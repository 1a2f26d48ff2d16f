"""`joulemark check`: check a submission's files and rules, and run it for some seconds."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from harness.bundle import Bundle
from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import launcher_option, quiet_option, ruleset_options
from harness.cli.printer import Printer
from harness.cli.progress import display_for
from harness.errors import ExitCode
from harness.records import Ruleset
from harness.registry import BrokenPlugin, UnknownPlugin, find
from harness.rules.evidence import Evidence
from harness.run.dry_run import dry_run, dry_run_step, last_words
from harness.run.inspection import InspectionStep, StepResult, inspect
from harness.run.order import Watcher
from harness.run.series import SeriesRequest
from harness.run.submission import SubmissionError, open_submission
from harness.score.run.cost import check_named

NOT_FOR_DRY_RUNS = frozenset({"after-budget", "declared-seeds", "sampler", "simulated-meter"})
"""Checks that do not apply to a dry run, which has a short budget and no meter."""

ENVIRONMENT_CHECKS = frozenset(
    {"provenance", "isolation-level", "memory-unlimited", "data-partial", "data-synthetic"}
)
"""Checks that fail because of this machine or person, not because of the submission."""


class CheckDocument(Document):
    """`joulemark check`."""

    submission: str
    """Name of its folder, or the argument if the folder cannot be read."""
    path: str
    """As given."""
    workload: str
    """Workload of the dry run; empty if there was none."""
    ruleset: str
    ok: bool
    """Whether nothing failed; a warning is not a failure."""
    steps: tuple[InspectionStep, ...]
    printed: tuple[str, ...] = ()
    """Last lines that the submission printed, if its dry run failed."""
    exit_code: int


def rule_steps(bundle: Bundle, ruleset: Ruleset) -> Iterator[InspectionStep]:
    """Run the ruleset's checks on the bundle of a dry run."""
    evidence = Evidence(
        run=bundle.run,
        evaluation=bundle.evaluation,
        ruleset=ruleset,
        enforced=bundle.ruleset,
        read_machine=lambda: bundle.machine,
    )
    names = [check for check in ruleset.checks if check not in NOT_FOR_DRY_RUNS]
    findings = [finding for name in names for finding in check_named(name)(evidence)]
    results: dict[str, StepResult] = {"info": "pass", "warn": "warn", "fail": "fail"}
    for finding in findings:
        result = results[finding.level]
        if finding.rule in ENVIRONMENT_CHECKS and result == "fail":
            result = "warn"
        yield InspectionStep(finding.rule, result, finding.message, finding.advice)
    if not findings:
        yield InspectionStep("rules", "pass", f"passed all {len(names)} checks of {ruleset.name}")


def _failed(steps: Iterable[InspectionStep]) -> bool:
    return any(step.verdict == "fail" for step in steps)


def _document(
    path: str,
    request: SeriesRequest,
    steps: Sequence[InspectionStep],
    printed: Sequence[str] = (),
    *,
    interrupted: bool = False,
) -> CheckDocument:
    code = ExitCode.INVALID if _failed(steps) else ExitCode.OK
    code = ExitCode.INTERRUPTED if interrupted else code
    return CheckDocument(
        submission=Path(path).resolve().name if Path(path).is_dir() else path,
        path=path,
        workload=request.workload,
        ruleset=request.ruleset.name,
        ok=code == ExitCode.OK,
        steps=tuple(steps),
        printed=tuple(printed),
        exit_code=code,
    )


def check(path: str, request: SeriesRequest, seconds: float, watcher: Watcher) -> CheckDocument:
    """Check the files of a submission, then run it for some seconds in its sandbox.

    If the request names no workload, the first that the submission names is taken.

    Raises:
        click.UsageError: the submission names no single workload, and none was given.
        UnknownPlugin: no such submission, launcher or workload.
        MachineBusy: another run uses this machine.
    """
    if request.workload:
        find("workloads", request.workload)
    try:
        source = open_submission(path)
    except SubmissionError as error:
        return _document(path, request, [InspectionStep("schema", "fail", str(error))])
    named = [name for name in source.file.workloads if name != "*"]
    if not (request.workload or named):
        names = source.file.workloads or "no workload"
        raise click.UsageError(f"{source.name} is for {names}; add --workload W")
    workload = request.workload or named[0]
    request = replace(request, workload=workload, submission=str(source.folder))
    try:
        find("workloads", workload)
        steps = list(inspect(source, workload, request.ruleset.run))
    except (UnknownPlugin, BrokenPlugin) as error:
        steps = [InspectionStep("workload", "fail", f"submission.toml: workloads: {error}")]
    if _failed(steps):
        steps.append(InspectionStep("dry-run", "skip", "not run: fix what failed above first"))
        return _document(path, request, steps)
    with dry_run(request, seconds, watcher) as bundle:
        steps.append(dry_run_step(bundle))
        if bundle.run.window.ended_by == "interrupt":
            return _document(path, request, steps, interrupted=True)
        if _failed(steps):
            return _document(path, request, steps, last_words(bundle))
        steps += rule_steps(bundle, request.ruleset)
    return _document(path, request, steps)


def _show(document: CheckDocument, printer: Printer) -> None:
    on = f" on {document.workload}" if document.workload else ""
    printer.heading(f"{document.submission}{on}, rules {document.ruleset}")
    rows = [(step.rule, step.verdict, step.message) for step in document.steps]
    printer.table(("check", "verdict", "message"), rows)
    printer.line()
    for step in document.steps:
        if step.verdict in ("warn", "fail") and step.advice:
            printer.line(f"{step.rule}: {step.advice}")
    if document.printed:
        printer.line("it printed:")
    for line in document.printed:
        printer.line(line, indent=2)
    failed = sum(step.verdict == "fail" for step in document.steps)
    warned = sum(step.verdict == "warn" for step in document.steps)
    verdict = "ready to run" if document.ok else "not ready"
    printer.line(f"{verdict}: {failed} failed, {warned} warning{'' if warned == 1 else 's'}")
    if document.ok:
        printer.line(f"next: joulemark run {document.workload} --submission {document.path}")


@json_command("check")
@click.argument("path")
@click.option(
    "--workload", default="", metavar="W", help="Workload; default: the first in submission.toml."
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=3.0,
    show_default=True,
    help="Budget of the dry run.",
)
@ruleset_options("default")
@launcher_option
@quiet_option
def command(
    path: str, workload: str, seconds: float, ruleset: Ruleset, launcher: str, *, quiet: bool
) -> CommandResult:
    """Check the submission in the folder PATH: files, rules, size, and a dry run of some seconds.

    The dry run uses the sandbox, the predictor and the judge but no meter, and leaves no files.
    Exits with 0 if nothing failed, else with 3.
    """
    request = SeriesRequest(workload=workload, ruleset=ruleset, launcher=launcher)
    with display_for("dry run", quiet=quiet) as display:
        document = check(path, request, seconds, display)
    return CommandResult(document, _show, document.exit_code)
