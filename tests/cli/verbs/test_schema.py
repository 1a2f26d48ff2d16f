"""`joulemark schema` prints names, or one schema."""

import json

import pytest
from pydantic import ValidationError

from harness.cli.group import verb_names
from harness.cli.verbs.list import PluginItem
from harness.cli.verbs.schema import ErrorBody, ErrorDocument, models, names, schema_of
from harness.cli.verbs.verify import VerifyDocument
from harness.records import dump
from harness.verify.report import CheckResult


def test_names(joulemark) -> None:
    assert joulemark("schema").stdout.split() == names()


def test_names_as_json(document) -> None:
    assert document("schema") == {"format": 1, "names": names()}


def test_one_schema(joulemark) -> None:
    result = joulemark("schema", "doctor")
    schema = json.loads(result.stdout)
    assert result.exit_code == 0
    assert schema["title"] == "DoctorDocument"
    assert schema["$schema"].endswith("2020-12/schema")


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
    assert not missing, (
        "name the document VERBDocument, or assign it to DOCUMENT in the command's file"
    )


@pytest.mark.parametrize("name", ["run", "machine", "manifest", "event", "ledger-row", "score"])
def test_every_file_on_disk_has_one(name: str) -> None:
    assert f"record-{name}" in names()


def test_descriptions_come_along() -> None:
    window = schema_of("record-run")["$defs"]["RunWindow"]["properties"]["gun_ns"]
    assert "the run window begins" in window["description"]


def test_documents_say_their_format() -> None:
    documents = {name: model for name, model in models().items() if not name.startswith("record-")}
    assert all("format" in model.model_fields for model in documents.values())
    assert documents["error"] is ErrorDocument


ITEM = PluginItem(
    kind="meters", name="x", title="", origin="built-in", error="", available=None,
    facts={"target": 0.5, "n": 3, "yes": True, "none": None, "text": "t"},
)  # fmt: skip
EXAMPLES = [
    ITEM,
    ErrorDocument(error=ErrorBody(kind="usage", message="no", exit_code=2)),
    VerifyDocument(
        root="r", kind="tree", ok=True, hashed_bytes=0, bundles=(), ledgers=(),
        checks=(CheckResult(rule="a", verdict="skip", message="why"),),
    ),
]  # fmt: skip


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda item: type(item).__name__)
def test_documents_read_back_as_written(record) -> None:
    assert type(record).model_validate_json(dump(record)) == record


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda item: type(item).__name__)
def test_unknown_keys_are_refused(record) -> None:
    tree = json.loads(dump(record)) | {"surprise": 1}
    with pytest.raises(ValidationError, match="surprise"):
        type(record).model_validate_json(json.dumps(tree))


def test_documents_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ITEM.name = "y"  # type: ignore[misc]


def test_numbers_are_finite() -> None:
    with pytest.raises(ValidationError):
        PluginItem(**{**ITEM.model_dump(), "facts": {"target": float("nan")}})


def test_verdicts_are_three_and_only_three() -> None:
    tree = json.loads(dump(EXAMPLES[2]))
    tree["checks"][0]["verdict"] = "maybe"
    with pytest.raises(ValidationError, match="verdict"):
        VerifyDocument.model_validate_json(json.dumps(tree))


def test_every_document_describes_itself() -> None:
    for name, model in models().items():
        assert (model.__doc__ or "").strip(), name
