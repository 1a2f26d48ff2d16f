"""`joulemark run`: train a submission on a workload, once per seed, and measure it."""

from pathlib import Path
from typing import Literal

import click

from harness.cli import options
from harness.cli.command import CommandResult, json_command
from harness.cli.progress import display_for
from harness.records import Ruleset
from harness.run.series import SeriesRequest, run_series

TRIALS = 5
"""Trials of a study, as in AlgoPerf."""


@json_command("run")
@click.argument("workload")
@options.ruleset_options("default")
@click.option(
    "--submission",
    metavar="NAME|PATH",
    help="Listed submission, or a folder; default: the workload's reference.",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), metavar="N", help="Number of runs, with drawn seeds."
)
@click.option(
    "--seed",
    "declared_seeds",
    type=click.IntRange(min=0, max=2**31 - 1),
    multiple=True,
    metavar="VALUE",
    help="Use this seed in place of drawn ones, repeatable; such runs win no prize.",
)
@click.option(
    "--interleave",
    is_flag=True,
    help="Alternate with the workload's reference on the same seeds, as prizes require.",
)
@options.launcher_option
@click.option(
    "--price-per-hour",
    "price_usd_per_h",
    type=click.FloatRange(min=0),
    metavar="USD",
    help="Price of this machine, for scores in dollars.",
)
@options.quiet_option
@options.key_option
@click.option(
    "--tuning",
    type=click.Choice(["external", "self"]),
    help="external: the harness draws hyperparameters from the submission's search space; self: "
    "the submission tunes itself in each run.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help=f"Runs of each study of external tuning (default: {TRIALS}); --seeds counts the studies.",
)
@options.meter_option
@options.results_option
def command(
    workload: str,
    ruleset: Ruleset,
    submission: str | None,
    seeds: int | None,
    declared_seeds: tuple[int, ...],
    launcher: str,
    price_usd_per_h: float | None,
    key: Path | None,
    tuning: Literal["external", "self"] | None,
    trials: int | None,
    meters: tuple[str, ...],
    results: Path,
    *,
    interleave: bool,
    quiet: bool,
) -> CommandResult:
    """Train a submission on WORKLOAD, once per seed, while time and power are measured.

    Every run writes a sealed bundle, however it ends. Exits with 0 if all runs are ok, else with
    the code of the worst run: 130 interrupted; 3 invalid, crashed or diverged; 7 budget exceeded;
    5 measurement not trustworthy; 1 target not reached. A study of tuning counts as its best trial.
    """
    if trials is not None and tuning != "external":
        raise click.UsageError("--trials needs --tuning external, whose runs it counts")
    request = SeriesRequest(
        workload=workload,
        submission=submission,
        ruleset=ruleset,
        seeds_count=seeds,
        declared_seeds=declared_seeds,
        meters=meters,
        launcher=launcher,
        results=results,
        price_usd_per_h=price_usd_per_h,
        interleave=interleave,
        key=key,
        tuning=tuning or "",
        trials_count=trials or TRIALS,
    )
    with display_for(workload, quiet=quiet) as display:
        run_results = run_series(request, display)
    # Scoring is imported after the runs, so that it uses no memory while they are measured.
    from harness.cli.run_document import document_of, show_run

    document = document_of(run_results, ruleset, results)
    return CommandResult(document, show_run, document.exit_code)
