"""The command as a stranger types it: a submission from a folder of his own, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from harness.cli.run_document import RunDocument
from harness.cli.verbs.verify import VerifyDocument
from harness.records.document import ScoreDocument

SCRIPT = Path(sysconfig.get_path("scripts")) / "joulemark"

MANIFEST = """\
title = "Nearest mean"
team = "Strangers"
division = "closed"
workloads = ["digits-mlp"]
imports = ["torch", "numpy"]
"""
WELL = """\
import torch
from torch.nn import functional


def train(session):
    torch.manual_seed(session.seed)
    model = session.workload.model()
    for step, batch in enumerate(session.batches("train", 32, 40)):
        inputs, truth = torch.from_numpy(batch["x"]), torch.from_numpy(batch["y"])
        loss = functional.cross_entropy(model(inputs), truth)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for weights in model.parameters():
                weights -= 0.3 * weights.grad
        if step % 45 == 44 and session.snapshot_due():
            session.snapshot(model, step=step)
    session.snapshot(model)
"""
HANGS = """\
import time


def train(session):
    while True:
        time.sleep(0.1)
"""

pytestmark = pytest.mark.needs("bubblewrap")


def submission(folder: Path, source: str) -> Path:
    folder.mkdir()
    (folder / "submission.toml").write_text(MANIFEST)
    (folder / "train.py").write_text(source)
    return folder


def start(tmp_path: Path, *words: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"JOULEMARK_LOCK": str(tmp_path / "lock")}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(tmp_path: Path, *words: str) -> tuple[int, Any]:
    """Exit code and document."""
    process = start(tmp_path, *words, "--json")
    out, err = process.communicate(timeout=120)
    assert out.count("\n") > 1, err
    return process.returncode, json.loads(out)


@pytest.mark.slow
def test_a_strangers_submission_is_run_verified_scored_and_shown(tmp_path: Path) -> None:
    source = submission(tmp_path / "mine", WELL)
    words = ("--ruleset", "smoke", "--seeds", "2", "--meter", "fake")
    code, document = call(tmp_path, "run", "digits-mlp", "--submission", str(source), *words)
    run = RunDocument.model_validate_json(json.dumps(document))
    assert {element.status for element in run.runs} <= {"ok", "target_missed"}
    assert code == run.exit_code == (0 if all(item.reached for item in run.runs) else 1)
    assert {member_.window_energy_simulated for member_ in run.runs} == {True}

    code, document = call(tmp_path, "verify", "results")
    assert code == 0
    checked = VerifyDocument.model_validate_json(json.dumps(document))
    assert len(checked.bundles) == 2

    code, document = call(tmp_path, "score")
    assert code == 0
    scored = ScoreDocument.model_validate_json(json.dumps(document))
    assert [score.entry.submission for score in scored.scores] == ["mine"]
    assert [row.prize for row in scored.leaderboard if row.prize == "energy"] == []


@pytest.mark.slow
def test_ctrl_c_leaves_an_aborted_bundle_that_verifies(tmp_path: Path) -> None:
    source = submission(tmp_path / "hangs", HANGS)
    words = ("--submission", str(source), "--meter", "none", "--ruleset", "smoke", "--json")
    process = start(tmp_path, "run", "digits-mlp", *words)
    assert process.stderr is not None
    for line in process.stderr:
        if line.endswith("training\n"):
            break
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    run = RunDocument.model_validate_json(out)
    assert [item.status for item in run.runs] == ["aborted"]
    code, document = call(tmp_path, "verify")
    assert (code, document["bundles"][0]["status"]) == (0, "aborted")
