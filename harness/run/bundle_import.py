"""Lets bundles in that somebody else made: copied as from an enemy, verified whole, then kept.

Everything is checked in a folder aside before anything of it lies in the results, and what lies
there afterwards is byte for byte what was checked. The results' ledger `foreign` keeps a row for
each, so that no later change of it goes unseen.
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
    """Bundles that are not let in; the message names what is wrong and says that none was."""


class ImportedBundle(NamedTuple):
    """One bundle that is in the results now."""

    run: Run
    bundle: Path
    fresh: bool
    """False where the very same bundle lay there already."""


class ImportResult(NamedTuple):
    """What became of an import."""

    admitted: tuple[ImportedBundle, ...]
    left_out: tuple[str, ...]
    """Runs that were started and never sealed, by their place: they count as failed there."""
    ledger: Path


def _place(bundle: Bundle) -> Path:
    """Where a bundle belongs below a results folder.

    Raises:
        BundleImportError: a name of it is no name for a folder.
    """
    run = bundle.run
    parts = (run.workload.name, run.submission.name, run.machine, run.id)
    for part in parts:
        if not NAME.fullmatch(part) or part == FOREIGN:
            raise BundleImportError(
                f"nothing was let in: {bundle.folder.name}: {part!a} is no name for a folder"
            )
    return Path(*parts)


def _check_tier(bundle: Bundle, key: Path | None) -> None:
    """A tier above `self` is the word of whoever ran it, and needs that person's signature.

    Raises:
        BundleImportError: nobody vouches for it.
    """
    tier = bundle.run.provenance
    if tier != "self" and key is None:
        raise BundleImportError(
            f"nothing was let in: {bundle.run.id} says of itself that its provenance is '{tier}'; "
            "name with --key the public key of whoever vouches for that and signed it"
        )


@contextmanager
def _aside(results: Path) -> Iterator[Path]:
    """A fresh folder from which a rename leads into the results, removed whatever happens."""
    if not results.is_dir():
        make_folder(results)
    same = results.parent.stat().st_dev == results.stat().st_dev
    folder = Path(tempfile.mkdtemp(prefix=".incoming-", dir=results.parent if same else results))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _checked(path: Path, aside: Path, key: Path | None) -> Report:
    """Everything that is at the path, copied aside and found to be as it was sealed.

    Raises:
        BadArchive: an archive or folder that breaks a rule.
        BundleImportError: nothing is there, or a check of it fails.
    """
    packed = path.is_file() and is_archive(path)
    inner = aside / "in" / (stem(path) if packed else path.resolve().name or "folder")
    inner.mkdir(parents=True)
    try:
        if not (packed or path.is_dir()):
            raise BundleImportError(
                f"{path}: neither a bundle's folder nor an archive of one (.tar.gz, .zip)"
            )
        unpack(path, inner) if packed else copy_folder(path, inner)
        report = verify(inner, key)
    except NothingToVerify as error:
        raise BundleImportError(
            f"{path}: neither a bundle nor a results folder is in it"
        ) from error
    if fault := next(report.failures(), ""):
        raise BundleImportError(
            f"{path}: nothing was let in: {fault.replace(str(inner), str(path))}"
        )
    return report


def _is_there(bundle: Bundle, target: Path) -> bool:
    """Whether the very same bundle lies in its place already.

    Raises:
        BundleImportError: another one does.
    """
    if not target.exists():
        return False
    try:
        same = Bundle(target).manifest_sha256 == bundle.manifest_sha256
    except BundleError:
        same = False
    if not same:
        raise BundleImportError(
            f"nothing was let in: {target}: something else lies there, and nothing replaces it"
        )
    return True


def _settle(bundle: Bundle, target: Path) -> None:
    """Move a checked bundle to its place, all of it at once."""
    sync_tree(bundle.folder)
    if not target.parent.is_dir():
        make_folder(target.parent)
    bundle.folder.rename(target)
    sync_folder(target.parent)


def _enter(bundle: Bundle, place: Path, ledger: Ledger) -> None:
    run = bundle.run
    ledger.append(
        "foreign",
        run_id=run.id,
        workload=run.workload.name,
        submission=run.submission.name,
        submission_sha256=run.submission.sha256,
        seed_commitment=run.seeds.commitment,
        bundle=place.as_posix(),
        status=run.status,
        manifest_sha256=bundle.manifest_sha256,
    )


def _admit(bundle: Bundle, results: Path, ledger: Ledger) -> ImportedBundle:
    """Keep one bundle; what an earlier import left undone is done now."""
    run, place = bundle.run, _place(bundle)
    fresh = not _is_there(bundle, results / place)
    if fresh:
        _settle(bundle, results / place)
    rows = read_ledger(ledger.path)
    if not (any(row.bundle == place.as_posix() for row in rows) or _made_here(results, run)):
        _enter(Bundle(results / place), place, ledger)
    return ImportedBundle(run, results / place, fresh)


def _made_here(results: Path, run: Run) -> bool:
    """Whether a machine's own ledger of these results closed this run."""
    rows = read_ledger(Ledger(results, run.machine).path)
    return any(row.run_id == run.id for row in rows)


def import_bundles(path: Path, results: Path, key: Path | None = None) -> ImportResult:
    """Take bundles of somebody else's into a results folder; all of them or none.

    Args:
        path: A bundle's folder, a results folder, or an archive of either.
        results: Where they are kept, scored and shown from now on.
        key: Public key that must have signed every one; tiers above `self` need it.

    Raises:
        BadArchive: the archive or folder breaks a rule, or is damaged.
        BadKey: the key cannot be used.
        BundleImportError: a check fails, a name is none, or another bundle lies in the place.
        LedgerError: the ledger `foreign` is damaged.
        OSError: the results folder cannot be written.
    """
    results = results.resolve()
    with _aside(results) as aside:
        report = _checked(path, aside, key)
        sealed = [item.bundle for item in report.bundles if item.state == "sealed"]
        found = [Bundle((report.root / place).resolve(), checked=True) for place in sealed]
        for bundle in found:  # each, before the first of them is moved
            _check_tier(bundle, key)
            _is_there(bundle, results / _place(bundle))
        ledger = Ledger(results, FOREIGN)
        admitted = tuple(_admit(bundle, results, ledger) for bundle in found)
    left = tuple(element.bundle for element in report.bundles if element.state != "sealed")
    return ImportResult(admitted, left, ledger.path)
