"""What is decided before a run starts: the entry, the rig, the rules, the place in the series."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from harness.api import WorkloadSpec
from harness.measure.choice import MeterChoice
from harness.plugins import Launcher
from harness.records import MeterStatus, Ruleset, Run, SeedPair, TuningTrial
from harness.registry import Plugin
from harness.run.freeze import FrozenSource

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Provenance = Literal["self", "witnessed", "organizer"]
"""Who runs it."""


class Progress(NamedTuple):
    """Live values for the display; they are not stored."""

    run_index: int
    run_count: int
    t_s: float
    """Seconds since the start signal."""
    budget_s: float
    watts: float | None
    joules: float | None
    """Since the start signal."""
    method: str | None
    """The weakest method behind the two."""
    snapshots: int


class Watcher(Protocol):
    """A display that is informed while a run is in progress."""

    def phase(self, text: str) -> None:
        """A new phase began."""
        ...

    def progress(self, progress: Progress) -> None:
        """Live values; at most once a second."""
        ...


class RunResult(NamedTuple):
    """A finished run and the folder of its bundle."""

    run: Run
    bundle: Path
    is_reference: bool = False
    """Whether it is the reference's half of an interleaved pair."""


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """What is run: a submission on a workload."""

    workload: WorkloadSpec
    plugin: Plugin
    """Where the workload was found; the sandbox loads it from there."""
    source: FrozenSource
    hyperparameters: dict[str, Any]
    """Of submission.toml, the command line and the tuning trial, already merged."""
    tuning: TuningTrial | None = None
    """The trial that drew the hyperparameters; None without tuning."""


@dataclass(frozen=True, kw_only=True)
class Rig:
    """What a run is made with, and where its bundle goes."""

    choice: Sequence[MeterChoice]
    meters: tuple[MeterStatus, ...]
    """Every meter plug-in with its availability."""
    launcher_name: str
    launcher: Launcher
    launcher_reason: str
    results: Path
    price_usd_per_h: float | None = None
    key: "Ed25519PrivateKey | None" = field(default=None, repr=False)
    """Signs the bundle; None leaves it unsigned."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run of a series."""

    entry: RunEntry
    rig: Rig
    ruleset: Ruleset
    seeds: SeedPair
    provenance: Provenance = "self"
    overtime_s: float = 0.0
    """Seconds between the budget that the submission is told and its end; only in dry runs."""
    interleaved_with: str = ""
    """The submission whose runs alternate with these; empty if none does."""
    is_reference: bool = False
    """Whether this is the reference's half of an interleaved pair."""
    index: int = 0
    count: int = 1

    @property
    def budget_s(self) -> float:
        """Length of the run window, in seconds."""
        rules, tuning = self.ruleset.run, self.entry.tuning
        if rules.budget_s is not None:
            return rules.budget_s
        tunes_itself = tuning is not None and tuning.mode == "self"
        ratio = rules.budget_ratio * (rules.self_tuning_budget_ratio if tunes_itself else 1.0)
        return self.entry.workload.budget_s * ratio

    @property
    def window_s(self) -> float:
        """Seconds after the start signal at which the submission is killed."""
        return self.budget_s + self.overtime_s

    @property
    def threads(self) -> int:
        """Threads that the submission should use."""
        return self.entry.source.file.threads or self.entry.workload.threads
