"""The group of all verbs: finds them as files, loads each on demand, ends with an exit code."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from harness import __version__
from harness.cli.failure import run_guarded, unknown

VERBS = Path(__file__).with_name("verbs")

ORDER = (
    "doctor",
    "list",
    "demo",
    "init",
    "check",
    "run",
    "rerun",
    "score",
    "compare",
    "award",
    "verify",
    "report",
    "explain",
    "keygen",
    "sign",
    "schema",
)
"""In the order in which a newcomer meets them; verbs that are not named here follow by name."""


def verb_names() -> list[str]:
    """Every verb that has a file."""
    names = {path.stem for path in VERBS.glob("*.py") if not path.stem.startswith("_")}
    return [item for item in ORDER if item in names] + sorted(names - set(ORDER))


class VerbGroup(click.Group):
    """Loads a verb's module when the verb is named or helped with, and maps errors to codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of all verbs, without loading any."""
        return verb_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb's command, or None where there is no such verb."""
        if cmd_name not in verb_names():
            return None
        command: click.Command = importlib.import_module(f"harness.cli.verbs.{cmd_name}").COMMAND
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; says what might have been meant where there is none."""
        name = args[0]
        if not name.startswith("-") and name not in verb_names():
            raise click.UsageError(unknown("command", name, verb_names()), ctx)
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run one verb and leave with its exit code (design section 5)."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        call = super().main
        sys.exit(run_guarded(lambda: call(arguments, prog_name, **extra), arguments))


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="joulemark", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks of errors.")
def main() -> None:
    """What did a training run cost, in joules and seconds, until the model had really trained?

    `joulemark doctor` says what this machine can measure, `joulemark demo` shows it all once.
    """
