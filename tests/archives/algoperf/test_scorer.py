"""AlgoPerf's score: hand examples, shipped and right answers, laws of the field."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.archives.algoperf.scorer import gate, shipped_profile
from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.records import ImportedRules, ImportedScoreDocument, Ruleset
from harness.rules.load import load_ruleset
from harness.score.multi.profile import cost_ratios, profile_areas
from tests.archives.algoperf.made import Tree, hit, write_tree

MISS = [(5.0, 0.1), (10.0, 0.2)]
SLOW = [(10.0, 0.0), (20.0, 0.0), (30.0, 0.8)]
EARLY_INDEX = [(50.0, 0.0), (100.0, 0.8)]

HAND: Tree = {
    "A": {"fastmri": [[hit(100.0, 0.8)]], "ogbg": [[MISS]]},
    "B": {"fastmri": [[hit(150.0, 0.8)]], "ogbg": [[hit(40.0, 0.3)]]},
    "C": {"fastmri": [[hit(500.0, 0.8)]], "ogbg": [[hit(20.0, 0.3)]]},
}
"""Two workloads, one study; by hand 1/2, 0.75 and 1/2."""


def rules(**changes: object) -> Ruleset:
    fields: dict = {
        "source_format": "algoperf",
        "studies_count": 1,
        "targets": ("fastmri: ssim >= 0.72", "ogbg: mean_average_precision >= 0.28"),
    }
    return Ruleset(name="two", title="two", imported=ImportedRules(**(fields | changes)))


def scored(root: Path, tree: Tree, ruleset: Ruleset) -> ImportedScoreDocument:
    write_tree(root / "logs", tree)
    import_archive("algoperf", root / "logs", root / "results")
    return score_imported(root / "results", ruleset)


def values(document: ImportedScoreDocument) -> dict[str, float]:
    return {row.submission: row.score for row in document.leaderboard}


def time_of(document: ImportedScoreDocument) -> float:
    (score,) = document.scores
    return score.time_to_target_s.value if score.time_to_target_s else math.inf


@pytest.mark.parametrize(("as_shipped", "b"), [(True, 0.752525), (False, 0.75)])
def test_the_hand_example(tmp_path: Path, as_shipped: bool, b: float) -> None:
    result = values(scored(tmp_path, HAND, rules(as_shipped=as_shipped)))
    assert result == pytest.approx({"A": 0.5, "B": b, "C": 0.5}, abs=5e-7)


def test_the_field_decides(tmp_path: Path) -> None:
    rest = {name: HAND[name] for name in "BC"}
    result = values(scored(tmp_path, rest, rules(as_shipped=False)))
    assert result == pytest.approx({"B": 5 / 6, "C": 11 / 18})


def test_one_study_separates_no_entry(tmp_path: Path) -> None:
    document = scored(tmp_path, HAND, rules())
    assert {(row.rank_low, row.rank_high, row.tie_group) for row in document.leaderboard} == {
        (1, 3, "a")
    }
    assert {(row.low, row.high) for row in document.leaderboard} == {(None, None)}


@pytest.mark.parametrize(("as_shipped", "time_s"), [(True, 100.0), (False, 30.0)])
def test_trial_choice(tmp_path: Path, as_shipped: bool, time_s: float) -> None:
    tree: Tree = {"A": {"fastmri": [[SLOW, EARLY_INDEX]]}}
    document = scored(tmp_path, tree, rules(as_shipped=as_shipped))
    assert time_of(document) == time_s
    stated = any(finding.rule == "algoperf-trial-choice" for finding in document.findings)
    assert stated is as_shipped


@pytest.mark.parametrize(("as_shipped", "time_s"), [(True, 20.0), (False, math.inf)])
def test_studies_without_a_log(tmp_path: Path, as_shipped: bool, time_s: float) -> None:
    tree: Tree = {"A": {"fastmri": [[None], [None], [hit(20.0, 0.8)]]}}
    document = scored(tmp_path, tree, rules(as_shipped=as_shipped, studies_count=3))
    assert time_of(document) == time_s
    (score,) = document.scores
    assert (score.due_count, score.failures) == (3, 0 if as_shipped else 2)
    assert any(finding.rule == "algoperf-missing" for finding in document.findings)


@pytest.mark.parametrize(
    ("ties", "time_s"), [("first", 90.0), ("last", 60.0), ("earliest", 60.0), ("latest", 90.0)]
)
def test_trials_that_hit_at_the_same_evaluation(tmp_path: Path, ties: str, time_s: float) -> None:
    tree: Tree = {"A": {"fastmri": [[hit(90.0, 0.8), hit(60.0, 0.8)]]}}
    document = scored(tmp_path, tree, rules(ties=ties))
    assert time_of(document) == time_s
    assert any(finding.rule == "algoperf-tie" for finding in document.findings)


def test_an_exact_tie_with_the_target_hits_and_loss_is_lower_better(tmp_path: Path) -> None:
    tree: Tree = {"A": {"criteo1tb": [[[(1.0, 0.13), (2.0, 0.123735)]]]}}
    ruleset = load_ruleset("algoperf-v0.6-external")
    assert time_of(scored(tmp_path, tree, ruleset)) == 2.0


def test_a_workload_that_no_entry_ran_is_a_miss_for_all(tmp_path: Path) -> None:
    document = scored(tmp_path, HAND, load_ruleset("algoperf-v0.6-external"))
    assert values(document)["B"] == pytest.approx(2 * 0.752525 / 8, abs=1e-6)


def test_a_held_out_miss_takes_the_base_with_it(tmp_path: Path) -> None:
    targets = ("ogbg: mean_average_precision >= 0.28",
               "ogbg_model_size: mean_average_precision >= 0.27")  # fmt: skip
    tree: Tree = {
        "A": {"ogbg": [[hit(10.0, 0.3)]], "ogbg_model_size": [[MISS]]},
        "B": {"ogbg": [[hit(15.0, 0.3)]], "ogbg_model_size": [[hit(9.0, 0.3)]]},
        "C": {"ogbg": [[hit(15.0, 0.3)]], "ogbg_model_size": [[hit(37.0, 0.3)]]},
        "D": {"ogbg": [[hit(15.0, 0.3)]]},
    }
    ruleset = rules(targets=targets, held_out=("ogbg_model_size",), as_shipped=False)
    result = values(scored(tmp_path, tree, ruleset))
    assert result == {"A": 0.0, "B": 1.0, "C": 0.0, "D": 0.0}


def test_five_studies_give_intervals_and_ties(tmp_path: Path) -> None:
    draw = random.Random(1)
    tree: Tree = {
        name: {"fastmri": [[hit(base * draw.uniform(0.95, 1.05), 0.8)] for _ in range(5)],
               "ogbg": [[hit(base * draw.uniform(0.95, 1.05), 0.3)] for _ in range(5)]}
        for name, base in (("fast", 100.0), ("near", 101.0), ("slow", 250.0))
    }  # fmt: skip
    document = scored(tmp_path, tree, rules(studies_count=5))
    rows = {row.submission: row for row in document.leaderboard}
    for row in rows.values():
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.score <= row.high
        assert row.low < row.high
    assert rows["fast"].tie_group == rows["near"].tie_group != rows["slow"].tie_group
    assert (rows["slow"].rank_low, rows["slow"].rank_high) == (3, 3)


def test_order_of_files_and_names_leave_scores_unchanged(tmp_path: Path) -> None:
    one = values(scored(tmp_path / "one", HAND, rules()))
    turned = {name: dict(reversed(list(HAND[name].items()))) for name in reversed("ABC")}
    assert values(scored(tmp_path / "two", turned, rules())) == one
    relabelled = {f"z{name}": HAND[name] for name in "CBA"}
    three = values(scored(tmp_path / "three", relabelled, rules()))
    assert {name[1:]: value for name, value in three.items()} == one


def test_a_second_import_of_the_same_tree_changes_nothing(tmp_path: Path) -> None:
    first = scored(tmp_path, HAND, rules())
    import_archive("algoperf", tmp_path / "logs", tmp_path / "results")
    assert score_imported(tmp_path / "results", rules()) == first
    (tmp_path / "logs").rename(tmp_path / "moved")
    import_archive("algoperf", tmp_path / "moved", tmp_path / "results")
    second = score_imported(tmp_path / "results", rules())
    assert second.scores == first.scores
    assert [finding.rule for finding in second.findings] == ["imported-copied"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    scored(tmp_path, HAND, rules())
    (file,) = (tmp_path / "results/imported/algoperf").glob("*.jsonl")
    lines = file.read_text().splitlines()
    file.write_text("\n".join(["{}", *lines[1:]]) + "\n")
    document = score_imported(tmp_path / "results", rules())
    assert f"{file}, line 1" in document.findings[0].message
    assert len(document.scores) == 5


@given(st.floats(1.0, 4.0))
def test_the_grid_is_what_the_closed_form_says(ratio: float) -> None:
    steps = math.ceil(33 * (ratio - 1) - 1e-9)
    expected = 1.0 if steps == 0 else 1 - (steps - 0.5) / 99
    result = shipped_profile(np.array([[ratio]]), 4.0, 100)[0]
    assert result == pytest.approx(expected, abs=0.5 / 99 + 1e-12)
    if abs(33 * (ratio - 1) - round(33 * (ratio - 1))) > 1e-6:
        assert result == pytest.approx(expected, abs=1e-12)
    assert abs(result - profile_areas(np.array([[ratio]]), 4.0)[0]) < 1 / 99


def test_the_last_point_of_the_grid_still_earns() -> None:
    assert shipped_profile(np.array([[4.0]]), 4.0, 100)[0] == pytest.approx(0.00505, abs=1e-5)
    assert profile_areas(np.array([[4.0]]), 4.0)[0] == 0.0


@given(st.lists(st.lists(st.floats(1.0, 5.0), min_size=9, max_size=9), min_size=1, max_size=4))
def test_the_rounding_is_that_of_the_shipped_code(rows: list[list[float]]) -> None:
    ratio = np.array(rows)
    grid = np.linspace(1.0, 4.0, num=100)
    # Their table lies in memory column by column, so the sum runs from point to point.
    table = np.asfortranarray([[(row <= tau).sum() / 9 for tau in grid] for row in ratio])
    theirs = np.trapezoid(table, x=grid) / (grid.max() - grid.min())
    assert shipped_profile(ratio, 4.0, 100).tolist() == theirs.tolist()


def test_a_published_score_comes_out_to_its_last_digit() -> None:
    """The leader of the board of 2026 on four A100, from its medians and the least of each."""
    own = [7480.571330547333, 1128.837876081467, 55846.44081497192, 41911.17554831505,
           6325.430662155151, 10325.45705485344]  # fmt: skip
    least = [7141.604691028595, 1128.837876081467, 48894.85426735878, 40463.388149023056,
             1833.473667144776, 10325.45705485344]  # fmt: skip
    leader = [*np.array(own) / np.array(least), math.inf, math.inf, math.inf]
    no_time = [math.inf] * 9
    assert shipped_profile(np.array([leader, no_time]), 4.0, 100)[0] == 0.5679012345679016


times_s = st.lists(st.floats(1.0, 1e5) | st.just(math.inf), min_size=3, max_size=3)


@given(st.lists(times_s, min_size=2, max_size=5), st.floats(1e-3, 1e3))
def test_the_unit_of_time_does_not_matter(rows: list[list[float]], factor: float) -> None:
    times = np.array(rows)
    one = profile_areas(cost_ratios(gate(times, [], 4.0)), 4.0)
    other = profile_areas(cost_ratios(gate(times * factor, [], 4.0)), 4.0)
    # A time at exactly the cut may fall on either side of it after rounding.
    near = np.isclose(times, 4.0 * times.min(axis=0), rtol=1e-9).any()
    assert near or np.allclose(one, other, atol=1e-9)


@given(st.lists(times_s, min_size=1, max_size=5))
def test_scores_lie_between_nothing_and_everything(rows: list[list[float]]) -> None:
    result = profile_areas(cost_ratios(gate(np.array(rows), [(0, 2)], 4.0)), 4.0)
    assert ((result >= 0) & (result <= 1)).all()
