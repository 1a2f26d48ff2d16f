"""Decisions: a winner only where the data show one, rarely by chance, and with all evidence."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.bundle import Bundle
from harness.prizes import Prize, awards, leader_tests, markdown
from harness.prizes._markdown import plain
from harness.records import Award, DataState, dump, load
from harness.registry import find
from harness.rules.load import RulesetError, load_ruleset, read_resolved
from harness.score.score import score_results
from harness.score.stats.comparison import detectable_ratio, paired_seeds, seeds_to_settle
from harness.score.stats.intervals import holm
from harness.score.stats.sample import Sample, mean_log
from tests.lab.results import Plan, alternating, domains_of, moments, series, workload_of

RULES = load_ruleset("default")
EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


def entry(name: str, **changes: object) -> Plan:
    return Plan(name=name, source=f"source of {name}").but(**changes)


def prize(name: str) -> Prize:
    plugin: Prize = find("prizes", name).value
    return plugin


def decided(results: Path, name: str = "energy") -> Award:
    (award,) = awards(score_results(results, RULES), prize(name), RULES)
    return award


def test_a_clear_lead_is_awarded(tmp_path: Path) -> None:
    series(tmp_path, entry("fast"), EIGHT)
    series(tmp_path, entry("slow", watts=120.0), [1.5 * item for item in EIGHT])
    series(tmp_path, entry("guess", method="modelled"), [0.5 * item for item in EIGHT])
    award = decided(tmp_path)
    assert (award.outcome, award.winner, award.leaders) == ("awarded", "fast", ("fast",))
    (test,) = award.challenges
    assert test.significant
    assert test.lead_ratio == pytest.approx(0.8, rel=1e-3)
    assert [item.entry.submission for item in award.board.unranked] == ["guess"]
    assert all(item.holds for item in award.sensitivity)


def test_a_lead_within_the_noise_is_a_tie_with_the_seeds_needed(
    tmp_path: Path,
) -> None:
    series(tmp_path, entry("one"), EIGHT)
    noisy = [item * (1.004 + 0.02 * (-1) ** i) for i, item in enumerate(EIGHT)]
    series(tmp_path, entry("two"), noisy)
    award = decided(tmp_path, "speed")
    assert (award.outcome, award.winner) == ("tied", None)
    assert set(award.leaders) == {"one", "two"}
    (test,) = award.challenges
    assert test.seeds_count is not None
    assert test.seeds_count > 8


def test_interleaved_runs_are_compared_by_a_paired_test(tmp_path: Path) -> None:
    slow = [item * 1.05 for item in EIGHT]
    alternating(tmp_path, (entry("fast"), EIGHT), (entry("slow"), slow))
    award = decided(tmp_path, "speed")
    assert [challenge.test for challenge in award.challenges] == ["paired"]
    assert award.reason.endswith("by a paired t-test of interleaved runs)")
    assert "| slow |" in markdown(award)
    assert "| paired |" in markdown(award)


def test_a_single_entry_is_no_winner(tmp_path: Path) -> None:
    series(tmp_path, entry("alone"), EIGHT)
    award = decided(tmp_path)
    assert (award.outcome, award.winner, award.challenges) == ("unopposed", None, ())


def test_a_machine_without_sensors_has_no_winner(tmp_path: Path) -> None:
    series(tmp_path, entry("one", method="modelled"), EIGHT)
    series(tmp_path, entry("two", watts=None), EIGHT)
    award = decided(tmp_path)
    assert (award.outcome, award.winner) == ("not_awarded", None)
    assert award.reason == "no eligible entry: no measured joules"
    assert len(award.board.unranked) == 2


@pytest.mark.parametrize("mark", ["partial", "synthetic"])
def test_no_prize_for_other_data_than_the_set(tmp_path: Path, mark: str) -> None:
    series(tmp_path, entry("whole"), EIGHT)
    series(tmp_path, entry("slow"), [2 * item for item in EIGHT])
    quick = entry("quick")
    state = DataState.model_validate({mark: True})
    workload = workload_of(quick).model_copy(update={"data": state})
    series(tmp_path, quick.but(changes={"workload": workload}), [0.5 * item for item in EIGHT])
    award = decided(tmp_path)
    assert (award.outcome, award.winner) == ("awarded", "whole")
    ((name, reason),) = [(item.entry.submission, item.reason) for item in award.board.unranked]
    assert name == "quick"
    assert f"(data-{mark})" in reason


def test_every_workload_and_machine_has_a_decision_of_its_own(tmp_path: Path) -> None:
    for machine in ("desk", "rack"):
        series(tmp_path, entry("fast", machine=machine), EIGHT)
    decisions = awards(score_results(tmp_path, RULES), prize("speed"), RULES)
    assert [item.board.machine for item in decisions] == ["desk", "rack"]


def test_every_bundle_is_evidence(tmp_path: Path) -> None:
    folders = series(tmp_path, entry("fast"), EIGHT)
    folders += series(tmp_path, entry("guess", method="modelled"), EIGHT)
    award = decided(tmp_path)
    assert {item.manifest_sha256 for item in award.evidence} == {
        Bundle(folder).manifest_sha256 for folder in folders
    }
    assert {item.bundle for item in award.evidence} == {
        folder.relative_to(tmp_path).as_posix() for folder in folders
    }


def test_the_record_reads_back_and_carries_its_rules(tmp_path: Path) -> None:
    series(tmp_path, entry("fast"), EIGHT)
    series(tmp_path, entry("slow"), [1.5 * item for item in EIGHT])
    award = decided(tmp_path)
    assert load(Award, dump(award), "award.json") == award
    assert read_resolved(award.rules_text, "award") == RULES


def all_significant(samples: list[Sample], alpha: float) -> bool:
    tests = leader_tests([str(at) for at in range(len(samples))], samples, alpha)
    adjusted = holm([test.p_differ for test in tests])
    return all(p < alpha and test.ahead for p, test in zip(adjusted, tests, strict=True))


# --- error rates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", [(0, 0), (0, 0, 0, 0, 0), (0, 0, 2, 2, 2)])
@pytest.mark.parametrize("paired", [True, False])
def test_equals_are_rarely_significantly_different(behind: tuple[int, ...], paired: bool) -> None:
    """Two equal; five equal; two equal and three far behind: awards by chance, 600 contests."""
    rng = np.random.default_rng(11)
    alpha, contests, wrong = 0.05, 600, 0
    for _ in range(contests):
        logs = rng.normal(0, 0.05, (len(behind), 5)) + np.array(behind)[:, None]
        samples = [
            Sample(dict(enumerate(row)), 1e-6, moments=moments(range(5), i, len(logs)))
            if paired
            else Sample(dict(enumerate(row)), 1e-6)
            for i, row in enumerate(logs)
        ]
        assert bool(paired_seeds(*samples[:2])) is paired
        samples.sort(key=mean_log)
        wrong += all_significant(samples, alpha)
    assert wrong / contests <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / contests)


def test_a_true_lead_of_the_resolvable_size_is_seen_as_often_as_stated() -> None:
    rng = np.random.default_rng(12)
    model = Sample(dict(enumerate([-0.05, 0.0, 0.05, -0.05, 0.05])), 1e-6)
    other = Sample(dict(enumerate([-0.05, 0.0, 0.05, -0.05, 0.05], 100)), 1e-6)
    lead = detectable_ratio(model, other, 0.025)
    assert lead is not None
    sd = float(np.std(list(model.logs.values()), ddof=1))
    seen = 0
    for _ in range(600):
        a = Sample(dict(enumerate(rng.normal(0, sd, 5))), 1e-6)
        b = Sample(dict(enumerate(rng.normal(math.log1p(lead), sd, 5), 100)), 1e-6)
        seen += all_significant([a, b], 0.05)
    assert seen / 600 == pytest.approx(0.9, abs=0.04)


def test_the_seeds_that_would_settle_a_lead_make_it_resolvable() -> None:
    logs = [-0.05, 0.0, 0.05]
    a, b = Sample(dict(enumerate(logs)), 1e-6), Sample(dict(enumerate(logs, 9)), 1e-6)
    lead = math.log1p(0.05)
    n = seeds_to_settle(a, b, lead, 0.025)
    assert n is not None
    assert n > 3
    wide = [0.05 * math.sqrt((n - 1) / n) * (-1) ** i for i in range(n)]
    many = [Sample(dict(enumerate(wide, start)), 1e-6) for start in (0, 1000)]
    ratio = detectable_ratio(many[0], many[1], 0.025)
    assert ratio == pytest.approx(0.05, rel=0.1)
    assert seeds_to_settle(a, b, 1e-5, 0.025) is None
    assert seeds_to_settle(a, Sample({1: 0.0}, 1e-6), lead, 0.025) is None


# --- sensitivity ----------------------------------------------------------------------------------


def checks(award: Award) -> dict[str, bool | None]:
    return {check.variation: check.holds for check in award.sensitivity}


def test_a_lead_smaller_than_the_meters_error_does_not_hold(tmp_path: Path) -> None:
    """1.5 % apart and significantly different, but the meter is good to 2 %."""
    steady = [10.0, 10.01, 9.99, 10.0, 10.01, 9.99, 10.0, 10.0]
    series(tmp_path, entry("one"), steady)
    series(tmp_path, entry("two"), [1.015 * item for item in steady])
    award = decided(tmp_path)
    assert award.outcome == "awarded"
    held = checks(award)
    assert not held["meters off by their uncertainty, each against the leader"]
    assert held["any one run left out"]


def test_a_lead_that_is_all_idle_time_does_not_survive_subtracting_it(tmp_path: Path) -> None:
    """Half the power for nearly twice as long: with 60 W of idle taken away the order turns."""
    series(tmp_path, entry("brief", watts=190.0), EIGHT)
    series(tmp_path, entry("long", watts=100.0), [2 * item for item in EIGHT])
    award = decided(tmp_path)
    assert award.winner == "brief"
    (idle,) = (item for item in award.sensitivity if "idle" in item.variation)
    assert not idle.holds
    assert idle.leader == "long"
    assert "10 W" in idle.note
    assert not any("idle" in name for name in checks(decided(tmp_path, "speed")))


def test_meters_of_unknown_uncertainty_leave_it_open(tmp_path: Path) -> None:
    unknown = {"domains": (replace(domains_of(Plan())[0], gain_error_ratio=None),)}
    for name, factor in (("fast", 1.0), ("slow", 1.5)):
        series(tmp_path, entry(name, changes=unknown), [factor * item for item in EIGHT])
    award = decided(tmp_path)
    assert award.winner == "fast"
    (meter,) = (item for item in award.sensitivity if item.variation.startswith("meters"))
    assert meter.holds is None
    assert "| unknown |" in markdown(award)


def test_practice_rules_award_nothing(tmp_path: Path) -> None:
    series(tmp_path, entry("fast"), EIGHT)
    smoke = load_ruleset("smoke")
    with pytest.raises(RulesetError, match="for practice; prizes ask for 'final'"):
        awards(score_results(tmp_path, smoke), prize("speed"), smoke)


# --- Markdown -------------------------------------------------------------------------------------


def test_the_text_names_everything_and_is_stable(tmp_path: Path) -> None:
    series(tmp_path, entry("fast"), EIGHT)
    series(tmp_path, entry("slow"), [1.5 * item for item in EIGHT])
    series(tmp_path, entry("guess", method="modelled"), EIGHT)
    award = decided(tmp_path)
    text = markdown(award)
    assert text == markdown(award)
    assert text.startswith("# Energy to target on toy: awarded to fast\n")
    assert "modelled, not measured" in text
    assert "significantly different" in text
    assert all(item.manifest_sha256 in text for item in award.evidence)
    assert "seeds_count = 8" in text


def test_names_cannot_break_the_page() -> None:
    hostile = "x](http://e) | <script>\n# **win** `"
    assert plain(hostile) == "x\\](http://e) \\| &lt;script> \\# \\*\\*win\\*\\* \\`"


def test_no_award_is_a_decision_too(tmp_path: Path) -> None:
    series(tmp_path, entry("bare", watts=None), EIGHT)
    text = markdown(decided(tmp_path))
    assert "not awarded" in text
    assert "no eligible entry: no measured joules" in text
