"""Finds plug-ins: one file in a folder is enough; one that does not load is listed with its error.

Plug-ins come from the project's own folders, from the folders in `JOULEMARK_PLUGINS` (with
subfolders such as `meters/` or `workloads/`), and from entry points of installed packages
(groups `joulemark.meters`, `joulemark.workloads` and so on).
"""

import difflib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from harness.errors import ExitCode, JouleMarkError

PLUGINS_VARIABLE = "JOULEMARK_PLUGINS"

Style = Literal["module", "toml", "folder"]


@dataclass(frozen=True)
class PluginKind:
    """One kind of plug-in: where its files are and what a file defines."""

    name: str
    packages: tuple[str, ...]
    """Packages whose folders contain the built-in plug-ins."""
    attribute: str
    """Name that a plug-in module must define."""
    style: Style = "module"
    excluded: tuple[str, ...] = ()
    """Public modules of these packages that are not plug-ins."""


KINDS = {
    kind.name: kind
    for kind in (
        PluginKind("meters", ("harness.meters", "harness.powerlogs.meters"), "METER"),
        PluginKind(
            "launchers", ("harness.launchers",), "LAUNCHER", excluded=("choice", "interpreter")
        ),
        PluginKind("workloads", ("workloads.tasks",), "WORKLOAD"),
        PluginKind("submissions", ("workloads.submissions",), "", "folder"),
        PluginKind("rulesets", ("harness.rules", "harness.archives.rulesets"), "", "toml"),
        PluginKind("checks", ("harness.rules.checks",), "CHECK"),
        PluginKind("prizes", ("harness.prizes",), "PRIZE"),
        PluginKind(
            "formats",
            ("harness.formats", "harness.archives.formats", "harness.powerlogs"),
            "FORMAT",
            excluded=(
                "exports",
                "files",
                "format",
                "imported",
                "importing",
                "imports",
                "log",
                "store",
                "table",
                "text",
            ),
        ),
        PluginKind("pages", ("harness.report.pages", "harness.archives.pages"), "PAGE"),
    )
}


class PluginSource(NamedTuple):
    """The location of a plug-in that has not been loaded yet."""

    name: str
    path: Path | None
    """File or folder; None for an entry point."""
    origin: str
    """`built-in`, the plug-in folder, or the distribution."""
    target: str
    """Dotted name of the module to import; empty to load it by path."""


class Plugin(NamedTuple):
    """A plug-in that was loaded."""

    name: str
    value: Any
    source: PluginSource


class Broken(NamedTuple):
    """A plug-in that did not load, with the error."""

    name: str
    error: str
    source: PluginSource


class UnknownPlugin(JouleMarkError, LookupError):
    """No plug-in has that name; the message lists similar names."""

    exit_code = ExitCode.USAGE


class BrokenPlugin(JouleMarkError, RuntimeError):
    """The plug-in exists but does not load; the message says why."""


def plugin_name(stem: str) -> str:
    """The name that users type: `digits-mlp` for the file `digits_mlp.py`."""
    return stem.replace("_", "-")


def package_folder(package: str) -> Path | None:
    """The folder of a package, located without importing it (its parents are imported)."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) if folders else None


def _list_folder(folder: Path, style: Style) -> Iterator[tuple[str, Path]]:
    """Names and paths of the plug-ins in a folder, sorted."""
    if style == "folder":
        for path in sorted(folder.glob("*/submission.toml")):
            yield path.parent.name, path.parent
    else:
        suffix = "*.toml" if style == "toml" else "*.py"
        for path in sorted(folder.glob(suffix)):
            if not path.stem.startswith("_"):
                yield plugin_name(path.stem), path


def plugin_folders() -> tuple[Path, ...]:
    """The folders in `JOULEMARK_PLUGINS`, in order."""
    text = os.environ.get(PLUGINS_VARIABLE, "")
    return tuple(Path(part).resolve() for part in text.split(os.pathsep) if part)


def _built_in(kind: PluginKind) -> Iterator[PluginSource]:
    for package in kind.packages:
        folder = package_folder(package)
        for name, path in _list_folder(folder, kind.style) if folder else ():
            if path.stem not in kind.excluded:
                target = f"{package}.{path.stem}" if kind.style == "module" else ""
                yield PluginSource(name, path, "built-in", target)


def _from_folders(kind: PluginKind) -> Iterator[PluginSource]:
    for root in plugin_folders():
        for name, path in _list_folder(root / kind.name, kind.style):
            yield PluginSource(name, path, str(root), "")


@cache
def _entry_points(group: str) -> tuple[importlib.metadata.EntryPoint, ...]:
    """Entry points of installed packages, read once per process, since that takes a while."""
    return tuple(sorted(importlib.metadata.entry_points(group=group)))


def _from_entry_points(kind: PluginKind) -> Iterator[PluginSource]:
    for point in _entry_points(f"joulemark.{kind.name}"):
        origin = point.dist.name if point.dist else "entry point"
        yield PluginSource(point.name, None, origin, point.value)


def sources(kind_name: str) -> list[PluginSource]:
    """All plug-ins of a kind, not loaded, built-in ones first."""
    kind = KINDS[kind_name]
    return [*_built_in(kind), *_from_folders(kind), *_from_entry_points(kind)]


def _import(source: PluginSource) -> ModuleType:
    if source.target:
        return importlib.import_module(source.target.partition(":")[0])
    assert source.path is not None
    name = f"joulemark_plugins.{source.path.parent.name}.{source.path.stem}"
    spec = importlib.util.spec_from_file_location(name, source.path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{source.path}: not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load(kind: PluginKind, source: PluginSource) -> Any:
    if kind.style != "module":
        return source.path
    module = _import(source)
    attribute = source.target.partition(":")[2] or kind.attribute
    if not hasattr(module, attribute):
        raise AttributeError(f"{source.path or source.target}: defines no {attribute}")
    return getattr(module, attribute)


def locate(source: PluginSource) -> dict[str, str]:
    """The location as plain text, with which another process can load the plug-in."""
    return {"name": source.name, "target": source.target, "path": str(source.path or "")}


def load_target(location: dict[str, str], attribute: str) -> Any:
    """Load the object of a plug-in in another process, from a location of `locate`.

    Raises:
        ImportError: the module does not exist or does not load.
        AttributeError: it does not define the attribute.
    """
    path = Path(location["path"]) if location["path"] else None
    source = PluginSource(location["name"], path, "", location["target"])
    return _load(PluginKind("", (), attribute), source)


def _try(kind: PluginKind, source: PluginSource) -> Plugin | Broken:
    try:
        return Plugin(source.name, _load(kind, source), source)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any error is listed
        text = " ".join(str(error).split()) or "no message"
        return Broken(source.name, f"{type(error).__name__}: {text}", source)


def discover(kind_name: str) -> list[Plugin | Broken]:
    """Load all plug-ins of a kind.

    One that does not load is listed as `Broken`, and so is the second one of the same name.
    """
    plugins: list[Plugin | Broken] = []
    by_name: dict[str, PluginSource] = {}
    for source in sources(kind_name):
        if source.name in by_name:
            first = by_name[source.name]
            error = f"the name is taken by {first.path or first.origin}"
            plugins.append(Broken(source.name, error, source))
            continue
        by_name[source.name] = source
        plugins.append(_try(KINDS[kind_name], source))
    return plugins


def suggestion(name: str, known: list[str]) -> str:
    """`did you mean ...?`, or all known names where none is similar."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are: {', '.join(sorted(known)) or 'none'}"


def find(kind_name: str, name: str) -> Plugin:
    """Load one plug-in by name.

    Raises:
        UnknownPlugin: no plug-in has that name.
        BrokenPlugin: the plug-in does not load.
    """
    known = sources(kind_name)
    source = next((source for source in known if source.name == name), None)
    singular = kind_name.removesuffix("s")
    if source is None:
        hint = suggestion(name, [source.name for source in known])
        raise UnknownPlugin(f"unknown {singular} '{name}': {hint}")
    result = _try(KINDS[kind_name], source)
    if isinstance(result, Broken):
        raise BrokenPlugin(
            f"{singular} '{name}' does not load: {result.error} ({source.path or source.origin})"
        )
    return result
