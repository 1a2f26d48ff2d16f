"""`joulemark check`: is a submission ready to run, and if not, what has to be done?"""

from typing import TYPE_CHECKING, Any

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import ruleset_options

if TYPE_CHECKING:
    from harness.cli.checking import CheckDocument
    from harness.cli.page import Page

DOCUMENT = "harness.cli.checking:CheckDocument"


def _show(document: "CheckDocument", page: "Page") -> None:
    on = f" on {document.workload}" if document.workload else ""
    page.heading(f"{document.submission}{on}, rules {document.ruleset}")
    rows = [(step.rule, step.verdict, step.message) for step in document.steps]
    page.table(("check", "verdict", "what"), rows)
    page.line()
    for step in document.steps:
        if step.verdict in ("warn", "fail") and step.advice:
            page.line(f"{step.rule}: {step.advice}")
    if document.printed:
        page.line("it printed:")
    for line in document.printed:
        page.line(line, indent=2)
    failed = sum(step.verdict == "fail" for step in document.steps)
    warned = sum(step.verdict == "warn" for step in document.steps)
    verdict = "ready to run" if document.ok else "not ready"
    page.line(f"{verdict}: {failed} failed, {warned} warning{'' if warned == 1 else 's'}")
    if document.ok:
        page.line(f"next: joulemark run {document.workload} --submission {document.path}")


@click.command("check")
@click.argument("path")
@click.option("--workload", metavar="W", help="What to try it on; else the first that it names.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1),
    default=3.0,
    show_default=True,
    help="Budget of the dry run.",
)
@ruleset_options("default")
@click.option("--launcher", default="auto", show_default=True, metavar="NAME", help="As in run.")
@click.option("--quiet", is_flag=True, help="No progress.")
@answers
def COMMAND(path: str, workload: str | None, seconds: float, **options: Any) -> Answer:  # noqa: N802
    """Check the submission in the folder PATH: schema, rules, size, and a dry run of some seconds.

    The dry run goes through the sandbox, the predictor and the judge, without meters, and leaves
    nothing behind. Leaves with 0 where nothing failed, else with 3.
    """
    from harness.cli.checking import check
    from harness.cli.display import display_for
    from harness.rules.load import load_ruleset
    from harness.run.series import SeriesRequest

    ruleset = load_ruleset(options["ruleset"], options["overrides"])
    request = SeriesRequest(workload=workload or "", ruleset=ruleset, launcher=options["launcher"])
    with display_for("dry run", quiet=options["quiet"]) as display:
        document = check(path, request, seconds, display)
    return Answer(document, lambda page: _show(document, page), document.exit_code)
