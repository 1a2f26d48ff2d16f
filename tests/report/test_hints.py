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
def entry_run(made: Made) -> EntryRun:
    """A run of which nothing is to be said."""
    score = next(s for s in made.scores if s.entry.submission == "cnn-sgd")
    return EntryRun(score.runs[0], made.results / score.runs[0].bundle)


def changed(
    entry_run: EntryRun, *, run: dict[str, Any] | None = None, score: dict[str, Any] | None = None
) -> EntryRun:
    """The same run with fields of its records changed."""
    assert entry_run.run is not None
    other_score: RunScore = entry_run.score.model_copy(update=score or {})
    other = EntryRun(other_score, entry_run.folder)
    other_run: Run = entry_run.run.model_copy(update=run or {})
    other.__dict__["run"] = other_run
    return other


def hints(entry_run: EntryRun) -> list[Hint]:
    return hints_of(entry_run, breakdown_of(entry_run, trace_of(entry_run)))


def texts(entry_run: EntryRun) -> str:
    return "; ".join(f"{hint.text} ({hint.basis})" for hint in hints(entry_run))


def test_an_ordinary_run_has_no_hints(entry_run: EntryRun) -> None:
    assert hints(entry_run) == []


def renamed(entry_run: EntryRun, name: str) -> EntryRun:
    events = tuple(
        event.model_copy(update={"data": {**event.data, "name": name}})
        if event.data.get("name") == "epoch"
        else event
        for event in entry_run.events
    )
    other = EntryRun(entry_run.score, entry_run.folder)
    other.__dict__["events"] = events
    return other


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my eval", "the submission's own evaluation took"),
        ("compile", "loading and preparation took"),
    ],
)
def test_phases_that_are_no_training_are_named_with_share_and_joules(
    entry_run: EntryRun, name: str, words: str
) -> None:
    text = texts(renamed(entry_run, name))
    assert words in text
    assert "of the energy" in text
    assert "J, by the phases that you reported" in text


def test_wide_spacing_of_snapshots(entry_run: EntryRun) -> None:
    assert entry_run.score.time_s is not None
    wide = changed(entry_run, score={"time_low_s": entry_run.score.time_s * 0.5})
    text = texts(wide)
    assert "in the last 50" in text
    assert "a snapshot at the crossing saves up to" in text


def test_stopping_late_under_final(entry_run: EntryRun) -> None:
    assert entry_run.run is not None
    early = entry_run.run.workload.model_copy(update={"target": 0.6})
    late = changed(entry_run, run={"snapshot_rule": "final", "workload": early})
    text = texts(late)
    assert "stopping at the first snapshot that passed saves" in text
    assert "margin is your safety" in text


def test_a_tail_after_the_last_snapshot(entry_run: EntryRun) -> None:
    assert entry_run.run is not None
    assert entry_run.run.window.end_ns is not None
    end_ns = entry_run.run.window.end_ns + 5_000_000_000
    window = entry_run.run.window.model_copy(update={"end_ns": end_ns})
    assert "continued for 5.15" in texts(changed(entry_run, run={"window": window}))


def test_idle_processors(entry_run: EntryRun) -> None:
    usage = Usage(cpu_s=1.0, window_cpu_s=0.4, peak_rss_bytes=None, exit_code=0)
    text = texts(changed(entry_run, run={"usage": usage}))
    assert "1 threads were busy" in text
    assert "0.400" in text


@pytest.mark.parametrize(("limit_w", "said"), [(400.0, True), (60.0, False), (None, False)])
def test_an_accelerator_far_under_its_limit(made: Made, limit_w: float | None, said: bool) -> None:
    score = next(s for s in made.scores if s.entry.submission == "cnn-fake")
    entry_run = EntryRun(score.runs[0], made.results / score.runs[0].bundle)
    assert entry_run.run is not None
    domains = tuple(replace(domain, power_high_w=limit_w) for domain in entry_run.run.domains)
    assert ("input or launch bound" in texts(changed(entry_run, run={"domains": domains}))) is said


def test_without_a_trace_only_what_needs_none_is_said(entry_run: EntryRun) -> None:
    usage = Usage(cpu_s=1.0, window_cpu_s=0.4, peak_rss_bytes=None, exit_code=0)
    assert len(hints_of(changed(entry_run, run={"usage": usage}), None)) == 1


def test_a_lost_bundle_gets_no_hint(entry_run: EntryRun) -> None:
    assert hints_of(EntryRun(entry_run.score, entry_run.folder / "gone"), None) == []


def test_events_are_read_as_written(entry_run: EntryRun) -> None:
    assert all(isinstance(event, Event) for event in entry_run.events)
