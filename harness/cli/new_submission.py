"""Writes a new submission: a folder that passes `joulemark check` and runs unchanged."""

import json
import shutil
import tempfile
from pathlib import Path
from string import Template
from typing import Literal

from harness.api import WorkloadSpec
from harness.records.base import FORMAT, Record
from harness.registry import UnknownPlugin, find
from harness.run.series import reference_of
from harness.run.submission import NAME, Source, SubmissionError, files_of, open_submission

TEMPLATES = Path(__file__).with_name("templates")

Division = Literal["closed", "open"]


class InitDocument(Record):
    """`joulemark init`."""

    format: int = FORMAT
    folder: str
    workload: str
    division: Division
    begun_from: str
    """The reference submission that was copied; empty for the template."""
    files: tuple[str, ...]
    """Files that were written, relative to the folder."""


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot become a submission.

    Raises:
        SubmissionError: its name is no valid submission name, or it exists already.
    """
    if not NAME.fullmatch(folder.name):
        raise SubmissionError(
            f"{folder.name!a}: the folder's name becomes the submission's name; use at most 64 "
            "letters, digits, '.', '_' and '-'"
        )
    if folder.exists() or folder.is_symlink():
        raise SubmissionError(f"{folder}: exists already; choose another name, or remove it")
    if not folder.parent.is_dir():
        raise SubmissionError(f"{folder.parent}: no such folder; create it first")


def _value(value: object) -> str:
    """Return a string, number or list as TOML, which is JSON except for the character DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml(values: dict[str, object], more: str) -> str:
    """Return the text of submission.toml."""
    text = (TEMPLATES / "submission.toml").read_text(encoding="utf-8")
    written = {key: _value(value) for key, value in values.items()}
    return Template(text).substitute(written, more=more).rstrip("\n") + "\n"


def _settings(source: Source) -> str:
    """Return the threads and hyperparameters of the reference as TOML."""
    file = source.file
    lines = [] if file.threads is None else [f"threads = {file.threads}"]
    if file.hyperparameters:
        lines += ["", "[hyperparameters]"]
        lines += [f"{_value(k)} = {_value(v)}" for k, v in file.hyperparameters.items()]
    return "\n".join(lines)


def _reference(workload: str) -> Source:
    """Return the submission that a new closed submission is a copy of.

    Raises:
        SubmissionError: the workload has none.
    """
    try:
        return open_submission(reference_of(workload))
    except UnknownPlugin as error:
        raise SubmissionError(
            f"workload '{workload}' has no reference submission to copy; use "
            "--division open, or write train.py by hand"
        ) from error


def _copy_reference(source: Source, folder: Path, fields: dict[str, object]) -> None:
    for path in files_of(source.folder):
        copy = folder / path.relative_to(source.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    begun = f"# A copy of {source.name}; change anything.\n"
    train = folder / "train.py"
    train.write_text(begun + train.read_text(encoding="utf-8"), encoding="utf-8")
    imports = {"imports": list(source.file.imports)}
    text = _toml({**fields, **imports}, _settings(source))
    (folder / "submission.toml").write_text(text, encoding="utf-8")


def _copy_template(folder: Path, fields: dict[str, object]) -> None:
    shutil.copyfile(TEMPLATES / "open.py.txt", folder / "train.py")
    text = _toml({**fields, "imports": ["numpy"]}, "")
    (folder / "submission.toml").write_text(text, encoding="utf-8")


def create_submission(folder: Path, workload: str, division: Division) -> InitDocument:
    """Write a submission that passes `joulemark check`: all files or, on an error, none.

    Args:
        folder: New folder; its name becomes the submission's name.
        workload: Name of its workload.
        division: `closed` copies the reference submission, `open` predicts a constant.

    Raises:
        UnknownPlugin: no such workload.
        SubmissionError: the folder exists, the workload has no such division, or it has no
            reference submission to copy.
        OSError: it cannot be written.
    """
    spec: WorkloadSpec = find("workloads", workload).value
    if division not in spec.divisions:
        raise SubmissionError(
            f"{spec.name} has no {division} division; use --division {spec.divisions[0]}"
        )
    _check_folder(folder)
    reference = _reference(spec.name) if division == "closed" else None
    fields: dict[str, object] = {
        "title": f"{folder.name} on {spec.title}",
        "division": division,
        "workloads": [spec.name],
    }
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        scratch.chmod(0o755)
        if reference is None:
            _copy_template(scratch, fields)
        else:
            _copy_reference(reference, scratch, fields)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return InitDocument(
        folder=str(folder),
        workload=spec.name,
        division=division,
        begun_from=reference.name if reference else "",
        files=tuple(path.relative_to(folder).as_posix() for path in files_of(folder)),
    )
