"""`joulemark import` and scores of what it brought: one document, one sentence, one exit code."""

import importlib
import json
from pathlib import Path

import pytest

from tests.archives.algoperf.made import hit, write_tree
from tests.archives.dawnbench.test_reader import entry
from tests.verify.made import Results

import_verb = importlib.import_module("harness.cli.verbs.import")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    tree = {"mine": {"ogbg": [[hit(40.0, 0.3)]]}, "other": {"ogbg": [[hit(60.0, 0.3)]]}}
    return write_tree(tmp_path / "logs", tree)


def test_import_then_score(logs: Path, joulemark) -> None:
    done = joulemark("import", "algoperf", str(logs), "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["runs_count"] == 2
    assert {run["submission"] for run in document["runs"]} == {"mine", "other"}
    assert "algoperf-v0.6-external" in document["rulesets"]
    assert Path(document["file"]).exists()
    done = joulemark("score", "results", "--ruleset", "algoperf-v0.6-external", "--json")
    assert done.exit_code == 0
    scored = json.loads(done.stdout)
    assert scored["imported"] is True
    assert scored["scores"][0]["time_to_target_s"]["value"] == 40.0
    assert [row["submission"] for row in scored["leaderboard"]] == ["mine", "other"]


def test_pages_for_people(logs: Path, joulemark) -> None:
    text = joulemark("import", "algoperf", str(logs)).stdout
    assert "algoperf: 2 runs" in text
    assert "next: joulemark score results --ruleset algoperf-" in text
    text = joulemark("score", "--ruleset", "algoperf-v0.6-external").stdout
    assert "profile, rules algoperf-v0.6-external, as its code computes it" in text
    assert "never awarded" in text
    text = joulemark("score", "--ruleset", "algoperf-v0.6-external", "--set", "as_shipped=0").stderr
    assert "as_shipped" in text


def test_a_cost_board_for_people(tmp_path: Path, joulemark) -> None:
    entry(tmp_path / "entries")
    joulemark("import", "dawnbench", str(tmp_path / "entries"))
    text = joulemark("score", "--ruleset", "dawnbench").stdout
    assert "cost_to_target_usd on CIFAR10" in text
    assert "72" in text


def test_unknown_formats_are_helped_with(logs: Path, joulemark) -> None:
    done = joulemark("import", "algopref", str(logs), "--json")
    assert done.exit_code == 2
    assert "did you mean algoperf?" in json.loads(done.stdout)["error"]["message"]


def test_nothing_there_is_one_sentence(tmp_path: Path, joulemark) -> None:
    done = joulemark("import", "algoperf", str(tmp_path / "nowhere"))
    assert done.exit_code == 3
    assert "expected a folder that holds one folder per submission" in done.stderr
    assert done.stderr.count("\n") == 1


def test_scoring_without_records_says_what_to_do(tmp_path: Path, joulemark) -> None:
    (tmp_path / "results").mkdir()
    result = json.loads(joulemark("score", "--ruleset", "dawnbench", "--json").stdout)
    assert result["scores"] == []
    assert "joulemark import dawnbench" in result["findings"][0]["advice"]


def test_bundles_and_imported_records_live_side_by_side(logs: Path, joulemark) -> None:
    joulemark("import", "algoperf", str(logs))
    result = json.loads(joulemark("score", "--json").stdout)
    assert result["scores"] == []
    assert [item["rule"] for item in result["findings"]] == ["imported-unscored"]
    assert joulemark("verify", "results").exit_code in (0, 2)


# --- bundles -------------------------------------------------------------------------------------


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    return Results(tmp_path / "theirs").add("20261122T000000Z-0001")


def test_a_strangers_bundle_comes_in_and_is_scored(stranger: Path, joulemark) -> None:
    done = joulemark("import", "bundle", str(stranger))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "bundle: 1 run from" in done.stdout
    assert "recorded in" in done.stdout
    document = json.loads(joulemark("import", "bundle", str(stranger), "--json").stdout)
    assert document["findings"][0]["rule"] == "bundle-known"
    assert document["runs"][0]["status"] == "ok"
    scored = json.loads(joulemark("score", "results", "--json").stdout)
    assert scored["scores"][0]["entry"]["submission"] == "entry"
    assert joulemark("verify", "results").exit_code == 0


def test_a_strangers_changed_bundle_is_refused(stranger: Path, joulemark) -> None:
    (stranger / "log.txt").write_text("changed")
    done = joulemark("import", "bundle", str(stranger))
    assert done.exit_code == 3
    assert "nothing was imported" in done.stderr
    assert "log.txt" in done.stderr
    assert done.stdout == ""


def test_a_key_is_for_bundles(logs: Path, joulemark) -> None:
    done = joulemark("import", "algoperf", str(logs), "--key", "k.pub")
    assert done.exit_code == 2
    assert "--key is only for bundles" in done.stderr


def test_the_document_counts_what_came_in(tmp_path: Path) -> None:
    made = Results(tmp_path / "theirs")
    made.add("20261122T000000Z-0001")
    made.add("20261122T000100Z-0002")
    made.start_only("20261122T000200Z-0003")
    document = import_verb.list_bundles(made.root, tmp_path / "results", None)
    assert (document.source_format, document.runs_count) == ("bundle", 2)
    assert {item.what: item.names for item in document.counts}["provenance"] == ("self",)
    (finding,) = document.findings
    assert finding.rule == "bundle-unsealed"
    assert "20261122T000200Z-0003" in finding.message
    again = import_verb.list_bundles(made.root, tmp_path / "results", None)
    assert [element.rule for element in again.findings] == ["bundle-unsealed"] + [
        "bundle-known"
    ] * 2
