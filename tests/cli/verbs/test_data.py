"""`joulemark data`: packs originals below the data root, checks them, and says what is missing."""

from pathlib import Path

import pytest

from harness.cli.verbs.data import DataDocument
from tests.workloads.data.originals import cifar_python


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("JOULEMARK_DATA", raising=False)
    return cifar_python(tmp_path / "originals")


def test_prepare_then_check(joulemark, document, folder: Path, tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    made = document("data", "prepare", "cifar10-94", str(folder), "--to", root, "--partial")
    DataDocument.model_validate(made, strict=False)
    (item,) = made["sets"]
    assert (item["data"], item["state"], item["partial"]) == ("cifar10", "ok", True)
    assert {"cifar10-94", "cifar10-96"} <= set(item["workloads"]), "they share the set"
    done = joulemark("data", "check", "cifar10-96", "--to", root)
    assert done.exit_code == 0
    assert "cifar10" in done.stdout


def test_the_root_comes_from_the_environment(
    joulemark, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOULEMARK_DATA", str(tmp_path / "data"))
    assert joulemark("data", "prepare", "cifar10-94", str(folder), "--partial").exit_code == 0
    assert (tmp_path / "data" / "cifar10" / "manifest.json").is_file()


def test_damage_leaves_with_three_and_what_is_missing_with_six(
    joulemark, document, folder: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    joulemark("data", "prepare", "cifar10-94", str(folder), "--to", str(root), "--partial")
    missing = joulemark("data", "check", "haet-2021", "--to", str(root))
    assert missing.exit_code == 6
    assert "joulemark data prepare" in missing.stdout
    path = root / "cifar10" / "inputs.x.npy"
    path.write_bytes(path.read_bytes()[:-1])
    assert joulemark("data", "check", "--to", str(root)).exit_code == 3
    states = {item["data"]: item for item in document("data", "check", "--to", str(root))["sets"]}
    assert states["cifar10"]["state"] == "faulty"
    assert states["cifar10"]["packed_bytes"] is None, "what is not known is not zero"
    assert "inputs.x.npy" in states["cifar10"]["reason"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("prepare", "cifar10-94", "{folder}", "--to", "{root}"), 3, "not the whole set"),
        (("prepare", "cifar10-94", "{root}/none", "--to", "{root}"), 6, "no such folder"),
        (("prepare", "cifar10-94", "{folder}"), 2, "missing option '--to'"),
        (("prepare", "digits-mlp", "{folder}", "--to", "{root}"), 2, "nothing to prepare"),
        (("prepare", "cifar10-95", "{folder}", "--to", "{root}"), 2, "did you mean"),
        (("check",), 2, "missing option '--to'"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    joulemark, folder: Path, tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    root = tmp_path / "data"
    filled = [word.format(folder=folder, root=root) for word in words]
    done = joulemark("data", *filled)
    assert done.exit_code == code
    assert says in done.stderr
    assert not root.exists() or list(root.iterdir()) == []


def test_a_run_without_data_says_how_to_get_them(joulemark, tmp_path: Path, folder: Path) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / "submission.toml").write_text(
        'title = "E"\nteam = "t"\ndivision = "open"\nworkloads = ["cifar10-94"]\nimports = []\n'
    )
    (entry / "train.py").write_text("def train(session):\n    pass\n")
    done = joulemark("run", "cifar10-94", "--submission", str(entry), "--meter", "none")
    assert done.exit_code == 6
    assert "JOULEMARK_DATA is not set" in done.stderr
    assert "cs.toronto.edu" in done.stderr
