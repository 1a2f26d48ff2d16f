import dataclasses

import pytest

from harness.report.charts.curve import TOOLTIPS_MAX, band_of, curve_chart
from harness.report.digest import MetricCurve, by_joules, curve_of
from harness.report.entries import Boards, Entry, EntryRun, entries_of
from tests.report.made import Made
from tests.report.markup import read


def curves_of(entry: Entry) -> list[MetricCurve]:
    return [curve for run in entry.runs if (curve := curve_of(run)) is not None]


@pytest.fixture
def entries(made: Made) -> dict[str, Entry]:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    return {entry.score.entry.submission: entry for entry in entries}


def test_every_run_has_its_curve_from_the_gun_on(entries: dict[str, Entry]) -> None:
    curves = curves_of(entries["cnn-muon"])
    assert [curve.seed for curve in curves] == [run.seed for run in entries["cnn-muon"].score.runs]
    for curve in curves:
        seconds = [t_s for _, t_s, _ in curve.points]
        assert seconds == sorted(seconds)
        assert seconds[0] > 0
        assert curve.reached


def test_the_snapshot_that_counts_is_marked_once_a_run(entries: dict[str, Entry]) -> None:
    entry = entries["cnn-muon"]
    chart = read(str(curve_chart(entry.score.quality, "c", curves_of(entry), "s", None)))
    styles = [item.values["class"] for item in chart.all("circle")]
    assert styles.count("dot counted") == 3
    assert "target" in {item.values["class"] for item in chart.all("path")}


def test_the_points_are_those_of_the_judge(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-sgd"].runs[0]
    assert entry_run.evaluation is not None
    curve = curve_of(entry_run)
    assert curve is not None
    assert [value for _, _, value in curve.points] == [v.value for v in entry_run.evaluation.values]


def test_no_evaluation_no_curve(entries: dict[str, Entry]) -> None:
    entry = entries["cnn-muon"]
    lost = tuple(EntryRun(run.score, run.folder / "gone") for run in entry.runs)
    assert curves_of(dataclasses.replace(entry, runs=lost)) == []
    assert curve_chart(entry.score.quality, "c", [], "s", None) is None


def test_the_band_holds_every_snapshot_of_its_board(entries: dict[str, Entry]) -> None:
    members = [entries["cnn-muon"], entries["cnn-sgd"]]
    band = band_of([curves_of(member) for member in members])
    assert band is not None
    assert band.runs_count == sum(len(curves_of(member)) for member in members)
    assert all(low <= high for low, high in zip(band.low, band.high, strict=True))
    values = [v for member in members for curve in curves_of(member) for _, _, v in curve.points]
    assert min(values) <= min(band.low) <= max(band.high) <= max(values)
    chart = read(str(curve_chart(members[0].score.quality, "c", curves_of(members[0]), "s", band)))
    assert "board-band" in {item.values.get("class") for item in chart.all("path")}


def test_one_entry_makes_no_band(entries: dict[str, Entry]) -> None:
    assert band_of([curves_of(entries["cnn-muon"])]) is None
    assert band_of([]) is None


def test_over_joules_the_metrics_stay_and_unknown_snapshots_fall_out() -> None:
    curve = MetricCurve(7, "r", ((0, 1.0, 0.5), (1, 2.0, 0.7), (2, 3.0, 0.9)), 2, reached=True)
    entries = by_joules(curve, {0: 10.0, 2: 30.0})
    assert entries is not None
    assert entries.points == ((0, 10.0, 0.5), (2, 30.0, 0.9))
    assert (entries.seed, entries.scored, entries.reached) == (7, 2, True)
    assert by_joules(curve, {}) is None


def test_joules_have_a_unit_on_their_axis(entries: dict[str, Entry]) -> None:
    curve = MetricCurve(7, "r", ((0, 2e4, 0.5), (1, 4e4, 0.9)), 1, reached=True)
    chart = read(str(curve_chart(entries["cnn-muon"].score.quality, "c", [curve], "J", None)))
    assert "energy since the start signal, kJ" in chart.words
    assert "after 40.0" in chart.words


def test_many_snapshots_are_dots_without_words_but_those_that_count(
    entries: dict[str, Entry],
) -> None:
    points = tuple((index, index + 1.0, 0.5) for index in range(TOOLTIPS_MAX + 1))
    curve = MetricCurve(7, "r", points, 3, reached=False)
    few = curve._replace(points=points[:TOOLTIPS_MAX])
    for shown, circles in ((curve, 1), (few, TOOLTIPS_MAX)):
        chart = read(str(curve_chart(entries["cnn-muon"].score.quality, "c", [shown], "s", None)))
        assert len(chart.all("circle")) == circles
        dots = [item for item in chart.all("path") if item.values["class"] == "dots"]
        assert [dot.values["d"].count("h0") for dot in dots] == (
            [TOOLTIPS_MAX + 1] if circles == 1 else []
        )
