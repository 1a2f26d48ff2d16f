"""`joulemark rerun`: verifies a bundle, runs its source again, and compares."""

import json
import shutil
from pathlib import Path

import pytest

from harness.bundle import Bundle, find_bundles
from harness.cli.verbs.rerun import RerunDocument
from harness.ledger import machine_lock
from harness.run.series import run_series
from tests.run.made import HONEST, Folder, Silent, check_bundle

QUICK = ("--meter", "none", "--launcher", "plain", "--quiet", "--results", "again")


@pytest.fixture
def folder(joulemark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The tiny workload, an honest submission and a reference, as plug-ins."""
    made = Folder(tmp_path / "made")
    made.entry(HONEST)
    made.entry(HONEST, name="tiny-adamw", more="threads = 1\n")
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
    return made


@pytest.fixture
def sealed(folder: Folder) -> Path:
    """One of two sealed runs."""
    request = folder.request(seeds_count=2, interleave=True)
    outcomes = run_series(request, Silent())
    return next(outcome.bundle for outcome in outcomes if not outcome.is_reference)


def test_frozen_source_runs_anew_beside_the_reference(
    folder: Folder, sealed: Path, joulemark
) -> None:
    # What became of the submission since does not matter: the bundle has its source.
    folder.entry("def train(session): raise RuntimeError('changed since')")
    result = joulemark("rerun", str(sealed), "--seeds", "2", *QUICK, "--json")
    shown = RerunDocument.model_validate_json(result.stdout)
    assert shown.confirmation is not None
    assert result.exit_code == shown.exit_code
    assert (
        result.exit_code
        == {"confirmed": 0, "not confirmed": 4, "unclear": 1}[shown.confirmation.verdict]
    )
    assert len(shown.sealed) == 2
    assert shown.confirmation.rows[0].verdict == "confirmed"
    bundles = [Bundle(find_bundle) for find_bundle in find_bundles(Path("again"))]
    assert (
        sorted(bundle.run.submission.name for bundle in bundles)
        == ["entry"] * 2 + ["tiny-adamw"] * 2
    )
    assert {bundle.run.provenance for bundle in bundles} == {"organizer"}
    own = [bundle.run for bundle in bundles if bundle.run.submission.name == "entry"]
    was = Bundle(sealed).run
    assert {item.submission.sha256 for item in own} == {was.submission.sha256}
    assert was.seeds.commitment not in {item.seeds.commitment for item in own}
    assert len({item.seeds.commitment for item in own}) == 1


def test_a_trial_of_tuning_is_repeated_as_it_is(folder: Folder, joulemark) -> None:
    """Held against itself, and no longer a part of its study."""
    folder.entry(HONEST, more="[tuning.space]\nlr = { min = 0.1, max = 1.0 }\n")
    request = folder.request(seeds_count=1, tuning="external", trials_count=2)
    trial, _ = run_series(request, Silent())
    done = joulemark("rerun", str(trial.bundle), "--seeds", "2", *QUICK, "--json")
    document = RerunDocument.model_validate_json(done.stdout)
    assert len(document.sealed) == 1
    assert all(row.trial is None for row in document.series.runs)
    assert {str(row.hyperparameters) for row in document.series.runs} == {
        str(trial.run.hyperparameters)
    }
    assert document.confirmation is not None
    assert document.confirmation.rows[0].verdict == "confirmed"


def test_screen_ends_with_the_verdict(sealed: Path, joulemark) -> None:
    result = joulemark("rerun", str(sealed), "--seeds", "2", *QUICK)
    last = result.stdout.splitlines()[-1]
    assert last.split(":")[0] in ("confirmed", "unclear", "not confirmed")
    assert "interleaved on the same seeds" in result.stdout


def test_reference_is_repeated_alone(folder: Folder, joulemark) -> None:
    (outcome,) = run_series(folder.request("tiny-adamw"), Silent())
    result = joulemark("rerun", str(outcome.bundle), "--seeds", "1", *QUICK)
    assert "there was no reference to interleave with" in result.stdout
    (bundle,) = find_bundles(Path("again"))
    assert Bundle(bundle).run.interleaved_with == ""


def test_edited_bundle_is_never_run(sealed: Path, joulemark) -> None:
    with (sealed / "submission.tar.gz").open("ab") as archive:
        archive.write(b"better")
    result = joulemark("rerun", str(sealed), *QUICK)
    assert result.exit_code == 3
    assert "not as it was sealed" in result.stderr
    assert "submission.tar.gz" in result.stderr
    assert not Path("again").exists()


def test_bundle_that_was_cut_off_is_never_run(sealed: Path, joulemark) -> None:
    (sealed / "manifest.json").unlink()
    result = joulemark("rerun", str(sealed), *QUICK)
    assert (result.exit_code, Path("again").exists()) == (3, False)


def test_changed_workload_is_reported(folder: Folder, sealed: Path, joulemark) -> None:
    folder.workload.write_text(folder.workload.read_text() + "# changed\n")
    result = joulemark("rerun", str(sealed), *QUICK)
    assert result.exit_code == 3
    assert "workload 'tiny' is version" in result.stderr


def test_lone_copy_of_a_bundle_is_its_whole_series(sealed: Path, joulemark, tmp_path: Path) -> None:
    copy = tmp_path / sealed.name
    shutil.copytree(sealed, copy)
    result = joulemark("rerun", str(copy), "--seeds", "1", *QUICK, "--json")
    document = json.loads(result.stdout)
    assert document["sealed"] == [str(copy)]
    assert document["confirmation"]["verdict"] == "unclear"


@pytest.mark.parametrize("place", ["gone", "."])
def test_what_is_no_bundle_is_reported(folder: Folder, joulemark, place: str) -> None:
    result = joulemark("rerun", place, *QUICK)
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")


def test_new_bundles_are_whole(folder: Folder, sealed: Path) -> None:
    from harness.run.rerun import open_sealed, rerun_request

    with rerun_request(open_sealed(sealed), folder.request(seeds_count=1)) as request:
        for outcome in run_series(request, Silent()):
            assert open_sealed(outcome.bundle).run == outcome.run
            check_bundle(outcome, folder.results)


def test_no_rerun_beside_a_measured_run(sealed: Path, joulemark) -> None:
    with machine_lock():
        result = joulemark("rerun", str(sealed), *QUICK)
    assert result.exit_code == 5


def test_rules_in_the_bundle_do_not_apply(folder: Folder, joulemark) -> None:
    """The competitor raised a limit; the repetition runs under the installed rules."""
    (outcome,) = run_series(folder.request("entry", "run.setup_s=60"), Silent())
    done = joulemark("rerun", str(outcome.bundle), "--seeds", "1", *QUICK, "--json")
    assert RerunDocument.model_validate_json(done.stdout).series.runs
    rulesets = {Bundle(path).ruleset.run.setup_s for path in find_bundles(Path("again"))}
    assert rulesets == {0.0}
