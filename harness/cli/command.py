"""The decorator that makes a `joulemark` command of a function."""

import functools
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import Any

import click

from harness.cli.printer import Printer
from harness.records import Record, dump
from harness.records.base import FORMAT


class Document(Record):
    """Base of the documents that commands print with `--json`."""

    format: int = FORMAT


@dataclass(frozen=True)
class CommandResult:
    """What a command returns."""

    document: Record
    """Printed with `--json`."""
    show: Callable[[Any, Printer], None]
    """Prints the document as tables and lines without `--json`."""
    exit_code: int = 0


def json_command(
    name: str, group: click.Group | None = None
) -> Callable[[Callable[..., CommandResult]], click.Command]:
    """Make a click command, in a group if any, that returns its exit code and has `--json`."""

    def decorate(function: Callable[..., CommandResult]) -> click.Command:
        @functools.wraps(function)
        def call(*args: Any, as_json: bool, **options: Any) -> int:
            # With --json only the document may be on standard output, whatever plug-ins print.
            with redirect_stdout(sys.stderr) if as_json else nullcontext():
                result = function(*args, **options)
            if as_json:
                click.echo(dump(result.document), nl=False)
            else:
                result.show(result.document, Printer(sys.stdout))
            return result.exit_code

        made = (group or click).command(name)(call)
        text = "Print one JSON document on standard output, everything else on standard error."
        made.params.append(click.Option(["--json", "as_json"], is_flag=True, help=text))
        return made

    return decorate
