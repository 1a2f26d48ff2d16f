"""Writes the beginning of a submission: a folder that passes `check` and runs as it is."""

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
    """The reference submission that was copied; empty where a template was."""
    files: tuple[str, ...]
    """All that was written, relative to the folder."""


def _free(folder: Path) -> None:
    """Refuse a folder that cannot become a submission.

    Raises:
        SubmissionError: its name cannot be a submission's, or there is something already.
    """
    if not NAME.fullmatch(folder.name):
        raise SubmissionError(
            f"{folder.name!a}: the folder's name becomes the submission's; use letters, digits, "
            "'.', '_' and '-', at most 64"
        )
    if folder.exists() or folder.is_symlink():
        raise SubmissionError(f"{folder}: is there already; choose another name, or remove it")
    if not folder.parent.is_dir():
        raise SubmissionError(f"{folder.parent}: no such folder to make '{folder.name}' in")


def _value(value: object) -> str:
    """A text, number or list as TOML: JSON, but for its pairs of surrogates and a bare DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml(values: dict[str, object], more: str) -> str:
    """`submission.toml` from its template."""
    text = (TEMPLATES / "submission.toml").read_text(encoding="utf-8")
    written = {key: _value(value) for key, value in values.items()}
    return Template(text).substitute(written, more=more).rstrip("\n") + "\n"


def _settings(source: Source) -> str:
    """Threads and hyperparameters of the reference, as TOML."""
    file = source.file
    lines = [] if file.threads is None else [f"threads = {file.threads}"]
    if file.hyperparameters:
        lines += ["", "[hyperparameters]"]
        lines += [f"{_value(k)} = {_value(v)}" for k, v in file.hyperparameters.items()]
    return "\n".join(lines)


def _reference(workload: str) -> Source:
    """The submission that a closed scaffold is begun from.

    Raises:
        SubmissionError: the workload has none.
    """
    try:
        return open_submission(reference_of(workload))
    except UnknownPlugin as error:
        raise SubmissionError(
            f"workload '{workload}' has no reference submission to begin from; take "
            "--division open, or write train.py by hand"
        ) from error


def _copy_reference(source: Source, folder: Path, fields: dict[str, object]) -> None:
    for path in files_of(source.folder):
        copy = folder / path.relative_to(source.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    begun = f"# Begun as a copy of {source.name}: everything here is yours to change.\n"
    train = folder / "train.py"
    train.write_text(begun + train.read_text(encoding="utf-8"), encoding="utf-8")
    imports = {"imports": list(source.file.imports)}
    text = _toml({**fields, **imports}, _settings(source))
    (folder / "submission.toml").write_text(text, encoding="utf-8")


def _copy_template(folder: Path, fields: dict[str, object]) -> None:
    shutil.copyfile(TEMPLATES / "open.py.txt", folder / "train.py")
    text = _toml({**fields, "imports": ["numpy"]}, "")
    (folder / "submission.toml").write_text(text, encoding="utf-8")


def scaffold(folder: Path, workload: str, division: Division) -> InitDocument:
    """Write a submission that passes `check` at once: all of it, or nothing.

    Args:
        folder: To be made; its name becomes the submission's.
        workload: Name of the workload that it is for.
        division: `closed` begins with the reference submission, `open` with a constant answer.

    Raises:
        UnknownPlugin: no such workload.
        SubmissionError: the folder is there already, the workload has no such division, or there
            is nothing to begin from.
        OSError: it cannot be written.
    """
    spec: WorkloadSpec = find("workloads", workload).value
    if division not in spec.divisions:
        raise SubmissionError(
            f"{spec.name} has no {division} division; take --division {spec.divisions[0]}"
        )
    _free(folder)
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
