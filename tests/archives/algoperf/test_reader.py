"""AlgoPerf logs: what is read from a tree, and what bad files cost."""

from pathlib import Path

import pytest

from harness.archives.algoperf.reader import read
from harness.formats.format import FormatError
from harness.records import ImportedRun
from tests.archives.algoperf.made import csv_text, hit, write_tree

GOOD = hit(100.0, 0.8)


def runs_of(root: Path) -> dict[str, ImportedRun]:
    return {run.run: run for run in read(root).runs}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two trials of one study."""
    return write_tree(tmp_path / "logs", {"mine": {"fastmri": [[GOOD, hit(80.0, 0.9)]]}})


def evaluations(tree: Path, trial: int = 1) -> Path:
    return tree / f"mine/study_0/fastmri_jax/trial_{trial}/eval_measurements.csv"


def test_names_curve_and_hardware(tree: Path) -> None:
    run = runs_of(tree)["study_0/trial_1"]
    assert (run.workload, run.submission, run.machine) == (
        "fastmri", "mine", "8x Tesla V100-SXM2-16GB",
    )  # fmt: skip
    assert run.imported is True
    assert run.curve is not None
    assert run.curve.time_s == tuple(time_s for time_s, _ in GOOD)
    assert run.curve.metric == {"ssim": tuple(value for _, value in GOOD)}
    assert run.curve.steps_count == (0.0, 100.0, 200.0)
    assert run.time_s == 100.0
    assert run.facts["framework"] == "jax"
    assert run.energy_by_method_j == {}
    assert len(run.sha256) == 64


def test_a_trial_without_evaluations_is_a_crash(tmp_path: Path) -> None:
    write_tree(tmp_path, {"mine": {"ogbg": [[None, hit(5.0, 0.3)]]}})
    result = runs_of(tmp_path)
    assert result["study_0/trial_1"].status == "crashed"
    assert result["study_0/trial_2"].status == "ok"


def test_teams_may_stand_above_submissions_and_a_submission_alone(tmp_path: Path) -> None:
    write_tree(tmp_path / "all/team", {"mine": {"ogbg": [[hit(5.0, 0.3)]]}})
    for root in (tmp_path / "all", tmp_path / "all/team", tmp_path / "all/team/mine"):
        (run,) = read(root).runs
        assert (run.submission, run.study) == ("mine", "study_0")


def test_a_tree_of_a_whole_repository_keeps_every_submission(tmp_path: Path) -> None:
    one = {"ogbg": [[hit(5.0, 0.3)]]}
    for place in ("logs/self_tuning", "previous/v05/logs/external_tuning"):
        write_tree(tmp_path / place, {"baseline": one, f"mine_{place[:3]}": one})
    write_tree(tmp_path / ".git/logs", {"hidden": one})
    archive = read(tmp_path)
    assert {run.submission for run in archive.runs} == {
        "logs/self_tuning/baseline", "mine_log",
        "previous/v05/logs/external_tuning/baseline", "mine_pre",
    }  # fmt: skip
    rules = {finding.rule: finding.message for finding in archive.findings}
    assert "named baseline" in rules["algoperf-name"]
    assert "logs/self_tuning, previous/v05/logs/external_tuning" in rules["algoperf-boards"]


def test_one_board_alone_is_reported_nothing(tmp_path: Path) -> None:
    write_tree(tmp_path / "self_tuning", {"a": {"ogbg": [[hit(5.0, 0.3)]]}})
    archive = read(tmp_path)
    assert ([run.submission for run in archive.runs], archive.findings) == (["a"], [])


def test_a_study_in_two_frameworks_loses_no_trial(tmp_path: Path) -> None:
    for framework in ("jax", "pytorch"):
        write_tree(tmp_path, {"mine": {"ogbg": [[hit(5.0, 0.3)]]}}, framework)
    assert set(runs_of(tmp_path)) == {"study_0/trial_1 (jax)", "study_0/trial_1 (pytorch)"}


def test_what_a_real_trial_holds_beside_its_evaluations_does_not_matter(tree: Path) -> None:
    before = runs_of(tree)
    trial = evaluations(tree).parent
    for name in ("measurements.csv", "flags_0.json", "events.out.tfevents.1.host.38.0.v2"):
        (trial / name).write_text("junk")
    (trial / "checkpoint_1").mkdir()
    (trial.parent / "fastmri_jax_05-07-2026-20-01-47.log").write_text("junk")
    (trial.parent.parent / ".DS_Store").write_bytes(b"\0")
    assert runs_of(tree) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace(".", "\x00").replace(",", ";").replace("\x00", ","),
        lambda text: text.replace(",", "\t"),
    ],
    ids=["bom", "crlf", "cr", "no end", "decimal comma", "tabs"],
)
def test_dialects_read_the_same(tree: Path, damage) -> None:
    clean = runs_of(tree)["study_0/trial_1"].curve
    path = evaluations(tree)
    path.write_text(damage(path.read_text()), encoding="utf-8", newline="")
    assert runs_of(tree)["study_0/trial_1"].curve == clean


def test_columns_are_detected_by_name(tree: Path) -> None:
    clean = runs_of(tree)["study_0/trial_1"].curve
    path = evaluations(tree)
    rows = [line.split(",")[::-1] for line in path.read_text().splitlines()]
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    assert runs_of(tree)["study_0/trial_1"].curve == clean


def test_missing_numbers_are_missing(tree: Path) -> None:
    path = evaluations(tree)
    lines = csv_text("ssim", GOOD).splitlines()
    fields = lines[2].split(",")
    fields[10] = ""
    lines[2] = ",".join(fields)
    lines[3] = lines[3].replace("0.8", "nan")
    path.write_text("\n".join(lines) + "\n")
    curve = runs_of(tree)["study_0/trial_1"].curve
    assert curve is not None
    assert curve.metric["ssim"] == (0.0, None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the header has no column accumulated_submission_time"),
        ("a,b\n1,2\n", "line 1: the header has no column"),
        ("accumulated_submission_time,global_step\n1,2\n", "no column validation/<metric>"),
        ("accumulated_submission_time,validation/ssim\n", "no line with an evaluation"),
        ("accumulated_submission_time,validation/ssim\nx,1\n", "no line with an evaluation"),
        ("\x00\xff" * 100, "the header has no column"),
    ],
)
def test_a_bad_file_is_named_and_loses_nothing_else(tree: Path, text: str, said: str) -> None:
    path = evaluations(tree)
    path.write_text(text)
    result = runs_of(tree)
    assert result["study_0/trial_1"].status == "invalid"
    (finding,) = result["study_0/trial_1"].findings
    assert str(path) in finding.message
    assert said in finding.message
    assert result["study_0/trial_2"].status == "ok"


def test_a_cut_line_is_named_by_number(tree: Path) -> None:
    path = evaluations(tree)
    path.write_text(path.read_text()[:-40])
    run = runs_of(tree)["study_0/trial_1"]
    assert run.curve is not None
    assert len(run.curve.time_s) == 2
    (finding,) = run.findings
    assert f"{path}, line 4" in finding.message
    assert "cut off" in finding.message


def test_reordered_and_doubled_rows_are_reported(tree: Path) -> None:
    path = evaluations(tree)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows[::-1]]) + "\n")
    assert runs_of(tree)["study_0/trial_1"].findings[0].rule == "algoperf-order"
    path.write_text("\n".join([header, *rows, rows[-1]]) + "\n")
    assert runs_of(tree)["study_0/trial_1"].findings[0].rule == "algoperf-duplicate"


def test_folders_that_are_no_workload_are_reported(tree: Path) -> None:
    (tree / "mine/study_0/notes").mkdir()
    (finding,) = read(tree).findings
    assert "notes: no workload folder" in finding.message


def test_hostile_metadata_only_loses_the_hardware(tree: Path) -> None:
    for trial in (1, 2):
        meta = tree / f"mine/study_0/fastmri_jax/trial_{trial}/meta_data_0.json"
        meta.write_text("[" * 100_000)
    assert {run.machine for run in read(tree).runs} == {"unknown"}


@pytest.mark.parametrize("name", ["missing", "file", "empty"])
def test_nothing_to_import_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="expected a folder that holds one folder per submission"):
        read(tmp_path / name)
