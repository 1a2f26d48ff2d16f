"""`joulemark data`: pack and check the data of official workloads in a local folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import click

from harness.api import DataFault, DataMissing, PackedData
from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import PATH
from harness.cli.printer import Printer
from harness.errors import ExitCode
from harness.records.base import Record
from harness.registry import Plugin, discover, find

VARIABLE = "JOULEMARK_DATA"


class PackedItem(Record):
    """One packed data set."""

    data: str
    """Name of the set and of its folder below the root."""
    workloads: tuple[str, ...]
    state: Literal["ok", "missing", "faulty"]
    reason: str
    """What is missing or wrong, and what to do; empty if nothing is."""
    partial: bool | None
    """Whether the number of rows differs from the published one; None if no set is packed."""
    rows: dict[str, int]
    """Number of rows of each split; `inputs` and `labels` are the hidden test's."""
    packed_bytes: int | None
    """None if no set is packed, or if the files cannot be trusted."""


class DataDocument(Document):
    """`joulemark data`."""

    root: str
    sets: tuple[PackedItem, ...]


root_option = click.option(
    "--to",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=VARIABLE,
    required=True,
    metavar="DIR",
    help=f"The data root; default: the environment variable {VARIABLE}.",
)


def _packed_sets() -> dict[str, tuple[PackedData, list[str]]]:
    """Return each data set and the workloads that use it, by the set's name."""
    sets: dict[str, tuple[PackedData, list[str]]] = {}
    for plugin in discover("workloads"):
        packed = plugin.value.packed if isinstance(plugin, Plugin) else None
        if packed is not None:
            sets.setdefault(packed.name, (packed, []))[1].append(plugin.name)
    return sets


def _item(packed: PackedData, root: Path, manifest: Mapping[str, Any] | None = None) -> PackedItem:
    """Describe a data set by its manifest; without one, check the set first."""
    item = PackedItem(
        data=packed.name,
        workloads=tuple(_packed_sets()[packed.name][1]),
        state="ok",
        reason="",
        partial=None,
        rows={},
        packed_bytes=None,
    )
    try:
        manifest = manifest or packed.check(root)
    except (DataFault, DataMissing) as error:
        state = "faulty" if isinstance(error, DataFault) else "missing"
        return item.model_copy(update={"state": state, "reason": str(error)})
    size = sum(file["size_bytes"] for file in manifest["files"])
    partial, rows = bool(manifest["partial"]), dict(manifest["rows"])
    return item.model_copy(update={"partial": partial, "rows": rows, "packed_bytes": size})


def _show(document: DataDocument, printer: Printer) -> None:
    rows = []
    for item in document.sets:
        size_mb = None if item.packed_bytes is None else item.packed_bytes / 1e6
        partial = {True: "yes", False: "no", None: ""}[item.partial]
        rows.append((item.data, ", ".join(item.workloads), item.state, size_mb, partial))
    printer.table(("data", "workloads", "state", "MB", "partial"), rows, right=("MB",))
    printer.line()
    printer.line(f"data root: {document.root}")
    for item in document.sets:
        if item.reason:
            printer.line(f"{item.data}: {item.reason}", "yellow")


def _result(root: Path, sets: list[PackedItem]) -> CommandResult:
    document = DataDocument(root=str(root), sets=tuple(sets))
    states = {item.state for item in sets}
    code = ExitCode.MISSING if "missing" in states else ExitCode.OK
    code = ExitCode.INVALID if "faulty" in states else code
    return CommandResult(document, _show, code)


@click.group("data")
def command() -> None:
    """Pack and check the data of official workloads in a local folder.

    The folder is the data root, named by --to or JOULEMARK_DATA; each set has a subfolder.
    """


@json_command("prepare", command)
@click.argument("workload")
@click.argument("originals", type=PATH, metavar="FOLDER")
@root_option
@click.option("--partial", is_flag=True, help="Accept an incomplete set, which is marked so.")
def prepare(workload: str, originals: Path, root: Path, *, partial: bool) -> CommandResult:
    """Pack the original files in FOLDER for WORKLOAD below the data root.

    If a file is missing or damaged, nothing is written.
    """
    packed = find("workloads", workload).value.packed
    if packed is None:
        raise click.UsageError(
            f"'{workload}' generates its data or ships with them; there is nothing to prepare"
        )
    manifest = packed.prepare(originals, root, partial=partial)
    return _result(root, [_item(packed, root, manifest)])


@json_command("check", command)
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@root_option
def check(workloads: tuple[str, ...], root: Path) -> CommandResult:
    """Compare the packed data of each WORKLOAD (default: all) with the manifests.

    Exits with 3 if a file differs from its manifest, with 6 if a set is missing.
    """
    wanted = {find("workloads", name).name for name in workloads}
    sets = [
        _item(packed, root)
        for packed, names in _packed_sets().values()
        if not wanted or wanted & set(names)
    ]
    return _result(root, sets)
