"""`joulemark list`: what is there, what is broken, and never torch."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cli.verbs.list import (
    COLUMNS,
    DESCRIBERS,
    KINDS,
    PROBED,
    ListDocument,
    item_of,
    items_of,
)
from harness.plugins import Availability
from harness.registry import KINDS as REGISTERED
from harness.registry import Broken, Plugin, PluginSource, discover
from harness.score.calibration import committed_record

NO_TORCH = """
import sys
from harness.cli import main
try:
    main(["list", "--json"])
except SystemExit as leaving:
    assert not leaving.code
heavy = {"torch", "matplotlib"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else 0)
"""

METER = '''
"""A meter from somebody's drawer."""
from harness.plugins import Availability

class Drawer:
    origin = "hardware"
    def probe(self):
        return Availability(ok=False, reason="no cable", advice="plug it in")

METER = Drawer()
'''


@pytest.fixture
def drawer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plug-in folder."""
    folder = tmp_path / "drawer"
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(folder))
    for kind in ("meters", "workloads", "pages"):
        (folder / kind).mkdir(parents=True)
    return folder


def plugins(document, kind: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in document("list", kind)["plugins"]}


def test_every_kind_of_the_registry_can_be_listed() -> None:
    assert set(KINDS) == set(REGISTERED)


def test_listing_everything_never_loads_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    ListDocument.model_validate_json(done.stdout)


def test_workloads_say_what_they_measure(document) -> None:
    facts = plugins(document, "workloads")["digits-mlp"]["facts"]
    asked = {"domain", "size", "metric", "better", "target", "budget_s", "spread", "secrecy"}
    assert asked == set(facts)
    assert facts["better"] == "higher"
    markov = plugins(document, "workloads")["markov-lm"]["facts"]
    assert (markov["better"], markov["secrecy"]) == ("lower", "seeded")
    assert "nats" in str(markov["metric"])


def test_the_table_has_the_same(joulemark) -> None:
    text = joulemark("list", "workloads").stdout
    assert "digits-mlp" in text
    assert "secrecy" in text.splitlines()[0]
    assert "\x1b" not in text


def test_submissions_say_what_they_are_for(document) -> None:
    shown = plugins(document, "submissions")
    on_digits = [n for n, item in shown.items() if item["facts"]["workloads"] == "digits-mlp"]
    assert len(on_digits) >= 3


def test_meters_say_whether_and_why(document) -> None:
    shown = plugins(document, "meters")
    assert shown["fake"]["available"] is True
    assert all(item["reason"] for item in shown.values())
    assert {item["available"] for item in shown.values()} <= {True, False}


def test_a_meter_that_is_dropped_in_is_listed(drawer: Path, document, joulemark) -> None:
    (drawer / "meters" / "drawer_meter.py").write_text(METER)
    item = plugins(document, "meters")["drawer-meter"]
    assert (item["available"], item["reason"], item["advice"]) == (False, "no cable", "plug it in")
    assert item["origin"] == str(drawer)
    assert item["title"] == "A meter from somebody's drawer"
    assert "no cable; plug it in" in joulemark("list", "meters").stdout


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError"),
        ("METER = 1", "AttributeError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = (", "SyntaxError"),
        ("", "defines no METER"),
        ("class M:\n    def probe(self):\n        return True\nMETER = M()", "no Availability"),
    ],
)
def test_a_broken_plug_in_is_listed_with_its_error(
    drawer: Path, document, joulemark, source: str, error: str
) -> None:
    (drawer / "meters" / "bad.py").write_text(source)
    item = plugins(document, "meters")["bad"]
    assert error in str(item["error"])
    assert item["available"] is False
    result = joulemark("list", "meters")
    assert result.exit_code == 0
    assert "broken" in result.stdout
    assert "bad" in joulemark("list").stdout


def test_a_plug_in_that_prints_does_not_get_into_the_document(drawer: Path, document) -> None:
    (drawer / "workloads" / "loud.py").write_text('print("hello")\nWORKLOAD = None\n')
    assert "AttributeError" in str(plugins(document, "workloads")["loud"]["error"])


def test_the_overview_counts(joulemark, document) -> None:
    shown = document("list")
    text = joulemark("list").stdout
    for kind in shown["kinds"]:
        count = sum(item["kind"] == kind for item in shown["plugins"])
        assert f"{kind} " in text
        row = next(line for line in text.splitlines() if line.startswith(kind))
        assert row.split()[1] == str(count)


@pytest.mark.parametrize("word", ["meter", "METERS", "meters"])
def test_singular_and_capitals_are_understood(document, word: str) -> None:
    assert document("list", word)["kinds"] == ["meters"]


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


def test_availability_is_shown_with_reason_and_advice() -> None:
    shown = Availability(ok=False, reason="no cable", advice="plug it in")
    item = item_of("meters", plugin(probe=lambda: shown, origin="hardware"))
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


def test_workloads_have_the_spread_of_their_calibrated_runs() -> None:
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
