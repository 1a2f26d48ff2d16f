"""How records become bytes and bytes records: strict in every type, named in every fault."""

import json
import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.records.base import FORMAT, Record, RecordError, dump, load

FINITE = st.floats(allow_nan=False, allow_infinity=False)


class Inner(Record):
    """A record in a record."""

    value_j: float


class Sample(Record):
    """One key of each type that records have."""

    format: int = FORMAT
    text: str
    count: int
    ratio: float
    flag: bool
    missing: float | None
    level: Literal["info", "fail"]
    names: tuple[str, ...] = ()
    by_name: dict[str, float] = {}
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()


TREE: dict[str, Any] = {
    "text": "t",
    "count": 3,
    "ratio": 0.5,
    "flag": True,
    "missing": None,
    "level": "info",
    "names": ["a", "b"],
    "by_name": {"cpu": 1.5},
    "inner": {"value_j": 2.5},
    "several": [{"value_j": 0.0}],
}

SAMPLES = st.builds(
    Sample,
    text=st.text(),
    count=st.integers(),
    ratio=FINITE,
    flag=st.booleans(),
    missing=st.none() | FINITE,
    level=st.sampled_from(["info", "fail"]),
    names=st.lists(st.text()).map(tuple),
    by_name=st.dictionaries(st.text(), FINITE),
    inner=st.none() | st.builds(Inner, value_j=FINITE),
    several=st.lists(st.builds(Inner, value_j=FINITE)).map(tuple),
)

WRONG_OF: dict[str, tuple[Any, ...]] = {
    "text": (1, 1.5, True, None, ["t"], {"t": 1}),
    "count": ("3", 3.5, True, None, [3], {}),
    "ratio": ("0.5", True, None, [0.5], {}),
    "flag": ("true", 1, 0, 1.0, None, []),
    "missing": ("", "null", False, [], {}),
    "level": ("warn", "INFO", "", 0, None),
    "names": ("ab", {"a": "b"}, None, 1),
    "by_name": ([], "cpu", None, 1),
    "inner": ([], "x", 1, True),
    "several": ({}, "x", 1, None),
}
WRONG = [(key, value) for key, values in WRONG_OF.items() for value in values]

DEEP: list[tuple[dict[str, Any], str]] = [
    ({"names": ["a", 1]}, "names.1"),
    ({"names": [None]}, "names.0"),
    ({"by_name": {"cpu": "1.5"}}, "by_name.cpu"),
    ({"by_name": {"gpu-0": True}}, "by_name.gpu-0"),
    ({"inner": {}}, "inner.value_j"),
    ({"inner": {"value_j": 1.0, "value_w": 1.0}}, "inner.value_w"),
    ({"several": [{"value_j": 1.0}, {"value_j": None}]}, "several.1.value_j"),
    ({"several": [{"value_j": 1.0, "": 0}]}, "several.0."),
]


def message(data: bytes | dict[str, Any], where: str = "some/file.json") -> str:
    with pytest.raises(RecordError) as caught:
        load(Sample, data, where)
    text = str(caught.value)
    assert text.startswith(f"{where}: not a valid Sample record: ")
    return text


# --- what is accepted -----------------------------------------------------------------------------


def test_the_tree_that_the_faults_are_put_into_is_valid() -> None:
    record = load(Sample, TREE, "file")
    assert record.names == ("a", "b")
    assert record.inner == Inner(value_j=2.5)
    assert record.missing is None


@given(SAMPLES)
def test_any_record_reads_back_equal_and_to_the_same_bytes(record: Sample) -> None:
    data = dump(record)
    again = load(Sample, data, "file")
    assert again == record
    assert dump(again) == data


@given(SAMPLES)
def test_a_tree_and_its_text_give_the_same_record(record: Sample) -> None:
    data = dump(record)
    assert load(Sample, json.loads(data), "file") == load(Sample, data, "file")


@given(SAMPLES, st.randoms(use_true_random=False))
def test_the_order_of_keys_and_the_layout_are_no_matter(record: Sample, random: Any) -> None:
    pairs = list(json.loads(dump(record)).items())
    random.shuffle(pairs)
    assert load(Sample, json.dumps(dict(pairs), indent=None).encode(), "file") == record
    assert dump(load(Sample, dict(pairs), "file")) == dump(record)


@given(st.integers(min_value=2**53, max_value=2**80))
def test_large_integers_lose_no_digit(value: int) -> None:
    record = load(Sample, TREE | {"count": value}, "file")
    assert load(Sample, dump(record), "file").count == value


def test_minus_zero_keeps_its_sign() -> None:
    again = load(Sample, dump(load(Sample, TREE | {"ratio": -0.0}, "file")), "file")
    assert math.copysign(1, again.ratio) == -1


def test_a_whole_number_will_do_for_a_float_but_stays_a_float() -> None:
    record = load(Sample, TREE | {"ratio": 2}, "file")
    assert isinstance(record.ratio, float)
    assert b'"ratio": 2.0' in dump(record)


def test_missing_and_zero_are_distinguished() -> None:
    none, zero = (load(Sample, TREE | {"missing": item}, "f") for item in (None, 0.0))
    assert none != zero
    assert b'"missing": null' in dump(none)
    assert b'"missing": 0.0' in dump(zero)


# --- what is written ------------------------------------------------------------------------------


@given(SAMPLES)
def test_the_text_is_utf_8_with_sorted_keys_and_one_newline_at_the_end(record: Sample) -> None:
    text = dump(record).decode("utf-8")
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    keys: list[list[str]] = []
    json.loads(text, object_pairs_hook=lambda pairs: keys.append([key for key, _ in pairs]))
    assert all(key == sorted(key) for key in keys)


def test_the_format_is_written_even_where_it_was_left_to_the_default() -> None:
    assert json.loads(dump(load(Sample, TREE, "file")))["format"] == FORMAT


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_not_written_past_the_checks(value: float) -> None:
    slipped = load(Sample, TREE, "file").model_copy(update={"ratio": value})
    try:
        tree = json.loads(dump(slipped))
    except ValueError:
        return
    assert tree["ratio"] is None
    assert "ratio" in message(tree), "what cannot be written cannot be read as a number either"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "value"), WRONG, ids=repr)
def test_a_value_of_another_type_is_refused_with_file_and_key(key: str, value: Any) -> None:
    assert f": {key}: " in message(TREE | {key: value})
    assert f": {key}: " in message(json.dumps(TREE | {key: value}).encode())


@pytest.mark.parametrize(("key", "value"), WRONG, ids=repr)
def test_a_value_of_another_type_is_refused_in_memory_too(key: str, value: Any) -> None:
    record = load(Sample, TREE, "file")
    fields = {name: getattr(record, name) for name in Sample.model_fields}
    assert Sample(**fields) == record
    with pytest.raises(ValidationError, match=key):
        Sample(**(fields | {key: value}))


@pytest.mark.parametrize(("change", "path"), DEEP, ids=str)
def test_a_fault_deep_inside_is_named_by_its_whole_path(change: dict[str, Any], path: str) -> None:
    assert f": {path}: " in message(TREE | change)


@pytest.mark.parametrize("key", [k for k, f in Sample.model_fields.items() if f.is_required()])
def test_a_missing_key_is_refused_with_file_and_key(key: str) -> None:
    tree = {name: value for name, value in TREE.items() if name != key}
    assert f": {key}: Field required" in message(tree)


@given(st.text(min_size=1).filter(lambda key: key not in Sample.model_fields))
def test_any_unknown_key_is_refused(key: str) -> None:
    with pytest.raises(RecordError, match="Extra inputs are not permitted"):
        load(Sample, TREE | {key: 1}, "file")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ('"ratio": 0.5', "ratio"),
        ('"missing": null', "missing"),
        ('"cpu": 1.5', "by_name.cpu"),
        ('"value_j": 2.5', "inner.value_j"),
        ('"value_j": 0.0', "several.0.value_j"),
    ],
)
def test_numbers_that_are_none_are_refused_wherever_they_stand(
    word: str, entry: str, path: str
) -> None:
    text = json.dumps(TREE)
    assert text.count(entry) == 1
    key = entry.partition(":")[0]
    assert f": {path}: " in message(text.replace(entry, f"{key}: {word}").encode())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_trees_with_numbers_that_are_none_name_the_key(value: float) -> None:
    assert ": ratio: " in message(TREE | {"ratio": value})
    assert ": by_name.cpu: " in message(TREE | {"by_name": {"cpu": value}})


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"1", b'"text"', b"{", b"{}}", b"\xff\xfe"])
def test_what_is_no_object_is_refused_as_a_document(data: bytes) -> None:
    assert ": document: " in message(data)


def test_a_truncated_file_is_refused_wherever_it_was_cut() -> None:
    data = dump(load(Sample, TREE, "file")).rstrip()
    for length in range(len(data)):
        message(data[:length])


def test_nesting_without_end_is_refused() -> None:
    message(b'{"inner": ' * 100_000)
    tree: dict[str, Any] = {}
    tree["inner"] = tree
    message(tree)


@pytest.mark.parametrize("value", [b"bytes", object(), {1, 2}, 1j])
def test_what_json_has_no_words_for_is_refused_with_the_file(value: Any) -> None:
    message(TREE | {"text": value})


@pytest.mark.parametrize(("faults", "more"), [(1, ""), (3, ""), (4, " (+1 more)")])
def test_three_faults_are_reported_and_the_rest_counted(faults: int, more: str) -> None:
    keys = ["text", "count", "ratio", "flag"][:faults]
    text = message({name: value for name, value in TREE.items() if name not in keys})
    assert text.count("Field required") == min(faults, 3)
    assert text.endswith(f"Field required{more}")


def test_the_value_at_fault_is_not_repeated() -> None:
    """It may be a megabyte, or secret."""
    assert "s3cret" not in message(TREE | {"count": "s3cret"})
    assert len(message(TREE | {"count": "x" * 1_000_000})) < 500


# --- frozen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", list(Sample.model_fields))
def test_no_key_can_be_set_afterwards(key: str) -> None:
    record = load(Sample, TREE, "file")
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, key, getattr(record, key))


def test_defaults_are_shared_by_no_two_records() -> None:
    bare = {name: value for name, value in TREE.items() if name != "by_name"}
    one, other = load(Sample, bare, "file"), load(Sample, bare, "file")
    one.by_name["cpu"] = 1.0
    assert other.by_name == {}
    assert load(Sample, bare, "file").by_name == {}


def test_the_schema_says_what_the_reader_does() -> None:
    schema = Sample.model_json_schema()
    assert schema["additionalProperties"] is False
    required = {name for name, field in Sample.model_fields.items() if field.is_required()}
    assert set(schema["required"]) == required
    assert schema["properties"]["level"]["enum"] == ["info", "fail"]


class Described(Record):
    """A record whose attributes say what they are."""

    plain: int
    count: int = 0
    """Units of the
    test."""


class Narrower(Described):
    """One that inherits them."""

    own: int = 0
    """Of its own."""
    count: int = 0
    """Told again."""


def test_docstrings_of_attributes_are_in_the_schema() -> None:
    properties = Described.model_json_schema()["properties"]
    assert properties["count"]["description"] == "Units of the\ntest."
    assert "description" not in properties["plain"]
    narrower = Narrower.model_json_schema()["properties"]
    assert (narrower["own"]["description"], narrower["count"]["description"]) == (
        "Of its own.",
        "Told again.",
    )
