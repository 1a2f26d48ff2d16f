"""`joulemark score`: score and rank bundles under a ruleset."""

from pathlib import Path

import click

from harness.cli.command import CommandResult, json_command
from harness.cli.options import existing_folder, ruleset_options
from harness.cli.score_tables import show_imported, show_scores
from harness.formats.imported import score_imported, scores_imports
from harness.prizes import score_document
from harness.records import Ruleset
from harness.records.document import ScoreDocument

DOCUMENT = ScoreDocument


@json_command("score")
@click.argument("results", default="results", callback=existing_folder, metavar="[DIR]")
@ruleset_options(None)
def command(results: Path, ruleset: Ruleset | None) -> CommandResult:
    """Score and rank all bundles below DIR (default: results), or one bundle.

    Without --ruleset each run is scored under its own ruleset. No meter, accelerator or network is
    needed; the same bundles and ruleset give the same result on every machine.
    """
    if ruleset and scores_imports(results, ruleset):
        imported = score_imported(results, ruleset)
        return CommandResult(imported, show_imported)
    document = score_document(results, ruleset)
    return CommandResult(document, show_scores)
