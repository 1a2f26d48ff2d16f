from pathlib import Path

import pytest

from harness.report.digest import digest_of, settings_of
from harness.report.entries import Boards, Entry, EntryRun, entries_of
from harness.report.site import Site
from tests.report.made import Made


@pytest.fixture
def entries(made: Made) -> dict[str, Entry]:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    return {entry.score.entry.submission: entry for entry in entries}


def test_joules_grow_with_every_snapshot_up_to_those_of_the_score(
    entries: dict[str, Entry],
) -> None:
    entry = entries["cnn-muon"]
    digest = digest_of(entry)
    for run in entry.score.runs:
        curve = next(item for item in digest.energy_curves if item.run_id == run.run_id)
        joules = {index: energy_j for index, energy_j, _ in curve.points}
        assert list(joules.values()) == sorted(joules.values())
        assert run.snapshot is not None
        assert joules[run.snapshot] == pytest.approx(run.energy.energy_j, rel=0.05)


def test_curves_over_joules_are_those_over_time(entries: dict[str, Entry]) -> None:
    digest = digest_of(entries["cnn-muon"])
    over = digest.energy_curves
    assert len(over) == len(digest.curves) == 3
    for one, other in zip(over, digest.curves, strict=True):
        assert [value for _, _, value in one.points] == [value for _, _, value in other.points]


def test_without_a_meter_there_are_no_joules_and_no_power(entries: dict[str, Entry]) -> None:
    digest = digest_of(entries["cnn-unmetered"])
    assert digest.power is None
    assert digest.energy_curves == ()
    assert digest.curves


def test_settings_name_what_was_set_up(entries: dict[str, Entry]) -> None:
    shown = entries["cnn-muon"].shown_run
    assert shown is not None
    settings = settings_of(shown)
    assert {"threads", "budget", "isolation", "JouleMark", "processor", "Python"} <= set(settings)
    lost = EntryRun(shown.score, shown.folder / "gone")
    assert settings_of(lost) == {}


def test_an_entry_is_read_once(entries: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(Path(), [], [])
    first = site.digest(entries["cnn-muon"])
    monkeypatch.setattr("harness.report.site.digest_of", None)
    assert site.digest(entries["cnn-muon"]) is first
