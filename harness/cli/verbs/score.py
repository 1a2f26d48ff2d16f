"""`joulemark score`: what the bundles say under a ruleset, as leaderboards."""

from pathlib import Path

import click

from harness.cli.answer import Answer, answers
from harness.cli.options import existing_folder, ruleset_options


@click.command("score")
@click.argument("results", default="results", callback=existing_folder, metavar="[DIR]")
@ruleset_options(None)
@answers
def COMMAND(results: Path, ruleset: str | None, overrides: tuple[str, ...]) -> Answer:  # noqa: N802
    """Score and rank all bundles below DIR (default: results), or one bundle.

    Without --ruleset each run is scored under the rules that it ran under. Needs no meter, no
    accelerator and no network: the same bundles and ruleset give the same answer anywhere.
    """
    from harness.cli.boards import scores_below, show
    from harness.rules.load import load_ruleset

    named = ruleset or ("default" if overrides else None)
    rules = load_ruleset(named, overrides) if named else None
    if rules and rules.imported:
        from harness.cli.imported import imported_answer
        from harness.formats.imported import scores_imports

        if scores_imports(results, rules):
            return imported_answer(results, rules)
    document = scores_below(results, rules)
    return Answer(document, lambda page: show(document, page))
