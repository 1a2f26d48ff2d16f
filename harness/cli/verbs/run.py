"""`joulemark run`: train one submission on one workload, once for each seed, and measure it."""

from pathlib import Path
from typing import Any

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import (
    meter_option,
    results_option,
    ruleset_options,
    series_options,
    sign_option,
)

TRIALS = 5
"""Of a study, as AlgoPerf takes it."""


@click.command("run")
@click.argument("workload")
@ruleset_options("default")
@series_options
@sign_option
@click.option(
    "--tuning",
    type=click.Choice(["external", "self"]),
    help="external: the harness draws hyperparameters from the submission's search space; self: it "
    "tunes itself inside each run.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help="Runs of each study of external tuning (default: 5); --seeds counts the studies.",
)
@meter_option
@results_option
@answers
def COMMAND(workload: str, results: Path, **options: Any) -> Answer:  # noqa: N802
    """Train a submission on WORKLOAD, once for each seed, while time and power are measured.

    Every run leaves a sealed bundle, whatever becomes of it. Leaves with 0 where all runs are ok;
    else with the code of the worst: 130 interrupted, 3 invalid, crashed or diverged, 7 budget
    exceeded, 5 measurement not trustworthy, 1 target not reached. A study of tuning is as good as
    its best trial.
    """
    if options["trials"] is not None and options["tuning"] != "external":
        raise click.UsageError(
            "--trials counts the runs of a study of --tuning external; name that, too"
        )
    from harness.cli.display import display_for
    from harness.rules.load import load_ruleset
    from harness.run.series import SeriesRequest, run_series

    ruleset = load_ruleset(options["ruleset"], options["overrides"])
    request = SeriesRequest(
        workload=workload,
        submission=options["submission"],
        ruleset=ruleset,
        seeds_count=options["seeds"],
        declared_seeds=options["declared"],
        meters=options["meters"] or ("auto",),
        launcher=options["launcher"],
        results=results,
        price_usd_per_h=options["price"],
        interleave=options["interleave"],
        key=options["key"],
        tuning=options["tuning"] or "",
        trials_count=options["trials"] or TRIALS,
    )
    with display_for(workload, quiet=options["quiet"]) as display:
        outcomes = run_series(request, display)
    # Only now: what scores is not to weigh on the machine while it is measured.
    from harness.cli.series import document_of, show, show_next

    document = document_of(outcomes, ruleset, results)

    def page_of(page: Any) -> None:
        show(document, page)
        show_next(document, page)

    return Answer(document, page_of, document.exit_code)
