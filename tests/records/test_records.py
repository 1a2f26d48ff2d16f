"""Every record: it reads back as written, refuses what it does not know, and documents itself."""

import json
import math
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import harness.records
from harness.records import (
    CostFigures,
    EnergyStatus,
    EntryRef,
    Event,
    Figure,
    Finding,
    Leaderboard,
    LedgerRow,
    Machine,
    MachineFact,
    Manifest,
    ManifestFile,
    MeterStatus,
    MetricResult,
    Record,
    RecordError,
    Ruleset,
    RulesInForce,
    Run,
    Score,
    Standing,
    Unranked,
    dump,
    load,
)
from tests.lab.results import Plan, evaluation_of, machine_of, rules, run_record

KINDS = sorted(
    (
        value
        for value in vars(harness.records).values()
        if isinstance(value, type) and issubclass(value, Record) and value is not Record
    ),
    key=lambda kind: kind.__name__,
)


ENTRY = EntryRef(
    workload="w", workload_version="v", submission="s", sha256="0", title="S", team="t",
    division="closed", machine="m",
)  # fmt: skip


def figure(value: float = 10.0) -> Figure:
    return Figure(value=value, low=9.0, high=None, n=3, level=0.95, method="counter")


def standing() -> Standing:
    return Standing(
        entry=ENTRY, score=1.5, low=None, high=2.0, n=3, rank=1, rank_low=1, rank_high=2,
        tie_group="a",
    )  # fmt: skip


def score() -> Score:
    return Score(
        entry=ENTRY, rules=RulesInForce(ruleset="r", snapshot_rule="final"),
        status="scored", reason="", n=3, failures=0,
        quality=MetricResult(name="accuracy", better="higher", target=0.9, figure=figure(0.95),
                             p_target=1e-9),
        costs=CostFigures(time_to_target_s=figure()),
        energy=EnergyStatus(eligible=False, note="none", by_domain_j={"cpu": figure()}),
    )  # fmt: skip


def board() -> Leaderboard:
    out = Unranked(entry=ENTRY, status="excluded", reason="x")
    return Leaderboard(
        workload="w", machine="m", ruleset="r", prize="energy", quantity="energy_to_target_j",
        unit="J", standings=(standing(),), unranked=(out,), separated=False,
        resolvable_ratio=0.06, note="n",
    )  # fmt: skip


def machine() -> Machine:
    fact = MachineFact(id="load", value=0.5, verdict="warn", source="/proc/loadavg")
    return machine_of(Plan()).model_copy(update={"before": (fact,), "price_per_h": 1.5})


def ledger_row() -> LedgerRow:
    return LedgerRow(
        seq=0, utc="2026", kind="finished", run_id="r", workload="w", submission="s",
        submission_sha256="0", seed_commitment="c", bundle="b", status="ok",
        manifest_sha256="m", previous="0" * 64, hash="1" * 64,
    )  # fmt: skip


def manifest() -> Manifest:
    one = ManifestFile(path="run.json", size_bytes=3, sha256="0")
    return Manifest(
        run_id="r", status="oom", files=(one,), harness_version="0", harness_sha256="0",
        ledger_seq=4, previous_manifest_sha256=None,
    )  # fmt: skip


def run() -> Run:
    meter = MeterStatus(name="rapl", available=False, reason="not readable")
    finding = Finding(rule="gap", level="warn", message="m")
    return run_record(Plan(), "r").model_copy(update={"meters": (meter,), "findings": (finding,)})


EXAMPLES: list[Record] = [
    run(),
    machine(),
    evaluation_of(Plan(facts={"optimum": 0.5})),
    manifest(),
    ledger_row(),
    rules(checks=("isolation",)),
    score(),
    board(),
    Event(seq=0, t_ns=5, kind="log", data={"loss": 0.25, "note": "é", "last": True, "step": None}),
]
named = pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)


@named
def test_a_record_reads_back_as_written(record: Record) -> None:
    data = dump(record)
    assert load(type(record), data, "file") == record
    assert load(type(record), json.loads(data), "file") == record
    assert dump(load(type(record), data, "file")) == data


@named
def test_the_text_is_stable_and_ends_with_a_newline(record: Record) -> None:
    data = dump(record)
    assert data.endswith(b"}\n")
    tree = json.loads(data)
    assert list(tree) == sorted(tree)


@named
def test_a_record_is_frozen(record: Record) -> None:
    name = next(iter(type(record).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, name, None)


@named
def test_an_unknown_key_is_refused_by_name(record: Record) -> None:
    tree = json.loads(dump(record)) | {"surprise": 1}
    with pytest.raises(RecordError, match="surprise: Extra inputs"):
        load(type(record), tree, "file")


@named
def test_a_missing_key_is_refused_by_name(record: Record) -> None:
    for name, field in type(record).model_fields.items():
        if field.is_required():
            tree = json.loads(dump(record))
            del tree[name]
            with pytest.raises(RecordError, match=f"{name}: Field required"):
                load(type(record), tree, "file")


@named
def test_a_value_of_another_type_is_refused_by_name(record: Record) -> None:
    """Numbers are no text, text is no number, and yes is not 1."""
    swapped: dict[type, Any] = {str: 1, int: "1", float: "1", bool: 1, dict: [], list: {}}
    for name, value in json.loads(dump(record)).items():
        if value is None:
            continue
        tree = json.loads(dump(record)) | {name: swapped[type(value)]}
        with pytest.raises(RecordError, match=name):
            load(type(record), tree, "file")


def test_the_message_names_file_record_and_at_most_three_faults() -> None:
    with pytest.raises(RecordError) as caught:
        load(Run, b"{}", "results/x/run.json")
    text = str(caught.value)
    assert text.startswith("results/x/run.json: not a valid Run record: ")
    assert "Field required" in text
    assert " more)" in text
    assert text.count("Field required") == 3


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(value: str) -> None:
    text = dump(figure()).replace(b'"value": 10.0', f'"value": {value}'.encode())
    assert value.encode() in text
    with pytest.raises(RecordError, match="value"):
        load(Figure, text, "file")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_dict_with_a_number_that_is_none_is_refused_by_key(value: float) -> None:
    tree = json.loads(dump(figure())) | {"value": value}
    with pytest.raises(RecordError, match="value"):
        load(Figure, tree, "file")
    with pytest.raises(ValidationError):
        Figure(value=value, low=None, high=None, n=1, level=0.95)


@pytest.mark.parametrize("tree", [{"value": object()}, {"value": {1, 2}}])
def test_a_dict_that_json_has_no_words_for_is_refused(tree: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="file: not a valid Figure record"):
        load(Figure, tree, "file")


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with pytest.raises(RecordError):
        load(Run, data, "file")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_back_to_the_last_bit(value: float) -> None:
    assert load(Figure, dump(figure(value)), "file").value == value


@given(st.text())
def test_texts_read_back_whatever_is_in_them(text: str) -> None:
    event = Event(seq=0, t_ns=0, kind=text, data={text: text})
    assert load(Event, dump(event), "file") == event


# --- schemas --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_record_has_a_schema_that_refuses_unknown_keys(kind: type[Record]) -> None:
    schema = kind.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["description"]
    assert set(schema["properties"]) == set(kind.model_fields)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_docstrings_of_fields_reach_the_schema(kind: type[Record]) -> None:
    properties = kind.model_json_schema()["properties"]
    described = [item for item in properties.values() if item.get("description")]
    assert described, "the schema does not say what a field means"


def test_files_on_disk_carry_a_format() -> None:
    for kind in (Run, Machine, Manifest, LedgerRow, Ruleset, Score, Leaderboard):
        assert "format" in kind.model_fields


def test_missing_joules_and_zero_joules_are_two_things() -> None:
    hints = typing.get_type_hints(CostFigures)
    assert type(None) in typing.get_args(hints["energy_to_target_j"])
    assert b'"energy_to_target_j": null' in dump(score())
