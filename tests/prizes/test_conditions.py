"""What a prize for energy asks for: the award names the condition that is missing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.prizes import awards, markdown
from harness.records import Award, Finding, Isolation, Ruleset, SelfReported
from harness.registry import find
from harness.rules.load import load_ruleset
from harness.score.score import score_results
from tests.lab.results import Plan, domains_of, series, workload_of

RULES = load_ruleset("haet-energy")
EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


def domains(**changes: Any) -> dict[str, Any]:
    (domain,) = domains_of(Plan())
    return {"domains": (replace(domain, **({"update_period_s": 0.1} | changes)),)}


GOOD = {"provenance": "witnessed", "interleaved_with": "toy-adamw"} | domains()
LOCKED = Finding(rule="sampling-locked", level="warn", message="the same moment of each step")
PUBLIC = workload_of(Plan()).model_copy(update={"secrecy": "public"})
PLAIN = Isolation(launcher="plain", level="none", reason="asked for", uid=0)
BLIND = domains(method="sampled", averaging_window_s=0.025)
STEPS = {"claimed": SelfReported(messages=9, dropped=0)}


def decided(
    results: Path, changes: dict[str, Any], method: Any = "counter", rules: Ruleset = RULES
) -> Award:
    plan = Plan(name="entry", source="entry", ruleset="haet-energy", method=method)
    series(results, plan.but(changes=GOOD | changes), EIGHT)
    (award,) = awards(score_results(results, rules), find("prizes", "energy").value, rules)
    return award


def test_an_entry_that_has_it_all_has_a_place(tmp_path: Path) -> None:
    award = decided(tmp_path, {})
    assert (
        [candidate.entry.submission for candidate in award.board.standings],
        award.board.unranked,
    ) == (
        ["entry"],
        (),
    )
    assert award.outcome == "unopposed"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"interleaved_with": ""}, "energy-not-interleaved"),
        ({"provenance": "self"}, "(provenance)"),
        (
            {"workload": workload_of(Plan()).model_copy(update={"secrecy": "public"})},
            "(workload-secrecy)",
        ),
        ({"isolation": PLAIN}, "(isolation-level)"),
        (domains(kind="gpu"), "energy-boundary"),
        (domains(resolution_j=80.0), "uncertainty over 5.0% of the joules"),
        (BLIND | STEPS | {"findings": (LOCKED,)}, "energy-sampling-locked"),
        (domains(simulated=True), "simulated"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, changes: dict[str, Any], rule: str) -> None:
    award = decided(tmp_path, changes, "sampled" if "findings" in changes else "counter")
    assert (award.outcome, award.winner, award.board.standings) == ("not_awarded", None, ())
    (out,) = award.board.unranked
    assert rule in out.reason
    assert ";" not in out.reason.split(rule)[-1], "and nothing else"
    assert out.reason in markdown(award).replace("\\", "")


@pytest.mark.parametrize("gain", [0.02, 0.12])
def test_a_gain_error_matters_between_machines_only(tmp_path: Path, gain: float) -> None:
    """Entries on one machine are read by the same meter: its gain cancels in their ratio."""
    changes = domains(gain_error_ratio=gain)
    assert decided(tmp_path, changes).outcome == "unopposed"
    machines = load_ruleset("haet-energy", ["measure.common_uncertainty=true"])
    assert load_ruleset("haet-hardware").measure.common_uncertainty
    award = decided(tmp_path / "again", changes, rules=machines)
    assert award.outcome == ("unopposed" if gain < 0.05 else "not_awarded")
