from pathlib import Path

import pytest

from harness.report.charts.power import BINS, power_chart, tracks_of
from harness.report.entries import Boards, Entry, entries_of
from harness.report.traces import trace_of
from tests.report.made import METERED, Made, Plan, make
from tests.report.markup import Markup, read


@pytest.fixture
def entries(made: Made) -> dict[str, Entry]:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    return {entry.score.entry.submission: entry for entry in entries}


def drawn(entry: Entry) -> Markup:
    entry_run = entry.runs[0]
    return read(str(power_chart(entry_run, tracks_of(entry_run, trace_of(entry_run)), "p")))


def styles(chart: Markup, tag: str) -> list[str]:
    return [item.values.get("class", "") for item in chart.all(tag)]


def test_every_domain_is_drawn(entries: dict[str, Entry]) -> None:
    lines = [style for style in styles(drawn(entries["cnn-adamw"]), "path") if "power" in style]
    assert lines == ["power drawn d0", "power drawn d1", "power drawn d2"]


def test_modelled_watts_are_drawn_and_shown_as_modelled(entries: dict[str, Entry]) -> None:
    chart = drawn(entries["digits-mlp-adamw"])
    lines = [style for style in styles(chart, "path") if "power" in style]
    assert lines == ["power drawn d0 modelled", "power drawn d1 modelled"]
    assert "cpu-modelled" in chart.text
    assert chart.text.count("modelled, not measured") == 2


def test_gun_end_phases_and_snapshots_are_marked(entries: dict[str, Entry]) -> None:
    entry = entries["cnn-adamw"]
    chart = drawn(entry)
    assert {"moment gun", "moment end"} <= set(styles(chart, "path"))
    assert "load: 90.0 ms, as reported by the submission".replace(" ms", "\u202fms") in chart.text
    assert "Phases: epoch, load." in chart.text
    run = entry.runs[0].run
    assert run is not None
    triangles = [style for style in styles(chart, "path") if style.startswith("snapshot")]
    assert len(triangles) == len(run.snapshots)
    assert triangles.count("snapshot counted") == 1


def test_a_run_without_a_meter_has_no_chart(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-unmetered"].runs[0]
    assert tracks_of(entry_run, None) == []
    assert power_chart(entry_run, [], "p") is None


def test_a_long_trace_is_thinned_out(tmp_path: Path) -> None:
    plan = Plan(submission="long", title="Long", meter="rapl", hz=2000.0, seeds=1)
    made = make(tmp_path / "results", (plan,))
    (entry,) = entries_of(made.scores, Boards(made.boards), made.results)
    tracks = tracks_of(entry.runs[0], trace_of(entry.runs[0]))
    assert min(len(track.series.t_s) for track in tracks) > 2 * BINS
    chart = str(power_chart(entry.runs[0], tracks, "p"))
    assert len(chart) < 80_000
    assert 'class="band d0"' in chart


def test_made_plans_cover_every_kind_of_meter() -> None:
    assert {plan.meter for plan in METERED} == {"rapl", "none", "fake"}
