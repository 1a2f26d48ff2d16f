"""Errors as users see them: one sentence, one exit code, and one document with `--json`."""

import difflib
import json
import os
import sys
import tempfile
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from harness.errors import ExitCode, JouleMarkError

KINDS = {
    ExitCode.USAGE: "usage",
    ExitCode.INVALID: "invalid",
    ExitCode.GATE: "gate",
    ExitCode.UNTRUSTED: "measurement",
    ExitCode.MISSING: "missing",
    ExitCode.OVER_BUDGET: "budget",
    ExitCode.INTERNAL: "internal",
    ExitCode.INTERRUPTED: "interrupted",
}
"""The `kind` of the error document for each exit code."""

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories of invisible characters and of those that control a terminal."""


def _visible(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004 - one byte


def one_line(text: object) -> str:
    r"""Return the text on one line: white space is collapsed, control characters become `\xNN`."""
    return "".join(map(_visible, " ".join(str(text).split())))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `did you mean ...?` with near names, or the list of all names."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that does not exist."""
    return f"unknown {what} '{name}': {suggestion(name, known)}"


def exit_code(error: BaseException) -> ExitCode:
    """Return the exit code for an error; unexpected errors give 70."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return ExitCode.INTERRUPTED
    if isinstance(error, click.ClickException):
        return ExitCode.USAGE
    return error.exit_code if isinstance(error, JouleMarkError) else ExitCode.INTERNAL


def _click_message(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption):
        params = error.ctx.command.params if error.ctx else []
        text = unknown("option", error.option_name, [name for item in params for name in item.opts])
    else:
        text = error.format_message().rstrip(".")
        text = text[:1].lower() + text[1:]
    return f"{text} (try `{context.command_path} --help`)" if context else text


def message_of(error: BaseException) -> str:
    """Return the error as a message for the user."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted"
    if isinstance(error, click.ClickException):
        return _click_message(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}the system refused: {error.strerror.lower()}"
    if exit_code(error) == ExitCode.INTERNAL:
        return f"internal: {type(error).__name__}: {error}"
    return str(error)


def _report(error: BaseException, code: ExitCode, arguments: Sequence[str]) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return
    message = one_line(message_of(error))
    if "--debug" in arguments:
        traceback.print_exception(error, file=sys.stderr)
    elif code == ExitCode.INTERNAL:
        descriptor, path = tempfile.mkstemp(prefix="joulemark-", suffix=".traceback.txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(error, file=file)
        message += f"; the traceback is in {path}"
    click.echo(f"error: {message}", err=True)
    if "--json" in arguments:
        body = {"exit_code": code, "kind": KINDS[code], "message": message}
        click.echo(json.dumps({"error": body, "format": 1}, sort_keys=True, indent=1))


def run_guarded(call: Callable[[], Any], arguments: Sequence[str]) -> int:
    """Run a command, report its error if it raises one, and return the exit code."""
    try:
        code = call()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed standard output; what is still buffered is dropped.
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost handler
        code = exit_code(error)
        _report(error, code, arguments)
    return code if isinstance(code, int) else ExitCode.OK
