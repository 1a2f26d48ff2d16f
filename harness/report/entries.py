"""An entry: one submission's score on one workload and machine, with its runs and its places."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from harness.bundle import MANIFEST, Bundle, BundleError
from harness.records import (
    Evaluation,
    Event,
    Leaderboard,
    Machine,
    Run,
    RunScore,
    Score,
    Standing,
    Unranked,
)
from harness.report.slugs import Names

PRIZE_ORDER = ("energy", "speed")
"""The prizes that pages show first."""

ANY_MACHINE = "any"
"""Machine of a board on which machines compete."""


class BoardKey(NamedTuple):
    """What entries must share to be ranked together."""

    workload: str
    version: str
    machine: str
    ruleset: str
    division: str = ""


def board_key_of(source: Score | Leaderboard) -> BoardKey:
    """The key of a score or of a board."""
    if isinstance(source, Leaderboard):
        return BoardKey(
            source.workload,
            source.workload_version,
            source.machine,
            source.ruleset,
            source.division,
        )
    entry = source.entry
    return BoardKey(
        entry.workload,
        entry.workload_version,
        entry.machine,
        source.rules.ruleset,
        entry.division,
    )


class Placement(NamedTuple):
    """Where an entry stands on one board: ranked, or listed with the reason why not."""

    board: Leaderboard
    standing: Standing | None
    unranked: Unranked | None


@dataclass(frozen=True)
class EntryRun:
    """One run of an entry: its score, and its bundle read on demand."""

    score: RunScore
    folder: Path

    @cached_property
    def _bundle(self) -> Bundle | None:
        try:
            return Bundle(self.folder)
        except BundleError:
            return None

    @cached_property
    def _read(self) -> tuple[Run | None, str]:
        if self._bundle is None:
            return None, f"no sealed bundle at {self.score.bundle}"
        try:
            return self._bundle.run, ""
        except BundleError as error:
            return None, str(error).replace(str(self.folder), self.score.bundle)

    @property
    def run(self) -> Run | None:
        """The record of the run; None where the bundle cannot be read."""
        return self._read[0]

    @property
    def fault(self) -> str:
        """Why the bundle could not be read; empty where it could."""
        return self._read[1]

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """Metric of each snapshot."""
        try:
            return self._bundle.evaluation if self._bundle else None
        except BundleError:
            return None

    @cached_property
    def machine(self) -> Machine | None:
        """The machine before and after."""
        try:
            return self._bundle.machine if self._bundle else None
        except BundleError:
            return None

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events of the run; empty where they cannot be read."""
        try:
            return tuple(self._bundle.events()) if self._bundle else ()
        except (BundleError, OSError):
            return ()

    @property
    def trace_path(self) -> Path | None:
        """The raw readings; None for runs without a meter."""
        return self._bundle.trace_path if self._bundle else None

    @property
    def raw_files(self) -> tuple[Path, ...]:
        """Files of the bundle that the site gives away: the raw readings and the manifest."""
        files = (self.trace_path, self.folder / MANIFEST if self._bundle else None)
        # What a link in a bundle leads to is not the bundle's to publish.
        return tuple(path for path in files if path and path.is_file() and not path.is_symlink())


@dataclass(frozen=True)
class Entry:
    """A score with everything that its page needs."""

    score: Score
    path: str
    """Of its page, relative to the site."""
    runs: tuple[EntryRun, ...]
    places: dict[str, Placement] = field(default_factory=dict)
    """By prize."""

    @property
    def board_key(self) -> BoardKey:
        """What it shares with the entries that it is ranked among."""
        return board_key_of(self.score)

    @property
    def anchor(self) -> str:
        """Id of its row on a board."""
        return Path(self.path).stem

    def opened(self) -> "Entry":
        """The same entry with its bundles unread, so that what a page reads is freed after it."""
        runs = tuple(EntryRun(run.score, run.folder) for run in self.runs)
        return replace(self, runs=runs)

    @cached_property
    def shown_run(self) -> EntryRun | None:
        """The run whose machine, software and isolation stand for all: the first readable one."""
        return next((run for run in self.runs if run.run is not None), None)


def order_of(score: Score) -> tuple[str, ...]:
    """Stable order of entries, whatever order the scores came in."""
    return (*board_key_of(score), score.entry.submission, score.entry.sha256)


def _fits(row: Standing | Unranked, score: Score) -> bool:
    """Whether a row of a board is that score's."""
    # Two versions of one submission bear one name, and are printed as `name@digest`.
    names = (score.entry.submission, f"{score.entry.submission}@{score.entry.sha256[:8]}")
    version = row.entry.sha256 or score.entry.sha256
    return row.entry.submission in names and version == score.entry.sha256


def _place(board: Leaderboard, score: Score) -> Placement:
    standing = next((row for row in board.standings if _fits(row, score)), None)
    unranked = next((row for row in board.unranked if _fits(row, score)), None)
    return Placement(board, standing, None if standing else unranked)


class Boards:
    """The leaderboards by what they rank."""

    def __init__(self, boards: Iterable[Leaderboard]) -> None:
        self._by_ground: dict[BoardKey, list[Leaderboard]] = {}
        for board in boards:
            self._by_ground.setdefault(board_key_of(board), []).append(board)

    def on(self, board_key: "BoardKey") -> dict[str, Leaderboard]:
        """Boards of one board_key by prize: energy, speed, then others by name."""
        found = self._by_ground.get(board_key, [])
        order = {prize: number for number, prize in enumerate(PRIZE_ORDER)}
        ordered = sorted(found, key=lambda each: (order.get(each.prize, 99), each.prize))
        return {board.prize: board for board in ordered}

    def of_machines(self, workload: str) -> list[Leaderboard]:
        """Boards of a workload on which machines compete, in stable order."""
        return [
            board
            for board_key, boards in sorted(self._by_ground.items())
            if (board_key.workload, board_key.machine) == (workload, ANY_MACHINE)
            for board in sorted(boards, key=lambda each: (each.prize, each.model_dump_json()))
        ]

    def places(self, score: Score) -> dict[str, Placement]:
        """Where a score stands, by prize."""
        return {
            prize: _place(board, score) for prize, board in self.on(board_key_of(score)).items()
        }


def entries_of(scores: Sequence[Score], boards: Boards, results: Path) -> tuple[Entry, ...]:
    """Every score as an entry with a page of its own, in stable order."""
    names = Names()
    entries = []
    for score in sorted(scores, key=order_of):
        name = names.take(
            score.entry.workload,
            score.entry.submission,
            score.entry.machine,
            tag=score.entry.sha256,
        )
        runs = tuple(EntryRun(run, results / run.bundle) for run in score.runs)
        entries.append(Entry(score, f"entry/{name}.html", runs, boards.places(score)))
    return tuple(entries)
