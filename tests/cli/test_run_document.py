"""One exit code for a series, and a table that says where each joule came from."""

import io
import itertools
from pathlib import Path
from typing import Any, get_args

import pytest

from harness.bundle import Bundle
from harness.cli.printer import Printer
from harness.cli.run_document import (
    CODE_OF,
    WORST_FIRST,
    RunItem,
    document_of,
    show_run,
    worst,
)
from harness.meters._sensing import ONLY_PSYS
from harness.records import MeterStatus, Status
from harness.rules.load import load_ruleset
from harness.run.order import RunResult
from tests.lab.results import Plan, write_run


def test_every_status_has_a_code() -> None:
    assert set(CODE_OF) == set(get_args(Status))
    assert set(CODE_OF.values()) <= set(WORST_FIRST)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("/sys has no zone", "no sensor can be read (`joulemark doctor`)"),
        (f"the PMU {ONLY_PSYS}; that counter is dead", f"(perf-energy: the PMU {ONLY_PSYS}; that"),
    ],
)
def test_an_estimate_is_announced_as_not_measured(
    tmp_path: Path, reason: str, expected: str
) -> None:
    """`not measured here` comes first, and the estimate as an aside."""
    meters = (
        MeterStatus(name="perf-energy", available=False, reason=reason),
        MeterStatus(name="codecarbon", available=True, reason="estimates", chosen=True),
    )
    plan = Plan(method="modelled", changes={"meters": meters})
    note = document_of(outcomes(tmp_path, plan), load_ruleset("smoke"), tmp_path).energy_note
    assert note.startswith("energy is not measured here")
    assert expected in note
    assert note.endswith("; the joules shown are an estimate by codecarbon")
    measured = Plan(seed=2, changes={"meters": meters})
    document = document_of(outcomes(tmp_path, measured), load_ruleset("smoke"), tmp_path)
    assert document.energy_note == ""


def run_item(status: Any, ended_by: str) -> RunItem:
    fields: dict[str, Any] = {"status": status, "ended_by": ended_by}
    return RunItem.model_construct(**fields)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("ok", 0), ("target_missed", 1), ("invalid", 3), ("crashed", 3), ("diverged", 3),
        ("oom", 3), ("killed", 3), ("degraded", 5), ("budget_exceeded", 7), ("aborted", 130),
    ],
)  # fmt: skip
def test_codes_of_single_runs(status: Any, code: int) -> None:
    assert run_item(status, "done").exit_code == code


def test_a_fault_of_the_machine_is_no_interruption() -> None:
    assert run_item("aborted", "fault").exit_code == 5
    assert run_item("aborted", "interrupt").exit_code == 130


def test_the_worst_run_decides_in_any_order() -> None:
    for size in range(len(WORST_FIRST) + 1):
        for codes in itertools.combinations(WORST_FIRST, size):
            expected = codes[0] if codes else 0
            assert worst(codes) == worst(reversed(codes)) == expected


def outcomes(results: Path, *plans: Plan) -> list[RunResult]:
    folders = [write_run(results, plan) for plan in plans]
    return [RunResult(Bundle(folder).run, folder) for folder in folders]


def table(results: Path, *plans: Plan) -> tuple[str, int]:
    document = document_of(outcomes(results, *plans), load_ruleset("default"), results)
    stream = io.StringIO()
    show_run(document, Printer(stream))
    return stream.getvalue(), document.exit_code


def test_a_table_says_metric_direction_and_method(tmp_path: Path) -> None:
    text, code = table(tmp_path, Plan(seed=1), Plan(seed=2))
    assert code == 0
    assert "accuracy, ↑ higher is better, target 0.9000" in text
    assert text.count("counter") == 2
    assert text.count("cpu-package-0") == 2
    assert "next: joulemark score" in text


def test_a_lower_metric_says_so(tmp_path: Path) -> None:
    text, _ = table(tmp_path, Plan(better="lower", target=1.0, unit="nats"))
    assert "accuracy nats, ↓ lower is better" in text


def test_modelled_joules_are_called_modelled(tmp_path: Path) -> None:
    text, _ = table(tmp_path, Plan(method="modelled"))
    assert "modelled" in text
    assert "not measured" not in text


def test_simulated_joules_are_called_simulated(tmp_path: Path) -> None:
    assert "counter, simulated" in table(tmp_path, Plan(simulated=True))[0]


def test_no_meter_gives_no_joules(tmp_path: Path) -> None:
    text, _ = table(tmp_path, Plan(watts=None))
    row = next(line for line in text.splitlines() if line.lstrip().startswith("1 "))
    assert "not measured" in row
    assert " J " not in row


def test_a_missed_target_has_no_cost_but_its_whole_run(tmp_path: Path) -> None:
    text, code = table(tmp_path, Plan(snapshots=((10.0, 0.5),), status="target_missed"))
    assert code == 1
    row = next(line for line in text.splitlines() if "target_missed" in line)
    assert "kJ" in row
    assert row.count("—") == 2


def test_mixed_series_end_with_the_worst(tmp_path: Path) -> None:
    missed = Plan(snapshots=((10.0, 0.5),), status="target_missed", seed=2)
    crashed = Plan(snapshots=(), status="crashed", seed=3)
    assert table(tmp_path, Plan(seed=1), missed, crashed)[1] == 3


# --- interleaved with the reference --------------------------------------------------------------


def pair_of(tmp_path: Path, status: str = "ok") -> list[RunResult]:
    """One run of a submission and one of the reference, which ended as told."""
    made = []
    for seed, reference in ((1, False), (2, True)):
        ended: Any = status if reference else "ok"
        plan = Plan(seed=seed, status=ended, changes={"interleaved_with": "other"})
        folder = write_run(tmp_path, plan)
        made.append(RunResult(Bundle(folder).run, folder, reference))
    return made


def test_reference_has_rows_of_its_own(tmp_path: Path) -> None:
    document = document_of(pair_of(tmp_path), load_ruleset("default"), tmp_path)
    assert [row.seed for row in document.runs] == [1]
    assert [row.seed for row in document.reference_runs] == [2]
    assert document.reference == "other"


@pytest.mark.parametrize(("status", "code"), [("crashed", 0), ("aborted", 130), ("ok", 0)])
def test_reference_that_fails_is_not_the_submission_s_fault(
    tmp_path: Path, status: str, code: int
) -> None:
    outcomes = pair_of(tmp_path, status)
    assert document_of(outcomes, load_ruleset("default"), tmp_path).exit_code == code


def test_series_stopped_before_the_submission_s_turn(tmp_path: Path) -> None:
    outcomes = pair_of(tmp_path, "aborted")[1:]
    document = document_of(outcomes, load_ruleset("default"), tmp_path)
    assert ([row.seed for row in document.runs], document.exit_code) == ([2], 130)
