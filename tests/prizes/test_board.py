"""Leaderboards: which entries are ranked, which are not and why; the document of `score`."""

import json
import math
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.prizes import awards, boards, markdown, prizes, score_document
from harness.records import Leaderboard, Score, dump
from harness.registry import find
from harness.rules.load import RulesetError, load_ruleset
from harness.score.score import score_results
from tests.lab.results import Plan, series, write_run
from tests.prizes.made_scores import changed

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


def entry(name: str, **changes: object) -> Plan:
    return Plan(name=name, source=f"source of {name}").but(**changes)


def board_of(scores: list[Score], prize: str) -> Leaderboard:
    (leaderboard,) = (board for board in boards(scores) if board.prize == prize)
    return leaderboard


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two close entries, a slow one, a modelled one, one that misses."""
    folder = tmp_path_factory.mktemp("results")
    series(folder, entry("adam"), EIGHT)
    series(folder, entry("muon"), [item + 0.02 * (-1) ** i for i, item in enumerate(EIGHT)])
    series(folder, entry("sgd"), [2 * item for item in EIGHT])
    series(folder, entry("guess", method="modelled"), [0.5 * item for item in EIGHT])
    series(folder, entry("lazy"), EIGHT, metric=0.5)
    return folder


def test_there_is_a_board_for_every_prize(results: Path) -> None:
    leaderboards = boards(score_results(results))
    assert [item.prize for item in leaderboards] == ["energy", "speed"]
    assert [(item.quantity, item.unit) for item in leaderboards] == [
        ("energy_to_target_j", "J"),
        ("time_to_target_s", "s"),
    ]


def test_the_energy_board_ranks_measured_joules_only(results: Path) -> None:
    board = board_of(score_results(results), "energy")
    assert [standing.entry.submission for standing in board.standings][2] == "sgd"
    out = {item.entry.submission: item for item in board.unranked}
    assert set(out) == {"guess", "lazy"}
    assert out["guess"].reason == "modelled, not measured: shown, cannot win"
    assert out["guess"].method == "modelled"
    assert out["guess"].score == pytest.approx(500, rel=0.05)
    assert out["lazy"].status == "target_missed"


def test_the_speed_board_ranks_by_seconds(results: Path) -> None:
    board = board_of(score_results(results), "speed")
    assert board.standings[0].entry.submission == "guess"
    assert board.separated
    assert board.note.startswith("guess leads, significantly different from")
    assert board.note.endswith("by a paired t-test of interleaved runs")
    assert [standing.score for standing in board.standings] == sorted(
        standing.score for standing in board.standings
    )


def test_close_entries_share_a_letter(results: Path) -> None:
    board = board_of(score_results(results), "energy")
    letters = {standing.entry.submission: standing.tie_group for standing in board.standings}
    assert letters["adam"] == letters["muon"] != letters["sgd"]
    assert not board.separated
    assert "2 entries are not significantly different" in board.note
    assert {(standing.rank_low, standing.rank_high) for standing in board.standings} == {
        (1, 2),
        (3, 3),
    }


def test_chances_of_rank_one_follow_the_order(results: Path) -> None:
    board = board_of(score_results(results), "speed")
    chances = [standing.p_first for standing in board.standings]
    assert None not in chances
    assert sum(chance or 0 for chance in chances) == pytest.approx(1)
    assert chances[0] == pytest.approx(1, abs=0.01)


def test_a_machine_without_sensors_has_no_winner(tmp_path: Path) -> None:
    series(tmp_path, entry("adam", method="modelled"), EIGHT)
    series(tmp_path, entry("bare", watts=None), EIGHT)
    board = board_of(score_results(tmp_path), "energy")
    assert board.standings == ()
    assert board.note == "no eligible entry: no measured joules"
    assert {item.entry.submission for item in board.unranked} == {"adam", "bare"}


def test_a_board_on_which_all_miss_says_so(tmp_path: Path) -> None:
    series(tmp_path, entry("lazy"), EIGHT, metric=0.5)
    assert board_of(score_results(tmp_path), "speed").note.startswith("no eligible entry")


def test_the_only_entry_is_not_called_a_winner(tmp_path: Path) -> None:
    series(tmp_path, entry("adam"), EIGHT)
    board = board_of(score_results(tmp_path), "speed")
    assert board.note == "adam is the only entry with a place"
    assert not board.separated
    assert board.resolvable_ratio is None


def test_two_versions_of_a_name_stay_two(tmp_path: Path) -> None:
    series(tmp_path, Plan(name="adam", source="one"), EIGHT)
    series(tmp_path, Plan(name="adam", source="two"), [2 * item for item in EIGHT])
    board = board_of(score_results(tmp_path), "speed")
    assert len({standing.entry.sha256 for standing in board.standings}) == 2


@pytest.mark.parametrize(
    "change",
    [{"machine": "rack"}, {"version": "v2"}, {"workload": "other"}, {"division": "open"}],
)
def test_what_cannot_be_compared_is_on_boards_of_its_own(
    tmp_path: Path, change: dict[str, str]
) -> None:
    series(tmp_path, entry("adam"), EIGHT)
    series(tmp_path, entry("muon", **change), EIGHT)
    leaderboards = boards(score_results(tmp_path))
    assert [len(item.standings) for item in leaderboards] == [1, 1, 1, 1]
    assert {item.division for item in leaderboards} == {"closed", change.get("division", "closed")}


def test_unlike_boundaries_are_not_ranked_together(tmp_path: Path) -> None:
    series(tmp_path, entry("adam"), EIGHT)
    scores = score_results(tmp_path)
    figure = scores[0].costs.energy_to_target_j
    assert figure is not None
    wider = figure.model_copy(update={"domains": ("cpu-package-0", "gpu-0")})
    other = changed(scores[0], submission="wide", sha256="w", energy_to_target_j=wider)
    board = board_of([*scores, other], "energy")
    assert [standing.entry.submission for standing in board.standings] == ["wide"]
    assert "covers cpu-package-0; the board covers" in board.unranked[0].reason


@given(st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_of_scores_changes_nothing(results: Path, random: object) -> None:
    scores = score_results(results)
    before = boards(scores)
    random.shuffle(scores)  # type: ignore[attr-defined]
    assert boards(scores) == before


def test_a_lost_loser_moves_no_entry_above_it(results: Path) -> None:
    scores = score_results(results)
    whole = board_of(scores, "speed")
    without = board_of([score for score in scores if score.entry.submission != "sgd"], "speed")
    kept = [
        (s.entry.submission, s.score, s.rank)
        for s in whole.standings
        if s.entry.submission != "sgd"
    ]
    assert [(s.entry.submission, s.score, s.rank) for s in without.standings] == kept


# --- machines -------------------------------------------------------------------------------------


def test_machines_compete_with_the_reference_alone(tmp_path: Path) -> None:
    for machine, watts in (("desk", 100.0), ("rack", 300.0), ("toaster", None)):
        series(tmp_path, entry("toy-adamw", machine=machine, watts=watts), EIGHT)
        series(tmp_path, entry("other", machine=machine), EIGHT)
    board = board_of(score_results(tmp_path), "hardware")
    assert [
        (standing.entry.machine, standing.entry.submission) for standing in board.standings
    ] == [
        ("desk", "toy-adamw"),
        ("rack", "toy-adamw"),
    ]
    assert (board.machine, board.separated) == ("any", True)
    assert board.note.startswith("desk leads, significantly different from rack by a Welch test")
    assert [item.entry.machine for item in board.unranked] == ["toaster"]
    rules = load_ruleset("default")
    (award,) = awards(score_results(tmp_path, rules), find("prizes", "hardware").value, rules)
    assert (award.winner, award.board.machine) == ("desk", "any")
    assert "| desk |" in markdown(award)
    assert len(award.evidence) == 24


def test_one_machine_is_no_contest_of_hardware(tmp_path: Path) -> None:
    series(tmp_path, entry("toy-adamw"), EIGHT)
    assert "hardware" not in {board.prize for board in boards(score_results(tmp_path))}


# --- quality at the budget ------------------------------------------------------------------------


def at_budget(folder: Path, name: str, metrics: list[float], **changes: object) -> None:
    """Metrics at the budget; the runs of several entries are interleaved."""
    plan = entry(name, ruleset="haet-2021", budget_s=600.0, **changes)
    for seed, metric in enumerate(metrics, 1):
        start_s = plan.started_s or 6000 * seed + zlib.crc32(name.encode()) % 6000
        halves = ((9.0, 0.99), (590.0, metric))
        write_run(folder, plan.but(seed=seed, started_s=start_s, snapshots=halves))


def test_the_best_metric_at_the_budget_ranks_first_whatever_the_target(tmp_path: Path) -> None:
    at_budget(tmp_path, "good", [0.71, 0.72, 0.70, 0.73, 0.71])
    at_budget(tmp_path, "poor", [0.51, 0.52, 0.50, 0.53, 0.51])
    at_budget(tmp_path, "short", [0.9, 0.9])
    at_budget(tmp_path, "broken", [0.9, 0.9, 0.9, 0.9, 0.9])
    write_run(tmp_path, entry("broken", ruleset="haet-2021", seed=6, status="crashed"))
    (board,) = boards(score_results(tmp_path))
    assert (board.prize, board.unit, board.quantity) == ("budget", "", "metric")
    assert [standing.entry.submission for standing in board.standings] == ["good", "poor"]
    first = board.standings[0]
    assert first.score == pytest.approx(0.714)
    assert first.low is not None
    assert 0.69 < first.low < first.score
    assert board.separated
    assert board.resolvable_ratio is None
    assert board.resolvable_lead is not None
    assert 0 < board.resolvable_lead < 0.1
    out = {item.entry.submission: item.status for item in board.unranked}
    assert out == {"short": "too_few_runs", "broken": "runs_failed"}


def test_where_lower_is_better_the_lowest_metric_wins(tmp_path: Path) -> None:
    at_budget(tmp_path, "a", [3.1, 3.2, 3.0, 3.1, 3.2], better="lower", unit="nats")
    at_budget(tmp_path, "b", [2.1, 2.2, 2.0, 2.1, 2.2], better="lower", unit="nats")
    rules = load_ruleset("haet-2021")
    (award,) = awards(score_results(tmp_path, rules), find("prizes", "budget").value, rules)
    assert (award.winner, award.board.unit) == ("b", "")
    assert award.challenges[0].lead_ratio == pytest.approx(1.0)
    assert "better than every other entry by at least 1" in award.reason


def test_a_prize_asks_for_a_ruleset_of_its_own_mode(tmp_path: Path) -> None:
    series(tmp_path, entry("adam"), EIGHT)
    for name, prize in (("default", "budget"), ("haet-2021", "speed")):
        rules = load_ruleset(name)
        with pytest.raises(RulesetError, match=r"run\.mode is"):
            awards(score_results(tmp_path, rules), find("prizes", prize).value, rules)


# --- the document ---------------------------------------------------------------------------------


def test_the_document_is_plain_json_with_the_promised_keys(results: Path) -> None:
    document = json.loads(dump(score_document(results)))
    assert document["ruleset"] == "as-run"
    row = next(item for item in document["leaderboard"] if item["prize"] == "energy")
    promised = {
        "entry", "score", "low", "high", "rank", "rank_low", "rank_high", "tie_group", "prize",
    }  # fmt: skip
    assert promised <= row.keys()
    score = document["scores"][0]
    assert {"workload", "submission", "machine"} <= score["entry"].keys()
    figure = score["costs"]["time_to_target_s"]
    assert figure["low"] < figure["value"] < figure["high"]
    missed = next(item for item in document["scores"] if item["entry"]["submission"] == "lazy")
    assert missed["costs"]["time_to_target_s"] is None


def test_the_document_names_the_ruleset_that_was_asked_for(results: Path) -> None:
    assert score_document(results, load_ruleset("smoke")).ruleset == "smoke"


def test_the_same_bundles_give_the_same_document(results: Path) -> None:
    assert dump(score_document(results)) == dump(score_document(results))


def test_a_row_is_the_geometric_mean_of_its_runs(results: Path) -> None:
    document = score_document(results)
    rows = {(row.entry.submission, row.prize): row for row in document.leaderboard}
    mean = math.exp(sum(map(math.log, EIGHT)) / 8)
    assert rows["adam", "speed"].score == pytest.approx(mean)
    assert rows["adam", "energy"].score == pytest.approx(100 * mean, rel=1e-5)


def test_prizes_come_from_their_folder() -> None:
    units = {prize.name: prize.unit for prize in prizes()}
    expected = {"algorithms": "s", "budget": "", "energy": "J", "hardware": "J", "speed": "s"}
    assert units == expected
    assert all(prize.question.endswith("?") for prize in prizes())
