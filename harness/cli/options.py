"""Options and argument types that several verbs share."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.cli.failure import UsageFailure, unknown

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
            UsageFailure: there is no such word.
        """
        text = str(value).lower()
        for word in (text, f"{text}s"):
            if word in self.words:
                return word
        raise UsageFailure(unknown(self.what, str(value), self.words), ctx)

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
        message = f"{param.opts[0]} {value}: {there} is not a folder"
        raise UsageFailure(message, ctx)
    return path


def results_option(command: Command) -> Command:
    """`--results DIR`."""
    text = "Folder of bundles and ledgers."
    return click.option(
        "--results",
        default="results",
        show_default=True,
        metavar="DIR",
        callback=_folder_to_write,
        help=text,
    )(command)


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
