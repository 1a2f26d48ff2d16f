"""Scores of folders: who is in a group, what becomes of lost, copied, altered and repeated runs."""

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.prizes import boards
from harness.records import DataState, Score
from harness.rules.load import load_ruleset
from harness.score.costs import is_valid
from harness.score.group import Group, score_of, tally
from harness.score.score import groups, read_attempts, score_all, score_results
from harness.score.stats.intervals import log_t_interval
from tests.lab import results
from tests.lab.results import Plan, finding, reseal, rules, series, workload_of, write_run

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]
SMOKE = Plan(ruleset="smoke", budget_s=60.0)


def only(results: Path, name: str | None = None, sets: tuple[str, ...] = ()) -> Score:
    """The single score of a folder, under the rules of its runs or under a named set."""
    (score,) = score_results(results, load_ruleset(name, sets) if name else None)
    return score


def rule_ids(score: Score) -> set[str]:
    return {finding.rule for finding in score.findings}


# --- final ----------------------------------------------------------------------------------------


def test_eight_good_seeds_are_scored(tmp_path: Path) -> None:
    series(tmp_path, Plan(), EIGHT)
    score = only(tmp_path)
    assert (score.status, score.n, score.failures) == ("scored", 8, 0)
    assert score.quality.p_target is not None
    assert score.quality.p_target < 0.01
    assert score.costs.time_to_target_s is not None
    expected = log_t_interval(EIGHT, 0.95, 0.0)
    assert score.costs.time_to_target_s.value == pytest.approx(expected.value)
    assert score.costs.time_to_target_s.low == pytest.approx(expected.low)
    assert score.costs.energy_to_target_j is not None
    assert score.costs.energy_to_target_j.value == pytest.approx(100 * expected.value, rel=1e-5)
    assert (score.energy.eligible, score.costs.energy_to_target_j.method) == (True, "counter")
    assert score.energy.by_domain_j["cpu-package-0"].method == "counter"
    assert score.costs.steps_to_target is not None
    assert [run.seed for run in score.runs] == list(range(1, 9))


def test_a_domain_far_smaller_than_the_total_takes_no_folder_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The idle graphics part of a client uses so little that its counter has hardly moved."""

    def trace_of(plan: Plan, watts: float) -> bytes:
        text = own(plan, watts).decode()
        rows = [line.split(",") for line in text.splitlines()[1:]]
        small = [f"{t_ns},cpu-uncore-0,{float(j) * 1e-12!r},,1000" for t_ns, _, j, *_ in rows]
        return (text + "\n".join(small) + "\n").encode()

    own = results.trace_of
    monkeypatch.setattr(results, "trace_of", trace_of)
    (package,) = results.domains_of(Plan())
    uncore = replace(package, name="cpu-uncore-0", parents=("cpu-package-0",), resolution_j=2**-14)
    series(tmp_path, Plan(changes={"domains": (package, uncore)}), EIGHT)
    figures = only(tmp_path).energy.by_domain_j
    assert figures["cpu-package-0"].high is not None
    assert figures["cpu-uncore-0"].value == pytest.approx(1e-12 * figures["cpu-package-0"].value)
    assert figures["cpu-uncore-0"].high is None


def test_seven_seeds_are_too_few_for_eight(tmp_path: Path) -> None:
    series(tmp_path, Plan(), EIGHT[:7])
    score = only(tmp_path)
    assert (score.status, score.n, score.reason) == ("too_few_runs", 7, "7 of 8 seeds were run")


def test_a_mean_that_may_be_luck_misses_the_target(tmp_path: Path) -> None:
    for seed in range(1, 9):
        write_run(tmp_path, Plan(seed=seed, snapshots=((10.0, 0.93 if seed % 2 else 0.88),)))
    score = only(tmp_path)
    assert score.status == "target_missed"
    assert score.quality.p_target is not None
    assert score.quality.p_target > 0.01
    assert score.costs.time_to_target_s is None
    assert score.costs.energy_to_target_j is None


def test_a_seed_below_the_target_does_not_spoil_a_good_mean(tmp_path: Path) -> None:
    series(tmp_path, Plan(), EIGHT[:7])
    write_run(tmp_path, Plan(seed=8, snapshots=((10.0, 0.899),), status="target_missed"))
    assert only(tmp_path).status == "scored"


@pytest.mark.parametrize("status", ["crashed", "oom", "killed", "aborted", "invalid"])
def test_one_failed_seed_is_no_score(tmp_path: Path, status: str) -> None:
    series(tmp_path, Plan(), EIGHT)
    write_run(tmp_path, Plan(seed=9, status=status))  # type: ignore[arg-type]
    score = only(tmp_path)
    assert (score.status, score.failures, score.n) == ("target_missed", 1, 8)
    assert status in score.reason
    assert score.costs.time_to_target_s is None


def test_a_spread_of_zero_is_scored_with_an_interval_that_is_not(tmp_path: Path) -> None:
    for seed in range(1, 9):
        write_run(tmp_path, Plan(seed=seed, snapshots=((10.0, 0.95),)))
    score = only(tmp_path)
    assert score.status == "scored"
    for figure in (
        score.costs.time_to_target_s,
        score.costs.energy_to_target_j,
        score.quality.figure,
    ):
        assert figure is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low < figure.value < figure.high


# --- first passing --------------------------------------------------------------------------------


def test_failures_are_added_to_the_cost_of_the_successes(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 12.0])
    write_run(tmp_path, SMOKE.but(seed=3, snapshots=((20.0, 0.5),), end_s=40.0))
    score = only(tmp_path)
    assert (score.status, score.n, score.failures) == ("scored", 2, 1)
    assert score.costs.time_to_target_s is not None
    assert score.costs.time_to_target_s.value == pytest.approx((10 + 12 + 40) / 2)
    assert score.costs.time_to_target_s.high is None
    assert score.costs.energy_to_target_j is not None
    assert score.costs.energy_to_target_j.value == pytest.approx(100 * (10 + 12 + 40) / 2, rel=1e-5)


def test_a_failure_that_left_no_window_is_charged_the_budget(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 12.0])
    write_run(tmp_path, SMOKE.but(seed=3, gun=False, snapshots=(), status="crashed"))
    score = only(tmp_path)
    assert score.costs.time_to_target_s is not None
    assert score.costs.time_to_target_s.value == pytest.approx((10 + 12 + 60) / 2)
    assert score.costs.energy_to_target_j is None, "what the failure drew is unknown, not zero"


def test_no_success_is_no_score(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 12.0], metric=0.4)
    score = only(tmp_path)
    assert (score.status, score.costs.time_to_target_s, score.n) == ("target_missed", None, 0)


def test_no_test_is_made_on_a_metric_picked_for_passing(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 12.0, 11.0])
    assert only(tmp_path).quality.p_target is None


# --- seeds, copies, lost and altered bundles ------------------------------------------------------


def test_a_repeated_seed_adds_nothing_to_n(tmp_path: Path) -> None:
    series(tmp_path, Plan(), EIGHT[:7])
    write_run(tmp_path, Plan(seed=7, snapshots=((10.6, 0.95),)))
    score = only(tmp_path)
    assert (score.n, score.status) == (7, "too_few_runs")
    assert "seed-repeated" in rule_ids(score)
    assert score.costs.time_to_target_s is not None
    last = math.sqrt(EIGHT[6] * 10.6)
    expected = log_t_interval([*EIGHT[:6], last], 0.95, 0.0)
    assert score.costs.time_to_target_s.value == pytest.approx(expected.value)


def test_a_copied_bundle_counts_once(tmp_path: Path) -> None:
    folder = series(tmp_path, SMOKE, [10.0, 11.0, 12.0])[0]
    shutil.copytree(folder, folder.with_name("copy"))
    result = score_all(tmp_path)
    assert result.scores[0].n == 3
    assert len(result.scores[0].runs) == 3
    assert {finding.rule for finding in result.findings} == {"bundle-copied"}


def test_a_deleted_bundle_counts_as_a_failed_run(tmp_path: Path) -> None:
    folders = series(tmp_path, Plan(), [*EIGHT, 59.0])
    assert only(tmp_path).status == "scored"
    shutil.rmtree(folders[-1])
    score = only(tmp_path)
    assert (score.status, score.failures) == ("target_missed", 1)
    assert "ledger-lost" in rule_ids(score)


def test_a_run_that_was_cut_off_counts_as_a_failed_run(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 12.0])
    write_run(tmp_path, SMOKE.but(seed=3), bundle=False)
    score = only(tmp_path)
    assert score.failures == 1
    assert score.costs.time_to_target_s is not None
    assert score.costs.time_to_target_s.value == pytest.approx((10 + 12 + 60) / 2)


def test_a_submission_known_from_the_ledger_alone_is_reported(tmp_path: Path) -> None:
    write_run(tmp_path, SMOKE, bundle=False)
    result = score_all(tmp_path)
    assert result.scores == []
    assert [finding.rule for finding in result.findings] == ["ledger-lost"]


def test_other_submissions_are_not_charged_for_lost_runs(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 12.0])
    write_run(tmp_path, SMOKE.but(seed=3, name="other", source="other"), bundle=False)
    assert only(tmp_path).failures == 0


@pytest.mark.parametrize("name", ["run.json", "eval.json", "ruleset.toml", "trace.csv.gz"])
def test_an_altered_bundle_is_left_out_by_name_and_counts_as_failed(
    tmp_path: Path, name: str
) -> None:
    folder = series(tmp_path, SMOKE, [10.0, 11.0, 12.0])[2]
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    result = score_all(tmp_path)
    assert (result.scores[0].n, result.scores[0].failures) == (2, 1)
    (fault,) = result.findings
    assert fault.rule == "bundle-unreadable"
    assert name in fault.message


def test_a_damaged_ledger_is_a_finding_not_a_crash(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 11.0, 12.0])
    path = tmp_path / "ledgers" / "desk.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"toy"', b'"tox"', 1))
    result = score_all(tmp_path)
    assert result.scores[0].n == 3
    assert [finding.rule for finding in result.findings] == ["ledger-damaged"]


def test_an_empty_folder_has_no_scores(tmp_path: Path) -> None:
    assert score_all(tmp_path) == ([], [])


def test_one_bundle_can_be_scored_by_itself(tmp_path: Path) -> None:
    folder = write_run(tmp_path, SMOKE)
    assert only(folder).n == 1


def test_a_bundle_inside_a_submission_is_not_a_run(tmp_path: Path) -> None:
    """A submission that carries a sealed bundle in its source makes no second run of it."""
    folder = write_run(tmp_path, SMOKE)
    other = write_run(tmp_path / "elsewhere", SMOKE.but(seed=77))
    shutil.copytree(other, folder / "submission" / "sealed")
    reseal(folder, "ok", folder.name)
    shutil.rmtree(tmp_path / "elsewhere")
    assert only(tmp_path).n == 1


# --- groups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"version": "v2"}, {"source": "new source"}, {"machine": "rack"}, {"workload": "b"}]
)
def test_what_differs_is_never_averaged(tmp_path: Path, change: dict[str, str]) -> None:
    series(tmp_path, SMOKE, [10.0, 11.0])
    series(tmp_path, SMOKE.but(**change), [20.0, 21.0])
    assert sorted(
        round(s.costs.time_to_target_s.value)
        for s in score_results(tmp_path)
        if s.costs.time_to_target_s
    ) == [10, 20]


def test_as_run_keeps_rulesets_apart(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 11.0])
    series(tmp_path, Plan(), EIGHT)
    assert {score.rules.ruleset for score in score_results(tmp_path)} == {"smoke", "default"}
    assert only(tmp_path, "smoke").n == 8


def test_overrides_are_part_of_the_label(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 11.0])
    score = only(tmp_path, "smoke", ("score.confidence=0.9",))
    assert score.rules.ruleset == "smoke (score.confidence=0.9)"
    assert score.costs.time_to_target_s is not None
    assert score.costs.time_to_target_s.level == 0.9


def test_one_name_for_two_contents_is_significantly_different(tmp_path: Path) -> None:
    series(tmp_path, SMOKE.but(rules=rules("same", snapshot_rule="first_passing")), [10.0])
    other = rules("same", snapshot_rule="first_passing", snapshots_max=7)
    series(tmp_path, SMOKE.but(rules=other), [11.0])
    labels = {score.rules.ruleset for score in score_results(tmp_path)}
    assert len(labels) == 2
    assert all(label.startswith("same #") for label in labels)


def test_checks_that_fail_take_a_score_out(tmp_path: Path) -> None:
    series(tmp_path, Plan(), EIGHT)
    score = only(tmp_path, "default", ('score.provenance=["witnessed"]',))
    assert score.status == "excluded"
    assert "(provenance)" in score.reason
    assert "8 of 8 runs" in score.findings[0].message


def test_a_suspended_machine_takes_a_score_out(tmp_path: Path) -> None:
    plan = Plan(status="degraded", changes={"findings": (finding("suspended"),)})
    series(tmp_path, plan, EIGHT)
    assert only(tmp_path).status == "excluded"


def on(plan: Plan, **state: Any) -> Plan:
    """The same run, on packed data of that state."""
    workload = workload_of(plan).model_copy(update={"data": DataState(**state)})
    return plan.but(changes={"workload": workload})


@pytest.mark.parametrize("name", ["default", "smoke"])
def test_a_part_of_the_data_is_shown_with_its_figures_and_has_no_place(
    tmp_path: Path, name: str
) -> None:
    series(tmp_path, on(Plan(name="whole"), manifest_sha256="aa"), EIGHT)
    part = on(Plan(name="part"), manifest_sha256="bb", partial=True)
    series(tmp_path, part, [item / 2 for item in EIGHT])
    scores = score_results(tmp_path, load_ruleset(name))
    (shown,) = [score for score in scores if score.entry.submission == "part"]
    assert shown.status == "excluded"
    assert "(data-partial)" in shown.reason
    assert (shown.n, shown.quality.figure is None) == (8, False)
    for board in boards(scores):
        assert [standing.entry.submission for standing in board.standings] == ["whole"]
        assert [item.entry.submission for item in board.unranked] == ["part"]


def test_runs_on_different_packings_have_no_common_score(tmp_path: Path) -> None:
    for seed, digest in enumerate(["aa"] * 7 + ["bb"], 1):
        plan = on(Plan(seed=seed), manifest_sha256=digest)
        write_run(tmp_path, plan.but(snapshots=((10.0, 0.95 + 0.001 * (seed % 3)),)))
    score = only(tmp_path)
    assert score.status == "excluded"
    assert "2 different packings" in score.reason
    assert [finding.rule for finding in score.findings] == ["data-mixed"]


times = st.lists(st.floats(5.0, 50.0), min_size=1, max_size=5)


@given(times, st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_the_order_of_runs_changes_no_score(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[float], random: object
) -> None:
    results = tmp_path_factory.mktemp("results")
    series(results, SMOKE, chosen)
    attempts, findings = read_attempts(results, None)
    assert not findings
    (before,) = (score_of(group) for group in groups(attempts, {}))
    random.shuffle(attempts)  # type: ignore[attr-defined]
    (after,) = (score_of(group) for group in groups(attempts, {}))
    assert before == after


def test_a_tally_keeps_every_run(tmp_path: Path) -> None:
    series(tmp_path, SMOKE, [10.0, 11.0])
    write_run(tmp_path, SMOKE.but(seed=8, status="crashed"))
    attempts, _ = read_attempts(tmp_path, None)
    runs = tuple(attempt.run for attempt in attempts)
    sums = tally(Group(runs, attempts[0].ruleset, "smoke"))
    assert (len(sums.valid), sums.failures, sums.seeds) == (2, 1, 2)
    assert all(is_valid(run, "first_passing") for run in sums.valid)


def test_a_folder_that_is_not_there_has_no_scores(tmp_path: Path) -> None:
    """Also below results that are there."""
    series(tmp_path, SMOKE, [10.0, 11.0, 12.0])
    assert score_all(tmp_path / "none").scores == []
    assert score_all(tmp_path / "none").findings == []
