"""The frozen copy of a submission's source: what is hashed, run and stored in the bundle."""

from dataclasses import dataclass, field
from pathlib import Path

from harness.records import Finding, Submission
from harness.run.source_checks import LOCK, packages_bytes, source_findings
from harness.run.submission import Source, SubmissionError, SubmissionFile, file_sizes, read_source
from harness.source_archive import compressed_bytes, pack_source, write_source
from harness.storage import sha256_file, sha256_tree


@dataclass(frozen=True)
class FrozenSource:
    """A submission that can no longer change; all runs of a series use the same one."""

    file: SubmissionFile
    folder: Path
    """The copy that is run."""
    submission: Submission
    archive: bytes = field(repr=False)
    """The same files as a `.tar.gz`, for the bundle."""
    findings: tuple[Finding, ...] = ()
    """What the source contains besides source text."""

    def check_unchanged(self) -> None:
        """Compare the copy with its digest.

        Raises:
            SubmissionError: a run without isolation has changed the copy.
        """
        if sha256_tree(self.folder) != self.submission.sha256:
            raise SubmissionError(
                f"{self.folder}: the frozen source was changed by an earlier run; use a launcher "
                "that isolates the submission"
            )


def freeze(source: Source, target: Path, size_max: int) -> FrozenSource:
    """Copy a source into the folder `target`, hash it and pack it.

    Raises:
        SubmissionError: it is larger than `size_max` bytes, or holds too many files, or anything
            but plain files.
        OSError: a file cannot be read, or the copy cannot be written.
    """
    file_sizes(source.folder, size_max)
    files = read_source(source.folder, size_max)
    write_source(files, target)
    file, lock = source.file, target / LOCK
    submission = Submission(
        name=source.name,
        title=file.title,
        team=file.team,
        division=file.division,
        entry="command" if file.command else "python",
        sha256=sha256_tree(target),
        size_bytes=sum(len(content.data) for content in files.values()),
        files_count=len(files),
        compressed_bytes=compressed_bytes(files),
        methods=file.methods,
        packages_bytes=packages_bytes(target),
        requirements_sha256=sha256_file(lock) if lock.is_file() else None,
    )
    findings = tuple(source_findings(target))
    return FrozenSource(file, target, submission, pack_source(files), findings)
