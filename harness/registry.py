"""Finds plug-ins: a file in a folder is enough; a broken one is listed with its error.

Plug-ins come from the project's own folders, from folders named in `JOULEMARK_PLUGINS`
(each with subfolders as `meters/` or `workloads/`), and from entry points of installed packages
(groups `joulemark.meters`, `joulemark.workloads` ...).
"""

import difflib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

from harness.errors import ExitCode, JouleMarkError

PLUGINS_VARIABLE = "JOULEMARK_PLUGINS"

Style = Literal["module", "toml", "folder"]


@dataclass(frozen=True)
class PluginKind:
    """One sort of plug-in: where its files lie and what each defines."""

    name: str
    packages: tuple[str, ...]
    """Packages whose folders hold the built-in ones."""
    attribute: str
    """Name that a module must define."""
    style: Style = "module"
    beside: tuple[str, ...] = ()
    """Public modules of the packages that are no plug-ins."""


KINDS = {
    kind.name: kind
    for kind in (
        PluginKind("meters", ("harness.meters", "harness.powerlogs.meters"), "METER"),
        PluginKind(
            "launchers", ("harness.launchers",), "LAUNCHER", beside=("choice", "interpreter")
        ),
        PluginKind("workloads", ("workloads.tasks",), "WORKLOAD"),
        PluginKind("submissions", ("workloads.submissions",), "", "folder"),
        PluginKind("methods", ("workloads.methods",), "METHOD"),
        PluginKind("rulesets", ("harness.rules", "harness.archives.rulesets"), "", "toml"),
        PluginKind("checks", ("harness.rules.checks",), "CHECK"),
        PluginKind("prizes", ("harness.prizes",), "PRIZE"),
        PluginKind(
            "formats",
            ("harness.formats", "harness.archives.formats", "harness.powerlogs"),
            "FORMAT",
            beside=("exports", "files", "format", "imported", "imports", "log", "table", "text"),
        ),
        PluginKind("pages", ("harness.report.pages", "harness.archives.pages"), "PAGE"),
    )
}


class PluginSource(NamedTuple):
    """Where a plug-in was found; nothing of it has been loaded yet."""

    name: str
    path: Path | None
    """File or folder; None for an entry point."""
    origin: str
    """`built-in`, the plug-in folder, or the distribution."""
    target: str
    """Dotted module to import, or empty: load by path."""


class Plugin(NamedTuple):
    """A plug-in that loaded."""

    name: str
    value: Any
    source: PluginSource


class Broken(NamedTuple):
    """A plug-in that did not load, and why."""

    name: str
    error: str
    source: PluginSource


class UnknownPlugin(JouleMarkError, LookupError):
    """No plug-in of that name; the message lists near names."""

    exit_code = ExitCode.USAGE


class BrokenPlugin(JouleMarkError, RuntimeError):
    """The plug-in is there but does not load; the message says why."""


def plugin_name(stem: str) -> str:
    """The name that users type: `digits_mlp` becomes `digits-mlp`."""
    return stem.replace("_", "-")


def _package_folder(package: str) -> Path | None:
    """The folder of a package, found without importing it (its parents are imported)."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _entries(folder: Path, style: Style) -> Iterator[tuple[str, Path]]:
    if style == "folder":
        for path in sorted(folder.glob("*/submission.toml")):
            yield path.parent.name, path.parent
    else:
        suffix = "*.toml" if style == "toml" else "*.py"
        for path in sorted(folder.glob(suffix)):
            if not path.stem.startswith("_"):
                yield plugin_name(path.stem), path


def plugin_folders() -> tuple[Path, ...]:
    """Folders named in `JOULEMARK_PLUGINS`, in order."""
    text = os.environ.get(PLUGINS_VARIABLE, "")
    return tuple(Path(part).resolve() for part in text.split(os.pathsep) if part)


def _built_in(kind: PluginKind) -> Iterator[PluginSource]:
    for package in kind.packages:
        folder = _package_folder(package)
        for name, path in _entries(folder, kind.style) if folder else ():
            if path.stem not in kind.beside:
                target = f"{package}.{path.stem}" if kind.style == "module" else ""
                yield PluginSource(name, path, "built-in", target)


def _from_folders(kind: PluginKind) -> Iterator[PluginSource]:
    for root in plugin_folders():
        for name, path in _entries(root / kind.name, kind.style):
            yield PluginSource(name, path, str(root), "")


def _from_entry_points(kind: PluginKind) -> Iterator[PluginSource]:
    for point in sorted(importlib.metadata.entry_points(group=f"joulemark.{kind.name}")):
        origin = point.dist.name if point.dist else "entry point"
        yield PluginSource(point.name, None, origin, point.value)


def sources(kind_name: str) -> list[PluginSource]:
    """Every plug-in of a kind that can be found, built-in ones first, unloaded."""
    kind = KINDS[kind_name]
    return [*_built_in(kind), *_from_folders(kind), *_from_entry_points(kind)]


def _module_of(source: PluginSource) -> ModuleType:
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
    module = _module_of(source)
    attribute = source.target.partition(":")[2] or kind.attribute
    if not hasattr(module, attribute):
        raise AttributeError(f"{source.path or source.target}: defines no {attribute}")
    return getattr(module, attribute)


def locate(source: PluginSource) -> dict[str, str]:
    """Where the plug-in lies, as plain text that another process can load it by."""
    return {"name": source.name, "target": source.target, "path": str(source.path or "")}


def load_target(place: dict[str, str], attribute: str) -> Any:
    """Load a plug-in's object in another process, from what `locate` gave.

    Raises:
        ImportError: the module is not there or does not load.
        AttributeError: it does not define the attribute.
    """
    path = Path(place["path"]) if place["path"] else None
    source = PluginSource(place["name"], path, "", place["target"])
    return _load(PluginKind("", (), attribute), source)


def _try(kind: PluginKind, source: PluginSource) -> Plugin | Broken:
    try:
        return Plugin(source.name, _load(kind, source), source)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plug-in raises is reported
        text = " ".join(str(error).split()) or "no message"
        return Broken(source.name, f"{type(error).__name__}: {text}", source)


def discover(kind_name: str) -> list[Plugin | Broken]:
    """Load every plug-in of a kind; broken ones are in the list, as is a second one of a name."""
    found: list[Plugin | Broken] = []
    taken: dict[str, PluginSource] = {}
    for source in sources(kind_name):
        if source.name in taken:
            error = f"the name is taken by {taken[source.name].path or taken[source.name].origin}"
            found.append(Broken(source.name, error, source))
            continue
        taken[source.name] = source
        found.append(_try(KINDS[kind_name], source))
    return found


def suggestion(name: str, known: list[str]) -> str:
    """`did you mean ...?`, or the whole list where nothing is near."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are: {', '.join(sorted(known)) or 'none'}"


def find(kind_name: str, name: str) -> Plugin:
    """Load one plug-in by name.

    Raises:
        UnknownPlugin: there is none of that name.
        BrokenPlugin: it is there but does not load.
    """
    known = sources(kind_name)
    source = next((item for item in known if item.name == name), None)
    singular = kind_name.removesuffix("s")
    if source is None:
        hint = suggestion(name, [item.name for item in known])
        raise UnknownPlugin(f"unknown {singular} '{name}': {hint}")
    result = _try(KINDS[kind_name], source)
    if isinstance(result, Broken):
        raise BrokenPlugin(
            f"{singular} '{name}' does not load: {result.error} ({source.path or source.origin})"
        )
    return result
