"""The shape of a format plug-in: what it reads, what it writes, and how it says what is wrong."""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from harness.errors import JouleMarkError

if TYPE_CHECKING:  # pydantic takes long to load, and the sampler process must not load it
    from harness.records import Finding, ImportedRun, ImportedScore, ImportedStanding, Ruleset


class FormatError(JouleMarkError, ValueError):
    """A path of which nothing at all can be read: the message says why, and what was expected."""


class Archive(NamedTuple):
    """What an archive holds."""

    runs: "list[ImportedRun]"
    findings: "list[Finding]"
    """About files that gave no run, and about the archive as a whole."""


class Outcome(NamedTuple):
    """Scores of imported runs under the rules of their own field."""

    scores: "tuple[ImportedScore, ...]"
    leaderboard: "tuple[ImportedStanding, ...]"
    findings: "tuple[Finding, ...]"


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What is to be written, and where it comes from."""

    results: Path
    """Folder of bundles, or one bundle."""
    scores: Callable[[], Mapping[str, Any]]
    """The document of `joulemark score --json` for that folder, computed when asked for."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Values of `--option KEY=VALUE`."""


class Export(NamedTuple):
    """Files to be written, by their path below the folder that the user names."""

    files: dict[str, bytes]
    findings: "list[Finding]"
    """About what could not be written."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format plug-in: `FORMAT` in `formats/<name>.py`; it reads, scores, writes, or all three."""

    name: str
    title: str
    read: Callable[[Path], Archive] | None = None
    """Read an archive.

    Raises:
        FormatError: there is nothing of this format at the path.
    """
    score: "Callable[[Sequence[ImportedRun], Ruleset], Outcome] | None" = None
    """Score imported runs under a ruleset with a section `imported` for this format.

    Raises:
        ValueError: a constant of the ruleset cannot be read.
    """
    write: Callable[[ExportRequest], Export] | None = None
    """Write results in this format.

    Raises:
        FormatError: nothing there can be written in it.
    """


def deferred(module: str, function: str) -> Callable[..., Any]:
    """A function of a module that is imported at the first call.

    Readers and scorers load numpy, pandas or scipy; finding or listing formats should not.
    """

    def call(*arguments: Any) -> Any:
        return getattr(importlib.import_module(module), function)(*arguments)

    return call


def make_finding(
    rule: str, message: str, level: Literal["info", "warn", "fail"] = "warn", advice: str = ""
) -> "Finding":
    """A finding of an importer or exporter; the rule's id starts with the format's name."""
    from harness.records import Finding

    return Finding(rule=rule, level=level, message=message, advice=advice)


def require_path(path: Path, expected: str) -> None:
    """Refuse a path that is not there.

    Raises:
        FormatError: nothing is at the path.
    """
    if not path.exists():
        raise FormatError(f"{path}: no such file or folder; expected {expected}")


def require_runs(archive: Archive, path: Path, expected: str) -> Archive:
    """The archive, unless neither a run nor a reason is in it.

    Raises:
        FormatError: nothing of the format was found.
    """
    if not archive.runs and not archive.findings:
        raise FormatError(f"{path}: nothing to import; expected {expected}")
    return archive


def run_key(run: "ImportedRun") -> tuple[str, str, str, str]:
    """What identifies an imported run: submission, machine, workload and run."""
    return run.submission, run.machine, run.workload, run.run


def sorted_runs(runs: "Iterable[ImportedRun]") -> "list[ImportedRun]":
    """Runs in an order that does not depend on the order of files on disk."""
    return sorted(runs, key=run_key)
