"""modded-nanogpt's logs: the curve among source and nvidia-smi, and logs that end early."""

from pathlib import Path

import pytest

from harness.formats.modded_nanogpt import read
from harness.records import ImportedRun

LOG = """import os
print0(f"step:{step}/{args.num_iterations} val_loss:{val_loss:.4f} train_time:{t:.0f}ms")
====
|   0  NVIDIA H100 80GB HBM3          On  |   00000000:61:00.0 Off |                    0 |
|   1  NVIDIA H100 80GB HBM3          On  |   00000000:62:00.0 Off |                    0 |
step:0/1500 val_loss:10.8258 train_time:0ms step_avg:nanms
step:1/1500 train_loss:10.1 train_time:57ms step_avg:57.00ms
step:1250/1500 val_loss:3.4012 train_time:71250ms step_avg:57.00ms
step:1500/1500 val_loss:3.2790 train_time:85500ms step_avg:57.00ms
peak memory allocated: 30000 MiB
"""


def only(path: Path, text: str = LOG) -> ImportedRun:
    folder = path / "2026-01-01_Muon"
    folder.mkdir(exist_ok=True)
    (folder / "0f5a-uuid.txt").write_text(text, newline="")
    (run,) = read(path).runs
    return run


def test_curve_and_names(tmp_path: Path) -> None:
    run = only(tmp_path)
    assert (run.submission, run.run) == ("2026-01-01_Muon", "0f5a-uuid")
    assert run.machine == "2x NVIDIA H100 80GB HBM3"
    assert run.curve is not None
    assert run.curve.metric == {"val_loss": (10.8258, 3.4012, 3.279)}
    assert run.curve.time_s == pytest.approx((0.0, 71.25, 85.5))
    assert run.curve.steps_count == (0.0, 1250.0, 1500.0)
    assert run.status == "ok"
    assert run.time_s == pytest.approx(85.5)
    assert run.facts["final_val_loss"] == 3.279
    assert run.findings == ()


def test_line_ends_and_marks_do_not_matter(tmp_path: Path) -> None:
    clean = only(tmp_path)
    assert only(tmp_path, "\ufeff" + LOG.replace("\n", "\r\n")).curve == clean.curve


def test_a_log_that_ends_early_says_so(tmp_path: Path) -> None:
    run = only(tmp_path, LOG.partition("step:1500")[0])
    assert run.status == "crashed"
    assert "ends at step 1250 of 1500" in run.findings[0].message


def test_a_cut_line_is_named(tmp_path: Path) -> None:
    run = only(tmp_path, LOG.partition("85500ms")[0])
    assert run.status == "crashed"
    assert "line 9: left out" in run.findings[0].message


def test_a_diverged_run_has_no_loss(tmp_path: Path) -> None:
    run = only(tmp_path, LOG.replace("3.2790", "nan"))
    assert run.facts["final_val_loss"] is None


def test_nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("step:1/2 train_loss:3\n")
    archive = read(tmp_path)
    assert archive.runs == []
    assert "no line step:N/M val_loss" in archive.findings[0].message
