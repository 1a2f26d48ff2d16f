"""The `joulemark` command group: one file per command, loaded when it is used."""

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
    "doctor", "list", "demo", "init", "check", "run", "rerun", "score", "compare", "award",
    "verify", "report", "explain", "keygen", "sign", "schema",
)  # fmt: skip
"""Order on the help page; other commands follow by name."""


def verb_names() -> list[str]:
    """Return the names of all commands: one for each file in `verbs`."""
    names = {path.stem for path in VERBS.glob("*.py") if not path.stem.startswith("_")}
    return [name for name in ORDER if name in names] + sorted(names - set(ORDER))


def summary_of(name: str) -> str:
    """Return a command's line on the help page: the first line of its file, after the colon.

    The file is not imported, so that the help page needs no heavy package.
    """
    with (VERBS / f"{name}.py").open(encoding="utf-8") as file:
        line = file.readline().strip().strip('"')
    text = line.partition(": ")[2] or line
    return text[:1].upper() + text[1:]


class VerbGroup(click.Group):
    """Loads a command's module when the command is used, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return verb_names()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click
        """Write the list of commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary_of(name)) for name in verb_names()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click
        """Return a command, or None if there is no command of this name."""
        if cmd_name not in verb_names():
            return None
        command: click.Command = importlib.import_module(f"harness.cli.verbs.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name, or suggest a similar one."""
        name = args[0]
        if not name.startswith("-") and name not in verb_names():
            raise click.UsageError(unknown("command", name, verb_names()), ctx)
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]  # never returns, unlike click's
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run one command and exit with its code."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        call = super().main
        sys.exit(run_guarded(lambda: call(arguments, prog_name, **extra), arguments))


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="joulemark", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks of errors.")
def main() -> None:
    """Measure the energy and time that a training run needs to reach its target.

    Start with `joulemark doctor`, which shows what this machine can measure, or with
    `joulemark demo`, which runs, ranks and renders a small example.
    """
