"""`joulemark calibrate`: run a workload's reference, and put target and spread by the rule."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import results_option

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.score.calibration import Calibration

DOCUMENT = "harness.score.calibration:Calibration"


def _show(record: "Calibration", path: Path, page: "Page") -> None:
    from harness.report.numbers import plain

    page.heading(f"{record.workload} by {len(record.runs)} runs of {record.submission}")
    lead = record.resolvable_ratio
    rows: list[tuple[str, object]] = [
        ("target by the rule", f"{record.target:g}"),
        ("target in force", f"{record.frozen_target:g}"),
        ("median, deviation, worst",
         f"{record.median:.4g}, {record.deviation:.2g}, {record.worst:.4g}"),
        ("budget in force", f"{record.budget_s:g} s"),
        ("budget by the rule", f"{record.suggested_budget_s:.3g} s"),
        ("CPU seconds, median", plain(record.median_cpu_s, 3)),
        ("steps to target, median", record.median_steps_to_target),
        ("peak memory", record.peak_rss_bytes and f"{record.peak_rss_bytes / 1e6:.0f} MB"),
        ("lead that 8 seeds can show", None if lead is None else f"{lead:.1%}"),
    ]  # fmt: skip
    page.table(("figure", "value"), rows)
    page.line(f"record: {path}")


@click.command("calibrate")
@click.argument("workload")
@click.option(
    "--runs", type=click.IntRange(min=2), default=20, show_default=True, help="Seeds to run."
)
@click.option("--submission", metavar="NAME|PATH", help="In place of the workload's reference.")
@click.option("--launcher", default="auto", show_default=True, metavar="NAME", help="As in run.")
@results_option
@click.option("--quiet", is_flag=True, help="No progress.")
@answers
def COMMAND(  # noqa: N802
    workload: str, runs: int, submission: str | None, results: Path, **options: str
) -> Answer:
    """Run the reference of WORKLOAD with drawn seeds and no meters, and write the record.

    The target is the median over seeds, loosened by three standard deviations, never beyond the
    worst seed. The record goes to RESULTS/calibrations/WORKLOAD.json, the runs beside it.
    """
    from harness.bundle import Bundle
    from harness.cli.display import display_for
    from harness.records import dump
    from harness.registry import find
    from harness.rules.load import load_ruleset
    from harness.run.series import SeriesRequest, run_series
    from harness.score.calibration import calibrate
    from harness.storage import write_file

    digits = find("workloads", workload).value.metric.digits
    request = SeriesRequest(
        workload=workload,
        submission=submission,
        ruleset=load_ruleset("smoke"),
        seeds_count=runs,
        meters=("none",),
        launcher=options["launcher"],
        results=results,
    )
    with display_for(workload, quiet=bool(options["quiet"])) as display:
        outcomes = run_series(request, display)
    if outcomes[-1].run.window.ended_by == "interrupt":
        raise KeyboardInterrupt
    record = calibrate([Bundle(outcome.bundle) for outcome in outcomes], digits)
    path = results / "calibrations" / f"{workload}.json"
    write_file(path, dump(record))
    return Answer(record, lambda page: _show(record, path, page))
