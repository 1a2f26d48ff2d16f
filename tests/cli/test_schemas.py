"""Every document that a verb prints, and every file on disk, has a JSON Schema."""

import json

import pytest

from harness.cli.documents import ErrorBody, ErrorDocument
from harness.cli.group import verb_names
from harness.cli.schemas import models, names, schema_of

WITHOUT_DOCUMENT = {"schema"}
"""Its document is a schema itself."""


@pytest.mark.parametrize("name", names())
def test_schemas_are_json_and_closed(name: str) -> None:
    schema = schema_of(name)
    json.dumps(schema, allow_nan=False)
    assert schema["additionalProperties"] is False
    assert schema["type"] == "object"


def test_every_verb_has_a_schema() -> None:
    missing = set(verb_names()) - WITHOUT_DOCUMENT - set(names())
    assert not missing, "add its document to documents.py, or DOCUMENT = 'module:Class' to its file"


def test_a_verbs_own_file_can_name_its_document(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.cli.verbs import doctor

    place = "harness.cli.documents:ErrorBody"
    monkeypatch.setattr(doctor, "DOCUMENT", place, raising=False)
    monkeypatch.delattr("harness.cli.documents.DoctorDocument")
    assert models()["doctor"] is ErrorBody


@pytest.mark.parametrize("name", ["run", "machine", "manifest", "event", "ledger-row", "score"])
def test_every_file_on_disk_has_one(name: str) -> None:
    assert f"record-{name}" in names()


def test_descriptions_come_along() -> None:
    window = schema_of("record-run")["$defs"]["RunWindow"]["properties"]["gun_ns"]
    assert "the run window opens" in window["description"]


def test_documents_say_their_format() -> None:
    documents = {name: model for name, model in models().items() if not name.startswith("record-")}
    assert all("format" in model.model_fields for model in documents.values())
    assert documents["error"] is ErrorDocument
