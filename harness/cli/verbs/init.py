"""`joulemark init`: start a submission that passes `check` and runs unchanged."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Literal

import click
import tomli_w

from harness.api import WorkloadSpec
from harness.cli.command import CommandResult, Document, json_command
from harness.cli.options import PATH
from harness.cli.printer import Printer
from harness.records import reference_of
from harness.registry import UnknownPlugin, find
from harness.run.submission import NAME, Source, SubmissionError, files_of, open_submission

TEMPLATES = Path(__file__).parents[1] / "templates"

Division = Literal["closed", "open"]


class InitDocument(Document):
    """`joulemark init`."""

    folder: str
    workload: str
    division: Division
    begun_from: str
    """The reference submission that was copied; empty for the template."""
    files: tuple[str, ...]
    """Files that were written, relative to the folder."""


def _check_folder(folder: Path) -> None:
    if not NAME.fullmatch(folder.name):
        raise SubmissionError(
            f"{folder.name!a}: the folder's name becomes the submission's name; use at most 64 "
            "letters, digits, '.', '_' and '-'"
        )
    if folder.exists() or folder.is_symlink():
        raise SubmissionError(f"{folder}: exists already; choose another name, or remove it")
    if not folder.parent.is_dir():
        raise SubmissionError(f"{folder.parent}: no such folder; create it first")


def submission_toml(fields: Mapping[str, object], settings: Mapping[str, object]) -> str:
    """Return the text of submission.toml; `settings` are further keys of the reference."""
    template = Template((TEMPLATES / "submission.toml").read_text(encoding="utf-8"))
    # A string or list in JSON is one in TOML, except for the character DEL.
    values = {
        key: json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        for key, value in fields.items()
    }
    return template.substitute(values, more=tomli_w.dumps(settings)).rstrip("\n") + "\n"


def _write(folder: Path, fields: dict[str, object], reference: Source | None) -> None:
    settings: dict[str, object] = {}
    if reference is None:
        shutil.copyfile(TEMPLATES / "open.py.txt", folder / "train.py")
        fields["imports"] = ["numpy"]
    else:
        for path in files_of(reference.folder):
            copy = folder / path.relative_to(reference.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        train = folder / "train.py"
        head = f"# A copy of {reference.name}; change anything.\n"
        train.write_text(head + train.read_text(encoding="utf-8"), encoding="utf-8")
        fields["imports"] = list(reference.file.imports)
        if reference.file.threads is not None:
            settings["threads"] = reference.file.threads
        if reference.file.hyperparameters:
            settings["hyperparameters"] = dict(reference.file.hyperparameters)
    text = submission_toml(fields, settings)
    (folder / "submission.toml").write_text(text, encoding="utf-8")


def create_submission(folder: Path, workload: str, division: Division) -> InitDocument:
    """Write a submission that passes `joulemark check`: all files or, on an error, none.

    The division `closed` copies the reference submission, `open` predicts a constant.

    Raises:
        UnknownPlugin: no such workload.
        SubmissionError: the folder exists, or the workload has no such division or no reference.
        OSError: it cannot be written.
    """
    spec: WorkloadSpec = find("workloads", workload).value
    if division not in spec.divisions:
        raise SubmissionError(
            f"{spec.name} has no {division} division; use --division {spec.divisions[0]}"
        )
    _check_folder(folder)
    try:
        reference = open_submission(reference_of(spec.name)) if division == "closed" else None
    except UnknownPlugin as error:
        raise SubmissionError(
            f"workload '{spec.name}' has no reference submission to copy; use "
            "--division open, or write train.py by hand"
        ) from error
    fields = {"title": f"{folder.name} on {spec.title}", "division": division}
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        scratch.chmod(0o755)
        _write(scratch, {**fields, "workloads": [spec.name]}, reference)
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


def _show(document: InitDocument, printer: Printer) -> None:
    origin = f"copied from {document.begun_from}" if document.begun_from else "predicts a constant"
    printer.heading(f"{document.folder}: {document.division} division, {origin}")
    for name in document.files:
        printer.line(name, indent=2)
    printer.line()
    printer.line(f"next: joulemark check {document.folder}")
    printer.line(f"joulemark run {document.workload} --submission {document.folder}", indent=6)


@json_command("init")
@click.argument("folder", type=PATH, metavar="NAME")
@click.option("--workload", required=True, metavar="W", help="Workload that it trains on.")
@click.option(
    "--division",
    type=click.Choice(["closed", "open"]),
    default="closed",
    show_default=True,
    help="closed: the workload's own model; open: any model, with a predictor.",
)
def command(folder: Path, workload: str, division: Division) -> CommandResult:
    """Make the folder NAME with a submission.toml and a train.py to start from.

    In the closed division it is a copy of the workload's reference submission. Existing files are
    never overwritten.
    """
    document = create_submission(folder, workload, division)
    return CommandResult(document, _show)
