"""What a look at a submission tells before anything of it runs."""

import ast
import os
import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records import RunRules
from harness.run.inspection import InspectionStep, _names, _parsed, _size_text, inspect
from harness.run.source_checks import READABLE_BYTES_MAX
from harness.run.submission import FILES_MAX, SubmissionError, open_submission
from tests.run.made import HONEST, Folder

RULES = RunRules()
HASH = "--hash=sha256:" + "0" * 64


def looked(
    path: Path, workload: str = "tiny", rules: RunRules = RULES
) -> dict[str, InspectionStep]:
    steps = list(inspect(open_submission(str(path)), workload, rules))
    result = {step.rule: step for step in steps}
    assert len(result) == len(steps), "two steps of one name"
    return result


def failed(steps: dict[str, InspectionStep]) -> set[str]:
    return {name for name, step in steps.items() if step.verdict == "fail"}


def with_toml(folder: Folder, **lines: str) -> Path:
    """An honest entry whose submission.toml has these lines in place of its own."""
    path = folder.entry(HONEST)
    toml = path / "submission.toml"
    kept = [line for line in toml.read_text().splitlines() if line.partition(" ")[0] not in lines]
    toml.write_text("\n".join([*kept, *(f"{key} = {value}" for key, value in lines.items())]))
    return path


# --- the whole ------------------------------------------------------------------------------------


def test_an_honest_submission_passes_every_step(folder: Folder) -> None:
    steps = looked(folder.entry(HONEST))
    assert {step.verdict for step in steps.values()} == {"pass"}
    assert list(steps) == [
        "schema", "workload", "division", "entry", "imports", "lock", "size", "source-opaque",
    ]  # fmt: skip
    assert "division open" in steps["schema"].message
    assert steps["workload"].message == "is for tiny"
    assert steps["imports"].message == "numpy"
    assert steps["lock"].message == "no requirements.lock"


def test_a_look_runs_nothing_and_leaves_no_file(folder: Folder, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = folder.entry(f"open({str(mark)!r}, 'w')\n" + textwrap.dedent(HONEST))
    before = sorted(path.rglob("*"))
    assert looked(path)["entry"].verdict == "pass"
    assert not mark.exists()
    assert sorted(path.rglob("*")) == before


def test_one_fault_hides_no_other(folder: Folder) -> None:
    path = with_toml(folder, imports='["no_such_module_at_all"]', workloads='["other"]')
    (path / "train.py").write_text("x = 1\n")
    (path / "requirements.lock").write_text("numpy\n")
    steps = looked(path, rules=RunRules(source_bytes_max=5))
    assert failed(steps) == {"workload", "entry", "imports", "lock", "size"}


def test_a_submission_for_all_fits_any_workload(folder: Folder) -> None:
    path = with_toml(folder, workloads='["*"]')
    assert looked(path, "markov-lm")["workload"].message == "is for markov-lm"


def test_a_division_that_the_workload_misses_is_reported_with_those_it_has(folder: Folder) -> None:
    """Training rows, kept by an open predictor, would pass for samples."""
    steps = looked(with_toml(folder, workloads='["moons-flow"]'), "moons-flow")
    assert failed(steps) == {"division"}
    assert "no open division; name one of closed, hardware" in steps["division"].message
    closed = with_toml(folder, workloads='["moons-flow"]', division='"closed"')
    assert looked(closed, "moons-flow")["division"].verdict == "pass"


def test_a_submission_for_another_workload_names_both_names(folder: Folder) -> None:
    step = looked(with_toml(folder, workloads='["other", "third"]'))["workload"]
    assert step.verdict == "fail"
    assert "workloads names other, third, not 'tiny'" in step.message
    assert "submission.toml" in step.message


# --- the entry ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "def train(session): ...\ndef predictor(weights, workload): ...",
        "class train: ...\nfrom parts import predictor",
        "from parts import fit as train, tell as predictor",
        "import train, predictor",
        "train = predictor = lambda *_: None",
    ],
)
def test_a_function_may_be_defined_imported_or_assigned(folder: Folder, text: str) -> None:
    path = folder.entry(HONEST)
    (path / "train.py").write_text(text)
    step = looked(path)["entry"]
    assert step.verdict == "pass"
    assert step.message == ("train.py defines train(session) and predictor(weights, workload)")


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("", "no train(session) and no predictor(weights, workload)"),
        ("def train(session): ...", "no predictor(weights, workload)"),
        ("def predictor(weights, workload): ...", "no train(session)"),
        ("from train import fit\nimport predictor as told\ntrain = 1", "no predictor("),
        ("def outer():\n    def train(session): ...\npredictor = 1", "no train(session)"),
        ("# def train(session)\ntext = 'train'\nfrom a import predictor", "no train(session)"),
    ],
)
def test_what_is_not_on_the_first_level_is_lacking(folder: Folder, text: str, lacking: str) -> None:
    path = folder.entry(HONEST)
    (path / "train.py").write_text(text)
    step = looked(path)["entry"]
    assert step.verdict == "fail"
    assert f"train.py: defines {lacking}" in step.message


def test_the_closed_division_needs_no_predictor(folder: Folder) -> None:
    path = with_toml(folder, division='"closed"')
    (path / "train.py").write_text("def train(session): ...")
    assert looked(path)["entry"].message == "train.py defines train(session)"


def test_a_command_that_trains_leaves_the_predictor_to_python(folder: Folder) -> None:
    path = with_toml(folder, command='["./fit"]')
    (path / "train.py").unlink()
    step = looked(path)["entry"]
    assert step.verdict == "fail"
    assert step.message.endswith("train.py: missing; it has to define predictor")
    (path / "train.py").write_text("def predictor(weights, workload): ...")
    reported = looked(path)["entry"].message
    assert reported == "train.py defines predictor(weights, workload)"


def test_two_commands_need_no_python_at_all(folder: Folder) -> None:
    path = with_toml(folder, command='["./fit"]', predict_command='["./tell"]')
    (path / "train.py").unlink()
    steps = looked(path)
    assert failed(steps) == set()
    assert steps["entry"].message == "a command trains, a command predicts"


def test_no_entry_at_all_fails_both_steps_that_need_one(folder: Folder) -> None:
    path = folder.entry(HONEST)
    (path / "train.py").unlink()
    steps = looked(path)
    assert failed(steps) == {"workload", "entry"}
    assert "neither train.py nor a command" in steps["workload"].message
    assert "missing; it has to define train and predictor" in steps["entry"].message


@pytest.mark.parametrize(
    ("data", "reported"),
    [
        (b"x = 1\ndef train(:\n", "train.py, line 2: "),
        (b"x = 1\n\x00y = 2\n", "train.py"),
        (b"x = '\xff'\n", "train.py"),
        (b"# coding: no-such-codec\n", "train.py"),
        (b"x = " + b"(" * 400, "train.py, line 1: "),
        (b"def train(session):\nreturn 1\n", "train.py, line 2: "),
    ],
)
def test_a_file_that_is_no_python_is_a_finding(folder: Folder, data: bytes, reported: str) -> None:
    path = folder.entry(HONEST)
    (path / "train.py").write_bytes(data)
    step = looked(path)["entry"]
    assert step.verdict == "fail"
    assert reported in step.message
    assert step.message.isprintable()


@settings(max_examples=40)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.py"
    path.write_bytes(data)
    try:
        ast.parse(data)
    except (SyntaxError, ValueError):
        with pytest.raises(SubmissionError, match=re.escape(str(path))):
            _parsed(path)
    else:
        assert all(name.isidentifier() for name in _names(_parsed(path)))


def test_deeply_nested_code_is_refused_and_does_not_end_the_process(folder: Folder) -> None:
    path = folder.entry(HONEST)
    (path / "train.py").write_text("x = " + "-" * 200_000 + "1\n")
    assert looked(path)["entry"].verdict == "fail"


# --- imports --------------------------------------------------------------------------------------


def test_nothing_imported_is_said_so(folder: Folder) -> None:
    step = looked(with_toml(folder, imports="[]"))["imports"]
    assert (step.verdict, step.message) == ("pass", "nothing is imported before the start signal")


@pytest.mark.parametrize("name", ["numpy", "numpy.linalg", "json", "os.path"])
def test_installed_modules_may_be_imported(folder: Folder, name: str) -> None:
    step = looked(with_toml(folder, imports=f'["{name}"]'))["imports"]
    assert (step.verdict, step.message) == ("pass", name)


@pytest.mark.parametrize("name", ["no_such_module_at_all", "no_such.part"])
def test_what_is_not_installed_is_reported_by_name(folder: Folder, name: str) -> None:
    step = looked(with_toml(folder, imports=f'["json", "{name}"]'))["imports"]
    assert step.verdict == "fail"
    assert f"imports names '{name}', which is not installed here" in step.message


@pytest.mark.parametrize("name", ["__main__", "os\\u0000x", "", ".numpy", "a b"])
def test_names_that_no_library_has_are_refused_at_once(folder: Folder, name: str) -> None:
    with pytest.raises(SubmissionError, match=r"submission\.toml: .*imports"):
        looked(with_toml(folder, imports=f'["{name}"]'))


@pytest.mark.parametrize("own", ["parts.py", "parts/net.py"])
def test_its_own_files_may_not_be_imported_early(folder: Folder, own: str) -> None:
    path = with_toml(folder, imports='["parts.net"]')
    (path / own).parent.mkdir(exist_ok=True)
    (path / own).write_text("")
    step = looked(path)["imports"]
    assert step.verdict == "fail"
    assert "'parts.net', which is the submission's own" in step.message


def test_a_file_that_hides_an_installed_package_is_its_own(folder: Folder) -> None:
    path = folder.entry(HONEST)
    (path / "numpy.py").write_text("")
    assert failed(looked(path)) == {"imports"}


# --- lock, size, packing --------------------------------------------------------------------------


def test_a_lock_with_hashes_passes_and_asks_for_the_packages(folder: Folder) -> None:
    path = folder.entry(HONEST)
    (path / "requirements.lock").write_text(f"numpy==2.0.0 {HASH}\n")
    steps = looked(path)
    assert steps["lock"].message == "every line of requirements.lock is pinned and hashed"
    assert steps["source-packages-missing"].verdict == "warn"
    assert "pip install" in steps["source-packages-missing"].advice


@pytest.mark.parametrize(
    "line", ["numpy", "numpy>=2", "numpy==2.0.0", f"numpy==2.* {HASH}", "-e ."]
)
def test_a_lock_that_leaves_a_choice_fails_by_line(folder: Folder, line: str) -> None:
    path = folder.entry(HONEST)
    (path / "requirements.lock").write_text(f"scipy==1.0 {HASH}\n{line}\n")
    step = looked(path)["lock"]
    assert step.verdict == "fail"
    assert "requirements.lock, line 2: " in step.message


def test_packages_with_their_lock_are_no_warning(folder: Folder) -> None:
    path = folder.entry(HONEST)
    (path / "site").mkdir()
    (path / "site" / "blob.bin").write_bytes(b"\x00" * 7)
    assert looked(path)["source-packages"].verdict == "warn"
    (path / "requirements.lock").write_text(f"numpy==2.0.0 {HASH}\n")
    step = looked(path)["source-packages"]
    assert step.verdict == "pass"
    assert "contains 7 bytes" in step.message


@pytest.mark.parametrize("data", [b"\x00\x01", b"\xff\xfe", b"x" * (READABLE_BYTES_MAX + 1)])
def test_what_no_one_can_read_is_a_warning_with_its_name(folder: Folder, data: bytes) -> None:
    path = folder.entry(HONEST)
    (path / "weights.bin").write_bytes(data)
    step = looked(path)["source-opaque"]
    assert step.verdict == "warn"
    assert f"weights.bin ({len(data)} bytes)" in step.message
    assert step.advice


def test_the_size_is_the_bytes_of_all_files_and_the_limit_is_allowed(folder: Folder) -> None:
    path = folder.entry(HONEST)
    (path / "__pycache__").mkdir()
    (path / "__pycache__" / "big.pyc").write_bytes(b"x" * 5000)
    (path / "sub").mkdir()
    (path / "sub" / "more.txt").write_text("1234")
    names = ("train.py", "submission.toml", "sub/more.txt")
    total = sum((path / name).stat().st_size for name in names)
    source = open_submission(str(path))
    text = _size_text(source, RunRules(source_bytes_max=total))
    assert text.startswith(f"3 files, {total} bytes")
    with pytest.raises(SubmissionError, match="only source belongs") as caught:
        _size_text(source, RunRules(source_bytes_max=total - 1))
    assert f"{total - 1} bytes are allowed" in str(caught.value)


def test_too_many_files_fail_however_small(folder: Folder) -> None:
    path = folder.entry(HONEST)
    for number in range(FILES_MAX - 2):
        (path / f"{number}.txt").touch()
    assert looked(path)["size"].verdict == "pass"
    (path / "one-more.txt").touch()
    step = looked(path)["size"]
    assert step.verdict == "fail"
    assert f"{FILES_MAX + 1} files" in step.message


@pytest.mark.parametrize("odd", ["link", "folder link", "pipe"])
def test_what_is_no_plain_file_fails_once_and_stops_no_other_step(folder: Folder, odd: str) -> None:
    path = folder.entry(HONEST)
    if odd == "pipe":
        os.mkfifo(path / "odd")
    else:
        (path / "odd").symlink_to("/etc/passwd" if odd == "link" else "/etc")
    steps = looked(path)
    assert failed(steps) == {"size"}
    assert "neither a plain file nor a folder" in steps["size"].message
    assert "source-opaque" not in steps, "what was not looked at is no pass"
