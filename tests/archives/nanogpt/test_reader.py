"""modded-nanogpt's logs: the curve among source and nvidia-smi, and logs that end early."""

from pathlib import Path

import pytest

from harness.archives.nanogpt.reader import read
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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3.2790 train", "3.2790 val_bpb:1.2043 train"),
        ("3.2790 train", "3.2790 val_acc:0.41 extra_loss:3.1 train"),
        ("85500ms step_avg:57.00ms", "85.500s step_avg:57.00ms mfu:46.35%"),
        ("step_avg:57.00ms\npeak", "step_avg:57.00ms final_eval\npeak"),
        ("val_loss:10.8258 train_time:0ms", "val_loss:10.8258 val_bpb:4.1 train_time:0ms"),
    ],
)
def test_dialects_of_the_records(tmp_path: Path, old: str, new: str) -> None:
    assert old in LOG
    assert only(tmp_path, LOG.replace(old, new)).curve == only(tmp_path).curve


def test_runs_of_one_file_are_distinguished(tmp_path: Path) -> None:
    second = LOG.replace("3.2790", "3.2755").replace("85500ms", "85000ms")
    folder = tmp_path / "2026-01-01_Muon"
    folder.mkdir()
    (folder / "driver.log").write_text(f"BEGIN 01\n{LOG}END 01\nBEGIN 02\n{second}")
    runs = read(tmp_path).runs
    assert [(run.run, run.time_s) for run in runs] == [("driver", 85.5), ("driver (2)", 85.0)]
    assert [run.facts["final_val_loss"] for run in runs] == [3.279, 3.2755]
    assert {run.machine for run in runs} == {"2x NVIDIA H100 80GB HBM3"}


def test_a_console_s_log_is_no_second_run(tmp_path: Path) -> None:
    folder = tmp_path / "2026-01-01_Muon"
    folder.mkdir()
    console = "".join(line for line in LOG.splitlines(keepends=True) if line.startswith("step:"))
    (folder / "console.log").write_text(console)
    (folder / "0f5a-uuid.txt").write_text(LOG)
    (folder / "17c2-uuid.txt").write_text(LOG.replace("85500ms", "85501ms"))
    archive = read(tmp_path)
    assert [run.run for run in archive.runs] == ["0f5a-uuid", "17c2-uuid"]
    assert {run.machine for run in archive.runs} == {"2x NVIDIA H100 80GB HBM3"}
    (finding,) = archive.findings
    assert (finding.rule, finding.level) == ("nanogpt-copy", "info")
    assert "console is the same run as 0f5a-uuid" in finding.message


def test_the_first_records_have_no_clock(tmp_path: Path) -> None:
    run = only(tmp_path, "s:0 tel:10.98\ns:1 trl:10.9\ns:9535 trl:3.3\ns:9536 tel:3.2760\n")
    assert (run.time_s, run.curve, run.status) == (None, None, "ok")
    assert run.facts["final_val_loss"] == 3.276
    assert "losses without a clock" in run.findings[0].message


@pytest.mark.parametrize(
    ("place", "submission", "track"),
    [
        ("track_2_medium/2026-0427-Other/x", "2026-0427-Other/x", "track_2_medium"),
        ("track_1_short/2024-10-09_SOAP", "2024-10-09_SOAP", "track_1_short"),
        ("records/101024_Muon", "101024_Muon", None),
        ("2025-07-12_Mask/runs/this_pr", "2025-07-12_Mask/runs/this_pr", None),
    ],
)
def test_a_record_s_folder_is_the_submission(
    tmp_path: Path, place: str, submission: str, track: str | None
) -> None:
    folder = tmp_path / "logs" / place
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text(LOG)
    (run,) = read(tmp_path).runs
    assert (run.submission, run.facts["track"]) == (submission, track)
    short = track in (None, "track_1_short")
    assert run.workload == ("modded-nanogpt" if short else f"modded-nanogpt/{track}")


def test_nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("step:1/2 train_loss:3\n")
    archive = read(tmp_path)
    assert archive.runs == []
    assert "no line step:N/M val_loss" in archive.findings[0].message
