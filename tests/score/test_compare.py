"""Comparisons: intervals cover, gates fail only on what is shown."""

import math
from pathlib import Path

import numpy as np
import pytest

from harness.records import Score
from harness.records.compare import CostRatio
from harness.score.compare import compare, gate, ratio_interval
from harness.score.score import score_results
from harness.score.stats.sample import Sample
from tests.lab.results import Plan, alternating, moments, series, write_run

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


def pair(rng: np.random.Generator, ratio: float, n: int, *, paired: bool) -> tuple[Sample, Sample]:
    instance = rng.normal(0, 0.3, n) if paired else np.zeros(n)
    a = instance + rng.normal(0, 0.02, n)
    b = instance + rng.normal(math.log(ratio), 0.02, n)
    first = 0 if paired else 100
    own = [moments(range(n), place) if paired else None for place in (0, 1)]
    return (
        Sample(dict(enumerate(a)), 1e-6, moments=own[0]),
        Sample(dict(enumerate(b, first)), 1e-6, moments=own[1]),
    )


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_of_a_ratio_covers_it(paired: bool) -> None:
    rng = np.random.default_rng(8)
    hits = 0
    for _ in range(600):
        interval = ratio_interval(*pair(rng, 1.1, 5, paired=paired), 0.95)
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 1.1 <= interval.high
    assert hits / 600 == pytest.approx(0.95, abs=0.025)


def of_ratio(low: float | None, high: float | None) -> CostRatio:
    return CostRatio(
        quantity="time_to_target_s", cost_ratio=1.0, low=low, high=high, p_differ=0.5,
        test="paired", outcome="unclear",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.11, 1.3, "fail"),
        (1.05, 1.3, "unclear"),
        (0.9, 1.09, "pass"),
        (None, None, "unclear"),
        (1.2, None, "fail"),
        (0.9, None, "unclear"),
    ],
)
def test_a_gate_fails_only_on_what_is_shown(
    low: float | None, high: float | None, verdict: str
) -> None:
    assert gate(of_ratio(low, high), 0.1) == verdict


def scores(results: Path, *plans: tuple[Plan, list[float]]) -> list[Score]:
    for plan, times in plans:
        series(results, plan, times)
    comparison = {score.entry.submission: score for score in score_results(results)}
    return [comparison[plan.name] for plan, _ in plans]


def entry(name: str, **changes: object) -> Plan:
    return Plan(name=name, source=name).but(**changes)


def test_a_slower_entry_is_shown_to_be_worse(tmp_path: Path) -> None:
    a, b = scores(tmp_path, (entry("a"), EIGHT), (entry("b"), [1.5 * item for item in EIGHT]))
    comparison = compare(a, b)
    assert [ratio.quantity for ratio in comparison.ratios] == [
        "time_to_target_s",
        "energy_to_target_j",
    ]
    for ratio in comparison.ratios:
        assert ratio.cost_ratio == pytest.approx(1.5, rel=1e-3)
        assert (ratio.outcome, ratio.test) == ("worse", "paired")
        assert gate(ratio, 0.1) == "fail"
    assert "b needs" in comparison.sentence
    assert "more steps" in comparison.sentence
    assert compare(b, a).ratios[0].outcome == "better"


@pytest.mark.parametrize("interleaved", [True, False])
def test_only_paired_runs_are_compared(tmp_path: Path, interleaved: bool) -> None:
    drift = [10.0 * 1.1**i for i in range(8)]
    slower = [cost * (1.02 + 0.001 * (i % 2)) for i, cost in enumerate(drift)]
    if interleaved:
        alternating(tmp_path, (entry("a"), drift), (entry("b"), slower))
        a, b = scores(tmp_path, (entry("a"), []), (entry("b"), []))
    else:
        a, b = scores(tmp_path, (entry("a"), drift), (entry("b", started_s=40000), slower))
    ratio = compare(a, b).ratios[0]
    assert (ratio.test, ratio.outcome) == (
        ("paired", "worse") if interleaved else ("not_comparable", "unclear")
    )
    if not interleaved:
        assert (ratio.low, ratio.high, ratio.p_differ) == (None, None, 1.0)
        assert "not paired" in ratio.note


def test_twins_are_unclear(tmp_path: Path) -> None:
    twin = [item + 0.1 * (-1) ** i for i, item in enumerate(EIGHT)]
    a, b = scores(tmp_path, (entry("a"), EIGHT), (entry("b"), twin))
    assert compare(a, b).ratios[0].outcome == "unclear"
    assert compare(a, b).ratios[0].p_differ > 0.5
    assert compare(a, b).sentence.startswith("not shown to differ in energy")


def test_what_is_shown_is_said_without_a_hedge(tmp_path: Path) -> None:
    a, b = scores(tmp_path, (entry("a"), EIGHT), (entry("b"), [2 * item for item in EIGHT]))
    comparison = compare(a, b)
    assert {ratio.quantity: ratio.outcome for ratio in comparison.ratios}[
        "energy_to_target_j"
    ] == "worse"
    assert comparison.sentence.startswith("b needs ")


def test_without_joules_there_is_no_bridge(tmp_path: Path) -> None:
    a, b = scores(tmp_path, (entry("a"), EIGHT), (entry("b", watts=None), EIGHT))
    comparison = compare(a, b)
    assert [ratio.quantity for ratio in comparison.ratios] == ["time_to_target_s"]
    assert comparison.bridge == ()
    assert comparison.sentence.startswith("no energy bridge")


def test_failures_are_never_shown_to_be_better(tmp_path: Path) -> None:
    smoke = {"ruleset": "smoke"}
    a, b = scores(
        tmp_path, (entry("a", **smoke), [10.0, 10.1, 10.2]), (entry("b", **smoke), [5.0, 5.1, 5.2])
    )
    assert compare(a, b).ratios[0].outcome == "better"
    write_run(tmp_path, entry("b", **smoke).but(seed=9, snapshots=((50.0, 0.1),)))
    a, b = score_results(tmp_path)
    assert compare(a, b).ratios[0].outcome == "unclear"
    assert compare(a, b).ratios[0].high is None


@pytest.mark.parametrize("change", [{"machine": "rack"}, {"version": "v2"}, {"workload": "x"}])
def test_unlike_things_are_not_compared(tmp_path: Path, change: dict[str, str]) -> None:
    a, b = scores(tmp_path, (entry("a"), EIGHT), (entry("b", **change), EIGHT))
    with pytest.raises(ValueError, match="cannot compare"):
        compare(a, b)
