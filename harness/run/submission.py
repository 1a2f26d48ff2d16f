"""A submission's folder and its submission.toml."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from harness.errors import JouleMarkError
from harness.records import Record, RecordError, load
from harness.registry import find
from harness.run.tuning import Tuning
from harness.run.untrusted_files import UnusableFile, module_fault, read_tree
from harness.source_archive import SourceFile

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
IGNORED = frozenset({"__pycache__", ".git", ".venv", ".pytest_cache", ".ruff_cache"})
"""Files and folders with these names are ignored."""
FILES_MAX = 1000


class SubmissionError(JouleMarkError, ValueError):
    """A submission that cannot be run; the message names the file and says what to do."""


class SubmissionFile(Record):
    """`submission.toml`."""

    title: Annotated[str, Field(max_length=200)]
    """Title on pages."""
    team: Annotated[str, Field(max_length=200)]
    """The people who made it."""
    division: Literal["closed", "open", "hardware"] = "closed"
    workloads: tuple[str, ...]
    """Workloads that it can train; `*` means all."""
    imports: tuple[str, ...] = ()
    """Modules imported before the start signal: installed packages, never its own files."""
    methods: tuple[str, ...] = ()
    """Catalogue ids of the methods that it uses."""
    command: tuple[str, ...] = ()
    """Program and arguments, relative to the folder; without it, `train.py` is run."""
    predict_command: tuple[str, ...] = ()
    """The predictor's program, for the open division without the Python API."""
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Threads to use; None takes the workload's number."""
    hyperparameters: dict[str, str | int | float | bool] = {}
    """Defaults of `session.hyperparameters`; the command line and tuning override them."""
    tuning: Tuning = Tuning()

    @field_validator("imports")
    @classmethod
    def _modules(cls, imports: tuple[str, ...]) -> tuple[str, ...]:
        for name in imports:
            if fault := module_fault(name):
                raise ValueError(f"{name[:100]!a} {fault}")
        return imports


@dataclass(frozen=True)
class Source:
    """A submission in its own folder, before it is frozen."""

    name: str
    folder: Path
    file: SubmissionFile


def _folder_of(name_or_path: str) -> Path:
    path = Path(name_or_path)
    if path.is_dir():
        return path.resolve()
    if path.suffix or os.sep in name_or_path:
        raise SubmissionError(
            f"{name_or_path}: no such folder; give a submission's folder or a listed name"
        )
    folder = find("submissions", name_or_path).source.path
    assert folder is not None
    return folder


def open_submission(name_or_path: str) -> Source:
    """Read a submission by listed name or by folder.

    Raises:
        UnknownPlugin: neither a folder nor a listed name.
        SubmissionError: submission.toml is missing or not valid, or the name cannot be a folder's.
    """
    folder = _folder_of(name_or_path)
    if not NAME.fullmatch(folder.name):
        raise SubmissionError(
            f"{str(folder)!a}: the folder's name becomes the submission's; use letters, digits, "
            "'.', '_' and '-', at most 64"
        )
    path = folder / "submission.toml"
    try:
        return Source(folder.name, folder, load(SubmissionFile, read_tree(path), path))
    except FileNotFoundError as error:
        raise SubmissionError(
            f"{path}: missing; write title, team, division and workloads into it"
        ) from error
    except OSError as error:
        raise SubmissionError(f"{path}: cannot be read: {error.strerror}") from error
    except RecordError as error:
        raise SubmissionError(str(error)) from error
    except UnusableFile as error:
        raise SubmissionError(f"{path}: {error}") from error


def check_fits(source: Source, workload: str) -> None:
    """Check that a submission names the workload and has something to run.

    Raises:
        SubmissionError: it does not name this workload, or has neither train.py nor a command.
    """
    named = source.file.workloads
    if workload not in named and "*" not in named:
        raise SubmissionError(
            f"{source.folder / 'submission.toml'}: workloads names {', '.join(named) or 'none'}, "
            f"not '{workload}'; add it or choose another workload"
        )
    if not source.file.command and not (source.folder / "train.py").is_file():
        raise SubmissionError(
            f"{source.folder}: has neither train.py nor a command in submission.toml"
        )


def check_division(source: Source, divisions: Sequence[str], workload: str) -> None:
    """Check that the workload has the submission's division.

    Raises:
        SubmissionError: the workload has no such division.
    """
    if source.file.division not in divisions:
        raise SubmissionError(
            f"{source.folder / 'submission.toml'}: {workload} has no {source.file.division} "
            f"division; name one of {', '.join(divisions)}"
        )


_READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def files_of(folder: Path) -> Iterator[Path]:
    """Plain files of the folder, sorted by name.

    Raises:
        SubmissionError: it contains a link, device, pipe or socket, or an unprintable name.
    """
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in IGNORED)
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in sorted([*links, *(item for item in names if item not in IGNORED)]):
            path = Path(root) / name
            _check_plain(path, path.lstat().st_mode)
            yield path


def _check_plain(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise SubmissionError(
            f"{str(path)!a}: neither a plain file nor a folder; replace it by its contents"
        )
    if not str(path).isprintable():  # a manifest cannot list a name that is not UTF-8
        raise SubmissionError(f"{str(path)!a}: the name has unprintable characters; rename it")


def read_source(folder: Path, size_max: int) -> dict[str, SourceFile]:
    """Read a submission's source, of which another user may change any part meanwhile.

    Each folder and file is opened once, relative to the folder above it and without following
    links, and what was opened is what is checked and read.

    Raises:
        SubmissionError: as `file_sizes`, by what was read; or something cannot be read.
    """

    def fail(error: OSError) -> None:
        """Raise the error, which `os.fwalk` would ignore."""
        raise error

    files: dict[str, SourceFile] = {}
    left = size_max
    try:
        for root, folders, names, descriptor in os.fwalk(folder, onerror=fail):
            links = [name for name in folders if stat.S_ISLNK(_status(name, descriptor))]
            folders[:] = sorted(name for name in folders if name not in (*IGNORED, *links))
            for name in sorted([*links, *(item for item in names if item not in IGNORED)]):
                path = Path(root, name)
                _check_plain(path, _status(name, descriptor))
                opened = os.open(name, _READ_ONLY, dir_fd=descriptor)
                with os.fdopen(opened, "rb") as file:
                    mode = os.fstat(file.fileno()).st_mode
                    _check_plain(path, mode)
                    data = file.read(left + 1)
                left -= len(data)
                files[path.relative_to(folder).as_posix()] = SourceFile(data, bool(mode & 0o100))
                if left < 0 or len(files) > FILES_MAX:
                    raise SubmissionError(
                        f"{folder}: more than {FILES_MAX} files or {size_max} bytes; only source "
                        "belongs in a submission"
                    )
    except OSError as error:
        raise SubmissionError(
            f"{folder}: cannot be read: {error.filename}: {error.strerror}"
        ) from error
    return dict(sorted(files.items()))


def _status(name: str, descriptor: int) -> int:
    return os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode


def file_sizes(folder: Path, size_max: int) -> dict[Path, int]:
    """Bytes of each file of a submission's source.

    Raises:
        SubmissionError: there are more than `size_max` bytes or `FILES_MAX` files, or it contains
            something that is no plain file.
    """
    sizes = {path: path.stat().st_size for path in files_of(folder)}
    size_bytes = sum(sizes.values())
    if size_bytes > size_max or len(sizes) > FILES_MAX:
        raise SubmissionError(
            f"{folder}: {len(sizes)} files, {size_bytes} bytes; {FILES_MAX} files and {size_max} "
            "bytes are allowed; only source belongs in a submission"
        )
    return sizes
