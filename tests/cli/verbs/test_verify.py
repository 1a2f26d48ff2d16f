"""`joulemark verify`: verdicts by name, 3 where anything fails, the file and the rule named."""

from pathlib import Path

import pytest

from harness.cli.verbs.verify import VerifyDocument
from tests.verify.made import Results

FIRST, SECOND = "20261122T000000Z-0001", "20261122T000100Z-0002"


@pytest.fixture
def made(tmp_path: Path) -> Results:
    shown = Results(tmp_path / "results")
    shown.add(FIRST)
    shown.add(SECOND)
    return shown


def spoil(made: Results) -> None:
    path = made.root / made.place(SECOND) / "snapshots" / "0000.safetensors"
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_an_intact_tree(made: Results, joulemark) -> None:
    result = joulemark("verify")
    assert result.exit_code == 0
    assert "2 bundles, 0 failed, 0 incomplete: nothing failed" in result.stdout


def test_a_spoilt_tree_names_file_and_rule(made: Results, joulemark) -> None:
    spoil(made)
    result = joulemark("verify", "results")
    assert result.exit_code == 3
    line = next(line for line in result.stdout.splitlines() if "files-intact" in line)
    assert SECOND in line
    assert "snapshots/0000.safetensors" in line
    assert "2 bundles, 1 failed, 0 incomplete: changed after it was sealed" in result.stdout


def test_one_bundle_lists_every_check(made: Results, joulemark) -> None:
    result = joulemark("verify", str(made.root / made.place(FIRST)))
    assert result.exit_code == 0
    for rule in ("files-intact", "events", "window", "seeds", "ledger-row"):
        assert f"\n{rule} " in result.stdout


def test_the_document(made: Results, joulemark) -> None:
    spoil(made)
    made.start_only("20261122T000200Z-0003")
    result = joulemark("verify", "--json")
    assert (result.exit_code, result.stderr) == (3, "")
    shown = VerifyDocument.model_validate_json(result.stdout)
    assert [bundle.ok for bundle in shown.bundles] == [True, False, True]
    assert [bundle.state for bundle in shown.bundles] == ["sealed", "sealed", "incomplete"]
    assert not shown.ok
    assert shown.ledgers[0].rows_count == 5
    assert len(shown.ledgers[0].head) == 64
    files = {c.file for bundle in shown.bundles for c in bundle.checks if c.verdict == "fail"}
    assert files == {"snapshots/0000.safetensors"}


def test_runs_that_were_cut_off_are_listed(made: Results, joulemark) -> None:
    made.start_only("20261122T000200Z-0003")
    result = joulemark("verify")
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "Z-0003 " in line)
    assert row.split()[1:4] == ["incomplete", "aborted", "incomplete"]
    assert "3 bundles, 0 failed, 1 incomplete: nothing failed" in result.stdout
    assert "started and never finished" in result.stdout


def test_names_from_a_hostile_bundle_cannot_act_on_the_terminal(made: Results, joulemark) -> None:
    (made.root / made.place(FIRST) / "\x1b]0;owned\x07<b>").write_text("x")
    result = joulemark("verify")
    assert result.exit_code == 3
    assert "\x1b" not in result.stdout
    assert "owned" in result.stdout


def test_nothing_there_is_a_usage_error(joulemark, tmp_path: Path) -> None:
    result = joulemark("verify", str(tmp_path / "gone"))
    assert result.exit_code == 2
    assert "no such folder" in result.stderr
