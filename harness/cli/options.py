"""Options and argument types that several commands share."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.measure.choice import parse
from harness.rules.load import load_ruleset

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)


def ruleset_options(default: str | None) -> Callable[[Command], Command]:
    """Add `--ruleset` and `--set`; the command gets `ruleset`, a `Ruleset` or None.

    With the default None each bundle is scored under its own ruleset.
    """

    def decorate(command: Command) -> Command:
        @click.option(
            "--ruleset",
            default=default,
            show_default=default is not None,
            metavar="NAME|FILE",
            help="Ruleset by name, or a TOML file.",
        )
        @click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Change one value of the ruleset, as run.seeds_count=5.",
        )
        @functools.wraps(command)
        def call(*args: Any, ruleset: str | None, overrides: tuple[str, ...], **more: Any) -> Any:
            name = ruleset or ("default" if overrides else None)
            rules = load_ruleset(name, overrides) if name else None
            return command(*args, ruleset=rules, **more)

        return call  # type: ignore[return-value]  # same options

    return decorate


def _writable_folder(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
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
    """Return the folder; raises `click.UsageError` if it does not exist."""
    if not Path(value).is_dir():
        name = param.human_readable_name
        raise click.UsageError(f"{name} {value}: no such folder; run a workload first", ctx)
    return Path(value)


def _meters(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        names = [parse(text)[0] for text in value]
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from error
    if "none" in names and len(names) > 1:
        text = f"{param.opts[0]} none cannot be combined with other meters; remove one of them"
        raise click.UsageError(text, ctx)
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
    type=PATH,
    envvar="JOULEMARK_KEY",
    show_envvar=True,
    metavar="FILE",
    help="Sign every bundle with this private key, made by `joulemark keygen`.",
)

launcher_text = "Launcher that isolates the submission."
launcher_option = click.option(
    "--launcher", default="auto", show_default=True, metavar="NAME", help=launcher_text
)

quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")
