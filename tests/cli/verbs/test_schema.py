"""`joulemark schema` prints names, or one schema."""

import json

from harness.cli.schemas import names


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
