"""`joulemark calibrate`: run a workload's reference and compute its target and budget."""

from pathlib import Path

import click

from harness.bundle import Bundle
from harness.cli.command import CommandResult, json_command
from harness.cli.options import launcher_option, quiet_option, results_option
from harness.cli.printer import Printer
from harness.cli.progress import display_for
from harness.records import dump
from harness.registry import find
from harness.report.numbers import plain
from harness.rules.load import load_ruleset
from harness.run.series import SeriesRequest, run_series
from harness.score.calibration import Calibration, calibrate
from harness.storage import write_file

DOCUMENT = Calibration


def _show(record: Calibration, path: Path, printer: Printer) -> None:
    printer.heading(f"{record.workload}: {len(record.runs)} runs of {record.submission}")
    difference = None if record.resolvable_ratio is None else f"{record.resolvable_ratio:.1%}"
    spread = f"{record.median:.4g}, {record.deviation:.2g}, {record.worst:.4g}"
    rows: list[tuple[str, object]] = [
        ("target by the rule", f"{record.target:g}"),
        ("target in force", f"{record.frozen_target:g}"),
        ("median, standard deviation, worst", spread),
        ("budget in force", f"{record.budget_s:g} s"),
        ("budget by the rule", f"{record.suggested_budget_s:.3g} s"),
        ("CPU seconds, median", plain(record.median_cpu_s, 3)),
        ("steps to target, median", record.median_steps_to_target),
        ("peak memory", record.peak_rss_bytes and f"{record.peak_rss_bytes / 1e6:.0f} MB"),
        ("minimum detectable difference, 8 seeds", difference),
    ]
    printer.table(("quantity", "value"), rows)
    printer.line(f"record: {path}")


@json_command("calibrate")
@click.argument("workload")
@click.option(
    "--runs",
    "seeds_count",
    type=click.IntRange(min=2),
    default=20,
    show_default=True,
    help="Number of runs.",
)
@click.option("--submission", metavar="NAME|PATH", help="Default: the workload's reference.")
@launcher_option
@results_option
@quiet_option
def command(
    workload: str,
    seeds_count: int,
    submission: str | None,
    launcher: str,
    results: Path,
    *,
    quiet: bool,
) -> CommandResult:
    """Run the reference of WORKLOAD with drawn seeds and no meters, and write the record.

    The target is the median over the runs, loosened by three standard deviations, but never beyond
    the worst run. The record is RESULTS/calibrations/WORKLOAD.json.
    """
    request = SeriesRequest(
        workload=workload,
        submission=submission,
        ruleset=load_ruleset("smoke"),
        seeds_count=seeds_count,
        meters=("none",),
        launcher=launcher,
        results=results,
    )
    with display_for(workload, quiet=quiet) as display:
        runs = run_series(request, display)
    if runs[-1].run.window.ended_by == "interrupt":
        raise KeyboardInterrupt
    digits = find("workloads", workload).value.metric.digits
    record = calibrate([Bundle(run.bundle) for run in runs], digits)
    path = results / "calibrations" / f"{workload}.json"
    write_file(path, dump(record))
    return CommandResult(record, lambda record, printer: _show(record, path, printer))
