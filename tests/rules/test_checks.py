"""Each check by itself: what it lets pass, what it finds, under which rule id and how bad."""

from dataclasses import replace
from typing import Any

import pytest

from harness.records import (
    DataState,
    Domain,
    Evaluation,
    Finding,
    Isolation,
    Machine,
    Ruleset,
    Run,
    SelfReported,
    Snapshot,
    TuningTrial,
    Usage,
)
from harness.records.ruleset import LAXER
from harness.registry import Broken, discover, find
from harness.rules.evidence import Evidence
from harness.rules.load import load_ruleset
from tests.lab.results import Plan, domains_of, evaluation_of, machine_of, rules, run_record

DEFAULT = load_ruleset("default")
SMOKE = load_ruleset("smoke")


def evidence(
    plan: Plan | None = None,
    ruleset: Ruleset = DEFAULT,
    enforced: Ruleset | None = None,
    **changes: Any,
) -> Evidence:
    """A run as planned, with fields of `run.json` set otherwise."""
    chosen = plan or Plan()
    run = run_record(chosen, "r").model_copy(update=changes)
    return Evidence(
        run=run,
        evaluation=evaluation_of(chosen),
        ruleset=ruleset,
        enforced=enforced or ruleset,
        read_machine=lambda: machine_of(chosen),
    )


def findings_of(name: str, seen: Evidence) -> list[Finding]:
    return list(find("checks", name).value(seen))


def names() -> list[str]:
    return [item.name for item in discover("checks")]


def test_every_check_loads() -> None:
    assert not [item for item in discover("checks") if isinstance(item, Broken)]
    assert set(DEFAULT.checks) == set(names()), "the default ruleset asks for all of them"


@pytest.mark.parametrize("name", names())
def test_a_clean_run_gives_no_finding(name: str) -> None:
    assert findings_of(name, evidence()) == []
    assert findings_of(name, evidence(Plan(watts=None))) == []


@pytest.mark.parametrize("name", names())
def test_a_run_that_came_to_nothing_breaks_no_check(name: str) -> None:
    nothing = evidence(Plan(gun=False, snapshots=(), watts=None, status="crashed"))
    bare = replace(nothing, evaluation=None)
    assert findings_of(name, bare) == []


# --- rules in force -------------------------------------------------------------------------------


def lenient(section: str, name: str, factor: float) -> Ruleset:
    """The default rules with one constant multiplied."""
    value = getattr(getattr(DEFAULT, section), name)
    changed = 60.0 if value == 0 else type(value)(value * factor)
    part = getattr(DEFAULT, section).model_copy(update={name: changed})
    return DEFAULT.model_copy(update={section: part})


def test_every_constant_in_force_during_a_run_declares_which_values_are_laxer() -> None:
    for section, names in LAXER.items():
        assert set(names) == set(type(getattr(DEFAULT, section)).model_fields), section


@pytest.mark.parametrize(
    ("section", "name", "laxer"),
    [
        (section, name, laxer)
        for section, constants in LAXER.items()
        for name, laxer in constants.items()
        if laxer != "scored" and name != "idle_s"
    ],
)
def test_a_run_under_laxer_rules_is_not_ranked_under_stricter_ones(
    section: str, name: str, laxer: str
) -> None:
    lax = lenient(section, name, 2.0 if laxer == "higher" else 0.5)
    (finding,) = findings_of("laxer-rules", evidence(enforced=lax))
    assert (finding.rule, finding.level) == ("rules-laxer", "fail")
    assert f"{section}.{name}" in finding.message
    assert findings_of("laxer-rules", evidence(ruleset=lax, enforced=DEFAULT)) == []


def isolated(level: str) -> Isolation:
    return Isolation(launcher=level, level=level, reason="", uid=None)  # type: ignore[arg-type]


def test_no_isolation_is_out_of_a_contest_and_marked_in_practice() -> None:
    (strict,) = findings_of("isolation", evidence(isolation=isolated("none")))
    (lenient,) = findings_of("isolation", evidence(None, SMOKE, isolation=isolated("none")))
    assert (strict.rule, strict.level) == ("isolation-level", "fail")
    assert (lenient.rule, lenient.level) == ("isolation-none", "warn")
    assert findings_of("isolation", evidence(isolation=isolated("landlock"))) == []


def test_public_data_are_out_where_the_ruleset_asks_for_drawn_ones() -> None:
    strict = load_ruleset("default", ['score.secrecy=["seeded", "secret"]'])
    public = run_record(Plan(), "r").workload.model_copy(update={"secrecy": "public"})
    (one,) = findings_of("secrecy", evidence(None, strict, workload=public))
    assert (one.rule, one.level) == ("workload-secrecy", "fail")
    assert "seeded or secret" in one.message
    assert findings_of("secrecy", evidence(workload=public)) == []


@pytest.mark.parametrize("ruleset", [DEFAULT, SMOKE])
@pytest.mark.parametrize("mark", ["partial", "synthetic"])
def test_other_data_than_the_set_rank_nowhere(mark: str, ruleset: Ruleset) -> None:
    def using(state: DataState | None) -> Evidence:
        workload = run_record(Plan(), "r").workload.model_copy(update={"data": state})
        return evidence(None, ruleset, workload=workload)

    (one,) = findings_of("data", using(DataState(manifest_sha256="ab", **{mark: True})))
    assert (one.rule, one.level) == (f"data-{mark}", "fail")
    assert one.advice
    assert findings_of("data", using(DataState(manifest_sha256="ab"))) == []
    assert findings_of("data", using(None)) == []


def test_both_marks_are_reported_and_older_bundles_carry_them_among_the_facts() -> None:
    both = evidence(Plan(facts={"partial": 1.0, "synthetic": 1.0}))
    assert [item.rule for item in findings_of("data", both)] == ["data-partial", "data-synthetic"]
    assert findings_of("data", evidence(Plan(facts={"partial": 0.0, "optimum": 0.5}))) == []


def test_provenance_is_asked_for() -> None:
    strict = load_ruleset("default", ['score.provenance=["organizer"]'])
    assert [item.rule for item in findings_of("provenance", evidence(None, strict))] == [
        "provenance"
    ]
    assert findings_of("provenance", evidence(None, strict, provenance="organizer")) == []


@pytest.mark.parametrize(("ruleset", "level"), [(DEFAULT, "fail"), (SMOKE, "info")])
def test_declared_seeds_rehearse(ruleset: Ruleset, level: str) -> None:
    declared = run_record(Plan(), "r").seeds.model_copy(update={"source": "declared"})
    (one,) = findings_of("declared-seeds", evidence(None, ruleset, seeds=declared))
    assert (one.rule, one.level) == ("declared-seeds", level)


def test_simulated_joules_are_out() -> None:
    (one,) = findings_of("simulated-meter", evidence(Plan(simulated=True)))
    assert (one.rule, one.level) == ("energy-simulated", "fail")
    allowed = load_ruleset("default", ["score.simulated=true"])
    (finding,) = findings_of("simulated-meter", evidence(Plan(simulated=True), allowed))
    assert finding.level == "info"


def test_a_sampler_that_fell_behind_is_detected() -> None:
    report = run_record(Plan(), "r").sampler
    assert report is not None
    slow = report.model_copy(update={"gap_max_s": 2.0, "reads_count": 10})
    ids = [item.rule for item in findings_of("sampler", evidence(sampler=slow))]
    assert ids == ["energy-sampler-gap", "energy-sampler-few"]
    (one,) = findings_of("sampler", evidence(sampler=None))
    assert (one.rule, one.level) == ("energy-sampler-missing", "fail")


def test_a_slow_sensor_allows_longer_gaps() -> None:
    report = run_record(Plan(), "r").sampler
    assert report is not None
    pause = report.model_copy(update={"gap_max_s": 2.0})
    slow = tuple(replace(domain, update_period_s=1.0) for domain in domains_of(Plan()))
    assert findings_of("sampler", evidence(sampler=pause, domains=slow)) == []


@pytest.mark.parametrize(
    ("metric", "better", "out"),
    [
        (0.95, "higher", False),
        (0.99, "higher", True),
        (0.95, "lower", False),
        (0.91, "lower", True),
    ],
)
def test_better_than_the_best_is_too_good(metric: float, better: Any, out: bool) -> None:
    """Optimum 0.95, standard error 0.01: three of them are allowed."""
    facts = {"optimum": 0.95, "optimum_error": 0.01}
    plan = Plan(snapshots=((10.0, metric),), better=better, facts=facts)
    ids = [item.rule for item in findings_of("too-good", evidence(plan))]
    assert ids == (["too-good-to-be-true"] if out else [])


def test_an_unknown_optimum_is_no_ground() -> None:
    plan = Plan(snapshots=((10.0, 1.0),), facts={"optimum": 0.5})
    assert findings_of("too-good", evidence(plan)) == []


def stamped(apart_ns: int) -> tuple[Snapshot, ...]:
    (snapshot,) = run_record(Plan(), "r").snapshots
    return (snapshot.model_copy(update={"kernel_ns": snapshot.stamp_ns - apart_ns}),)


@pytest.mark.parametrize(
    ("apart_ns", "late"), [(9_000_000, False), (11_000_000, True), (-11_000_000, True)]
)
def test_stamps_and_kernel_agree_to_ten_milliseconds(apart_ns: int, late: bool) -> None:
    ids = [item.rule for item in findings_of("stamps", evidence(snapshots=stamped(apart_ns)))]
    assert ids == (["stamp-late"] if late else [])


def test_snapshots_after_the_budget_are_reported() -> None:
    (one,) = findings_of("after-budget", evidence(Plan(snapshots=((5.0, 0.9), (61.0, 0.99)))))
    assert (one.rule, one.level) == ("snapshot-after-budget", "warn")
    assert "snapshots 1 arrived" in one.message


def test_the_machine_is_read_only_when_asked_for() -> None:
    read: list[str] = []

    def machine() -> Machine:
        read.append("machine")
        return machine_of(Plan())

    run: Run = run_record(Plan(), "r")
    evaluation: Evaluation = evaluation_of(Plan())
    seen = Evidence(
        run=run, evaluation=evaluation, ruleset=rules(), enforced=rules(), read_machine=machine
    )
    for name in names():
        findings_of(name, seen)
    assert not read
    assert seen.machine.name == "desk"


# --- what a prize for energy asks for -------------------------------------------------------------

PRIZE = load_ruleset("haet-energy")


def with_gpus(count: int, seen: Evidence) -> Evidence:
    machine = machine_of(Plan()).model_copy(
        update={"gpus": tuple(f"GPU {i}" for i in range(count))}
    )
    return replace(seen, read_machine=lambda: machine)


def domain(kind: str, name: str) -> Domain:
    return replace(domains_of(Plan())[0], kind=kind, name=name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kinds", "gpus", "lacking"),
    [
        (["cpu"], 0, ""),
        (["cpu"], 1, "1 of 1 devices"),
        (["gpu"], 1, "the processor"),
        (["gpu", "cpu"], 1, ""),
        (["gpu", "cpu"], 2, "1 of 2 devices"),
        (["dram"], 1, "the processor and 1 of 1 devices"),
        (["wall"], 4, ""),
        (["node"], 4, ""),
    ],
)
def test_joules_must_cover_all_that_can_work(kinds: list[str], gpus: int, lacking: str) -> None:
    domains = tuple(domain(kind, f"{kind}-{i}") for i, kind in enumerate(kinds))
    findings = findings_of("boundary", with_gpus(gpus, evidence(None, PRIZE, domains=domains)))
    assert [item.rule for item in findings] == (["energy-boundary"] if lacking else [])
    assert all(lacking in item.message for item in findings)
    assert findings_of("boundary", with_gpus(gpus, evidence(domains=domains))) == []


@pytest.mark.parametrize(
    ("names", "lacking"),
    [
        (("cpu-package-0", "gpu-0", "gpu-0-instant"), "1 of 2 devices"),
        (("cpu-psys-perf", "gpu-0", "gpu-1"), "the processor"),
        (("cpu-core-0", "gpu-0", "gpu-1"), "the processor"),
        (("cpu-package-0", "gpu-0-instant", "gpu-1-instant", "gpu-1-average"), ""),
        (("cpu-package-0", "gpu-amd-0", "gpu-amd-0-power"), "1 of 2 devices"),
    ],
)
def test_a_boundary_counts_silicon_and_not_domains(names: tuple[str, ...], lacking: str) -> None:
    domains = tuple(domain(name[:3], name) for name in names)
    findings = findings_of("boundary", with_gpus(2, evidence(None, PRIZE, domains=domains)))
    assert [item.message for item in findings] == ([f"no meter covers {lacking}"] * bool(lacking))


LIMITED = load_ruleset("memory-limited")


@pytest.mark.parametrize(
    ("peak_bytes", "unmet", "ids"),
    [
        (1 << 30, (), []),
        (3 << 30, (), ["memory-exceeded"]),
        (1 << 30, ("memory_bytes",), ["memory-unlimited"]),
        (None, (), []),
    ],
)
def test_a_limit_on_memory_must_hold(
    peak_bytes: int | None, unmet: tuple[str, ...], ids: list[str]
) -> None:
    usage = Usage(cpu_s=1.0, peak_rss_bytes=peak_bytes, exit_code=0)
    walled = isolated("bubblewrap").model_copy(update={"unmet": unmet})
    seen = evidence(None, LIMITED, usage=usage, isolation=walled)
    assert [item.rule for item in findings_of("memory", seen)] == ids
    assert findings_of("memory", evidence(usage=usage, isolation=walled)) == []


def test_a_prize_takes_no_public_data_and_no_runs_of_ones_own() -> None:
    assert (PRIZE.measure.interleaved, PRIZE.measure.unlocked) == (True, True)
    assert "public" not in PRIZE.score.secrecy
    assert "self" not in PRIZE.score.provenance
    assert PRIZE.measure.uncertainty_ratio_max == 0.05
    assert load_ruleset("speedrun").run.snapshots_max == 1


def test_a_prize_asks_for_runs_that_alternate_with_the_reference() -> None:
    (one,) = findings_of("interleaved", evidence(None, PRIZE))
    assert (one.rule, one.level) == ("energy-not-interleaved", "fail")
    assert findings_of("interleaved", evidence(None, PRIZE, interleaved_with="toy-adamw")) == []
    assert findings_of("interleaved", evidence(Plan(watts=None), PRIZE)) == [], (
        "seconds need no pair"
    )
    assert findings_of("interleaved", evidence()) == [], "practice does not ask for it"
    hardware = load_ruleset("haet-hardware")
    assert findings_of("interleaved", evidence(None, hardware)) == [], (
        "the reference is alone there"
    )


def blind(**changes: Any) -> tuple[Domain, ...]:
    """A power sensor that sees 25 of 100 ms."""
    (domain,) = domains_of(Plan(method="sampled"))
    seen = {"update_period_s": 0.1, "averaging_window_s": 0.025}
    return (replace(domain, **(seen | changes)),)


LOCKED = Finding(rule="sampling-locked", level="warn", message="the same moment of each step")


def test_a_prize_takes_no_joules_of_a_sensor_in_lockstep() -> None:
    known: dict[str, Any] = {"claimed": SelfReported(messages=9, dropped=0)}
    locked = evidence(None, PRIZE, domains=blind(), findings=(LOCKED,), **known)
    assert [item.rule for item in findings_of("unlocked", locked)] == ["energy-sampling-locked"]
    assert findings_of("unlocked", evidence(None, PRIZE, domains=blind(), **known)) == []
    practice = evidence(domains=blind(), findings=(LOCKED,), **known)
    assert findings_of("unlocked", practice) == []


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, ["energy-sampling-unknown"]),
        ({"averaging_window_s": None}, ["energy-sampling-unknown"]),
        ({"update_period_s": None}, ["energy-sampling-unknown"]),
        ({"averaging_window_s": 0.1}, []),
        ({"method": "counter"}, []),
    ],
)
def test_what_is_unknown_passes_no_check(changes: dict[str, Any], rules: list[str]) -> None:
    """Without logged steps their duration is unknown; whole windows and counters miss nothing."""
    seen = evidence(None, PRIZE, domains=blind(**changes), claimed=None)
    assert [item.rule for item in findings_of("unlocked", seen)] == rules


def test_a_study_of_too_many_trials_is_out() -> None:
    strict = load_ruleset("hity-algorithms")
    many = TuningTrial(mode="external", trials_count=6)
    (one,) = findings_of("tuning", evidence(None, strict, tuning=many))
    assert (one.rule, one.level) == ("tuning-trials", "fail")
    assert "--trials 5" in one.advice
    five = many.model_copy(update={"trials_count": 5})
    assert findings_of("tuning", evidence(None, strict, tuning=five)) == []
    assert findings_of("tuning", evidence(tuning=many)) == [], "without a limit any number may rank"
