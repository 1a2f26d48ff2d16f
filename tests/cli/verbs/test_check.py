"""`joulemark check`: says what is wrong with a submission and what to do, and leaves nothing."""

import tempfile
from pathlib import Path

import pytest

from harness.cli.verbs.check import CheckDocument
from harness.ledger import machine_lock
from tests.run.made import HONEST, Folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The tiny workload and an honest submission, as plug-ins."""
    made = Folder(tmp_path / "made")
    made.entry(HONEST)
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
    return made


@pytest.fixture
def check(folder: Folder, joulemark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`check("...")` writes that train.py and checks it; the scratch folder is empty afterwards."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def call(
        train: str = HONEST, *words: str, more: str = "", at: Path | None = None
    ) -> tuple[CheckDocument, int]:
        path = at or folder.entry(train, more=more)
        words = ("--launcher", "plain", "--seconds", "1", "--json", "--quiet", *words)
        result = joulemark("check", str(path), *words)
        assert list(scratch.iterdir()) == []
        assert not Path("results").exists()
        shown = CheckDocument.model_validate_json(result.stdout)
        assert result.exit_code == shown.exit_code == (0 if shown.ok else 3)
        return shown, result.exit_code

    return call


def verdicts(shown: CheckDocument) -> dict[str, str]:
    return {step.rule: step.verdict for step in shown.steps}


def test_an_honest_one_is_ready(check) -> None:
    shown, code = check()
    assert code == 0
    assert shown.workload == "tiny"
    assert set(verdicts(shown).values()) <= {"pass", "warn"}
    (dry,) = [step for step in shown.steps if step.rule == "dry-run"]
    assert dry.message.startswith("handed over 1 snapshot in ")
    # The plain launcher is no wall: a word about this machine, no fault of the submission.
    assert verdicts(shown)["isolation-level"] == "warn"


def test_a_stand_in_for_the_data_is_no_fault_of_the_submission(check, folder: Folder) -> None:
    text = folder.workload.read_text()
    folder.workload.write_text(text.replace("Splits(", 'Splits(facts={"synthetic": 1.0}, ', 1))
    shown, code = check()
    assert code == 0
    assert verdicts(shown)["data-synthetic"] == "warn"


@pytest.mark.parametrize(
    ("train", "said", "printed"),
    [
        ("def train(session): raise RuntimeError('ouch')", "crashed", "ouch"),
        ("def train(session): pass", "never handed over a snapshot", None),
        ("import numpy as np\ndef train(session): session.snapshot({'w': np.full(2, np.nan)})",
         "diverged", None),
        ("def train(session): session.snapshot({'v': fitted(session)})", "'w'", None),
        ("import os\ndef train(session): os.kill(os.getpid(), 9)", "signal 9", None),
    ],
)  # fmt: skip
def test_dry_run_says_what_went_wrong(check, train: str, said: str, printed: str | None) -> None:
    shown, code = check(train)
    assert code == 3
    (dry,) = [step for step in shown.steps if step.verdict == "fail"]
    assert dry.rule == "dry-run"
    assert said in dry.message
    assert dry.advice
    assert printed is None or any(printed in line for line in shown.printed)


@pytest.mark.parametrize(
    ("train", "more", "rule", "said"),
    [
        ("def train(session:", "", "entry", "line "),
        ("def trian(session): ...", "", "entry", "defines no train(session)"),
        ("def train(session): ...\ndel predictor", "", None, ""),
        (HONEST, "nonsense = 1\n", "schema", "nonsense"),
        (HONEST, "threads = 0\n", "schema", "threads"),
    ],
)
def test_files_are_looked_at_before_anything_runs(
    check, train: str, more: str, rule: str | None, said: str
) -> None:
    shown, code = check(train, more=more)
    assert code == 3
    failed = [step for step in shown.steps if step.verdict == "fail"]
    if rule is None:
        assert [item.rule for item in failed] == ["dry-run"]
        return
    assert [item.rule for item in failed] == [rule]
    assert said in failed[0].message
    assert verdicts(shown).get("dry-run", "skip") == "skip"


def test_loops_that_end_with_their_budget_get_to_hand_over(check) -> None:
    shown, _ = check("""
        def train(session):
            for batch in session.batches("train", 8):
                pass
            session.snapshot({"w": fitted(session)})
    """)
    assert verdicts(shown)["dry-run"] == "pass"


def test_modules_of_its_own_are_no_imports(check, folder: Folder) -> None:
    path = folder.entry(HONEST)
    toml = (path / "submission.toml").read_text()
    for name, said in (("helper", "submission's own"), ("nothing_of_that_name", "not installed")):
        (path / "helper.py").write_text("X = 1\n")
        (path / "submission.toml").write_text(toml.replace('["numpy"]', f'["{name}"]'))
        shown, _ = check(at=path)
        assert said in next(step.message for step in shown.steps if step.rule == "imports")


def test_unreadable_files_are_a_warning(check, folder: Folder) -> None:
    (folder.entry(HONEST) / "stored.bin").write_bytes(b"\0" * 70_000)
    shown, code = check()
    assert code == 0
    assert verdicts(shown)["source-opaque"] == "warn"


def test_a_lock_without_hashes_fails(check, folder: Folder) -> None:
    (folder.entry(HONEST) / "requirements.lock").write_text("numpy==2.2.0\n")
    shown, code = check()
    assert code == 3
    assert verdicts(shown)["lock"] == "fail"


def test_too_large_a_source_fails(check) -> None:
    shown, _ = check(HONEST, "--set", "run.source_bytes_max=10")
    assert verdicts(shown)["size"] == "fail"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("./gone",), 3, "no such folder"),
        (("entri",), 2, "did you mean entry"),
        (("entry", "--workload", "tinny"), 2, "did you mean tiny"),
        (("entry", "--workload", "digits-mlp"), 3, "not 'digits-mlp'"),
        (("entry", "--launcher", "nowhere"), 2, "nowhere"),
        (("entry", "--seconds", "0"), 2, "seconds"),
    ],
)
def test_what_is_asked_wrongly(folder: Folder, joulemark, words, code: int, said: str) -> None:
    result = joulemark("check", *words)
    assert result.exit_code == code, result.output
    assert said in result.output


def test_no_dry_run_beside_a_measured_run(folder: Folder, joulemark) -> None:
    with machine_lock():
        result = joulemark("check", "entry")
    assert result.exit_code == 5
    assert "another run uses this machine" in result.stderr
