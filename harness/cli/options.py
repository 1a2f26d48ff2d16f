"""Options and argument types that several verbs share."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.cli.failure import unknown

Command = TypeVar("Command", bound=Callable[..., Any])


class OneOf(click.ParamType[str]):
    """One of some words; a singular or a near miss is understood or helped with."""

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
        """The word as it is known.

        Raises:
            click.UsageError: there is no such word.
        """
        text = str(value).lower()
        for word in (text, f"{text}s"):
            if word in self.words:
                return word
        raise click.UsageError(unknown(self.what, str(value), self.words), ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        """The words, for the usage line."""
        return f"[{'|'.join(self.words)}]"


def _folder_to_write(ctx: click.Context, param: click.Parameter, value: str) -> Path:
    """A folder that exists or can be made."""
    path = Path(value)
    there = path
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise click.UsageError(f"{param.opts[0]} {value}: {there} is not a folder", ctx)
    return path


def ruleset_options(default: str | None) -> Callable[[Command], Command]:
    """`--ruleset` and `--set`; without a default each bundle's own ruleset counts."""

    def decorate(command: Command) -> Command:
        overrides = click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Change one constant of the ruleset, as run.seeds_count=5.",
        )
        ruleset = click.option(
            "--ruleset",
            default=default,
            show_default=default is not None,
            metavar="NAME|FILE",
            help="Ruleset by name, or a TOML file.",
        )
        return ruleset(overrides(command))

    return decorate


def folder_option(*names: str, default: str, text: str) -> Callable[[Command], Command]:
    """An option for a folder that is written to."""

    def decorate(command: Command) -> Command:
        return click.option(
            *names,
            default=default,
            show_default=True,
            metavar="DIR",
            callback=_folder_to_write,
            help=text,
        )(command)

    return decorate


def optional_folder_option(*names: str, text: str) -> Callable[[Command], Command]:
    """An option for a folder that is written to where it is named."""

    def checked(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
        return None if value is None else _folder_to_write(ctx, param, value)

    return click.option(*names, metavar="DIR", callback=checked, help=text)


def results_option(command: Command) -> Command:
    """`--results DIR`."""
    text = "Folder of bundles and ledgers."
    return folder_option("--results", default="results", text=text)(command)


def existing_folder(ctx: click.Context, param: click.Parameter, value: str) -> Path:
    """A folder that is there.

    Raises:
        click.UsageError: it is not.
    """
    path = Path(value)
    if not path.is_dir():
        raise click.UsageError(
            f"{param.human_readable_name} {value}: no such folder; run something first", ctx
        )
    return path


def _meters(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Values of `--meter` that can at least be read."""
    from harness.measure.choice import parse

    try:
        names = [parse(text)[0] for text in value]
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from error
    if "none" in names and len(names) > 1:
        raise click.UsageError(
            f"{param.opts[0]} none cannot stand beside other meters; leave one of them out", ctx
        )
    return value


def meter_option(command: Command) -> Command:
    """`--meter NAME[:KEY=VALUE,...]`, repeatable."""
    return click.option(
        "--meter",
        "meters",
        multiple=True,
        callback=_meters,
        metavar="NAME[:KEY=VALUE,...]",
        help="Meter to read, repeatable; auto (default) takes what is there, none takes none.",
    )(command)


def sign_option(command: Command) -> Command:
    """`--sign FILE`, or the environment's `JOULEMARK_KEY`."""
    return click.option(
        "--sign",
        "key",
        type=click.Path(path_type=Path),
        envvar="JOULEMARK_KEY",
        show_envvar=True,
        metavar="FILE",
        help="Sign every bundle with this private key, made by `joulemark keygen`.",
    )(command)


SERIES = (
    click.option(
        "--submission",
        metavar="NAME|PATH",
        help="Listed submission, or a folder; without it the workload's reference.",
    ),
    click.option(
        "--seeds", type=click.IntRange(min=1), metavar="N", help="Runs, each with a drawn seed."
    ),
    click.option(
        "--seed",
        "declared",
        type=click.IntRange(min=0, max=2**31 - 1),
        multiple=True,
        metavar="VALUE",
        help="Declare a seed in place of drawn ones, repeatable; such runs may rehearse, not win.",
    ),
    click.option(
        "--interleave",
        is_flag=True,
        help="Alternate with the workload's reference on the same seeds, as prizes ask for.",
    ),
    click.option(
        "--launcher",
        default="auto",
        show_default=True,
        metavar="NAME",
        help="What walls the submission in.",
    ),
    click.option(
        "--price-per-hour",
        "price",
        type=click.FloatRange(min=0),
        metavar="USD",
        help="Price of this machine, for scores in dollars.",
    ),
    click.option("--quiet", is_flag=True, help="No progress."),
)
"""What can be said of a series of runs, in the order of the help page."""


def series_options(command: Command) -> Command:
    """All options of a series."""
    for option in reversed(SERIES):
        command = option(command)
    return command
