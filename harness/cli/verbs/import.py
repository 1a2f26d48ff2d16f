"""`joulemark import`: import bundles, and results of other projects."""
# ruff: noqa: N999 - a command's file has the command's name

from pathlib import Path

import click

from harness.cli.command import CommandResult, json_command
from harness.cli.options import PATH, results_option
from harness.cli.printer import Printer
from harness.formats.imports import ImportDocument, ImportedItem, NameCount, import_archive
from harness.records import Finding
from harness.run.bundle_import import import_bundles

FINDINGS_SHOWN = 20
RUNS_SHOWN = 12

BUNDLE = "bundle"
"""Format of this program's own bundles, in addition to the plug-ins of kind `formats`."""


def list_bundles(path: Path, results: Path, key: Path | None) -> ImportDocument:
    """Import bundles with `import_bundles`, which may raise its errors, and list them."""
    result = import_bundles(path, results, key)
    runs = [bundle.run for bundle in result.admitted]
    findings = [
        Finding(
            rule="bundle-unsealed",
            level="warn",
            message=f"{place}: started and never sealed, so it cannot be imported",
            advice="it counts as a failed run on the machine that ran it, but not here",
        )
        for place in result.left_out
    ]
    findings += [
        Finding(rule="bundle-known", level="info", message=f"{bundle.run.id} was imported before")
        for bundle in result.admitted
        if not bundle.fresh
    ]
    names: dict[str, set[str]] = {
        "workload": {run.workload.name for run in runs},
        "submission": {run.submission.name for run in runs},
        "machine": {run.machine for run in runs},
        "provenance": {run.provenance for run in runs},
    }
    return ImportDocument(
        source_format=BUNDLE,
        path=str(path),
        results=str(results),
        file=str(result.ledger),
        runs_count=len(runs),
        counts=tuple(
            NameCount(what=what, count=len(values), names=tuple(sorted(values)))
            for what, values in names.items()
        ),
        runs=tuple(
            ImportedItem(
                workload=run.workload.name,
                submission=run.submission.name,
                machine=run.machine,
                run=run.id,
                status=run.status,
                time_s=None,
                energy_by_method_j={},
            )
            for run in runs
        ),
        findings=tuple(findings),
        rulesets=(),
    )


def _cells(run: ImportedItem) -> tuple[str, str, str, str]:
    """Name, time, joules and uncertainty of a run; what is unknown is said to be."""
    figures = list(run.energy_by_method_j.values())
    joules = f"{figures[0]:.6g}" if figures else "none"
    u_j = "unknown" if run.energy_u_j is None else f"{run.energy_u_j:.3g}"
    time_s = "unknown" if run.time_s is None else f"{run.time_s:.6g}"
    return run.run, time_s, joules, u_j if figures else ""


def _show(document: ImportDocument, printer: Printer) -> None:
    count = document.runs_count
    printer.heading(
        f"{document.source_format}: {count} run{'' if count == 1 else 's'} from {document.path}"
    )
    rows = [(item.what, item.count, ", ".join(item.names)) for item in document.counts]
    printer.table(("what", "count", "names"), rows, right=("count",))
    if any(run.energy_by_method_j for run in document.runs[:RUNS_SHOWN]):
        columns = ("run", "seconds", "joules", "± (k = 2)")
        runs = [_cells(run) for run in document.runs[:RUNS_SHOWN]]
        printer.table(columns, runs, right=columns[1:])
    printer.findings(document.findings[:FINDINGS_SHOWN])
    more = len(document.findings) - FINDINGS_SHOWN
    if more > 0:
        printer.line(f"and {more} more findings; --json lists all")
    if document.source_format == BUNDLE:
        printer.line(f"verified, copied to {document.results}, recorded in {document.file}")
        printer.line(f"next: joulemark score {document.results}")
        return
    printer.line(f"written to {document.file}; imported records never win a prize")
    if document.rulesets:
        printer.line(f"next: joulemark score {document.results} --ruleset {document.rulesets[0]}")


@json_command("import")
@click.argument("format_name", metavar="FORMAT")
@click.argument("path", type=PATH, metavar="PATH")
@results_option
@click.option(
    "--key",
    type=PATH,
    metavar="FILE",
    help="For bundles: public key that must have signed each one.",
)
def command(format_name: str, path: Path, results: Path, key: Path | None) -> CommandResult:
    """Read PATH, an archive in FORMAT, and store its runs below --results.

    A file that cannot be read is reported, and the others are still imported. Importing the same
    path again replaces the earlier import. `joulemark list formats` lists the formats.

    FORMAT `bundle` imports sealed bundles from a folder, .tar.gz or .zip. All of them are verified
    first, and none is imported if a check fails. Bundles with a provenance other than `self` must
    be signed with --key.
    """
    if format_name == BUNDLE:
        document = list_bundles(path, results, key)
    elif key is not None:
        raise click.UsageError("--key is only for bundles; other formats are not signed")
    else:
        document = import_archive(format_name, path, results)
    return CommandResult(document, _show)
