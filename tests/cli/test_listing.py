"""Rows of plug-ins: what one says of itself, and what becomes of one that cannot."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli.listing import COLUMNS, DESCRIBERS, PROBED, item_of, items_of
from harness.plugins import Availability
from harness.registry import KINDS, Broken, Plugin, PluginSource, discover
from harness.score.calibration import committed_record

SOURCE = PluginSource("thing", Path("/x/thing.py"), "built-in", "")


def plugin(**fields: Any) -> Plugin:
    return Plugin("thing", SimpleNamespace(**fields), SOURCE)


def test_columns_are_of_kinds_that_exist() -> None:
    assert set(COLUMNS) == set(DESCRIBERS) <= set(KINDS)
    assert set(PROBED) <= set(KINDS)


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_every_column_has_a_fact_behind_it(kind: str) -> None:
    for item in items_of(kind):
        assert item.error or set(COLUMNS[kind]) <= set(item.facts), item


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_projects_own_plug_ins_all_load_and_have_a_title(kind: str) -> None:
    for item in items_of(kind):
        assert item.error == ""
        assert item.title, f"{kind}: {item.name} has neither title nor documentation"


def test_availability_is_told_with_reason_and_advice() -> None:
    found = Availability(ok=False, reason="no cable", advice="plug it in")
    item = item_of("meters", plugin(probe=lambda: found, origin="hardware"))
    assert (item.available, item.reason, item.advice) == (False, "no cable", "plug it in")
    assert item.facts == {"origin": "hardware"}


def test_kinds_that_are_not_probed_are_neither_here_nor_missing() -> None:
    item = item_of("prizes", plugin(title="Energy", probe=lambda: 1 / 0))
    assert item.available is None
    assert (item.title, item.error) == ("Energy", "")


def test_a_probe_that_raises_makes_it_broken() -> None:
    item = item_of("meters", plugin(probe=lambda: 1 / 0))
    assert item.error == "ZeroDivisionError: division by zero"
    assert item.available is False


def test_a_plug_in_that_did_not_load_keeps_its_error_and_place() -> None:
    item = item_of("pages", Broken("thing", "SyntaxError: no", SOURCE))
    assert item.error == "SyntaxError: no"
    assert item.available is None
    assert "/x/thing.py" in item.advice


def test_a_title_that_is_no_text_is_left_out() -> None:
    assert item_of("prizes", plugin(title=3)).title == ""


def test_workloads_tell_the_spread_of_their_calibrated_runs() -> None:
    rows = {item.name: item.facts for item in items_of("workloads")}
    for name, facts in rows.items():
        record = committed_record(name)
        assert (facts["spread"] is None) == (record is None) == (facts["size"] == "official")
        if record is not None:
            assert facts["spread"] == pytest.approx(record.deviation, rel=0.05)


def test_a_foreign_workload_of_the_same_name_has_no_spread_of_ours() -> None:
    ours = next(item for item in discover("workloads") if item.name == "digits-mlp")
    assert isinstance(ours, Plugin)
    theirs = ours._replace(source=ours.source._replace(origin="a folder"))
    assert item_of("workloads", theirs).facts["spread"] is None
