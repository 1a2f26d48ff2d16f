"""The document of scores: rankings over several workloads, and what is not scored."""

from pathlib import Path

import pytest

from harness.prizes import score_document
from harness.records.document import ScoreDocument
from harness.rules.load import load_ruleset
from tests.lab.results import Plan, series

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEMARK_CACHE", str(tmp_path / "cache"))


def document(results: Path, name: str | None = None) -> ScoreDocument:
    return score_document(results, load_ruleset(name) if name else None)


def test_rankings_over_workloads_are_in_it_by_every_cost(tmp_path: Path) -> None:
    for workload in ("alpha", "beta"):
        for method, factor in (("adamw", 1.0), ("muon", 0.6)):
            plan = Plan(name=f"{workload}-{method}", source=f"{method} {workload}")
            series(tmp_path, plan.but(workload=workload), [factor * item for item in EIGHT])
    rankings = document(tmp_path).across
    assert {item.rules.quantity for item in rankings} == {"time_to_target_s", "energy_to_target_j"}
    assert all(item.rows[0].name == "muon" for item in rankings)
    assert document(tmp_path, "hity-algorithms").across == (), "its rules ask for a witness"


def test_one_workload_makes_no_ranking(tmp_path: Path) -> None:
    series(tmp_path, Plan(name="toy-adamw"), EIGHT)
    assert document(tmp_path).across == ()


@pytest.mark.parametrize("name", [None, "default"])
def test_imports_that_are_not_scored_are_reported(tmp_path: Path, name: str | None) -> None:
    folder = tmp_path / "imported" / "algoperf"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("{}\n{}\n")
    (finding,) = document(tmp_path, name).findings
    assert (finding.rule, finding.level) == ("imported-unscored", "info")
    assert finding.message.startswith("2 imported runs of format algoperf are not scored here")
    assert "algoperf-v0.5-external" in finding.message
    assert finding.advice.startswith(f"joulemark score {tmp_path} --ruleset algoperf-")


def test_formats_without_rules_of_ours_ask_for_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "imported" / "zeus-csv"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("{}\n")
    (folder / "empty.jsonl").write_text("")
    (finding,) = document(tmp_path).findings
    assert "a ruleset of your own" in finding.message
    assert finding.advice.endswith("--ruleset FILE.toml")
