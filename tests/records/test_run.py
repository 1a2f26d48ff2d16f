"""`run.json` and `eval.json`: every value at every depth is of its own type, or refused by path."""

import copy
import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import (
    FORMAT,
    Evaluation,
    Event,
    Finding,
    MetricValue,
    Record,
    RecordError,
    Run,
    Status,
    dump,
    load,
)
from tests.lab.results import Plan, evaluation_of, run_record

Path = tuple[str | int, ...]

RECORDS: dict[str, Record] = {
    "run": run_record(
        Plan(snapshots=((1.0, 0.5), (2.0, None)), refused=(1,)), "20260101T000000Z-0000"
    ),
    "evaluation": evaluation_of(Plan(facts={"optimum": 0.5})),
}
OTHER: dict[type, Any] = {str: 1, int: "1", float: "1", bool: 1, dict: [], list: {}}


def places(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value of a tree with its path, inner ones too."""
    if path:
        yield path, tree
    rows = dict(enumerate(tree)) if isinstance(tree, list) else tree
    for key, value in rows.items() if isinstance(rows, dict) else ():
        yield from places(value, (*path, key))


def changed(tree: Any, path: Path, value: Any) -> Any:
    """A copy with another value at one place."""
    result = copy.deepcopy(tree)
    at = result
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return result


def spots() -> list[Any]:
    """Every place of the records that is not empty."""
    return [
        pytest.param(record, path, value, id=f"{name}:{'.'.join(map(str, path))}")
        for name, record in RECORDS.items()
        for path, value in places(json.loads(dump(record)))
        if value is not None
    ]


@pytest.mark.parametrize(("record", "path", "value"), spots())
def test_another_type_is_refused_by_file_and_path(record: Record, path: Path, value: Any) -> None:
    tree = changed(json.loads(dump(record)), path, OTHER[type(value)])
    with pytest.raises(RecordError) as caught:
        load(type(record), tree, "folder/file.json")
    assert str(caught.value).startswith("folder/file.json: not a valid ")
    assert f": {'.'.join(map(str, path))}" in str(caught.value)


@pytest.mark.parametrize(
    ("record", "path", "value"),
    [spot for spot in spots() if isinstance(spot.values[2], float)],
)
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_nan_or_infinite(
    record: Record, path: Path, value: float, number: float
) -> None:
    tree = changed(json.loads(dump(record)), path, number)
    with pytest.raises(RecordError, match=str(path[-1])):
        load(type(record), tree, "file")
    with pytest.raises(RecordError, match=str(path[-1])):
        load(type(record), json.dumps(tree).encode(), "file")


@pytest.mark.parametrize(
    "part", ["workload", "submission", "seeds", "window", "isolation", "usage", "sampler"]
)
def test_no_part_of_a_run_takes_an_unknown_key(part: str) -> None:
    tree = changed(json.loads(dump(RECORDS["run"])), (part, "surprise"), 1)
    with pytest.raises(RecordError, match=rf"{part}\.surprise: Extra inputs"):
        load(Run, tree, "file")


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_reads_back(status: Status) -> None:
    record = run_record(Plan(status=status), "r")
    assert load(Run, dump(record), "file") == record


@pytest.mark.parametrize("status", ["", "OK", "failed", None])
def test_no_other_status_is_known(status: Any) -> None:
    with pytest.raises(RecordError, match="status"):
        load(Run, json.loads(dump(RECORDS["run"])) | {"status": status}, "file")


def test_a_run_carries_the_format_of_this_version() -> None:
    assert json.loads(dump(RECORDS["run"]))["format"] == FORMAT
    assert json.loads(dump(RECORDS["evaluation"]))["format"] == FORMAT


SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)


@given(st.dictionaries(st.text(), SCALARS.filter(lambda x: x not in (float("inf"), -float("inf")))))
def test_events_read_back_with_the_type_of_every_value(data: dict[str, Any]) -> None:
    again = load(Event, dump(Event(seq=0, t_ns=2**62, kind="log", data=data)), "file")
    assert again.data == data
    assert [type(item) for item in again.data.values()] == [type(data[key]) for key in again.data]


@given(
    st.builds(
        MetricValue,
        snapshot=st.integers(0, 99),
        value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        reason=st.text(),
        wall_s=st.floats(0, 1e9),
        cpu_s=st.none() | st.floats(0, 1e9),
    )
)
def test_values_of_the_judge_read_back(value: MetricValue) -> None:
    record = Evaluation(metric="m", examples=1, values=(value,), predictor=None)
    assert load(Evaluation, dump(record), "file") == record


@pytest.mark.parametrize("level", ["error", "WARN", "", None, 1])
def test_a_finding_has_one_of_three_levels(level: Any) -> None:
    tree = {"rule": "r", "level": level, "message": "m"}
    with pytest.raises(RecordError, match="level"):
        load(Finding, tree, "file")
