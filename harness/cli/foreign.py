"""What `joulemark import bundle` says: which bundles of somebody else's were let in."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.formats.imports import ImportDocument, ImportedItem, Tally
from harness.records import Finding
from harness.run import bundle_import
from harness.run.bundle_import import ImportResult

if TYPE_CHECKING:
    from harness.cli.page import Page

FORMAT = "bundle"


def _findings(entry: ImportResult) -> tuple[Finding, ...]:
    lost = [
        Finding(
            rule="bundle-unsealed",
            level="warn",
            message=f"{place}: started and never sealed, so nothing of it can be let in",
            advice="where it was run it counts as a failed run; here nobody knows of it",
        )
        for place in entry.left_out
    ]
    known = [
        Finding(rule="bundle-known", level="info", message=f"{item.run.id} lay here already")
        for item in entry.admitted
        if not item.fresh
    ]
    return (*lost, *known)


def import_bundles(path: Path, results: Path, key: Path | None) -> ImportDocument:
    """Let bundles in, and list them.

    Raises:
        (what `bundle_import.import_bundles` raises)
    """
    entry = bundle_import.import_bundles(path, results, key)
    runs = [item.run for item in entry.admitted]
    names: dict[str, list[str]] = {
        "workload": [run.workload.name for run in runs],
        "submission": [run.submission.name for run in runs],
        "machine": [run.machine for run in runs],
        "provenance": [run.provenance for run in runs],
    }
    return ImportDocument(
        source_format=FORMAT,
        path=str(path),
        results=str(results),
        file=str(entry.ledger),
        runs_count=len(runs),
        found=tuple(
            Tally(what=what, count=len(set(item)), names=tuple(sorted(set(item))))
            for what, item in names.items()
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
        findings=_findings(entry),
        rulesets=(),
    )


def show_kept(document: ImportDocument, page: "Page") -> None:
    """Where they are, and what to do next."""
    page.line(f"checked whole, kept below {document.results}, entered in {document.file}")
    page.line(f"next: joulemark score {document.results}")
