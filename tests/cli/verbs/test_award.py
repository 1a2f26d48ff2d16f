"""`joulemark award`: decisions on paper and on the page."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.cli.verbs.award import AwardDocument
from harness.records import Award, load
from harness.run.series import run_series
from harness.sign import generate, load_key, sign
from harness.verify import NothingToVerify
from tests.lab.results import Plan, series
from tests.run.made import HONEST, Folder, Silent

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One entry that is faster than the other; both with modelled joules.

    Made bundles have no source and no events, so they are not verified.
    """

    def nothing(path: Path, key: Path | None) -> None:
        raise NothingToVerify(path)

    monkeypatch.setattr("harness.cli.verbs.award.verify", nothing)
    folder = tmp_path / "results"
    plan = Plan(method="modelled")
    series(folder, plan.but(name="fast", source="f"), EIGHT)
    series(folder, plan.but(name="slow", source="s"), [2 * item for item in EIGHT])
    return folder


@pytest.mark.usefixtures("results")
def test_a_prize_is_decided_and_written(tmp_path: Path, joulemark) -> None:
    result = joulemark("award", "speed", "--out", "records")
    assert result.exit_code == 0
    assert "awarded: fast costs least; every other entry costs at least" in result.stdout
    paths = sorted((tmp_path / "records").iterdir())
    assert [path.suffix for path in paths] == [".json", ".md"]
    assert load(Award, paths[0].read_bytes(), paths[0]).winner == "fast"
    assert "awarded to fast" in paths[1].read_text()


@pytest.mark.usefixtures("results")
def test_without_measured_joules_no_entry_wins(joulemark) -> None:
    result = joulemark("award", "energy", "--json")
    shown = AwardDocument.model_validate_json(result.stdout)
    (decision,) = shown.decisions
    assert decision.outcome == "not_awarded"
    assert decision.reason == "no eligible entry: no measured joules"
    assert len(shown.files) == 2


@pytest.mark.usefixtures("results")
def test_unknown_prizes_are_helped_with(joulemark) -> None:
    result = joulemark("award", "sped")
    assert result.exit_code == 2
    assert "did you mean speed" in result.stderr


def test_nothing_is_no_decision(tmp_path: Path, joulemark) -> None:
    (tmp_path / "results").mkdir()
    assert "nothing to decide on" in joulemark("award", "speed").stdout


@pytest.mark.usefixtures("results")
def test_practice_rules_are_refused(joulemark) -> None:
    result = joulemark("award", "speed", "--ruleset", "smoke")
    assert result.exit_code == 3
    assert "prizes ask for" in result.stderr


@pytest.mark.usefixtures("results")
def test_a_single_machine_has_no_competition(joulemark) -> None:
    result = joulemark("award", "hardware")
    assert result.exit_code == 0
    assert "no two machines here ran the same version" in result.stdout
    shown = AwardDocument.model_validate_json(joulemark("award", "hardware", "--json").stdout)
    assert shown.decisions == ()
    assert "no two machines" in shown.nothing
    sped = AwardDocument.model_validate_json(joulemark("award", "speed", "--json").stdout)
    assert sped.nothing == ""


@pytest.mark.usefixtures("results")
def test_the_page_names_the_division(joulemark) -> None:
    assert "rules default, closed division" in joulemark("award", "speed").stdout


# --- evidence -------------------------------------------------------------------------------------


@pytest.fixture
def folder(joulemark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A tiny workload with an honest submission."""
    made = Folder(tmp_path / "made")
    made.entry(HONEST)
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
    return made


def run_one(folder: Folder, **changes: Any) -> Path:
    """The bundle of a real run below `results`."""
    (outcome,) = run_series(folder.request(results=Path("results"), **changes), Silent())
    return outcome.bundle


def test_a_decision_rests_on_verified_bundles(folder: Folder, joulemark) -> None:
    bundle = run_one(folder)
    assert joulemark("award", "speed").exit_code == 0
    (bundle / "run.json").chmod(0o644)
    (bundle / "run.json").write_bytes((bundle / "run.json").read_bytes() + b" ")
    for part in ("results", "results/tiny"):
        result = joulemark("award", "speed", "--results", part)
        assert result.exit_code == 4
        assert "files-intact" in result.stderr


def test_a_deleted_ledger_is_noticed(folder: Folder, joulemark) -> None:
    run_one(folder)
    assert "in no ledger" not in joulemark("score", "results/tiny").stdout
    shutil.rmtree("results/ledgers")
    result = joulemark("award", "speed")
    assert result.exit_code == 4
    assert "ledger" in result.stderr
    assert "in no ledger" in joulemark("score").stdout


def test_a_run_by_the_organizer_is_signed_by_the_organizer(folder: Folder, joulemark) -> None:
    """Anyone can write that word into a bundle and seal it again."""
    rules = ("--set", 'score.provenance=["organizer"]')
    run_one(folder)
    assert joulemark("award", "speed", *rules).exit_code == 0, "it claims nothing"
    unsigned = run_one(folder, provenance="organizer")
    result = joulemark("award", "speed", *rules)
    assert result.exit_code == 4
    assert f"{unsigned.name}: its provenance is 'organizer'" in result.stderr
    assert joulemark("award", "speed").exit_code == 0, "these rules ask for no organizer"
    for name in ("organizer", "other"):
        generate(Path(name))
    sign(unsigned, load_key(Path("organizer")))
    assert joulemark("award", "speed", *rules).exit_code == 4, "no key was given"
    assert joulemark("award", "speed", *rules, "--key", "other.pub").exit_code == 4
    assert joulemark("award", "speed", *rules, "--key", "organizer.pub").exit_code == 0
