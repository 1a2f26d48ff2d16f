"""`joulemark data`: packs the data of official workloads into a local folder, and checks them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.answer import Answer, answers
from harness.errors import ExitCode

if TYPE_CHECKING:
    from harness.api import PackedData
    from harness.cli.packed import DataDocument, PackedItem
    from harness.cli.page import Page

DOCUMENT = "harness.cli.packed:DataDocument"
VARIABLE = "JOULEMARK_DATA"

root_option = click.option(
    "--to",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=VARIABLE,
    metavar="DIR",
    help=f"The data root; the environment's {VARIABLE} where it is not given.",
)


def _root(given: Path | None) -> Path:
    if given is None:
        raise click.UsageError(f"no data root: give --to DIR or set {VARIABLE}")
    return given


def _packed_sets() -> "dict[str, tuple[PackedData, list[str]]]":
    """Every data set with the workloads that share it, by the set's name."""
    from harness.registry import Plugin, discover

    found: dict[str, tuple[PackedData, list[str]]] = {}
    for item in discover("workloads"):
        packed = item.value.packed if isinstance(item, Plugin) else None
        if packed is not None:
            found.setdefault(packed.name, (packed, []))[1].append(item.name)
    return found


def _item(packed: "PackedData", names: list[str], manifest: Any) -> "PackedItem":
    from harness.cli.packed import PackedItem

    return PackedItem(
        data=packed.name,
        workloads=tuple(names),
        state="ok",
        reason="",
        partial=bool(manifest["partial"]),
        rows=dict(manifest["rows"]),
        packed_bytes=sum(item["size_bytes"] for item in manifest["files"]),
    )


def _checked(packed: "PackedData", names: list[str], root: Path) -> "PackedItem":
    from harness.api import DataFault, DataMissing
    from harness.cli.packed import PackedItem

    try:
        return _item(packed, names, packed.check(root))
    except (DataFault, DataMissing) as error:
        fault = isinstance(error, DataFault)
        return PackedItem(
            data=packed.name, workloads=tuple(names), state="faulty" if fault else "missing",
            reason=str(error), partial=None, rows={}, packed_bytes=None,
        )  # fmt: skip


def _megabytes(size_bytes: int | None) -> float | None:
    return None if size_bytes is None else size_bytes / 1e6


def _show(document: "DataDocument", page: "Page") -> None:
    rows = [
        (item.data, ", ".join(item.workloads), item.state, _megabytes(item.packed_bytes),
         {True: "yes", False: "no", None: ""}[item.partial])
        for item in document.sets
    ]  # fmt: skip
    page.table(("data", "workloads", "state", "MB", "partial"), rows, right=("MB",))
    page.line()
    page.line(f"data root: {document.root}")
    for item in document.sets:
        if item.reason:
            page.line(f"{item.data}: {item.reason}", "yellow")


def _answer(root: Path, sets: "list[PackedItem]") -> Answer:
    from harness.cli.packed import DataDocument

    document = DataDocument(root=str(root), sets=tuple(sets))
    states = {item.state for item in sets}
    code = (
        ExitCode.INVALID
        if "faulty" in states
        else ExitCode.MISSING
        if "missing" in states
        else ExitCode.OK
    )
    return Answer(document, lambda page: _show(document, page), code)


@click.group("data")
def COMMAND() -> None:  # noqa: N802 - the name by which verbs are found
    """Pack and check the data of official workloads, which lie in a local folder.

    The folder is the data root, named by JOULEMARK_DATA; each set has a subfolder there.
    """


@COMMAND.command("prepare")
@click.argument("workload")
@click.argument("originals", type=click.Path(path_type=Path), metavar="FOLDER")
@root_option
@click.option("--partial", is_flag=True, help="Accept a set that is not whole; marked for good.")
@answers
def prepare(workload: str, originals: Path, root: Path | None, partial: bool) -> Answer:  # noqa: FBT001
    """Pack the original files in FOLDER for WORKLOAD below the data root.

    Whole or not at all: where a file is missing or damaged, nothing stays behind.
    """
    from harness.registry import find

    packed = find("workloads", workload).value.packed
    if packed is None:
        raise click.UsageError(
            f"'{workload}' brings or makes its data itself; there is nothing to prepare"
        )
    place = _root(root)
    manifest = packed.prepare(originals, place, partial=partial)
    return _answer(place, [_item(packed, _packed_sets()[packed.name][1], manifest)])


@COMMAND.command("check")
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@root_option
@answers
def check(workloads: tuple[str, ...], root: Path | None) -> Answer:
    """Hash the packed data of each WORKLOAD (default: all) and compare with the manifests.

    Leaves with 3 where a file is not as its manifest says, with 6 where a set is missing.
    """
    from harness.registry import find

    place = _root(root)
    asked = {find("workloads", name).name for name in workloads}
    sets = [
        _checked(packed, names, place)
        for packed, names in _packed_sets().values()
        if not asked or asked & set(names)
    ]
    return _answer(place, sets)
