"""A good tree passes every check; whatever is touched afterwards is found and named."""

import json
import os
import shutil
from pathlib import Path

import pytest

from harness.verify import NothingToVerify, Report, verify
from harness.verify.tree import RULES
from tests.verify.made import Parts, Results

FIRST, SECOND = "20261122T000000Z-0001", "20261122T000100Z-0002"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(tmp_path / "results")
    made.add(FIRST)
    made.add(SECOND)
    return made


def failed(report: Report) -> set[str]:
    """Names of all checks that failed."""
    checks = list(report.checks)
    for bundle in report.bundles:
        checks.extend(bundle.checks)
    for ledger in report.ledgers:
        checks.extend(ledger.checks)
    return {check.rule for check in checks if check.verdict == "fail"}


def test_a_good_tree_passes_every_check(results: Results) -> None:
    report = verify(results.root)
    assert list(report.failures()) == []
    other = {c.rule for bundle in report.bundles for c in bundle.checks if c.verdict != "pass"}
    assert other == {"signature"}
    assert [bundle.run_id for bundle in report.bundles] == [FIRST, SECOND]
    assert report.ledgers[0].rows_count == 4


def test_every_check_of_a_bundle_is_named_once(results: Results) -> None:
    rules = [check.rule for check in verify(results.root).bundles[0].checks]
    assert len(rules) == len(set(rules)) == len(RULES) + 3


def test_a_bundle_alone_is_checked_against_the_ledger_above_it(results: Results) -> None:
    report = verify(results.root / results.place(FIRST))
    assert report.ok
    assert report.kind == "bundle"
    assert {c.rule: c.verdict for c in report.bundles[0].checks}["ledger-row"] == "pass"


def test_a_bundle_without_a_ledger_is_not_called_witnessed(
    results: Results, tmp_path: Path
) -> None:
    alone = tmp_path / "elsewhere" / FIRST
    shutil.copytree(results.root / results.place(FIRST), alone)
    checks = {c.rule: c for c in verify(alone).bundles[0].checks}
    assert checks["ledger-row"].verdict == "skip"
    assert "check the manifest against" in checks["ledger-row"].message
    assert checks["files-intact"].verdict == "pass"


def test_a_flipped_byte_names_the_file(results: Results) -> None:
    path = results.root / results.place(SECOND) / "submission" / "train.py"
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    report = verify(results.root)
    assert not report.ok
    assert {bundle.run_id: bundle.ok for bundle in report.bundles} == {FIRST: True, SECOND: False}
    faults = [line for line in report.failures() if "files-intact" in line]
    assert "submission/train.py" in faults[0]
    assert SECOND in faults[0]


def test_a_removed_ledger_is_missed(results: Results) -> None:
    """Without it, runs could be left out."""
    shutil.rmtree(results.root / "ledgers")
    report = verify(results.root)
    assert failed(report) == {"ledger-row"}
    assert "it is unknown which runs were left out" in next(report.failures())


def test_a_ledger_further_out_is_not_missed(results: Results) -> None:
    """A part of the results is no results folder, so its bundles are not at home in it."""
    part = results.root / results.place(FIRST).split("/")[0]
    assert not failed(verify(part))


def test_an_extra_file_is_detected(results: Results) -> None:
    (results.root / results.place(FIRST) / "notes.txt").write_text("made better by hand\n")
    report = verify(results.root)
    assert failed(report) == {"files-unlisted"}
    assert "notes.txt" in next(report.failures())


def test_a_removed_file_is_detected(results: Results) -> None:
    (results.root / results.place(FIRST) / "log.txt").unlink()
    assert failed(verify(results.root)) == {"files-intact"}


@pytest.mark.parametrize("target", ["log.txt", "/etc/hostname", "gone"])
def test_a_link_is_never_followed(results: Results, target: str) -> None:
    folder = results.root / results.place(FIRST)
    (folder / "log.txt").rename(folder / "kept")
    (folder / "log.txt").symlink_to("kept" if target == "log.txt" else target)
    report = verify(results.root)
    assert {"file-kinds", "files-intact"} <= failed(report)
    assert "symbolic link" in "".join(report.failures())


def test_a_pipe_in_place_of_a_file_does_not_block(results: Results) -> None:
    path = results.root / results.place(FIRST) / "log.txt"
    path.unlink()
    os.mkfifo(path)
    assert {"file-kinds", "files-intact"} <= failed(verify(results.root))


def test_a_linked_folder_in_the_tree_is_reported(results: Results, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (results.root / "tiny").rename(outside)
    (results.root / "tiny").symlink_to(outside)
    report = verify(results.root)
    assert {"tree-links", "ledger-bundles"} <= failed(report)


def test_a_renamed_bundle_is_detected(results: Results) -> None:
    folder = results.root / results.place(FIRST)
    folder.rename(folder.with_name("20261122T000000Z-ffff"))
    assert {"identity", "ledger-row", "ledger-bundles"} <= failed(verify(results.root))


def test_a_deleted_bundle_is_missed(results: Results) -> None:
    shutil.rmtree(results.root / results.place(SECOND))
    report = verify(results.root)
    assert failed(report) == {"ledger-bundles"}
    assert SECOND in next(report.failures())


def test_a_bundle_that_lost_its_manifest_is_no_aborted_run(results: Results) -> None:
    (results.root / results.place(SECOND) / "manifest.json").unlink()
    assert {"sealed", "ledger-bundles"} <= failed(verify(results.root))


def test_a_run_that_was_cut_off_is_reported_and_is_no_fault(results: Results) -> None:
    place = results.start_only("20261122T000200Z-0003").relative_to(results.root).as_posix()
    report = verify(results.root)
    assert report.ok
    assert report.bundles[2].state == "incomplete"
    assert report.bundles[2].status == "aborted"
    assert "4 whole lines of events; the last line is torn" in report.bundles[2].checks[0].message
    assert report.ledgers[0].unfinished == (place,)


def test_a_cut_off_run_that_no_ledger_started_is_a_fault(results: Results) -> None:
    folder = results.start_only("20261122T000200Z-0003")
    shutil.move(folder, folder.with_name("20261122T000200Z-0004"))
    assert failed(verify(results.root)) == {"sealed"}


def test_a_resealed_bundle_is_detected_by_the_ledger(results: Results) -> None:
    """Somebody edits the evidence and writes a manifest that fits it."""
    folder = results.root / results.place(FIRST)
    changed = Parts(FIRST)
    changed.evaluation = {**(changed.evaluation or {}), "facts": {"better": 1.0}}
    other = Results(results.root.parent / "forged")
    forged = other.add(FIRST, lambda parts: setattr(parts, "evaluation", changed.evaluation))
    for name in ("eval.json", "manifest.json"):
        (folder / name).write_bytes((forged / name).read_bytes())
    rules = failed(verify(results.root))
    assert rules == {"ledger-row"}


def test_submissions_may_carry_files_that_look_like_bundles(tmp_path: Path) -> None:
    made = Results(tmp_path / "results")

    def nested(parts: Parts) -> None:
        parts.files["submission/x/manifest.json"] = b"{}"
        parts.files["submission/run.json"] = b"{}"

    made.add(FIRST, nested)
    report = verify(made.root)
    assert len(report.bundles) == 1
    assert failed(report) == {"submission"}


@pytest.fixture
def nest(results: Results, tmp_path: Path) -> Path:
    """Two results folders below one that holds runs of its own, all of the same machine."""
    outer = Results(tmp_path / "outer")
    outer.add(FIRST)
    for name in ("inner", "inner/most"):
        shutil.copytree(results.root, outer.root / name)
    return outer.root


def test_every_results_folder_in_another_has_its_own_ledgers(nest: Path) -> None:
    report = verify(nest)
    assert list(report.failures()) == []
    verdicts = [{c.rule: c.verdict for c in bundle.checks} for bundle in report.bundles]
    assert [verdict["ledger-row"] for verdict in verdicts] == ["pass"] * 5
    assert sorted(ledger.ledger.rpartition("ledgers/")[0] for ledger in report.ledgers) == [
        "",
        "inner/",
        "inner/most/",
    ]
    places = [bundle.bundle for bundle in report.bundles]
    assert len(set(places)) == 5
    assert all((nest / place).is_dir() for place in places)


def test_what_is_missing_from_an_inner_results_folder_is_missed(
    nest: Path, results: Results
) -> None:
    shutil.rmtree(nest / "inner" / "most" / results.place(SECOND))
    report = verify(nest)
    assert failed(report) == {"ledger-bundles"}
    assert next(report.failures()).startswith("inner/most/ledgers/")


def test_a_ledger_within_a_submission_is_none(tmp_path: Path) -> None:
    made = Results(tmp_path / "results")

    def bring(parts: Parts) -> None:
        parts.files["submission/ledgers/m.jsonl"] = b"{}\n"

    made.add(FIRST, bring)
    report = verify(made.root)
    assert len(report.ledgers) == 1
    assert [bundle.bundle for bundle in report.bundles] == [made.place(FIRST)]


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_nothing_to_verify_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(NothingToVerify, match=name):
        verify(tmp_path / name)


def test_a_report_counts_what_it_hashed(results: Results) -> None:
    listed = json.loads((results.root / results.place(FIRST) / "manifest.json").read_bytes())
    one = sum(file["size_bytes"] for file in listed["files"])
    report = verify(results.root)
    assert report.bytes_count > 2 * one
