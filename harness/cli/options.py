"""Options and argument types that several commands share."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.cli.failure import unknown
from harness.measure.choice import parse
from harness.rules.load import load_ruleset

Command = TypeVar("Command", bound=Callable[..., Any])


class OneOf(click.ParamType[str]):
    """One of several words; its singular is accepted, and similar words are suggested."""

    name = "word"

    def __init__(self, what: str, words: Sequence[str]) -> None:
        """Accept `words`; `what` names them in messages."""
        self.what = what
        self.words = tuple(words)

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,  # noqa: ARG002 - click's signature
        ctx: click.Context | None,
    ) -> str:
        """Return the word in its standard form.

        Raises:
            click.UsageError: it is not one of the words.
        """
        text = str(value).lower()
        for word in (text, f"{text}s"):
            if word in self.words:
                return word
        raise click.UsageError(unknown(self.what, str(value), self.words), ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's name
        """Return the words for the usage line."""
        return f"[{'|'.join(self.words)}]"


def ruleset_options(default: str | None) -> Callable[[Command], Command]:
    """Add `--ruleset` and `--set`; the command gets `ruleset`, a `Ruleset` or None.

    Args:
        default: Ruleset if none is named; None lets each bundle use its own ruleset.
    """

    def decorate(command: Command) -> Command:
        """Add the options."""

        @functools.wraps(command)
        def call(*args: Any, ruleset: str | None, overrides: tuple[str, ...], **more: Any) -> Any:
            """Load the ruleset and run the command."""
            name = ruleset or ("default" if overrides else None)
            rules = load_ruleset(name, overrides) if name else None
            return command(*args, ruleset=rules, **more)

        add_overrides = click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Change one value of the ruleset, as run.seeds_count=5.",
        )
        add_ruleset = click.option(
            "--ruleset",
            default=default,
            show_default=default is not None,
            metavar="NAME|FILE",
            help="Ruleset by name, or a TOML file.",
        )
        return add_ruleset(add_overrides(call))  # type: ignore[return-value]  # same options

    return decorate


def _writable_folder(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    """Return a folder that exists or can be created."""
    if value is None:
        return None
    path = existing = Path(value)
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise click.UsageError(f"{param.opts[0]} {value}: {existing} is not a folder", ctx)
    return path


def folder_option(*names: str, text: str, default: str | None = None) -> Callable[..., Any]:
    """Return an option for a folder that the command writes to."""
    return click.option(
        *names,
        default=default,
        show_default=default is not None,
        metavar="DIR",
        callback=_writable_folder,
        help=text,
    )


results_option = folder_option(
    "--results", default="results", text="Folder of bundles and ledgers."
)


def existing_folder(ctx: click.Context, param: click.Parameter, value: str) -> Path:
    """Return a folder that exists.

    Raises:
        click.UsageError: it does not exist.
    """
    path = Path(value)
    if not path.is_dir():
        raise click.UsageError(
            f"{param.human_readable_name} {value}: no such folder; run a workload first", ctx
        )
    return path


def _meters(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Check the syntax of `--meter`."""
    try:
        names = [parse(text)[0] for text in value]
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from error
    if "none" in names and len(names) > 1:
        raise click.UsageError(
            f"{param.opts[0]} none cannot be combined with other meters; remove one of them", ctx
        )
    return value


meter_option = click.option(
    "--meter",
    "meters",
    multiple=True,
    default=("auto",),
    callback=_meters,
    metavar="NAME[:KEY=VALUE,...]",
    help="Meter to read, repeatable; auto (default): all that are available, none: no meter.",
)

key_option = click.option(
    "--sign",
    "key",
    type=click.Path(path_type=Path),
    envvar="JOULEMARK_KEY",
    show_envvar=True,
    metavar="FILE",
    help="Sign every bundle with this private key, made by `joulemark keygen`.",
)

launcher_option = click.option(
    "--launcher",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="Launcher that isolates the submission.",
)

quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")
