"""A cache of scored runs in one SQLite file, which a user may delete at any time.

An entry is valid while the bundle's manifest and the state of its files, the ruleset, the checks
and the harness's own sources are unchanged. Otherwise the bundle is read and checked again.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from harness.bundle import MANIFEST, TRACE, harness_sha256
from harness.records import Ruleset
from harness.registry import discover
from harness.score.run.cost import ScoredRun

FILES = (
    MANIFEST,
    "run.json",
    "machine.json",
    "eval.json",
    "events.jsonl",
    "ruleset.toml",
    TRACE,
)
"""Files that a score depends on."""

LOCK_TIMEOUT_S = 5.0
"""Time to wait for another process that writes."""

SCHEMA = """CREATE TABLE IF NOT EXISTS runs
  (place TEXT, bundle BLOB, state TEXT, ruleset TEXT, run TEXT, PRIMARY KEY (place, bundle))"""


def cache_folder() -> Path:
    """`$JOULEMARK_CACHE`, else `$XDG_CACHE_HOME/joulemark/scores`, else below `~/.cache`."""
    if own := os.environ.get("JOULEMARK_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "joulemark" / "scores"


def files_state(folder: Path) -> str:
    """Size, times and inode of each file that a score depends on."""
    return " ".join(_file_state(f"{folder}/{name}") for name in FILES)


def _file_state(path: str) -> str:
    try:
        stat = os.stat(path)  # noqa: PTH116 - called seven times for each of ten thousand bundles
    except OSError:
        return "-"
    return f"{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ctime_ns}.{stat.st_ino}"


def sha256(text: str) -> str:
    """SHA-256 of a text, which may be a path with undecodable bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _source_digests() -> Iterator[str]:
    """Digests of the harness and of the checks, which may be plug-ins outside it."""
    yield harness_sha256()
    for plugin in discover("checks"):
        path = plugin.source.path
        yield hashlib.sha256(path.read_bytes()).hexdigest() if path else plugin.source.origin


class ScoreCache:
    """The scored runs of one results folder under one ruleset.

    A file that cannot be read counts as empty, and one that cannot be written stays unchanged.
    """

    def __init__(self, results: Path, ruleset: Ruleset | None) -> None:
        """Read the entries.

        Args:
            results: Folder that the bundles' paths are relative to.
            ruleset: Rules that are applied; None: each run's own.
        """
        rules = ruleset.model_dump_json() if ruleset else "as-run"
        self._place = sha256(f"{results.absolute()}\0{rules}")
        self._sources = sha256("\0".join(_source_digests()))
        self._path = cache_folder() / "scores.sqlite3"
        self._rows: dict[bytes, tuple[str, str, str]] = {}
        self._rulesets: dict[str, Ruleset] = {}
        self._new: list[tuple[str, bytes, str, str, str]] = []
        try:
            self._read()
        except sqlite3.Error as error:
            if type(error) is sqlite3.DatabaseError:  # damaged; subclasses mean locked, unreadable
                self._path.unlink(missing_ok=True)

    def _read(self) -> None:
        if not self._path.exists():
            return
        with closing(sqlite3.connect(self._path, timeout=LOCK_TIMEOUT_S)) as base:
            base.execute(SCHEMA)
            query = "SELECT bundle, state, ruleset, run FROM runs WHERE place = ?"
            self._rows = {row[0]: row[1:] for row in base.execute(query, (self._place,))}

    def get(
        self, folder: Path, state: str, manifest_sha256: str
    ) -> tuple[ScoredRun, Ruleset] | None:
        """The scored run of a bundle with its ruleset; None where there is no valid entry.

        Args:
            folder: The bundle.
            state: `files_state` of it now.
            manifest_sha256: Its identity.
        """
        row = self._rows.get(os.fsencode(folder))
        if row is None or row[0] != f"{self._sources} {manifest_sha256} {state}":
            return None
        _, rules, run = row
        try:
            if rules not in self._rulesets:  # thousands of runs share a few rulesets
                self._rulesets[rules] = Ruleset.model_validate_json(rules)
            return ScoredRun.model_validate_json(run), self._rulesets[rules]
        except ValidationError:
            return None

    def put(self, folder: Path, state: str, run: ScoredRun, ruleset: Ruleset) -> None:
        """Add an entry; `save` writes it.

        Args:
            folder: The bundle.
            state: `files_state` of it before it was read.
            run: Its score.
            ruleset: The rules it was scored under.
        """
        state = f"{self._sources} {run.score.manifest_sha256} {state}"
        texts = (ruleset.model_dump_json(), run.model_dump_json())
        self._new.append((self._place, os.fsencode(folder), state, *texts))

    def save(self) -> None:
        """Write the new entries; an error is ignored, since the cache only saves time."""
        if not self._new:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT_S)
            with closing(connection) as base, base:
                base.execute(SCHEMA)
                base.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", self._new)
        except (OSError, sqlite3.Error):
            return
