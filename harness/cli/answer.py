"""What every verb gives: a document for programs, a page for people, and an exit code."""

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.cli.page import Page
    from harness.records import Record


@dataclass(frozen=True)
class Answer:
    """The result of a verb."""

    document: "Record"
    """Printed as it is with `--json`."""
    show: "Callable[[Page], None]"
    """Prints the same for people."""
    code: int = 0
    """Exit code of design section 5."""


def _kept_clean(as_json: bool) -> AbstractContextManager[Any]:  # noqa: FBT001 - one private caller
    """Whatever is printed while the verb works must not get between the document's lines."""
    return redirect_stdout(sys.stderr) if as_json else nullcontext()


def _print(answer: Answer, as_json: bool) -> None:  # noqa: FBT001
    if as_json:
        from harness.records import dump

        click.echo(dump(answer.document), nl=False)
        return
    from harness.cli.page import Page

    answer.show(Page(sys.stdout))


def answers(work: Callable[..., Answer]) -> Callable[..., int]:
    """Give a verb `--json`, print its answer, and make its exit code the command's value."""

    @functools.wraps(work)
    def command(*args: Any, as_json: bool, **options: Any) -> int:
        with _kept_clean(as_json):
            answer = work(*args, **options)
        _print(answer, as_json)
        return answer.code

    help_text = "Print one JSON document on standard output, everything else on standard error."
    return click.option("--json", "as_json", is_flag=True, help=help_text)(command)
