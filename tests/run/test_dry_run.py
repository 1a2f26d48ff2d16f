"""A dry run: shorter rules, no meters, nothing kept, and a plain word on what it showed."""

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import WorkloadSpec
from harness.bundle import Bundle
from harness.records import Status
from harness.registry import find
from harness.rules.load import load_ruleset
from harness.run.dry_run import (
    ADVICE,
    LOG_BYTES,
    OVERTIME_S,
    dry_run,
    dry_run_step,
    last_words,
    shortened,
)
from tests.lab.results import Plan, reseal, write_run
from tests.run.made import HONEST, Folder, Silent

SPEC: WorkloadSpec = find("workloads", "digits-mlp").value
FAILING = ("crashed", "oom", "diverged", "killed", "invalid", "aborted")


def bundle_of(results: Path, **changes: Any) -> Bundle:
    return Bundle(write_run(results, Plan(**changes)))


def with_log(folder: Path, data: bytes) -> Bundle:
    """The bundle with a log, sealed again."""
    (folder / "log.txt").write_bytes(data)
    reseal(folder, "ok", folder.name)
    return Bundle(folder)


# --- the rules ------------------------------------------------------------------------------------


@given(st.floats(1e-3, 1e4), st.floats(1e-3, 100.0))
def test_the_budget_is_never_longer_than_asked_nor_than_the_rules(
    seconds: float, ratio: float
) -> None:
    rules = load_ruleset("default")
    rules = rules.model_copy(update={"run": rules.run.model_copy(update={"budget_ratio": ratio})})
    budget_s = shortened(rules, SPEC, seconds).run.budget_ratio * SPEC.budget_s
    assert 0 < budget_s <= seconds * (1 + 1e-12)
    assert budget_s <= ratio * SPEC.budget_s
    assert budget_s == pytest.approx(min(seconds, ratio * SPEC.budget_s))


@pytest.mark.parametrize("name", ["default", "smoke", "speedrun", "memory-limited"])
def test_all_other_rules_stay_as_they_are(name: str) -> None:
    rules = load_ruleset(name)
    dry = shortened(rules, SPEC, 0.5)
    same = {"budget_ratio", "idle_s", "seeds_count"}
    assert dry.model_dump(exclude={"run"}) == rules.model_dump(exclude={"run"})
    assert dry.run.model_dump(exclude=same) == rules.run.model_dump(exclude=same)
    assert (dry.run.idle_s, dry.run.seeds_count) == (0.0, 1)


def test_the_rules_that_were_given_are_not_changed() -> None:
    rules = load_ruleset("default")
    before = rules.model_copy(deep=True)
    shortened(rules, SPEC, 0.1)
    assert rules == before


# --- what it showed -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_has_a_verdict_and_no_failure_is_without_advice(
    tmp_path: Path, status: Status
) -> None:
    step = dry_run_step(bundle_of(tmp_path, status=status))
    assert step.rule == "dry-run"
    assert step.verdict == ("fail" if status in FAILING else "pass")
    assert bool(step.advice) == (status in FAILING)
    assert (status in step.message) == (status in FAILING)


def test_advice_is_for_failures_alone() -> None:
    assert set(ADVICE) == set(FAILING)
    assert set(ADVICE) < set(get_args(Status))


def test_a_failure_tells_the_reason_of_the_run(tmp_path: Path) -> None:
    step = dry_run_step(bundle_of(tmp_path, status="oom", changes={"reason": "it took 9 GiB"}))
    assert step.message == "oom: it took 9 GiB"
    assert "memory" in step.advice


def test_it_tells_count_seconds_and_the_worth_of_the_last_snapshot(tmp_path: Path) -> None:
    plan = {"snapshots": ((1.0, 0.25), (2.0, 0.75)), "end_s": 2.5}
    message = dry_run_step(bundle_of(tmp_path, **plan)).message
    assert message == (
        "handed over 2 snapshots in 2.50 s; the last one has accuracy 0.75; nothing was measured"
    )


def test_one_snapshot_is_one(tmp_path: Path) -> None:
    message = dry_run_step(bundle_of(tmp_path, snapshots=((1.0, 0.5),))).message
    assert message.startswith("handed over 1 snapshot in ")


def test_a_snapshot_without_a_metric_is_never_worth_zero(tmp_path: Path) -> None:
    message = dry_run_step(bundle_of(tmp_path, snapshots=((1.0, None),))).message
    assert "accuracy" not in message
    assert message.startswith("handed over 1 snapshot in 1.00 s; nothing")


def test_a_run_without_a_window_tells_no_seconds(tmp_path: Path) -> None:
    message = dry_run_step(bundle_of(tmp_path, gun=False, snapshots=(), status="ok")).message
    assert message == "handed over 0 snapshots; nothing was measured"


def test_out_of_time_with_weights_is_as_planned(tmp_path: Path) -> None:
    step = dry_run_step(bundle_of(tmp_path, status="budget_exceeded"))
    assert step.verdict == "pass"
    assert step.message.endswith("; it was stopped as planned")


@pytest.mark.parametrize("snapshots", [(), ((1.0, None),)])
def test_out_of_time_without_a_value_is_no_pass(tmp_path: Path, snapshots: Any) -> None:
    plan = {"status": "budget_exceeded", "snapshots": snapshots, "budget_s": 3.0}
    step = dry_run_step(bundle_of(tmp_path, **plan))
    assert step.verdict == "warn"
    assert f"stopped after {3.0 + OVERTIME_S:g} s" in step.message
    assert "--seconds" in step.advice


# --- what it printed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n \n\t\n", []),
        (b"one\n\n  two\nthree", ["one", "  two", "three"]),
        (b"bad \xff byte\n", ["bad \ufffd byte"]),
    ],
)
def test_lines_are_kept_but_for_empty_ones(tmp_path: Path, data: bytes, lines: list[str]) -> None:
    assert last_words(with_log(write_run(tmp_path, Plan()), data)) == lines


def test_only_the_end_of_a_long_log_is_reported(tmp_path: Path) -> None:
    data = "".join(f"line {number}\n" for number in range(5000)).encode()
    lines = last_words(with_log(write_run(tmp_path, Plan()), data))
    assert lines[-1] == "line 4999"
    assert "line 0" not in lines
    assert sum(len(line) + 1 for line in lines) == LOG_BYTES


# --- the whole ------------------------------------------------------------------------------------


def test_a_dry_run_is_kept_nowhere(folder: Folder) -> None:
    request = folder.request("entry", seeds_count=5, meters=("fake",), interleave=True)
    with dry_run(request, 4.0, Silent()) as bundle:
        run, place = bundle.run, bundle.folder
        step = dry_run_step(bundle)
        assert bundle.trace_path is None
    assert (step.rule, step.verdict) == ("dry-run", "pass")
    assert run.workload.budget_s == pytest.approx(4.0)
    assert run.interleaved_with == ""
    assert (run.domains, run.seeds.source) == ((), "harness")
    assert not place.exists()
    assert not folder.results.exists(), "a rehearsal is in no ledger"


def test_a_crash_is_reported_with_its_last_words(folder: Folder) -> None:
    folder.entry("def train(session):\n    raise RuntimeError('the third layer is missing')\n")
    with dry_run(folder.request(), 4.0, Silent()) as bundle:
        step, words = dry_run_step(bundle), last_words(bundle)
    assert step.verdict == "fail"
    assert step.message.startswith("crashed: ")
    assert step.advice == ADVICE["crashed"]
    assert words[-1] == "RuntimeError: the third layer is missing"


def test_a_declared_seed_is_not_spent_on_a_rehearsal(folder: Folder) -> None:
    folder.entry(HONEST)
    request = folder.request("entry", declared_seeds=(7, 8))
    with dry_run(request, 4.0, Silent()) as bundle:
        assert bundle.run.seeds.source == "harness"
    assert request.declared_seeds == (7, 8)
