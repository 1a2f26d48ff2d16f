"""Documents are closed, frozen, finite, and read back as they were written."""

import json

import pytest
from pydantic import ValidationError

from harness.cli import documents
from harness.cli.documents import CheckItem, ErrorBody, ErrorDocument, PluginItem, VerifyDocument
from harness.cli.schemas import models
from harness.records import dump

ITEM = PluginItem(
    kind="meters", name="x", title="", origin="built-in", error="", available=None,
    facts={"target": 0.5, "n": 3, "yes": True, "none": None, "text": "t"},
)  # fmt: skip
EXAMPLES = [
    ITEM,
    ErrorDocument(error=ErrorBody(kind="usage", message="no", exit_code=2)),
    VerifyDocument(
        root="r", kind="tree", ok=True, hashed_bytes=0, bundles=(), ledgers=(),
        checks=(CheckItem(rule="a", verdict="skip", message="why"),),
    ),
]  # fmt: skip


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda each: type(each).__name__)
def test_documents_read_back_as_written(record) -> None:
    assert type(record).model_validate_json(dump(record)) == record


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda each: type(each).__name__)
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
    with pytest.raises(ValidationError):
        CheckItem(rule="a", verdict="maybe")  # type: ignore[arg-type]


def test_every_document_describes_itself() -> None:
    for name, model in models().items():
        assert (model.__doc__ or "").strip(), name
    verbs = [name for name in vars(documents) if name.endswith("Document")]
    assert len(verbs) >= 10
