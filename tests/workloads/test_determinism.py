"""The same seed on one thread gives the same final metric, in the sandbox and out of it."""

import os
from pathlib import Path

import pytest

from harness.records import Evaluation, load
from harness.rules.load import load_ruleset
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.series import SeriesRequest, orders
from tests.run.made import Silent

NAMES = os.environ.get("JOULEMARK_DETERMINISM", "digits-knn-gcn").split()
"""Workloads that are run three times each; one cheap one unless the variable names others."""
LAUNCHERS = ("plain", "bubblewrap", "bubblewrap")


@pytest.mark.needs("bubblewrap")
@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_the_same_final_metric_in_and_out_of_the_sandbox(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEMARK_LOCK", str(tmp_path / "lock"))
    finals = []
    for number, launcher in enumerate(LAUNCHERS):
        request = SeriesRequest(
            workload=name,
            ruleset=load_ruleset("default", ["run.budget_ratio=20"]),
            declared_seeds=(7,),
            meters=("none",),
            launcher=launcher,
            results=tmp_path / str(number),
        )
        outcome = run_one(
            next(orders(request, tmp_path / f"source{number}")), Silent(), Interrupt()
        )
        assert outcome.run.status in {"ok", "target_missed"}, outcome.run.reason
        path = outcome.bundle / "eval.json"
        value = load(Evaluation, path.read_bytes(), path).values[-1]
        finals.append((outcome.run.snapshots[-1].step, value.value, value.loss))
    assert finals[0][0]
    assert len(set(finals)) == 1, finals
