"""How a verb ends badly: one sentence, one exit code, and with `--json` one document."""

import difflib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from harness.cli.plain import one_line

OK, MISSED, USAGE, INVALID, GATE, UNTRUSTED, MISSING, OVER_BUDGET = range(8)
INTERNAL = 70
INTERRUPTED = 130

KINDS = {
    USAGE: "usage",
    INVALID: "invalid",
    GATE: "gate",
    UNTRUSTED: "measurement",
    MISSING: "missing",
    OVER_BUDGET: "budget",
    INTERNAL: "internal",
    INTERRUPTED: "interrupted",
}
"""Exit code to the `kind` of the error document."""

CODES = {
    "harness.api.DataMissing": MISSING,
    "harness.api.DataFault": INVALID,
    "harness.registry.UnknownPlugin": USAGE,
    "harness.registry.BrokenPlugin": INVALID,
    "harness.rules.load.RulesetError": INVALID,
    "harness.records.base.RecordError": INVALID,
    "harness.migrate.FormatError": INVALID,
    "harness.bundle.BundleError": INVALID,
    "harness.ledger.LedgerError": INVALID,
    # Whatever is measured beside another run cannot be trusted, so none is started.
    "harness.ledger.MachineBusy": UNTRUSTED,
    "harness.run.submission.SubmissionError": INVALID,
    "harness.run.repeat.RepeatError": INVALID,
    "harness.run.foreign.ForeignError": INVALID,
    "harness.score.calibration.CalibrationError": INVALID,
    "harness.measure.choice.MeterUnavailable": MISSING,
    "harness.launchers.choice.LauncherUnavailable": MISSING,
    "harness.measure.trace.TraceError": INVALID,
    "harness.report.site.SiteError": INVALID,
    "harness.formats.format.FormatError": INVALID,
    "harness.verify.found.NothingToVerify": USAGE,
    "harness.verify.found.BadKey": USAGE,
    "harness.verify.found.BadArchive": INVALID,
    "harness.sign.SignError": INVALID,
    "harness.sign.SigningMissing": MISSING,
}
"""Errors that have a code of their own, by full name, so that none has to be imported for it."""


class UsageFailure(click.UsageError):
    """The command line was wrong; the message is a whole sentence."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean ...?`, or all there are where nothing is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nothing has."""
    return f"unknown {what} '{name}': {suggestion(name, known)}"


def full_names(error: BaseException) -> list[str]:
    """Module and name of the error's class and of those it derives from."""
    return [f"{item.__module__}.{item.__qualname__}" for item in type(error).__mro__]


def exit_code(error: BaseException) -> int:
    """The code of design section 5 that an error leads to; 70 for those nobody foresaw."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        return USAGE
    return next((CODES[name] for name in full_names(error) if name in CODES), INTERNAL)


def _usage_sentence(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        options = (
            [name for param in error.ctx.command.params for name in param.opts] if error.ctx else []
        )
        return unknown("option", error.option_name, options)
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def sentence(error: BaseException) -> str:
    """The error as one line for people."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted"
    if isinstance(error, click.ClickException):
        text = _usage_sentence(error)
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        return f"{text} (try `{path} --help`)" if path else text
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}the system refused: {error.strerror.lower()}"
    if exit_code(error) == INTERNAL:
        return f"internal: {type(error).__name__}: {error}"
    return str(error)


def _keep_traceback(error: BaseException) -> str:
    """Write the traceback to a file of its own; returns where."""
    descriptor, path = tempfile.mkstemp(prefix="joulemark-", suffix=".traceback.txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        traceback.print_exception(error, file=file)
    return path


def _report(error: BaseException, code: int, arguments: Sequence[str]) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return
    message = one_line(sentence(error))
    if "--debug" in arguments:
        traceback.print_exception(error, file=sys.stderr)
    elif code == INTERNAL:
        message += f"; the traceback is in {_keep_traceback(error)}"
    click.echo(f"error: {message}", err=True)
    if "--json" in arguments:
        body = {"exit_code": code, "kind": KINDS[code], "message": message}
        click.echo(json.dumps({"error": body, "format": 1}, sort_keys=True, indent=1))


def _drop_stdout() -> None:
    """Nobody reads standard output any more; what is left in the buffer goes nowhere."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)


def guarded(call: Callable[[], Any], arguments: Sequence[str]) -> int:
    """Run a verb; returns its exit code, whatever happens."""
    try:
        code = call()
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence
        code = exit_code(error)
        _report(error, code, arguments)
    return code if isinstance(code, int) else OK
