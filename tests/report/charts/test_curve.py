import dataclasses

import pytest

from harness.report.charts.curve import band_of, curve_chart, curve_of, curves_of
from harness.report.entries import Boards, Entry, EntryRun, entries_of
from tests.report.made import Made
from tests.report.markup import read


@pytest.fixture
def entries(made: Made) -> dict[str, Entry]:
    found = entries_of(made.scores, Boards(made.boards), made.results)
    return {entry.score.submission: entry for entry in found}


def test_each_run_has_its_curve_from_the_gun_on(entries: dict[str, Entry]) -> None:
    curves = curves_of(entries["cnn-muon"])
    assert [curve.seed for curve in curves] == [run.seed for run in entries["cnn-muon"].score.runs]
    for curve in curves:
        seconds = [t_s for _, t_s, _ in curve.points]
        assert seconds == sorted(seconds)
        assert seconds[0] > 0
        assert curve.reached


def test_the_snapshot_that_counts_is_marked_once_a_run(entries: dict[str, Entry]) -> None:
    chart = read(str(curve_chart(entries["cnn-muon"], "c")))
    styles = [each.values["class"] for each in chart.all("circle")]
    assert styles.count("dot counted") == 3
    assert "target" in {each.values["class"] for each in chart.all("path")}


def test_the_points_are_those_of_the_judge(entries: dict[str, Entry]) -> None:
    each = entries["cnn-sgd"].runs[0]
    assert each.evaluation is not None
    curve = curve_of(each)
    assert curve is not None
    assert [value for _, _, value in curve.points] == [v.value for v in each.evaluation.values]


def test_no_evaluation_no_curve(entries: dict[str, Entry]) -> None:
    entry = entries["cnn-muon"]
    lost = tuple(EntryRun(each.score, each.folder / "gone") for each in entry.runs)
    assert curve_chart(dataclasses.replace(entry, runs=lost), "c") is None


def test_the_band_holds_every_snapshot_of_its_board(entries: dict[str, Entry]) -> None:
    members = [entries["cnn-muon"], entries["cnn-sgd"]]
    band = band_of(members)
    assert band is not None
    assert band.runs_count == sum(len(curves_of(each)) for each in members)
    assert all(low <= high for low, high in zip(band.low, band.high, strict=True))
    values = [v for each in members for curve in curves_of(each) for _, _, v in curve.points]
    assert min(values) <= min(band.low) <= max(band.high) <= max(values)
    chart = read(str(curve_chart(members[0], "c", band)))
    assert "board-band" in {each.values.get("class") for each in chart.all("path")}


def test_one_entry_makes_no_band(entries: dict[str, Entry]) -> None:
    assert band_of([entries["cnn-muon"]]) is None
    assert band_of([]) is None
