"""`joulemark schema`: JSON Schemas of all files on disk and of all --json documents."""

import importlib
import json
import re
from typing import Any, Literal

import click

from harness import records
from harness.cli.command import Document
from harness.cli.failure import unknown
from harness.cli.group import verb_names
from harness.cli.run_document import RunDocument
from harness.records import Record


class ErrorBody(Record):
    """An error."""

    kind: Literal[
        "usage", "invalid", "gate", "measurement", "missing", "budget", "internal", "interrupted"
    ]
    message: str
    """What was wrong, where, and what to do."""
    exit_code: int


class ErrorDocument(Document):
    """Printed by any command with `--json` if the command fails."""

    error: ErrorBody


def models() -> dict[str, type[Record]]:
    """Return all documents and records by name.

    A command's document has the command's name (`doctor`, `error`); records of files have a prefix
    (`record-run`), since there is a `run` and a `score` of both.
    """
    result: dict[str, type[Record]] = {"error": ErrorDocument, "run": RunDocument}
    for verb in verb_names():
        module = importlib.import_module(f"harness.cli.verbs.{verb}")
        named = getattr(module, f"{verb.capitalize()}Document", None)
        if document := getattr(module, "DOCUMENT", named):
            result[verb] = document
    for name in records.__all__:
        value = getattr(records, name)
        if isinstance(value, type) and issubclass(value, Record) and value is not Record:
            words = re.sub(r"(?<!^)(?=[A-Z])", "-", name)
            result[f"record-{words.lower()}"] = value
    return result


def names() -> list[str]:
    """Return the names of all documents and records, sorted."""
    return sorted(models())


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a document or record."""
    schema = models()[name].model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@click.command("schema")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the list of names as JSON.")
def command(name: str | None, *, as_json: bool) -> int:
    """Print the JSON Schema of a record or of a command's --json document.

    Without NAME, list all names.
    """
    known = names()
    if name is None:
        listing = json.dumps({"format": 1, "names": known}, indent=1)
        click.echo(listing if as_json else "\n".join(known))
        return 0
    if name not in known:
        raise click.UsageError(unknown("schema", name, known))
    click.echo(json.dumps(schema_of(name), indent=1, sort_keys=True))
    return 0
