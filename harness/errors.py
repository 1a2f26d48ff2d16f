"""Exit codes of the command line, and the base class of errors that lead to them."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a `joulemark` command exits with."""

    OK = 0
    TARGET_MISSED = 1
    """A run did not reach its target, or a repetition decides nothing."""
    USAGE = 2
    """The command line is wrong."""
    INVALID = 3
    """A submission, ruleset, bundle or other input is invalid."""
    GATE = 4
    """A requested gate failed."""
    UNTRUSTED = 5
    """A measurement cannot be trusted."""
    MISSING = 6
    """A requested meter, launcher, data set or package is missing."""
    OVER_BUDGET = 7
    """A run exceeded its budget."""
    INTERNAL = 70
    """An error that the program does not expect."""
    INTERRUPTED = 130


class JouleMarkError(Exception):
    """An expected error; its message says what is wrong, where, and what to do."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID
