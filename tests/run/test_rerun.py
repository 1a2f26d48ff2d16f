"""Only a run that is as it was sealed is repeated, with its own source and under its own rules."""

import shutil
from pathlib import Path

import pytest

from harness.bundle import SOURCE, Bundle
from harness.rules.load import load_ruleset
from harness.run.rerun import (
    RerunError,
    in_place,
    open_sealed,
    rerun_request,
    sealed_reference,
    sealed_series,
)
from harness.run.series import run_series
from harness.source_archive import SourceFile, pack_source, write_source
from harness.storage import sha256_tree
from tests.run.made import HONEST, Folder, Silent


@pytest.fixture
def sealed(folder: Folder) -> Path:
    """Two runs of the honest entry; gives the folder of the first."""
    outcomes = run_series(folder.request("entry", seeds_count=2), Silent())
    return min(outcome.bundle for outcome in outcomes).resolve()


def other_of(bundle: Path) -> Path:
    (other,) = [path for path in bundle.parent.iterdir() if path != bundle]
    return other


# --- what may be repeated -------------------------------------------------------------------------


def test_a_sealed_bundle_holds_and_is_named_whole(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sealed.parent)
    bundle = open_sealed(Path(sealed.name))
    assert bundle.folder == sealed
    assert in_place(bundle)


@pytest.mark.parametrize("name", ["run.json", "eval.json", "submission.tar.gz", "log.txt"])
def test_one_changed_byte_and_there_is_nothing_to_repeat(sealed: Path, name: str) -> None:
    path = sealed / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(RerunError, match="not as it was sealed") as caught:
        open_sealed(sealed)
    assert str(sealed) in str(caught.value)
    assert name in str(caught.value)


def test_a_run_that_was_cut_off_is_not_repeated(sealed: Path) -> None:
    (sealed / "manifest.json").unlink()
    with pytest.raises(RerunError):
        open_sealed(sealed)


def test_a_folder_of_bundles_is_asked_to_name_one(sealed: Path, folder: Folder) -> None:
    with pytest.raises(RerunError, match="a folder of 2; name one of them"):
        open_sealed(folder.results)


@pytest.mark.parametrize("name", ["nowhere", "plugins"])
def test_what_holds_no_bundle_is_reported_by_name(folder: Folder, name: str) -> None:
    with pytest.raises(RerunError, match=name):
        open_sealed(folder.root / name)


# --- the series of a run --------------------------------------------------------------------------


def test_runs_of_one_series_are_detected_beside_every_other(sealed: Path) -> None:
    result = sealed_series(open_sealed(sealed))
    assert [item.folder for item in result] == [sealed, other_of(sealed)]


def test_runs_of_a_changed_source_are_no_series(sealed: Path, folder: Folder) -> None:
    folder.entry(HONEST + "    # changed\n")
    (changed,) = run_series(folder.request(), Silent())
    assert changed.bundle.parent.resolve() == sealed.parent
    result = {sealed_sery.folder for sealed_sery in sealed_series(open_sealed(sealed))}
    assert result == {sealed, *sealed.parent.iterdir()} - {changed.bundle.resolve()}
    alone = sealed_series(open_sealed(changed.bundle))
    assert [item.folder for item in alone] == [changed.bundle.resolve()]


def test_runs_under_other_rules_are_no_series(sealed: Path, folder: Folder) -> None:
    (other,) = run_series(folder.request("entry", "run.snapshots_max=7"), Silent())
    result = [sealed_sery.folder for sealed_sery in sealed_series(open_sealed(sealed))]
    assert len(result) == 2
    assert other.bundle.resolve() not in result


def test_a_spoilt_run_beside_it_is_no_silent_loss(sealed: Path) -> None:
    spoilt = other_of(sealed) / "run.json"
    spoilt.chmod(0o644)
    spoilt.write_bytes(spoilt.read_bytes().replace(b'"ok"', b'"oom"'))
    with pytest.raises(RerunError, match=spoilt.parent.name):
        sealed_series(open_sealed(sealed))


def test_a_copy_elsewhere_is_a_series_of_one_without_a_yardstick(
    sealed: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy" / sealed.name
    shutil.copytree(sealed, copy)
    bundle = open_sealed(copy)
    assert not in_place(bundle)
    assert sealed_series(bundle) == [bundle]
    assert sealed_reference(bundle) == []


def test_trials_of_tuning_are_no_series(folder: Folder) -> None:
    """What is repeated is one setting."""
    folder.entry(HONEST, more="[tuning.space]\nlr = { min = 0.1, max = 1.0 }\n")
    request = folder.request(seeds_count=1, tuning="external", trials_count=2)
    first, second = run_series(request, Silent())
    assert first.run.hyperparameters != second.run.hyperparameters
    bundle = open_sealed(first.bundle.resolve())
    assert sealed_series(bundle) == [bundle]
    with rerun_request(bundle, folder.request()) as again:
        assert again.hyperparameters == first.run.hyperparameters
        assert again.tuning == ""


# --- the reference --------------------------------------------------------------------------------


def test_runs_of_the_reference_are_the_yardstick_if_their_rules_are_the_same(
    sealed: Path, folder: Folder
) -> None:
    assert sealed_reference(open_sealed(sealed)) == []
    folder.entry(HONEST, name="tiny-adamw")
    (same,) = run_series(folder.request("tiny-adamw"), Silent())
    run_series(folder.request("tiny-adamw", "run.snapshots_max=7"), Silent())
    result = [item.folder for item in sealed_reference(open_sealed(sealed))]
    assert result == [same.bundle.resolve()]
    (same.bundle / "run.json").chmod(0o644)
    (same.bundle / "run.json").write_bytes(b"{}")
    assert sealed_reference(open_sealed(sealed)) == [], "a yardstick that cannot be read is none"


# --- the order ------------------------------------------------------------------------------------


def test_the_frozen_source_is_ordered_under_the_rules_of_the_organizer(
    sealed: Path, folder: Folder
) -> None:
    bundle = open_sealed(sealed)
    folder.entry("def train(session): raise SystemExit('never run')\n")
    asked = folder.request("something", seeds_count=3, hyperparameters={"lr": 1.0})
    with rerun_request(bundle, asked) as request:
        place = Path(str(request.submission))
        assert sha256_tree(place) == bundle.run.submission.sha256
        assert place.name == "entry"
        assert sealed not in place.parents
    assert not place.exists()
    assert (request.workload, request.provenance) == ("tiny", "organizer")
    assert request.ruleset == asked.ruleset
    assert request.hyperparameters == bundle.run.hyperparameters
    assert (request.seeds_count, request.results) == (3, folder.results)


def test_rules_that_a_competitor_made_laxer_do_not_apply(folder: Folder) -> None:
    (outcome,) = run_series(folder.request("entry", "run.snapshots_max=7"), Silent())
    asked = folder.request()
    with rerun_request(open_sealed(outcome.bundle), asked) as request:
        assert request.ruleset == load_ruleset("smoke")


@pytest.mark.parametrize("reference", ["none", "same", "other"])
def test_it_alternates_with_the_reference_unless_that_is_itself(
    sealed: Path, folder: Folder, reference: str
) -> None:
    if reference != "none":
        path = folder.entry(HONEST, name="tiny-adamw")
        shutil.rmtree(path)
        write_source(Bundle(sealed).source_files(), path)
        (path / "__pycache__").mkdir(exist_ok=True)
        (path / "__pycache__" / "train.pyc").write_bytes(b"x")
    if reference == "other":
        (path / "train.py").write_text("def train(session): ...\n")
    with rerun_request(open_sealed(sealed), folder.request()) as request:
        assert request.interleave is (reference == "other")


def test_a_workload_that_changed_since_is_refused_with_both_versions(
    sealed: Path, folder: Folder
) -> None:
    bundle = open_sealed(sealed)
    folder.workload.write_text(folder.workload.read_text().replace("rows) % 2", "rows)  % 2"))
    with (
        pytest.raises(RerunError, match=f"the bundle ran {bundle.run.workload.version}"),
        rerun_request(bundle, folder.request()),
    ):
        pytest.fail("an order was given")


def test_a_source_that_is_not_the_one_that_was_run_is_refused(sealed: Path, folder: Folder) -> None:
    bundle = Bundle(sealed)
    files = bundle.source_files() | {"train.py": SourceFile(b"def train(session): ...\n")}
    (sealed / SOURCE).write_bytes(pack_source(files))
    with (
        pytest.raises(RerunError, match=r"not the source that run\.json names"),
        rerun_request(bundle, folder.request()),
    ):
        pytest.fail("an order was given")
