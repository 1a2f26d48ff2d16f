"""One run as ordered: everything that was decided before it starts."""

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from harness.api import Splits, WorkloadSpec
from harness.measure.choice import MeterChoice
from harness.plugins import Launcher
from harness.records import DataState, MeterStatus, Ruleset, Run, SeedPair, TuningTrial, Workload
from harness.registry import Plugin
from harness.run.judge import examples_of
from harness.run.submission import Source

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

WORKLOADS_PACKAGE = "workloads"

Provenance = Literal["self", "witnessed", "organizer"]
"""Who runs it."""


class Progress(NamedTuple):
    """Live figures, for the display alone."""

    run_index: int
    run_count: int
    t_s: float
    """Seconds since the gun."""
    budget_s: float
    watts: float | None
    joules: float | None
    """Since the gun."""
    method: str | None
    """The weakest method behind the two."""
    snapshots: int


class Watcher(Protocol):
    """Who looks on: the command line's display, or a test."""

    def phase(self, text: str) -> None:
        """A new phase began."""
        ...

    def progress(self, progress: Progress) -> None:
        """Live figures; at most once a second."""
        ...


class RunResult(NamedTuple):
    """A finished run and where its bundle lies."""

    run: Run
    bundle: Path
    is_reference: bool = False
    """Whether it is the reference's half of an interleaved pair."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """Everything that one run needs to know."""

    workload: WorkloadSpec
    plugin: Plugin
    """Where the workload was found; the sandbox loads it from there."""
    source: Source
    ruleset: Ruleset
    seeds: SeedPair
    choice: Sequence[MeterChoice]
    meters: tuple[MeterStatus, ...]
    """Every meter plug-in with its availability."""
    launcher_name: str
    launcher: Launcher
    launcher_reason: str
    results: Path
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    tuning: TuningTrial | None = None
    """How these came about; None where nothing is tuned."""
    price_usd_per_h: float | None = None
    provenance: Provenance = "self"
    interleaved_with: str = ""
    """The submission whose runs alternate with these; empty where none do."""
    is_reference: bool = False
    """Whether this is the reference's half of an interleaved pair."""
    overtime_s: float = 0.0
    """Seconds between the budget that the submission is told and its end; rehearsals alone."""
    key: "Ed25519PrivateKey | None" = field(default=None, repr=False)
    """Signs the bundle; None leaves it unsigned."""
    index: int = 0
    count: int = 1

    @property
    def window_s(self) -> float:
        """Seconds after the gun at which it is killed."""
        return self.budget_s + self.overtime_s

    @property
    def budget_s(self) -> float:
        """Length of the run window."""
        rules = self.ruleset.run
        alone = self.tuning is not None and self.tuning.mode == "self"
        ratio = rules.budget_ratio * (rules.self_tuning_budget_ratio if alone else 1.0)
        own_s = self.workload.budget_s * ratio
        return own_s if rules.budget_s is None else rules.budget_s

    @property
    def threads(self) -> int:
        """Threads that the submission is told to use."""
        return self.source.file.threads or self.workload.threads


def _imports(source: str) -> Iterator[str]:
    """Dotted modules that a source names in its imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _defining_files(path: Path, package: str) -> set[Path]:
    """A workload's file and every file of its package that it imports, directly or not."""
    found = {path}
    waiting = [path]
    while waiting:
        for name in _imports(waiting.pop().read_text(encoding="utf-8")):
            if name.partition(".")[0] != package:
                continue
            origin = _origin(name)
            if origin is not None and origin not in found:
                found.add(origin)
                waiting.append(origin)
    return found


def _origin(module: str) -> Path | None:
    """The file of a module, found without importing anything: models would load torch."""
    name, *rest = module.split(".")
    spec = importlib.util.find_spec(name)
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec and spec.origin else None


def workload_version(path: Path) -> str:
    """First 12 hex digits of SHA-256 over what defines a workload.

    That is its own file and every module of the workloads' package that it draws in: a changed
    generator, model, metric or target makes older scores stale.
    """
    files = _defining_files(path, WORKLOADS_PACKAGE)
    # Sorted as they are hashed, so that no folder's name has a say.
    parts = sorted(file.name.encode() + b"\0" + file.read_bytes() + b"\0" for file in files)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def plugin_file(plugin: Plugin) -> Path:
    """The file of a plug-in, whether it was found as a file or through an entry point."""
    return plugin.source.path or Path(inspect.getfile(type(plugin.value)))


def workload_record(order: Order, splits: Splits) -> Workload:
    """The workload as it stands for this run."""
    spec = order.workload
    return Workload(
        name=spec.name,
        version=workload_version(plugin_file(order.plugin)),
        domain=spec.domain,
        secrecy=spec.secrecy,
        metric=spec.metric.name,
        better=spec.metric.better,
        metric_unit=spec.metric.unit,
        target=spec.target.value,
        target_version=spec.target.version,
        budget_s=order.budget_s,
        threads=order.threads,
        test_examples=examples_of(splits),
        data=data_state(splits),
    )


def data_state(splits: Splits) -> DataState | None:
    """Where packed or marked data came from; None for those that come with the workload."""
    marks = {name: bool(splits.facts.get(name, 0.0)) for name in ("partial", "synthetic")}
    if splits.manifest_sha256 is None and not any(marks.values()):
        return None
    return DataState(manifest_sha256=splits.manifest_sha256, **marks)
