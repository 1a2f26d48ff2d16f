"""DAWNBench's scores: the first row that hits, its price, and boards that claim no separation."""

from pathlib import Path

import pytest

from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.records import ImportedScoreDocument
from harness.rules.load import load_ruleset
from tests.archives.dawnbench.test_reader import TABLE, entry


def scored(root: Path, *sets: str) -> ImportedScoreDocument:
    import_archive("dawnbench", root / "entries", root / "results")
    return score_imported(root / "results", load_ruleset("dawnbench", sets))


def test_time_and_dollars(tmp_path: Path) -> None:
    entry(tmp_path / "entries")
    (score,) = scored(tmp_path).scores
    assert score.time_to_target_s is not None
    assert score.time_to_target_s.value == pytest.approx(72.0)
    assert score.cost_to_target_usd is not None
    assert score.cost_to_target_usd.value == pytest.approx(0.072)
    assert (score.time_to_target_s.low, score.time_to_target_s.high) == (None, None)


def test_an_entry_without_a_price_has_no_cost_unless_the_rules_give_one(tmp_path: Path) -> None:
    entry(tmp_path / "entries", costPerHour=None)
    assert scored(tmp_path).scores[0].cost_to_target_usd is None
    result = scored(tmp_path, "price_usd_per_h=7.2").scores[0].cost_to_target_usd
    assert result is not None
    assert result.value == pytest.approx(0.144)


def test_an_entry_that_never_gets_there(tmp_path: Path) -> None:
    entry(tmp_path / "entries", TABLE.replace("94.0", "93.9").replace("95.0", "93.99"))
    (score,) = scored(tmp_path).scores
    assert (score.status, score.n, score.failures) == ("target_missed", 0, 1)
    assert score.time_to_target_s is None
    assert "never reached top1Accuracy >= 94" in score.reason


@pytest.mark.parametrize(("as_shipped", "time_s"), [("true", 72.0), ("false", 36.0)])
def test_rows_out_of_order(tmp_path: Path, as_shipped: str, time_s: float) -> None:
    entry(tmp_path / "entries", "epoch\thours\ttop1Accuracy\n2\t0.02\t94\n1\t0.01\t95\n")
    (score,) = scored(tmp_path, f"as_shipped={as_shipped}").scores
    assert score.time_to_target_s is not None
    assert score.time_to_target_s.value == pytest.approx(time_s)


def test_the_fastest_is_not_the_cheapest_and_nothing_is_separated(tmp_path: Path) -> None:
    entry(tmp_path / "entries", name="fast", costPerHour=100)
    entry(tmp_path / "entries", TABLE.replace("0.0", "0.9"), name="cheap", costPerHour=0.1)
    document = scored(tmp_path)
    first = {row.quantity: row.submission for row in document.leaderboard if row.rank == 1}
    assert first == {"time_to_target_s": "fast", "cost_to_target_usd": "cheap"}
    assert {row.tie_group for row in document.leaderboard} == {"a"}
    assert {(row.rank_low, row.rank_high) for row in document.leaderboard} == {(1, 2)}


def test_a_task_without_a_target_is_reported(tmp_path: Path) -> None:
    entry(tmp_path / "entries", task="MNIST")
    document = scored(tmp_path)
    assert document.scores == ()
    assert "MNIST" in document.findings[-1].message
