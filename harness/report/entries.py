"""Entries: a score with its page, its runs and its places on leaderboards."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

from harness.bundle import MANIFEST, Bundle, BundleError
from harness.clock import NS_PER_S
from harness.prizes._board import ANY_MACHINE
from harness.records import (
    Evaluation,
    Event,
    Figure,
    Leaderboard,
    Machine,
    Run,
    RunScore,
    Score,
    Standing,
    Unranked,
)
from harness.report.text import UniqueNames
from harness.score.bridge import COST_RANGE

Content = TypeVar("Content")

PRIZE_ORDER = ("energy", "speed")
"""Prizes that pages show first."""


class BoardKey(NamedTuple):
    """What entries of one board have in common."""

    workload: str
    version: str
    machine: str
    ruleset: str
    division: str = ""


def board_key_of(item: Score | Leaderboard) -> BoardKey:
    """Return the key of a score's boards, or of a board."""
    entry = item.entry if isinstance(item, Score) else item
    ruleset = item.rules.ruleset if isinstance(item, Score) else item.ruleset
    place = (entry.workload, entry.workload_version, entry.machine)
    return BoardKey(*place, ruleset, entry.division)


class Placement(NamedTuple):
    """Place of an entry on one board; not ranked where there is no standing."""

    board: Leaderboard
    standing: Standing | None
    unranked: Unranked | None

    @property
    def reason(self) -> str:
        """The reason it is not ranked; empty where it is ranked."""
        if self.standing is not None:
            return ""
        return self.unranked.reason if self.unranked else "not on this board"


@dataclass(frozen=True)
class EntryRun:
    """One run of an entry: its score, and its bundle, which is read on demand."""

    score: RunScore
    folder: Path

    @cached_property
    def _bundle(self) -> Bundle | None:
        try:
            return Bundle(self.folder)
        except BundleError:
            return None

    def _read(self, read: Callable[[Bundle], Content]) -> Content | None:
        try:
            return read(self._bundle) if self._bundle else None
        except (BundleError, OSError):
            return None

    @cached_property
    def run(self) -> Run | None:
        """The record of the run; None where the bundle cannot be read."""
        return self._read(lambda bundle: bundle.run)

    @property
    def fault(self) -> str:
        """The reason the bundle cannot be read; empty where it can."""
        if self._bundle is None:
            return f"no sealed bundle at {self.score.bundle}"
        try:
            _ = self._bundle.run
        except BundleError as error:
            return str(error).replace(str(self.folder), self.score.bundle)
        return ""

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """Metric of each snapshot."""
        return self._read(lambda bundle: bundle.evaluation)

    @cached_property
    def machine(self) -> Machine | None:
        """The machine before and after the run."""
        return self._read(lambda bundle: bundle.machine)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events of the run; empty where they cannot be read."""
        return self._read(lambda bundle: tuple(bundle.events())) or ()

    @property
    def trace_path(self) -> Path | None:
        """File of the raw readings; None for runs without a meter."""
        return self._bundle.trace_path if self._bundle else None

    @property
    def raw_files(self) -> tuple[Path, ...]:
        """Files that the site offers for download: the raw readings and the manifest."""
        files = (self.trace_path, self.folder / MANIFEST if self._bundle else None)
        # A link in a bundle could lead to any file of this machine.
        return tuple(path for path in files if path and path.is_file() and not path.is_symlink())

    def stop_ns(self) -> int | None:
        """Return the end of the score window; without a scored snapshot, the end of the run."""
        if self.run is None:
            return None
        window, time_s = self.run.window, self.score.time_s
        if window.gun_ns is None or window.end_ns is None or time_s is None:
            return window.end_ns
        return round(min(window.gun_ns + time_s * NS_PER_S, window.end_ns))


@dataclass(frozen=True)
class Entry:
    """A score with everything that its page needs."""

    score: Score
    path: str
    """Path of its page, relative to the site."""
    runs: tuple[EntryRun, ...]
    places: dict[str, Placement] = field(default_factory=dict)
    """By prize."""

    @property
    def board_key(self) -> BoardKey:
        """What the entry has in common with those it is ranked with."""
        return board_key_of(self.score)

    @property
    def anchor(self) -> str:
        """Id of its row on a board."""
        return Path(self.path).stem

    @property
    def title(self) -> str:
        """Title of the submission, or its name."""
        return self.score.entry.title or self.score.entry.submission

    def standing(self, prize: str) -> Standing | None:
        """Return the place on the board of a prize; None where it is not ranked."""
        place = self.places.get(prize)
        return place.standing if place else None

    def cost(self, prize: str) -> Figure | None:
        """Return the energy for the prize `energy`, otherwise the time."""
        score = self.score
        return score.costs.energy_to_target_j if prize == "energy" else score.costs.time_to_target_s

    def opened(self) -> "Entry":
        """Return a copy with unread bundles, so that what a page reads is freed after it."""
        return replace(self, runs=tuple(EntryRun(run.score, run.folder) for run in self.runs))

    @cached_property
    def shown_run(self) -> EntryRun | None:
        """The first readable run; pages show its machine, software and isolation."""
        return next((run for run in self.runs if run.run is not None), None)


def order_of(score: Score) -> tuple[str, ...]:
    """Return the sort key of entries."""
    return (*board_key_of(score), score.entry.submission, score.entry.sha256)


def all_positive(score: Score) -> bool:
    """Whether every known cost of a score and its runs is positive, so that it has a logarithm."""
    costs = score.costs
    figures = (costs.energy_to_target_j, costs.time_to_target_s, costs.steps_to_target)
    values = [figure.value if figure else None for figure in (*figures, costs.cost_to_target_usd)]
    for run in (*score.runs, *score.trials):
        values += [run.energy.energy_j, run.time_s, run.step]
    return all(value is None or COST_RANGE[0] < value < COST_RANGE[1] for value in values)


def _is_row_of(row: Standing | Unranked, score: Score) -> bool:
    # Two versions of one submission have one name, and are printed as `name@digest`.
    names = (score.entry.submission, f"{score.entry.submission}@{score.entry.sha256[:8]}")
    version = row.entry.sha256 or score.entry.sha256
    return row.entry.submission in names and version == score.entry.sha256


def group_by_board(entries: Iterable[Entry]) -> dict[BoardKey, list[Entry]]:
    """Return entries by the board that they are ranked on, sorted by board."""
    groups: dict[BoardKey, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.board_key, []).append(entry)
    return dict(sorted(groups.items()))


class Boards:
    """The leaderboards by their key."""

    def __init__(self, boards: Iterable[Leaderboard]) -> None:
        self._by_key: dict[BoardKey, list[Leaderboard]] = {}
        for board in boards:
            self._by_key.setdefault(board_key_of(board), []).append(board)

    def on(self, key: BoardKey) -> dict[str, Leaderboard]:
        """Return the boards with a key by prize: energy, speed, then others by name."""
        boards = {board.prize: board for board in self._by_key.get(key, [])}
        first = [prize for prize in PRIZE_ORDER if prize in boards]
        return {prize: boards[prize] for prize in dict.fromkeys([*first, *sorted(boards)])}

    def of_machines(self, workload: str) -> Iterator[Leaderboard]:
        """Yield the boards of a workload on which machines compete, sorted."""
        for key, boards in sorted(self._by_key.items()):
            if (key.workload, key.machine) == (workload, ANY_MACHINE):
                yield from sorted(boards, key=lambda board: (board.prize, board.model_dump_json()))

    def places(self, score: Score) -> dict[str, Placement]:
        """Return the places of a score by prize."""
        places = {}
        for prize, board in self.on(board_key_of(score)).items():
            standing = next((row for row in board.standings if _is_row_of(row, score)), None)
            unranked = next((row for row in board.unranked if _is_row_of(row, score)), None)
            places[prize] = Placement(board, standing, None if standing else unranked)
        return places


def entries_of(scores: Sequence[Score], boards: Boards, results: Path) -> tuple[Entry, ...]:
    """Return every score as an entry with a page of its own, sorted."""
    names = UniqueNames()
    entries = []
    for score in sorted(scores, key=order_of):
        ref = score.entry
        name = names.take(ref.workload, ref.submission, ref.machine, tag=ref.sha256)
        runs = tuple(EntryRun(run, results / run.bundle) for run in score.runs)
        entries.append(Entry(score, f"entry/{name}.html", runs, boards.places(score)))
    return tuple(entries)
