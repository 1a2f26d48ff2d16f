"""Prepares the repetition of a sealed run: verifies the bundle and extracts its source."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.bundle import Bundle, BundleError
from harness.errors import JouleMarkError
from harness.records import Ruleset
from harness.records.run import reference_of
from harness.registry import find
from harness.run.freeze import freeze
from harness.run.series import SeriesRequest, open_entry
from harness.run.submission import SubmissionError, open_submission
from harness.run.workload_record import plugin_file, workload_version
from harness.source_archive import write_source
from harness.storage import sha256_tree
from harness.verify import NothingToVerify, verify


class RerunError(JouleMarkError, ValueError):
    """A bundle that cannot be repeated here; the message says why and what to do."""


def open_sealed(folder: Path) -> Bundle:
    """Open a sealed bundle that passes every check.

    Raises:
        RerunError: it is incomplete or was altered.
    """
    try:
        report = verify(folder)
    except NothingToVerify as error:
        raise RerunError(str(error)) from error
    if report.kind != "bundle":
        raise RerunError(
            f"{folder}: not a bundle but a folder of {len(report.bundles)}; name one of them"
        )
    faults = list(report.failures())
    if faults or report.bundles[0].state != "sealed":
        what = faults[0] if faults else "the run was cut off and never sealed"
        raise RerunError(f"{folder}: not as it was sealed, so it cannot be repeated: {what}")
    return Bundle(folder.resolve(), checked=True)


def _is_same_series(one: Bundle, other: Bundle) -> bool:
    """Whether two runs have the same source, settings, workload, machine and rules.

    Each trial of tuning is a series of its own: a setting is repeated, not the search for it.
    """
    return all(
        (
            one.run.submission.sha256 == other.run.submission.sha256,
            one.run.hyperparameters == other.run.hyperparameters,
            one.run.workload.version == other.run.workload.version,
            one.run.machine == other.run.machine,
            one.run.provenance == other.run.provenance,
            one.ruleset == other.ruleset,
        )
    )


def in_place(bundle: Bundle) -> bool:
    """Whether a bundle is at its place in a results folder, next to the others of its series."""
    run = bundle.run
    expected = (run.workload.name, run.submission.name, run.machine, run.id)
    return bundle.folder.parts[-len(expected) :] == expected


def sealed_series(bundle: Bundle) -> list[Bundle]:
    """The bundle and the others of its series next to it; all are verified.

    Raises:
        RerunError: one of them was altered.
    """
    if not in_place(bundle):
        return [bundle]
    folders = sorted(path.parent for path in bundle.folder.parent.glob("*/manifest.json"))
    others = [open_sealed(path) for path in folders if path != bundle.folder]
    return [bundle, *(other for other in others if _is_same_series(other, bundle))]


def sealed_reference(bundle: Bundle) -> list[Bundle]:
    """Runs of the workload's reference on the same machine and under the same rules.

    Bundles that cannot be read are left out: they are used only for comparison.
    """
    if not in_place(bundle):
        return []
    name = reference_of(bundle.run.workload.name)
    folder = bundle.folder.parents[2] / name / bundle.run.machine
    bundles = []
    for path in sorted(folder.glob("*/manifest.json")):
        try:
            other = open_sealed(path.parent)
        except (RerunError, BundleError):
            continue
        same = other.run.workload.version == bundle.run.workload.version
        if same and other.ruleset == bundle.ruleset:
            bundles.append(other)
    return bundles


def _check_workload(bundle: Bundle) -> None:
    """Check that the workload has not changed since the run."""
    sealed = bundle.run.workload
    here = workload_version(plugin_file(find("workloads", sealed.name)))
    if here != sealed.version:
        raise RerunError(
            f"workload '{sealed.name}' is version {here} here, the bundle ran {sealed.version}; "
            "install the version of joulemark that it was run with "
            f"({bundle.run.harness_version})"
        )


def _has_reference(bundle: Bundle, ruleset: Ruleset, scratch: Path) -> bool:
    """Whether the workload has a reference other than the source of the bundle."""
    try:
        reference = open_submission(reference_of(bundle.run.workload.name))
        frozen = freeze(reference, scratch, ruleset.run.source_bytes_max)
    except (LookupError, SubmissionError):
        return False
    return frozen.submission.sha256 != bundle.run.submission.sha256


@contextmanager
def rerun_request(bundle: Bundle, request: SeriesRequest) -> Iterator[SeriesRequest]:
    """The request to repeat a sealed run; its source is on disk until the exit.

    Args:
        bundle: As `open_sealed` returned it.
        request: What the organizer decides: ruleset, seeds, meters, launcher, results. The rules
            of the bundle are those of the competitor, and do not apply.

    Raises:
        RerunError: the workload has changed, or the source is not the one that was run.
        SubmissionError: the source cannot be opened.
    """
    _check_workload(bundle)
    run = bundle.run
    with tempfile.TemporaryDirectory(prefix="joulemark-rerun-") as scratch:
        folder = Path(scratch) / "source" / run.submission.name
        write_source(bundle.source_files(), folder)
        if sha256_tree(folder) != run.submission.sha256:
            raise RerunError(f"{bundle.folder}: not the source that run.json names")
        open_entry(str(folder), run.workload.name)
        yield replace(
            request,
            workload=run.workload.name,
            submission=str(folder),
            hyperparameters=dict(run.hyperparameters),
            interleave=_has_reference(bundle, request.ruleset, Path(scratch) / "reference"),
            provenance="organizer",
        )
