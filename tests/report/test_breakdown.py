import dataclasses
import itertools

import pytest

from harness.report.breakdown import (
    AFTER,
    BEFORE,
    OTHER,
    PHASES_MAX,
    UNNAMED,
    breakdown_of,
    energies_of,
    segments_of,
)
from harness.report.entries import Boards, Entry, EntryRun, entries_of
from harness.report.traces import trace_of
from tests.report.made import Made


@pytest.fixture
def entries(made: Made) -> dict[str, Entry]:
    entries = entries_of(made.scores, Boards(made.boards), made.results)
    return {entry.score.entry.submission: entry for entry in entries}


METERED = ["cnn-adamw", "cnn-muon", "cnn-sgd", "cnn-fake", "digits-mlp-adamw"]


@pytest.mark.parametrize("name", METERED)
def test_the_scored_segments_add_up_to_the_score(entries: dict[str, Entry], name: str) -> None:
    for run in entries[name].runs:
        breakdown = breakdown_of(run, trace_of(run))
        assert breakdown is not None
        assert run.score.energy.energy_j is not None
        assert breakdown.scored_j() == pytest.approx(run.score.energy.energy_j, rel=1e-9)


@pytest.mark.parametrize("name", METERED)
def test_segments_cover_the_run_once(entries: dict[str, Entry], name: str) -> None:
    entry_run = entries[name].runs[0]
    run = entry_run.run
    assert run is not None
    assert run.window.launch_ns is not None
    assert run.window.end_ns is not None
    stretches = sorted(s for segment in segments_of(entry_run) for s in segment.intervals_s)
    assert stretches[0][0] == pytest.approx(run.window.launch_ns / 1e9)
    assert stretches[-1][1] == pytest.approx(run.window.end_ns / 1e9)
    for (_, end), (start, _) in itertools.pairwise(stretches):
        assert start == pytest.approx(end)


def test_only_the_score_window_is_scored(entries: dict[str, Entry]) -> None:
    scored = {segment.name: segment.scored for segment in segments_of(entries["cnn-adamw"].runs[0])}
    assert scored == {BEFORE: False, "epoch": True, "load": True, UNNAMED: True, AFTER: False}


def test_a_domain_inside_another_is_not_added(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-adamw"].runs[0]
    breakdown = breakdown_of(entry_run, trace_of(entry_run))
    assert breakdown is not None
    assert breakdown.added == ("cpu-package-0", "dram-0")
    parts = [breakdown.joules[name][1] for name in breakdown.added]
    assert None not in parts
    assert breakdown.total_j(1) == pytest.approx(sum(part or 0 for part in parts))


def test_no_trace_nothing_to_tell(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-unmetered"].runs[0]
    assert breakdown_of(entry_run, trace_of(entry_run)) is None
    assert energies_of(entry_run, None) == {}


def test_a_lost_bundle_has_no_segments(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-adamw"].runs[0]
    assert segments_of(EntryRun(entry_run.score, entry_run.folder / "gone")) == ()


def test_the_least_of_many_phases_are_folded(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-adamw"].runs[0]
    spans = [event for event in entry_run.events if event.kind == "span"]
    renamed = tuple(
        event.model_copy(update={"data": {**event.data, "name": f"phase {index // 2}"}})
        for index, event in enumerate(spans)
    )
    other = EntryRun(entry_run.score, entry_run.folder)
    other.__dict__["events"] = renamed
    named = [s for s in segments_of(other) if s.scored and s.name != UNNAMED]
    assert len(named) == PHASES_MAX
    assert named[-1].name == OTHER


def test_one_domain_without_figure_leaves_no_total(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-adamw"].runs[0]
    trace = trace_of(entry_run)
    assert trace is not None
    columns = {name: c for name, c in trace.columns.items() if name != "dram-0"}
    breakdown = breakdown_of(entry_run, dataclasses.replace(trace, columns=columns))
    assert breakdown is not None
    assert breakdown.scored_j() is None
    assert breakdown.total_j(1) is None


def test_uncertainties_come_from_the_measure(entries: dict[str, Entry]) -> None:
    entry_run = entries["cnn-adamw"].runs[0]
    breakdown = energies_of(entry_run, trace_of(entry_run))
    assert set(breakdown) == {"cpu-package-0", "cpu-core-0", "dram-0"}
    assert breakdown["dram-0"].energy_j == pytest.approx(
        entry_run.score.energy.by_domain_j["dram-0"]
    )
    assert breakdown["dram-0"].terms
