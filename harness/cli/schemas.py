"""Names every record and document, and gives the JSON Schema of each."""

import importlib
import re
from typing import Any

from harness import records
from harness.cli import documents
from harness.cli.group import verb_names
from harness.records import Record

VERB_SUFFIX = "Document"


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def _named_by_verbs() -> dict[str, type[Record]]:
    """Documents that lie elsewhere: `DOCUMENT = "module:Class"` in a verb's own file."""
    found: dict[str, type[Record]] = {}
    for verb in verb_names():
        module = importlib.import_module(f"harness.cli.verbs.{verb}")
        place, _, name = getattr(module, "DOCUMENT", "").partition(":")
        if place:
            found[verb] = getattr(importlib.import_module(place), name)
    return found


def models() -> dict[str, type[Record]]:
    """Verbs' documents by verb (`doctor`, `error`), files' records by name (`record-run`).

    Both kinds have a `run` and a `score`, so that records carry a prefix.
    """
    found = _named_by_verbs()
    for name, value in vars(documents).items():
        if isinstance(value, type) and issubclass(value, Record) and name.endswith(VERB_SUFFIX):
            found[_kebab(name.removesuffix(VERB_SUFFIX))] = value
    for name in records.__all__:
        value = getattr(records, name)
        if isinstance(value, type) and issubclass(value, Record) and value is not Record:
            found[f"record-{_kebab(name)}"] = value
    return found


def names() -> list[str]:
    """All names, sorted."""
    return sorted(models())


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what is written under that name."""
    model = models()[name]
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
