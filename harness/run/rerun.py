"""Repeats a sealed run: checks the bundle, takes the frozen source out, and orders it anew."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.bundle import Bundle, BundleError
from harness.errors import JouleMarkError
from harness.registry import find
from harness.run.order import plugin_file, workload_version
from harness.run.series import SeriesRequest, open_entry, reference_of
from harness.run.submission import SubmissionError, open_submission
from harness.storage import sha256_tree
from harness.verify import NothingToVerify, verify

PLACE = 4
"""Folders of a bundle's place in its results: workload, submission, machine, run."""


class RerunError(JouleMarkError, ValueError):
    """A bundle that cannot be repeated here; the message says why and what to do."""


def open_sealed(folder: Path) -> Bundle:
    """A sealed bundle of which every check holds.

    Raises:
        RerunError: it is incomplete, or was changed after it was sealed.
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
        raise RerunError(f"{folder}: was changed after it was sealed: {what}")
    return Bundle(folder.resolve(), checked=True)


def _alike(one: Bundle, other: Bundle) -> bool:
    """Whether two runs are of one series: same source, settings, workload, machine and rules.

    Trials of tuning are each of their own: what is repeated is a setting, not the search for it.
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
    """Whether it lies in a results folder, where others of its series are to be looked for."""
    run = bundle.run
    expected = (run.workload.name, run.submission.name, run.machine, run.id)
    return bundle.folder.parts[-PLACE:] == expected


def sealed_series(bundle: Bundle) -> list[Bundle]:
    """The bundle and the others of its series beside it, each checked.

    Raises:
        RerunError: one of them was changed after it was sealed.
    """
    if not in_place(bundle):
        return [bundle]
    beside = sorted(path.parent for path in bundle.folder.parent.glob("*/manifest.json"))
    others = [open_sealed(path) for path in beside if path != bundle.folder]
    return [bundle, *(other for other in others if _alike(other, bundle))]


def sealed_reference(bundle: Bundle) -> list[Bundle]:
    """Runs of the workload's reference on the same machine and under the same rules.

    Those that cannot be read are left out: they only serve as a yardstick.
    """
    if not in_place(bundle):
        return []
    name = reference_of(bundle.run.workload.name)
    place = bundle.folder.parents[2] / name / bundle.run.machine
    found = []
    for path in sorted(place.glob("*/manifest.json")):
        try:
            other = open_sealed(path.parent)
        except (RerunError, BundleError):
            continue
        same = other.run.workload.version == bundle.run.workload.version
        if same and other.ruleset == bundle.ruleset:
            found.append(other)
    return found


def _check_workload(bundle: Bundle) -> None:
    """Refuse a workload that has changed since: its old scores are stale.

    Raises:
        RerunError: its definition is not the one that was run.
        UnknownPlugin: it is not there at all.
    """
    sealed = bundle.run.workload
    here = workload_version(plugin_file(find("workloads", sealed.name)))
    if here != sealed.version:
        raise RerunError(
            f"workload '{sealed.name}' is version {here} here, the bundle ran {sealed.version}; "
            "install the version of joulemark that it was run with "
            f"({bundle.run.harness_version})"
        )


def _is_reference(folder: Path, workload: str) -> bool:
    """Whether a source is the workload's reference itself, which cannot alternate with itself."""
    try:
        reference = open_submission(reference_of(workload)).folder
    except (LookupError, SubmissionError):
        return True  # there is none to alternate with
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(reference, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return sha256_tree(copy) == sha256_tree(folder)


@contextmanager
def rerun_request(bundle: Bundle, request: SeriesRequest) -> Iterator[SeriesRequest]:
    """An order to repeat a sealed run, with its frozen source on disk while entered.

    Args:
        bundle: As `checked` gave it.
        request: What the organizer decides: seeds, meters, launcher, results.

    Raises:
        RerunError: the workload is another by now, or the source is not the one that was run.
        SubmissionError: the source cannot be opened.
    """
    _check_workload(bundle)
    run = bundle.run
    with tempfile.TemporaryDirectory(prefix="joulemark-rerun-") as scratch:
        folder = Path(scratch) / run.submission.name
        shutil.copytree(bundle.folder / "submission", folder)
        if sha256_tree(folder) != run.submission.sha256:
            raise RerunError(f"{bundle.folder}/submission: not the source that run.json names")
        open_entry(str(folder), run.workload.name)
        yield replace(
            request,
            workload=run.workload.name,
            submission=str(folder),
            ruleset=bundle.ruleset,
            hyperparameters=dict(run.hyperparameters),
            interleave=not _is_reference(folder, run.workload.name),
            provenance="organizer",
        )
