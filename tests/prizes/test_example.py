"""The published example: records that load, agree with their Markdown, and claim no joules."""

from pathlib import Path

import pytest

from harness.prizes import awards, markdown
from harness.records import Award, load
from harness.registry import find
from harness.rules.load import load_ruleset, read_resolved
from harness.score.score import score_all

ROOT = Path(__file__).parents[2]
FOLDER, RESULTS = ROOT / "docs" / "examples" / "award", ROOT / "results"


def record(prize: str) -> Award:
    path = FOLDER / f"{prize}-digits-mlp.json"
    return load(Award, path.read_bytes(), path)


@pytest.mark.parametrize("prize", ["speed", "energy"])
def test_the_text_is_that_of_the_record(prize: str) -> None:
    award = record(prize)
    text = (FOLDER / f"{prize}-digits-mlp.md").read_text(encoding="utf-8")
    assert text == markdown(award)
    assert read_resolved(award.rules_text, "example").name == "reference"
    assert len({item.manifest_sha256 for item in award.evidence}) == 16


def test_time_was_awarded_by_a_paired_test() -> None:
    award = record("speed")
    assert (award.outcome, award.winner) == ("awarded", "digits-mlp-muon")
    assert [challenge.test for challenge in award.challenges] == ["paired"]


def test_modelled_joules_won_nothing() -> None:
    award = record("energy")
    assert (award.outcome, award.winner) == ("not_awarded", None)
    assert award.reason == "no eligible entry: no measured joules"
    assert {item.method for item in award.board.unranked} == {"modelled"}


@pytest.mark.parametrize("prize", ["speed", "energy"])
def test_the_committed_runs_come_to_the_same_decision(prize: str) -> None:
    """A reader who has the bundles gets the same record, to the last digit."""
    rules = load_ruleset(str(RESULTS / "reference.toml"), ())
    runs = RESULTS / "reference" / "contests"
    decisions = awards(score_all(runs, rules).scores, find("prizes", prize).value, rules, runs)
    (again,) = (item for item in decisions if item.board.workload == "digits-mlp")
    assert again == record(prize)
