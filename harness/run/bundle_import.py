"""Imports bundles that were made elsewhere: copied as untrusted input, verified, then kept.

Everything is verified in a separate folder before any of it is moved to the results, and what is
moved is byte for byte what was verified. The ledger `foreign` of the results has a row for each
bundle, so that a later change is detected.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from harness.bundle import Bundle, BundleError
from harness.errors import JouleMarkError
from harness.ledger import FOREIGN, Ledger, read_ledger
from harness.records import Run
from harness.run.submission import NAME
from harness.storage import make_folder, sync_folder, sync_tree
from harness.verify import NothingToVerify, Report, verify
from harness.verify.archive import copy_folder, is_archive, stem, unpack


class BundleImportError(JouleMarkError, ValueError):
    """Bundles that were not imported; the message names what is wrong. None was imported."""


class ImportedBundle(NamedTuple):
    """One bundle that is in the results now."""

    run: Run
    bundle: Path
    fresh: bool
    """False if the same bundle was there already."""


class ImportResult(NamedTuple):
    """The result of an import."""

    admitted: tuple[ImportedBundle, ...]
    left_out: tuple[str, ...]
    """Paths of runs that were started and never sealed: they count as failed where they ran."""
    ledger: Path


def _relative_path(bundle: Bundle) -> Path:
    """The path of a bundle below a results folder."""
    run = bundle.run
    parts = (run.workload.name, run.submission.name, run.machine, run.id)
    for part in parts:
        if not NAME.fullmatch(part) or part == FOREIGN:
            raise BundleImportError(
                f"nothing was imported: {bundle.folder.name}: {part!a} is not a valid folder name"
            )
    return Path(*parts)


def _check_provenance(bundle: Bundle, key: Path | None) -> None:
    """Check that a provenance above `self` is signed: it is a claim of the person who ran it."""
    provenance = bundle.run.provenance
    if provenance != "self" and key is None:
        raise BundleImportError(
            f"nothing was imported: {bundle.run.id} claims the provenance '{provenance}'; "
            "name with --key the public key of the person who signed it"
        )


@contextmanager
def _incoming_folder(results: Path) -> Iterator[Path]:
    """A new folder on the same file system as the results, removed at exit."""
    if not results.is_dir():
        make_folder(results)
    same = results.parent.stat().st_dev == results.stat().st_dev
    folder = Path(tempfile.mkdtemp(prefix=".incoming-", dir=results.parent if same else results))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _verified(path: Path, incoming: Path, key: Path | None) -> Report:
    """Copy everything at the path to the incoming folder and verify it there."""
    is_packed = path.is_file() and is_archive(path)
    inner = incoming / "in" / (stem(path) if is_packed else path.resolve().name or "folder")
    inner.mkdir(parents=True)
    if not (is_packed or path.is_dir()):
        raise BundleImportError(
            f"{path}: neither a bundle's folder nor an archive of one (.tar.gz, .zip)"
        )
    unpack(path, inner) if is_packed else copy_folder(path, inner)
    try:
        report = verify(inner, key)
    except NothingToVerify as error:
        text = "contains neither a bundle nor a results folder"
        raise BundleImportError(f"{path}: {text}") from error
    if fault := next(report.failures(), ""):
        fault = fault.replace(str(inner), str(path))
        raise BundleImportError(f"{path}: nothing was imported: {fault}")
    return report


def _exists(bundle: Bundle, target: Path) -> bool:
    """Whether the same bundle is at its place already."""
    if not target.exists():
        return False
    try:
        same = Bundle(target).manifest_sha256 == bundle.manifest_sha256
    except BundleError:
        same = False
    if not same:
        raise BundleImportError(
            f"nothing was imported: {target}: another bundle exists there and is not replaced"
        )
    return True


def _move(bundle: Bundle, target: Path) -> None:
    """Move a verified bundle to its place, in one step."""
    sync_tree(bundle.folder)
    if not target.parent.is_dir():
        make_folder(target.parent)
    bundle.folder.rename(target)
    sync_folder(target.parent)


def _import_one(bundle: Bundle, results: Path, ledger: Ledger) -> ImportedBundle:
    """Keep one bundle; a step that an earlier import left undone is done now."""
    run, path = bundle.run, _relative_path(bundle)
    fresh = not _exists(bundle, results / path)
    if fresh:
        _move(bundle, results / path)
    is_listed = any(row.bundle == path.as_posix() for row in read_ledger(ledger.path))
    if not is_listed and not _made_here(results, run):
        ledger.append(
            "foreign",
            run_id=run.id,
            workload=run.workload.name,
            submission=run.submission.name,
            submission_sha256=run.submission.sha256,
            seed_commitment=run.seeds.commitment,
            bundle=path.as_posix(),
            status=run.status,
            manifest_sha256=Bundle(results / path).manifest_sha256,
        )
    return ImportedBundle(run, results / path, fresh)


def _made_here(results: Path, run: Run) -> bool:
    """Whether a machine's own ledger in these results contains this run."""
    rows = read_ledger(Ledger(results, run.machine).path)
    return any(row.run_id == run.id for row in rows)


def import_bundles(path: Path, results: Path, key: Path | None = None) -> ImportResult:
    """Import bundles into a results folder: all of them or none.

    Args:
        path: A bundle's folder, a results folder, or an archive of either.
        results: Folder in which they are kept, scored and shown from now on.
        key: Public key that must have signed all of them; a provenance above `self` requires it.

    Raises:
        BadArchive: the archive or folder breaks a rule, or is damaged.
        BadKey: the key cannot be used.
        BundleImportError: a check fails, a name is not valid, or another bundle is in the place.
        LedgerError: the ledger `foreign` is damaged.
        OSError: the results folder cannot be written.
    """
    results = results.resolve()
    with _incoming_folder(results) as incoming:
        report = _verified(path, incoming, key)
        sealed = [item.bundle for item in report.bundles if item.state == "sealed"]
        bundles = [Bundle((report.root / folder).resolve(), checked=True) for folder in sealed]
        for bundle in bundles:  # all of them, before the first one is moved
            _check_provenance(bundle, key)
            _exists(bundle, results / _relative_path(bundle))
        ledger = Ledger(results, FOREIGN)
        admitted = tuple(_import_one(bundle, results, ledger) for bundle in bundles)
    left_out = tuple(item.bundle for item in report.bundles if item.state != "sealed")
    return ImportResult(admitted, left_out, ledger.path)
