"""Runs that were scored before, kept in a folder that anybody may delete.

What is kept depends on the bundle's manifest, the ruleset, the checks and the scorer's own sources;
with any of them changed it is scored again. A file that was touched since is read and checked anew.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from harness.bundle import MANIFEST, TRACE, harness_sha256
from harness.records import Domain, Record, Ruleset, RunScore, Submission, Workload
from harness.registry import discover
from harness.rules.load import RulesetError, as_toml, read_resolved
from harness.storage import write_file

READ = (
    MANIFEST,
    "run.json",
    "machine.json",
    "eval.json",
    "events.jsonl",
    "ruleset.toml",
    TRACE,
)
"""Files that a score depends on."""


class Kept(Record):
    """What scoring one bundle gave."""

    score: RunScore
    workload: Workload
    submission: Submission
    machine: str
    ruleset: str
    """Digest of the ruleset's text."""
    examples: int
    domains: tuple[Domain, ...]


class Line(NamedTuple):
    """One line of the file: a bundle, or the text of a ruleset."""

    key: str
    marks: str
    """Sizes and times of the files that were read."""
    text: str


def cache_folder() -> Path:
    """`$JOULEMARK_CACHE`, else `$XDG_CACHE_HOME/joulemark/scores`, else below `~/.cache`."""
    if own := os.environ.get("JOULEMARK_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(base) / "joulemark" / "scores"


def marks_of(folder: str) -> str:
    """Size, times and place on the disk of each file that a score depends on."""
    return " ".join(_mark(f"{folder}/{name}") for name in READ)


def _mark(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - seven of them for each of ten thousand bundles
    except OSError:
        return "-"
    return f"{found.st_size}.{found.st_mtime_ns}.{found.st_ctime_ns}.{found.st_ino}"


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _scorer() -> Iterator[str]:
    """Digests of the harness and of the checks, which may lie outside it."""
    yield harness_sha256()
    for item in discover("checks"):
        path = item.source.path
        yield hashlib.sha256(path.read_bytes()).hexdigest() if path else item.source.origin


class ScoreCache:
    """The scores of one results folder under one ruleset; without a readable file, empty."""

    def __init__(self, results: Path, ruleset: Ruleset | None) -> None:
        """Read what is kept.

        Args:
            results: Folder that bundles are told relative to.
            ruleset: Rules that are applied; None: to each run those that it ran under.
        """
        rules = as_toml(ruleset) if ruleset else "as-run"
        name = digest("\0".join((str(results.absolute()), rules, *_scorer())))
        self._path = cache_folder() / f"{name[:32]}.txt"
        self._lines = dict(_read(self._path))
        self._used: dict[str, Line] = {}
        self._rulesets: dict[str, Ruleset] = {}
        self._digests: dict[int, str] = {}
        self._new = False

    def get(self, folder: str, marks: str, manifest_sha256: str) -> tuple[Kept, Ruleset] | None:
        """What was kept of a bundle; None where there is nothing, or a file was touched.

        Args:
            folder: The bundle.
            marks: Of its files, as they are now.
            manifest_sha256: Its identity.
        """
        line = self._lines.get(f"{manifest_sha256} {folder}")
        if line is None or line.marks != marks:
            return None
        try:
            kept = Kept.model_validate_json(line.text)
            rules = self._ruleset(kept.ruleset)
        except (ValidationError, RulesetError, KeyError):
            return None
        self._used[line.key] = line
        return kept, rules

    def _ruleset(self, sha256: str) -> Ruleset:
        if sha256 not in self._rulesets:
            line = self._lines[sha256]
            if digest(line.text) != sha256:
                raise RulesetError("the text of a kept ruleset was altered")
            self._rulesets[sha256] = read_resolved(line.text.replace("\0", "\n"), "cache")
            self._used[sha256] = line
        return self._rulesets[sha256]

    def ruleset_digest(self, ruleset: Ruleset) -> str:
        """Keep a ruleset's text; returns the digest that `Kept.ruleset` names it by."""
        found = self._digests.get(id(ruleset))
        if found is None:
            text = as_toml(ruleset).replace("\n", "\0")
            found = self._digests[id(ruleset)] = digest(text)
            self._used[found] = Line(found, "", text)
        return found

    def put(self, folder: str, marks: str, kept: Kept) -> None:
        """Keep what scoring a bundle gave.

        Args:
            folder: The bundle.
            marks: Of its files, taken before they were read.
            kept: What is to be kept.
        """
        key = f"{kept.score.manifest_sha256} {folder}"
        if "\t" in key or "\n" in key:
            return
        self._used[key] = Line(key, marks, kept.model_dump_json())
        self._new = True

    def save(self) -> None:
        """Write what was used this time; a folder that cannot be written is none of our worry."""
        if not self._new:
            return
        text = "\n".join("\t".join(line) for line in self._used.values()) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._path, text.encode("utf-8", "surrogatepass"))
        except OSError:
            return


def _read(path: Path) -> Iterator[tuple[str, Line]]:
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
    except (OSError, UnicodeDecodeError):
        return
    for row in text.split("\n"):
        parts = row.split("\t")
        if len(parts) == len(Line._fields):
            yield parts[0], Line(*parts)
