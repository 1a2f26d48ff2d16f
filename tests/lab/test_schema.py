"""The checker itself refuses what it must."""

import pytest

from tests.lab.schema import violations

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["n"],
    "properties": {
        "n": {"type": "integer"},
        "of": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]},
        "many": {"type": "array", "items": {"enum": ["a", "b"]}},
        "free": {"type": "object", "additionalProperties": {"type": "number"}},
    },
    "$defs": {"Part": {"type": "object", "additionalProperties": False, "properties": {}}},
}


@pytest.mark.parametrize(
    "document", [{"n": 1}, {"n": 1, "of": None, "many": ["a"]}, {"n": 1, "free": {"x": 0.5}}]
)
def test_what_fits_fits(document):
    assert violations(document, SCHEMA, SCHEMA) == []


@pytest.mark.parametrize(
    "document",
    [
        *([], {}, {"n": True}, {"n": "1"}, {"n": 1, "more": 2}, {"n": 1, "of": {"x": 1}}),
        *({"n": 1, "many": ["c"]}, {"n": 1, "free": {"x": "y"}}, {"n": 1, "many": "a"}),
    ],
)
def test_what_does_not_fit_is_reported(document):
    assert violations(document, SCHEMA, SCHEMA)


def test_a_keyword_that_it_does_not_know_is_no_pass():
    with pytest.raises(KeyError, match="oneOf"):
        violations(1, {"oneOf": []}, {})
