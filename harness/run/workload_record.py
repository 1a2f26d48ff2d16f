"""The workload as run.json records it: its version, its data, its target."""

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path

from harness.api import Splits
from harness.records import DataState, Workload
from harness.registry import Plugin
from harness.run.judge import examples_of
from harness.run.order import Order

WORKLOADS_PACKAGE = "workloads"


def _imports(source: str) -> Iterator[str]:
    """Dotted modules that a source names in its imports, at any depth."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _defining_files(path: Path, package: str) -> set[Path]:
    """A workload's file and every file of its package that it imports, directly or not."""
    files = {path}
    waiting = [path]
    while waiting:
        for name in _imports(waiting.pop().read_text(encoding="utf-8")):
            origin = _origin(name) if name.partition(".")[0] == package else None
            if origin is not None and origin not in files:
                files.add(origin)
                waiting.append(origin)
    return files


def _origin(module: str) -> Path | None:
    """The file of a module, without an import: models would load torch."""
    name, *rest = module.split(".")
    spec = importlib.util.find_spec(name)
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return Path(spec.origin) if spec and spec.origin else None


def workload_version(path: Path) -> str:
    """First 12 hex digits of SHA-256 over everything that defines a workload.

    These are its own file and every module of the workloads package that it imports: a changed
    generator, model, metric or target makes older scores stale.
    """
    files = _defining_files(path, WORKLOADS_PACKAGE)
    # Sorted by content, so that the names of folders have no influence.
    parts = sorted(file.name.encode() + b"\0" + file.read_bytes() + b"\0" for file in files)
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def plugin_file(plugin: Plugin) -> Path:
    """The file of a plug-in, whether it was found as a file or through an entry point."""
    return plugin.source.path or Path(inspect.getfile(type(plugin.value)))


def workload_record(order: Order, splits: Splits) -> Workload:
    """The workload, target and data of this run."""
    spec = order.entry.workload
    return Workload(
        name=spec.name,
        version=workload_version(plugin_file(order.entry.plugin)),
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
    """Where packed or marked data came from; None for data that come with the workload."""
    marks = {name: bool(splits.facts.get(name, 0.0)) for name in ("partial", "synthetic")}
    if splits.manifest_sha256 is None and not any(marks.values()):
        return None
    return DataState(manifest_sha256=splits.manifest_sha256, **marks)
