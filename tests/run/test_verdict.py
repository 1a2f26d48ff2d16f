"""Verdicts: each way a run can go has one status, and only a number can pass."""

import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Metric, Target
from harness.plugins import Exit
from harness.records import Evaluation, Finding, MetricValue, Snapshot, Status
from harness.rules.load import load_ruleset
from harness.run.evaluate import DIVERGED
from harness.run.judge import passes
from harness.run.order import Order
from harness.run.snapshots import EARLY, HeldSnapshot
from harness.run.supervisor import Observation
from harness.run.verdict import StatusReason, decide, degrade, scored_value
from tests.run.test_judge import spec

rules = cache(load_ruleset)
CLEAN = Exit(0, None, 1.0, 1)
KILLED = Exit(None, 9, 1.0, 1)


def order(better: Any = "higher", target: float = 0.9, ruleset: str = "smoke") -> Order:
    workload = replace(
        spec(),
        metric=Metric(name="m", better=better),
        target=Target(value=target, version="1", derivation="for tests"),
    )
    entry = SimpleNamespace(workload=workload, tuning=None)
    made = object.__new__(Order)
    for name, value in {"entry": entry, "ruleset": rules(ruleset)}.items():
        object.__setattr__(made, name, value)
    return made


def snapshot(index: int, refused: str = "") -> HeldSnapshot:
    record = Snapshot(
        index=index,
        step=None,
        stamp_ns=index,
        size_bytes=1,
        sha256=None,
        accepted=not refused,
        refused=refused,
    )
    return HeldSnapshot(record, None)


def observation(
    ended_by: Any = "done", snapshots: int = 1, *, gun: bool = True, why: str = ""
) -> Observation:
    held = [snapshot(index) for index in range(snapshots)]
    return Observation(ended_by=ended_by, reason=why, gun_ns=1 if gun else None, held=held)


def evaluation(*values: float | str | None) -> Evaluation:
    rows = tuple(
        MetricValue(
            snapshot=index,
            value=None if isinstance(value, str) else value,
            reason=value if isinstance(value, str) else "",
            wall_s=0.0,
            cpu_s=None,
        )
        for index, value in enumerate(values)
    )
    return Evaluation(metric="m", examples=1, values=rows, predictor=None)


def decided(
    seen: Observation, exit_: Exit | None = KILLED, result: Evaluation | None = None, **more: Any
) -> StatusReason:
    return decide(order(**more), seen, exit_, result, "its last words")


# --- passing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("better", ["higher", "lower"])
@pytest.mark.parametrize("value", [None, math.nan])
def test_no_number_never_passes(better: str, value: float | None) -> None:
    for target in (0.0, -math.inf, math.inf, 1e300, -1e300):
        assert not passes(value, order(better, target).entry.workload)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_directions_mirror_every_other_and_the_target_itself_passes(a: float, b: float) -> None:
    assert passes(a, order("higher", b).entry.workload) == (a >= b)
    assert passes(a, order("higher", b).entry.workload) == passes(
        -a, order("lower", -b).entry.workload
    )
    assert passes(a, order("higher", a).entry.workload)
    assert passes(a, order("lower", a).entry.workload)


def index_of(*seen: Any) -> int | None:
    """Of the snapshot that counts."""
    value = scored_value(*seen)
    return None if value is None else value.snapshot


# --- which snapshot counts -----------------------------------------------------------------------


def test_final_takes_the_last_even_where_an_earlier_one_passes() -> None:
    result = evaluation(0.95, 0.99, 0.1)
    assert index_of(result, observation(snapshots=3), order(ruleset="default")) == 2
    assert (
        decided(observation(snapshots=3), result=result, ruleset="default").status
        == "target_missed"
    )


def test_first_passing_takes_the_first_that_passes_else_the_last() -> None:
    assert index_of(evaluation(0.1, 0.95, 0.99), observation(snapshots=3), order()) == 1
    assert index_of(evaluation(0.1, 0.2, 0.3), observation(snapshots=3), order()) == 2
    assert index_of(evaluation(None, 0.95), observation(snapshots=2), order()) == 1


def test_final_that_has_no_value_does_not_fall_back_on_an_earlier_one() -> None:
    result = evaluation(0.99, "no outputs")
    verdict = decided(observation(snapshots=2), result=result, ruleset="default")
    assert verdict == ("invalid", "snapshot 1: no outputs")


@pytest.mark.parametrize("ruleset", ["smoke", "default"])
def test_refused_snapshots_never_count(ruleset: str) -> None:
    seen = observation(snapshots=1)
    seen.held.append(snapshot(1, EARLY))
    assert index_of(evaluation(0.2, 0.99), seen, order(ruleset=ruleset)) == 0
    only = Observation(ended_by="done", gun_ns=1, held=[snapshot(0, "sent after the budget")])
    assert index_of(evaluation(0.99), only, order(ruleset=ruleset)) is None
    assert decided(only, result=evaluation(0.99), ruleset=ruleset).status == "invalid"


def test_nothing_evaluated_counts_nothing() -> None:
    assert index_of(None, observation(), order()) is None


# --- the table -----------------------------------------------------------------------------------

PASSED, MISSED, NOTHING = evaluation(0.95), evaluation(0.5), evaluation()
NAN = evaluation(f"{DIVERGED}3 of 4 outputs are not finite")
CORRUPT = evaluation("the snapshot is no valid safetensors file")

TABLE: list[tuple[str, Observation, Exit | None, Evaluation | None, str, str]] = [
    ("done", observation(), KILLED, PASSED, "ok", "reached the target: m 0.9500 at snapshot 0"),
    ("own exit", observation("exit"), CLEAN, PASSED, "ok", "reached"),
    ("budget, passed before", observation("budget"), KILLED, PASSED, "ok", "reached"),
    ("missed", observation(), KILLED, MISSED, "target_missed", "missed the target"),
    ("own exit, missed", observation("exit"), CLEAN, MISSED, "target_missed", "target >= 0.9"),
    (
        "budget, missed",
        observation("budget"),
        KILLED,
        MISSED,
        "budget_exceeded",
        "before the target",
    ),
    ("budget, none", observation("budget", 0), KILLED, None, "budget_exceeded", "no snapshot"),
    ("done, none", observation("done", 0), KILLED, None, "invalid", "never handed over"),
    ("exit, none", observation("exit", 0), CLEAN, None, "invalid", "never handed over"),
    ("nan", observation(), KILLED, NAN, "diverged", "snapshot 0: 3 of 4 outputs are not finite"),
    ("nan at the budget", observation("budget"), KILLED, NAN, "diverged", "not finite"),
    ("corrupt", observation(), KILLED, CORRUPT, "invalid", "no valid safetensors"),
    (
        "code",
        observation("exit"),
        Exit(3, None, 1, 1),
        PASSED,
        "crashed",
        "code 3; its last line: its",
    ),
    (
        "code early",
        observation("exit", 0, gun=False),
        Exit(1, None, 1, 1),
        None,
        "crashed",
        "before the",
    ),
    (
        "0 early",
        observation("exit", 0, gun=False),
        CLEAN,
        None,
        "crashed",
        "before the start signal",
    ),
    ("segfault", observation("exit"), Exit(None, 11, 1, 1), PASSED, "killed", "signal 11"),
    ("either", observation("exit"), Exit(137, 9, 1, 1), PASSED, "killed", "or exited with 137"),
    (
        "unknown end",
        observation("exit"),
        Exit(None, None, 1, 1),
        PASSED,
        "killed",
        "an unknown signal",
    ),
    ("oom", observation("exit"), Exit(None, 9, 1, 1, oom=True), PASSED, "oom", "memory limit"),
    ("oom then done", observation(), Exit(None, 9, 1, 1, oom=True), PASSED, "oom", "memory limit"),
    ("violation", observation("violation", why="broke it"), KILLED, PASSED, "invalid", "broke it"),
    ("interrupt", observation("interrupt"), KILLED, PASSED, "aborted", "operator"),
    (
        "interrupt beats oom",
        observation("interrupt"),
        Exit(None, 9, 1, 1, True),
        None,
        "aborted",
        "oper",
    ),
    ("fault", observation("fault", why="disk full"), KILLED, PASSED, "aborted", "disk full"),
    ("fault, no exit", observation("fault"), None, None, "aborted", "harness"),
    (
        "start cap",
        observation("start_cap", 0, gun=False),
        KILLED,
        None,
        "killed",
        "not ready within",
    ),
    ("setup cap", observation("setup_cap", 0, gun=False), KILLED, None, "killed", "setup()"),
]


@pytest.mark.parametrize("case", TABLE, ids=[row[0] for row in TABLE])
def test_table(case: tuple[str, Observation, Exit | None, Evaluation | None, str, str]) -> None:
    _, seen, exit_, result, status, said = case
    verdict = decided(seen, exit_, result)
    assert verdict.status == status
    assert said in verdict.reason
    assert "\n" not in verdict.reason


def test_table_has_every_status_that_decide_can_give() -> None:
    degraded_later = {"degraded"}
    assert {row[4] for row in TABLE} | degraded_later == set(get_args(Status))


@pytest.mark.parametrize("result", [None, NOTHING, NAN, CORRUPT, evaluation(None)])
@pytest.mark.parametrize("ended", ["done", "exit", "budget", "interrupt", "fault", "violation"])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_without_a_metric_nothing_is_ok(result: Any, ended: str, better: Any) -> None:
    for exit_ in (CLEAN, KILLED, None):
        verdict = decided(observation(ended), exit_, result, better=better, target=0.0)
        assert verdict.status not in ("ok", "target_missed")


def test_lower_is_better_reads_so() -> None:
    verdict = decided(observation(), KILLED, evaluation(0.5), better="lower", target=0.9)
    assert verdict.status == "ok"
    assert "target <= 0.9" in verdict.reason


# --- measurement ---------------------------------------------------------------------------------


def finding(level: Any) -> Finding:
    return Finding(rule="gap", level=level, message="readings are missing for 3 s")


@pytest.mark.parametrize("status", ["ok", "target_missed"])
def test_a_failed_measurement_degrades_what_was_scored(status: Any) -> None:
    verdict = degrade(StatusReason(status, "why"), [finding("warn"), finding("fail")])
    assert verdict == ("degraded", "readings are missing for 3 s (why)")


@pytest.mark.parametrize("status", ["crashed", "aborted", "invalid", "budget_exceeded", "oom"])
def test_a_failed_run_stays_what_it_is(status: Any) -> None:
    assert degrade(StatusReason(status, "why"), [finding("fail")]) == (status, "why")


@pytest.mark.parametrize("level", ["info", "warn"])
def test_lesser_findings_change_nothing(level: Any) -> None:
    assert degrade(StatusReason("ok", "why"), [finding(level)]) == ("ok", "why")
    assert degrade(StatusReason("ok", "why"), []) == ("ok", "why")


# --- quality at the budget ------------------------------------------------------------------------


def test_where_quality_ranks_a_kill_at_the_budget_is_no_failure_and_the_target_no_bar() -> None:
    for ended in ("budget", "done"):
        result = decided(
            observation(ended, snapshots=2), result=evaluation(0.99, 0.2), ruleset="haet-2021"
        )
        assert result.status == "ok"
        assert "at snapshot 1, within 600 s" in result.reason


def test_where_quality_ranks_nothing_handed_over_is_still_no_result() -> None:
    nothing = decided(observation("budget", snapshots=0), result=evaluation(), ruleset="haet-2021")
    assert nothing.status == "budget_exceeded"
    broken = decided(
        observation(snapshots=1), result=evaluation("diverged: NaN"), ruleset="haet-2021"
    )
    assert broken.status in ("diverged", "invalid")
