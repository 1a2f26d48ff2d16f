from dataclasses import replace
from typing import Any

import pytest

from harness.records import Event, Run, RunScore, Usage
from harness.report.breakdown import breakdown_of
from harness.report.entries import EntryRun
from harness.report.hints import Hint, hints_of
from harness.report.traces import trace_of
from tests.report.made import Made


@pytest.fixture
def each(made: Made) -> EntryRun:
    """A run of which nothing is to be said."""
    score = next(s for s in made.scores if s.entry.submission == "cnn-sgd")
    return EntryRun(score.runs[0], made.results / score.runs[0].bundle)


def changed(
    each: EntryRun, *, run: dict[str, Any] | None = None, score: dict[str, Any] | None = None
) -> EntryRun:
    """The same run with fields of its records changed."""
    assert each.run is not None
    other_score: RunScore = each.score.model_copy(update=score or {})
    other = EntryRun(other_score, each.folder)
    other_run: Run = each.run.model_copy(update=run or {})
    other.__dict__["_read"] = (other_run, "")
    return other


def hints(each: EntryRun) -> list[Hint]:
    return hints_of(each, breakdown_of(each, trace_of(each)))


def texts(each: EntryRun) -> str:
    return "; ".join(f"{hint.text} ({hint.basis})" for hint in hints(each))


def test_where_nothing_stands_out_nothing_is_said(each: EntryRun) -> None:
    assert hints(each) == []


def renamed(each: EntryRun, name: str) -> EntryRun:
    events = tuple(
        event.model_copy(update={"data": {**event.data, "name": name}})
        if event.data.get("name") == "epoch"
        else event
        for event in each.events
    )
    other = EntryRun(each.score, each.folder)
    other.__dict__["events"] = events
    return other


@pytest.mark.parametrize(
    ("name", "words"),
    [("my eval", "evaluation of your own took"), ("compile", "loading and preparation took")],
)
def test_phases_that_are_no_training_are_named_with_share_and_joules(
    each: EntryRun, name: str, words: str
) -> None:
    found = texts(renamed(each, name))
    assert words in found
    assert "of the joules" in found
    assert "J, by the phases that you named" in found


def test_wide_spacing_of_snapshots(each: EntryRun) -> None:
    assert each.score.time_s is not None
    wide = changed(each, score={"time_low_s": each.score.time_s * 0.5})
    found = texts(wide)
    assert "in the last 50" in found
    assert "a snapshot at the crossing saves up to" in found


def test_stopping_late_under_final(each: EntryRun) -> None:
    assert each.run is not None
    early = each.run.workload.model_copy(update={"target": 0.6})
    late = changed(each, run={"snapshot_rule": "final", "workload": early})
    found = texts(late)
    assert "stopping at the first snapshot that passed saves" in found
    assert "margin is your safety" in found


def test_a_tail_after_the_last_snapshot(each: EntryRun) -> None:
    assert each.run is not None
    assert each.run.window.end_ns is not None
    end_ns = each.run.window.end_ns + 5_000_000_000
    window = each.run.window.model_copy(update={"end_ns": end_ns})
    assert "went on for 5.15" in texts(changed(each, run={"window": window}))


def test_idle_processors(each: EntryRun) -> None:
    usage = Usage(cpu_s=1.0, window_cpu_s=0.4, peak_rss_bytes=None, exit_code=0)
    found = texts(changed(each, run={"usage": usage}))
    assert "1 threads were busy" in found
    assert "0.400" in found


@pytest.mark.parametrize(("limit_w", "said"), [(400.0, True), (60.0, False), (None, False)])
def test_an_accelerator_far_under_its_limit(made: Made, limit_w: float | None, said: bool) -> None:
    score = next(s for s in made.scores if s.entry.submission == "cnn-fake")
    each = EntryRun(score.runs[0], made.results / score.runs[0].bundle)
    assert each.run is not None
    domains = tuple(replace(domain, power_high_w=limit_w) for domain in each.run.domains)
    assert ("input or launch bound" in texts(changed(each, run={"domains": domains}))) is said


def test_without_a_trace_only_what_needs_none_is_said(each: EntryRun) -> None:
    usage = Usage(cpu_s=1.0, window_cpu_s=0.4, peak_rss_bytes=None, exit_code=0)
    assert len(hints_of(changed(each, run={"usage": usage}), None)) == 1


def test_a_lost_bundle_gets_no_hint(each: EntryRun) -> None:
    assert hints_of(EntryRun(each.score, each.folder / "gone"), None) == []


def test_events_are_read_as_written(each: EntryRun) -> None:
    assert all(isinstance(event, Event) for event in each.events)
