"""`joulemark init`: what it writes passes `check` at once; nothing is ever overwritten."""

import json
import tomllib
from pathlib import Path

import pytest

from harness.cli.verbs.init import InitDocument
from harness.records import reference_of
from harness.registry import find, sources
from harness.rules.load import load_ruleset
from harness.run.inspection import inspect
from harness.run.submission import open_submission
from tests.run.made import HONEST, Folder

BUILT_IN = [source.name for source in sources("workloads") if source.origin == "built-in"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The tiny workload with a reference, as plug-ins."""
    made = Folder(tmp_path / "made")
    made.entry(HONEST, name="tiny-adamw", more="threads = 1\n[hyperparameters]\nlr = 0.5\n")
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
    return made


LISTED = {source.name for source in sources("submissions")}


@pytest.mark.parametrize("division", ["closed", "open"])
@pytest.mark.parametrize("workload", BUILT_IN)
def test_every_workload_has_a_scaffold_without_faults(
    joulemark, workload: str, division: str
) -> None:
    result = joulemark("init", "mine", "--workload", workload, "--division", division)
    if division not in find("workloads", workload).value.divisions:
        assert result.exit_code == 3
        assert f"{workload} has no open division; use --division closed" in result.output
        assert not Path("mine").exists()
        return
    if division == "closed" and reference_of(workload) not in LISTED:
        assert result.exit_code != 0
        assert "has no reference submission to copy; use --division open" in result.output
        return
    assert result.exit_code == 0, result.output
    source = open_submission("./mine")
    assert (source.file.division, source.file.workloads) == (division, (workload,))
    steps = list(inspect(source, workload, load_ruleset("default").run))
    assert [step for step in steps if step.verdict != "pass"] == []


@pytest.mark.parametrize("division", ["closed", "open"])
def test_it_passes_check_and_runs(folder: Folder, joulemark, document, division: str) -> None:
    shown = document("init", "mine", "--workload", "tiny", "--division", division)
    InitDocument.model_validate_json(json.dumps(shown))
    # The reference of the tiny workload is open itself: it has no torch model.
    text = Path("mine/submission.toml").read_text().replace('"closed"', '"open"')
    Path("mine/submission.toml").write_text(text)
    checked = joulemark("check", "mine", "--launcher", "plain", "--quiet")
    assert checked.exit_code == 0, checked.output
    words = ("--submission", "mine", "--ruleset", "smoke", "--meter", "none", "--quiet")
    ran = joulemark("run", "tiny", *words, "--seeds", "1", "--launcher", "plain")
    assert ran.exit_code == (0 if division == "closed" else 1), ran.output


def test_closed_one_is_the_reference_with_its_settings(folder: Folder, document) -> None:
    shown = document("init", "mine", "--workload", "tiny")
    assert shown["begun_from"] == "tiny-adamw"
    assert shown["files"] == ["submission.toml", "train.py"]
    tree = tomllib.loads(Path("mine/submission.toml").read_text())
    assert (tree["threads"], tree["hyperparameters"]) == (1, {"lr": 0.5})
    assert tree["team"] == "your team"
    original = (folder.plugins / "submissions" / "tiny-adamw" / "train.py").read_text()
    assert Path("mine/train.py").read_text().endswith(original)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("init", "mine"), 2, "--workload"),
        (("init", "mine", "--workload", "tinny"), 2, "did you mean tiny"),
        (("init", "my entry", "--workload", "tiny"), 3, "becomes the submission's"),
        (("init", "there", "--workload", "tiny"), 3, "exists already"),
        (("init", "no/where", "--workload", "tiny"), 3, "no such folder"),
        (("init", "mine", "--workload", "tiny", "--division", "hardware"), 2, "hardware"),
    ],
)
def test_what_it_refuses(folder: Folder, joulemark, words, code: int, said: str) -> None:
    Path("there").mkdir()
    Path("there/file").write_text("precious")
    before = sorted(Path().rglob("*"))
    result = joulemark(*words)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output
    assert sorted(Path().rglob("*")) == before
    assert Path("there/file").read_text() == "precious"


def test_workload_without_a_reference_says_what_to_do(folder: Folder, joulemark) -> None:
    reference = find("submissions", "tiny-adamw").value
    for path in reference.iterdir():
        path.unlink()
    result = joulemark("init", "mine", "--workload", "tiny")
    assert result.exit_code == 3
    assert "--division open" in result.stderr
    assert not Path("mine").exists()
