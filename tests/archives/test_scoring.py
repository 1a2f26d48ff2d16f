"""What all fields share: goals as data, intervals that hold, ranks free of the order of entries."""

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives.scoring import (
    BoardEntry,
    EntryKey,
    by_entry,
    different_pairs,
    due_runs,
    figure,
    leaderboards,
    read_targets,
    standings,
)
from harness.records import ImportedRun, ImportedScore

COSTS = st.floats(0.01, 1e6)
SLOW = [20.0, 20.3, 19.8, 20.1, 19.9]
FAST = [10.0, 10.2, 9.9, 10.1, 9.8]


def cell(name: str, workload: str = "resnet") -> EntryKey:
    return EntryKey(workload, name, "rack")


def ranked_entry(name: str, score: float) -> BoardEntry:
    return BoardEntry(cell(name), score, None, None)


def run(name: str, number: int) -> ImportedRun:
    return ImportedRun(
        source_format="made",
        workload="resnet",
        submission=name,
        machine="rack",
        run=str(number),
        status="ok",
        source="a",
        sha256="",
    )


def score_of(key: EntryKey, time_s: float) -> ImportedScore:
    return ImportedScore(
        **key._asdict(),
        n=1,
        due_count=None,
        failures=0,
        status="scored",
        reason="",
        time_to_target_s=figure(time_s, [time_s], 0.95),
        energy_to_target_j=None,
    )


def entries_of_a_board() -> st.SearchStrategy[list[BoardEntry]]:
    scores = st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.5]), min_size=1, max_size=7)
    return scores.map(
        lambda result: [ranked_entry(string.ascii_lowercase[i], x) for i, x in enumerate(result)]
    )


@given(st.permutations([("b", 1), ("a", 2), ("a", 1), ("c", 1)]))
def test_cells_stand_in_one_order_and_lose_no_run(order: list[tuple[str, int]]) -> None:
    result = by_entry(run(*item) for item in order)
    assert [item.submission for item in result] == ["a", "b", "c"]
    assert {item.run for item in result[cell("a")]} == {"1", "2"}


@given(st.floats(-1e9, 1e9), st.sampled_from([">=", "<="]))
def test_a_tie_reaches_a_goal_and_a_missing_value_never_does(value: float, sign: str) -> None:
    goal = read_targets([f" wmt: bleu score {sign} {value!r} "])["wmt"]
    assert (goal.metric, goal.value) == ("bleu score", value)
    assert goal.reached(value)
    assert not goal.reached(None)
    assert not goal.reached(math.nan)
    step = math.inf if sign == ">=" else -math.inf
    assert goal.reached(math.nextafter(value, step))
    assert not goal.reached(math.nextafter(value, -step))


@pytest.mark.parametrize(
    "text", ["", "wmt", "wmt: bleu", "wmt: bleu > 3", "wmt: bleu >= three", ": bleu >= 3"]
)
def test_a_goal_of_another_form_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"imported\.targets: .*write WORKLOAD: METRIC >= VALUE"):
        read_targets(["ok: loss <= 1", text])


@given(COSTS, st.lists(COSTS, max_size=8))
def test_an_interval_holds_its_value_and_has_a_width(value: float, costs: list[float]) -> None:
    result = figure(value, costs, 0.95)
    assert (result.value, result.n) == (value, len(costs))
    if len(costs) < 2:
        assert (result.low, result.high) == (None, None)
    else:
        assert result.low is not None
        assert result.high is not None
        assert result.low <= value <= result.high
        assert result.low < result.high


@given(st.lists(COSTS, min_size=2, max_size=6))
def test_an_open_interval_keeps_its_lower_end(costs: list[float]) -> None:
    closed, opened = (figure(costs[0], costs, 0.9, open_ended=item) for item in (False, True))
    assert opened.high is None
    assert opened.low == closed.low


@given(st.lists(COSTS, min_size=2, max_size=6), st.sampled_from([1e-3, 60.0, 3.6e6]))
def test_a_change_of_unit_scales_an_interval(costs: list[float], unit: float) -> None:
    plain = figure(costs[0], costs, 0.95)
    scaled = figure(costs[0] * unit, [cost * unit for cost in costs], 0.95)
    assert plain.low is not None
    assert plain.high is not None
    assert scaled.low == pytest.approx(plain.low * unit)
    assert scaled.high == pytest.approx(plain.high * unit)


@given(entries_of_a_board(), st.data())
def test_ranks_do_not_hang_on_the_order_of_entries(
    entries: list[BoardEntry], data: st.DataObject
) -> None:
    names = [entry.key for entry in entries]
    pairs = [(a, b) for a in names for b in names if a < b]
    apart = data.draw(st.sets(st.sampled_from(pairs))) if pairs else set()
    shuffled = data.draw(st.permutations(entries))
    turned = {(b, a) for a, b in apart}
    assert standings(entries, apart, "time_s") == standings(shuffled, turned, "time_s")


@given(entries_of_a_board(), st.sampled_from(["lower", "higher"]))
def test_equal_scores_share_a_rank_and_better_ones_stand_before(
    entries: list[BoardEntry], better: str
) -> None:
    result = standings(entries, set(), "x", "higher" if better == "higher" else "lower")
    for item in result:
        ahead = [
            other
            for other in entries
            if (other.score < item.score if better == "lower" else other.score > item.score)
        ]
        assert item.rank == 1 + len(ahead)
        assert (item.rank_low, item.rank_high) == (1, len(entries))
    assert len({item.tie_group for item in result}) == 1


def test_entries_distinguished_from_all_others_have_one_rank() -> None:
    entries = [ranked_entry("a", 1.0), ranked_entry("b", 2.0), ranked_entry("c", 2.1)]
    apart = {(cell("a"), cell("b")), (cell("c"), cell("a"))}
    result = standings(entries, apart, "time_s")
    assert [(item.rank_low, item.rank_high) for item in result] == [(1, 1), (2, 3), (2, 3)]
    assert result[0].tie_group != result[1].tie_group == result[2].tie_group


@pytest.mark.parametrize(
    ("texts", "workload", "due"),
    [([], "a", (None, 0)), (["a:5 1"], "a", (5, 1)), (["a:5 1"], "b", (None, 0)),
     (["*:10 2", "a:5 1"], "a", (5, 1)), (["*:10 2", "a:5 1"], "b", (10, 2)),
     (["a:0 0"], "a", (None, 0))],
)  # fmt: skip
def test_due_runs(texts: list[str], workload: str, due: tuple[int | None, int]) -> None:
    assert due_runs(texts, workload) == due


@pytest.mark.parametrize("text", ["a:", "a:5", "a:5 1 1", "a:five 1", "a:5.0 1"])
def test_due_runs_of_another_form_are_refused_where_they_apply(text: str) -> None:
    with pytest.raises(ValueError, match=r"imported\.due: 'a:"):
        due_runs([text], "a")
    assert due_runs([text], "b") == (None, 0)


@pytest.mark.parametrize("unit", [1.0, 1e-3, 3600.0])
def test_costs_are_distinguished_whatever_their_unit(unit: float) -> None:
    costs = {
        cell("fast"): [item * unit for item in FAST],
        cell("slow"): [item * unit for item in SLOW],
        cell("twin"): [item * unit * 1.001 for item in FAST],
    }
    result = {(one.submission, two.submission) for one, two in different_pairs(costs, 0.05)}
    assert result == {("fast", "slow"), ("slow", "twin")}


def test_a_single_run_is_never_different_pairs() -> None:
    assert different_pairs({cell("a"): [1.0], cell("b"): SLOW}, 0.05) == set()
    assert different_pairs({}, 0.05) == set()


def test_entries_of_different_workloads_never_meet() -> None:
    costs = {
        cell("a", "bert"): SLOW,
        cell("a", "resnet"): FAST,
        cell("b", "resnet"): SLOW,
    }
    scores = [score_of(key, own[0]) for key, own in costs.items()]
    result = list(leaderboards(scores, costs, "time_to_target_s", 0.05))
    places = [(item.workload, item.submission, item.rank, item.rank_high) for item in result]
    assert places == [("bert", "a", 1, 1), ("resnet", "a", 1, 1), ("resnet", "b", 2, 2)]
    again = leaderboards(reversed(scores), costs, "time_to_target_s", 0.05)
    assert list(again) == result
    (*_, alone) = leaderboards(scores, None, "time_to_target_s", 0.05)
    assert (alone.rank_low, alone.rank_high) == (1, 2)
