"""Records of others' results: marked as imported for good, and missing joules stay missing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import (
    FORMAT,
    Curve,
    ImportedRun,
    ImportedScoreDocument,
    PowerFile,
    RecordError,
    dump,
    load,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)
RUN: dict[str, Any] = {
    "source_format": "f", "workload": "w", "submission": "s", "machine": "m", "run": "1",
    "status": "ok", "source": "a/result.txt", "sha256": "0" * 64,
}  # fmt: skip
POWER: dict[str, Any] = {
    "source": "a/power.txt", "sha256": "0" * 64, "kind": "node", "readings_count": 3,
    "window_readings_count": 2, "span_s": 1.5, "gap_max_s": None, "duplicates_count": 0,
    "conversion_ratio": 1.0,
}  # fmt: skip
SCORES: dict[str, Any] = {
    "ruleset": "r", "as_shipped": True, "scores": [], "leaderboard": [], "findings": [],
}  # fmt: skip


@pytest.mark.parametrize("mark", [False, None, 0, "true"])
@pytest.mark.parametrize(("kind", "tree"), [(ImportedRun, RUN), (ImportedScoreDocument, SCORES)])
def test_nothing_imported_can_pass_for_our_own(kind: Any, tree: dict[str, Any], mark: Any) -> None:
    assert json.loads(dump(load(kind, tree, "file")))["imported"] is True
    with pytest.raises(RecordError, match=": imported: "):
        load(kind, tree | {"imported": mark}, "file")


@pytest.mark.parametrize(
    ("kind", "tree"), [(ImportedRun, RUN), (PowerFile, POWER), (ImportedScoreDocument, SCORES)]
)
def test_no_key_may_be_left_out_or_added(kind: Any, tree: dict[str, Any]) -> None:
    for key in tree:
        with pytest.raises(RecordError, match=f"^file: .*: {key}: Field required"):
            load(kind, {name: item for name, item in tree.items() if name != key}, "file")
    with pytest.raises(RecordError, match=": watts: Extra inputs"):
        load(kind, tree | {"watts": 1.0}, "file")


def test_a_run_without_joules_has_none_and_not_zero() -> None:
    run = load(ImportedRun, RUN, "file")
    assert (run.energy_by_method_j, run.energy_kind, run.time_s) == ({}, None, None)
    assert run.format == FORMAT
    assert b"0.0" not in dump(run)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("key", ["time_s", "energy_by_method_j", "energy_by_domain_j", "facts"])
def test_numbers_that_are_none_are_refused_by_key(key: str, number: float) -> None:
    value = number if key == "time_s" else {"window": number}
    with pytest.raises(RecordError, match=f": {key}"):
        load(ImportedRun, RUN | {key: value}, "file")


@pytest.mark.parametrize("key", [key for key in POWER if key != "gap_max_s"])
@pytest.mark.parametrize("value", [True, [], {}], ids=repr)
def test_a_power_log_is_refused_by_its_place_and_key(key: str, value: Any) -> None:
    with pytest.raises(RecordError, match=rf"power\.0\.{key}: "):
        load(ImportedRun, RUN | {"power": [POWER | {key: value}]}, "file")


@given(
    st.lists(FINITE, max_size=5),
    st.dictionaries(st.text(), st.lists(st.none() | FINITE, max_size=5), max_size=3),
)
def test_curves_read_back_with_their_gaps(times: list[float], metric: dict[str, Any]) -> None:
    curve = load(Curve, {"time_s": times, "metric": metric}, "file")
    again = load(ImportedRun, dump(load(ImportedRun, RUN | {"curve": curve.model_dump()}, "f")), "")
    assert again.curve == curve
    assert {name: list(column) for name, column in curve.metric.items()} == metric


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | FINITE | st.text()))
def test_facts_keep_the_type_that_the_source_gave(facts: dict[str, Any]) -> None:
    again = load(ImportedRun, dump(load(ImportedRun, RUN | {"facts": facts}, "file")), "file")
    assert again.facts == facts
    assert {name: type(item) for name, item in again.facts.items()} == {
        name: type(element) for name, element in facts.items()
    }
