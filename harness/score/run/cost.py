"""The cost of one run under a ruleset: seconds and joules until the snapshot that counts."""

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

from harness.bundle import TRACE, Bundle
from harness.clock import NS_PER_S
from harness.measure.energy import Energy, EnergyReader, IntervalEnergy, Total
from harness.measure.level import measurement_level
from harness.measure.trace import TraceError, parse_trace
from harness.records import (
    Domain,
    Evaluation,
    Finding,
    Record,
    Ruleset,
    Run,
    RunEnergy,
    RunScore,
    Snapshot,
    Status,
    Submission,
    TrialOf,
    Workload,
)
from harness.registry import find
from harness.rules.evidence import Check, Evidence
from harness.score.stats.intervals import passes
from harness.score.tuning import CLAIM

BROKEN = frozenset({"invalid", "aborted", "crashed", "oom", "killed"})
"""Statuses of runs that count as infinite cost, whatever they handed over."""

STANDS = frozenset({"degraded", "budget_exceeded", "diverged"})
"""Statuses that stand where the target is not reached; `degraded` stands in any case."""

CLOCK_RULES = frozenset({"suspended"})
"""Findings of the run's audit after which its seconds are worth nothing either."""

SPACING_FORGIVEN = 0.9
"""Part of the spacing that must have passed: the shim starts its own after the send."""

STAMP_STEP_S = 0.01
"""Resolution of a stamp: receipt and kernel may differ by that much before a check objects."""


class ScoredRun(Record):
    """The score of one run, with what a score of several runs needs besides."""

    score: RunScore
    workload: Workload
    submission: Submission
    machine: str
    examples: int
    """Hidden examples behind the metric."""
    domains: tuple[Domain, ...] = ()
    """Domains that were metered."""


class Reached(NamedTuple):
    """What the rule for snapshots found in a run."""

    snapshot: Snapshot | None
    """The one that counts."""
    before_ns: int
    """Stamp of the counting snapshot before it, or the gun."""
    metric: float | None
    passed: bool


def budget_ns(run: Run, in_force: Ruleset, ruleset: Ruleset) -> float:
    """Length of the window in which snapshots count, in nanoseconds.

    `run.json` states the budget that was enforced; another ruleset may ask for another multiple.
    """
    if ruleset.run.budget_s is not None:
        return ruleset.run.budget_s * NS_PER_S
    # Where seconds were enforced, nobody wrote down the workload's own budget: it stays at that.
    fixed = in_force.run.budget_s is not None
    ratio = 1.0 if fixed else _ratio(run, ruleset) / _ratio(run, in_force)
    return run.workload.budget_s * NS_PER_S * ratio


def _ratio(run: Run, ruleset: Ruleset) -> float:
    """Budget of a run in multiples of its workload's; those that tune themselves may get more."""
    alone = run.tuning is not None and run.tuning.mode == "self"
    return ruleset.run.budget_ratio * (ruleset.run.self_tuning_budget_ratio if alone else 1.0)


def _spaced(snapshots: list[Snapshot], ruleset: Ruleset, budget: float) -> Iterator[Snapshot]:
    """Those about budget / snapshots_max apart up to the number allowed, and the last of all."""
    spacing = SPACING_FORGIVEN * budget / ruleset.run.snapshots_max
    last_ns = -math.inf
    left = ruleset.run.snapshots_max
    for snapshot in snapshots:
        far = left > 0 and snapshot.stamp_ns - last_ns >= spacing
        if far or snapshot is snapshots[-1]:
            yield snapshot
            last_ns = snapshot.stamp_ns
            left -= 1


def sent_ns(snapshot: Snapshot) -> int:
    """When it was sent: by the kernel's stamp where there is one, else its receipt."""
    return snapshot.stamp_ns if snapshot.kernel_ns is None else snapshot.kernel_ns


def counting_snapshots(run: Run, in_force: Ruleset, ruleset: Ruleset) -> list[Snapshot]:
    """The snapshots that count under a ruleset, in order.

    The conductor's own verdict stands where the rule is the one it enforced; under another rule
    those that it accepted are thinned to the spacing and number allowed. What it refused was never
    evaluated and cannot count.
    """
    if run.window.gun_ns is None:
        return []
    budget = budget_ns(run, in_force, ruleset)
    accepted = [
        item
        for item in sorted(run.snapshots, key=lambda snapshot: snapshot.index)
        if item.accepted
        and run.window.gun_ns <= sent_ns(item) <= run.window.gun_ns + budget
        and item.size_bytes <= ruleset.run.snapshot_bytes_max
    ]
    keys = ("snapshot_rule", "snapshots_max", "budget_ratio", "budget_s")
    same = all(getattr(in_force.run, key) == getattr(ruleset.run, key) for key in keys)
    if same or ruleset.run.snapshot_rule == "final":
        return accepted
    return list(_spaced(accepted, ruleset, budget))


def reached(
    run: Run, evaluation: Evaluation | None, snapshots: list[Snapshot], rule: str
) -> Reached:
    """The snapshot that counts: the last one under `final`, else the first that passes."""
    metrics = {value.snapshot: value.value for value in evaluation.values} if evaluation else {}
    target, better = run.workload.target, run.workload.better
    gun_ns = run.window.gun_ns or 0
    stamps = [gun_ns, *(snapshot.stamp_ns for snapshot in snapshots)]
    tries = [
        Reached(element, before, value, passes(value, target, better))
        for element, before in zip(snapshots, stamps, strict=False)
        for value in [metrics.get(element.index)]
    ]
    if rule == "final":
        return tries[-1] if tries else Reached(None, gun_ns, None, passed=False)
    return next((item for item in tries if item.passed), Reached(None, gun_ns, None, passed=False))


def joules_of(
    bundle: Bundle, run: Run, spans: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, IntervalEnergy], list[Finding]]:
    """Energy of each named span, in nanoseconds after the origin; the trace is read once."""
    text = bundle.trace_text() if run.domains and spans else None
    if text is None:
        return {}, []
    try:
        trace = parse_trace(text, str(bundle.folder / TRACE))
    except TraceError as error:
        return {}, [Finding(rule="energy-trace-unreadable", level="fail", message=str(error))]
    reader = EnergyReader(trace, run.domains)
    return {name: reader.between(*span) for name, span in spans.items()}, []


def _spans(run: Run, snapshot: Snapshot | None) -> dict[str, tuple[int, int]]:
    gun_ns, end_ns = run.window.gun_ns, run.window.end_ns
    ends = {"cost": snapshot.stamp_ns if snapshot else None, "window": end_ns}
    if gun_ns is None:
        return {}
    return {name: (gun_ns, end) for name, end in ends.items() if end is not None and end > gun_ns}


@cache
def check_named(name: str) -> Check:
    """The check plug-in of that name.

    Raises:
        UnknownPlugin: there is none.
        BrokenPlugin: it does not load.
    """
    return cast("Check", find("checks", name).value)


def check_findings(bundle: Bundle, ruleset: Ruleset) -> tuple[Finding, ...]:
    """What the ruleset's named checks say of a run."""
    evidence = Evidence(
        run=bundle.run,
        evaluation=bundle.evaluation,
        ruleset=ruleset,
        read_machine=lambda: bundle.machine,
    )
    return tuple(item for name in ruleset.checks for item in check_named(name)(evidence))


def _seconds(later_ns: int, earlier_ns: int | None) -> float | None:
    return None if earlier_ns is None else (later_ns - earlier_ns) / NS_PER_S


def status_under(run: Run, hit: Reached, rules: Ruleset) -> tuple[Status, str]:
    """Status and reason under a ruleset: its own where it failed, else by the target.

    Where quality at the budget ranks there is no target to miss.
    """
    if run.status in BROKEN or run.status == "degraded":
        return run.status, run.reason
    if rules.run.mode == "quality_at_budget" and hit.snapshot and hit.metric is not None:
        told = f"{run.workload.metric} {hit.metric:.6g} at snapshot {hit.snapshot.index}"
        return "ok", f"{told}, the last within the budget"
    if run.status in STANDS and not hit.passed:
        return run.status, run.reason
    if hit.snapshot is None:
        return "target_missed", f"no snapshot counts under {rules.name}: {run.reason}"
    state = "reaches" if hit.passed else "does not reach"
    sign = {"higher": ">=", "lower": "<="}[run.workload.better]
    value = "none" if hit.metric is None else f"{hit.metric:.6g}"
    reason = (
        f"snapshot {hit.snapshot.index} {state} the target: "
        f"{run.workload.metric} {value}, target {sign} {run.workload.target:g}"
    )
    return ("ok" if hit.passed else "target_missed"), reason


def _time_step_s(snapshots: list[Snapshot], hit: Reached, rule: str) -> float | None:
    """How finely the cost in seconds is resolved.

    Where the first snapshot to pass counts, another seed may pass one snapshot sooner or later, so
    that the spacing of the snapshots is the grid; a single snapshot leaves that of the stamps.
    """
    if hit.snapshot is None:
        return None
    place = snapshots.index(hit.snapshot)
    near = snapshots[max(place - 1, 0) : max(place, 1) + 1]
    grid_s = (near[-1].stamp_ns - near[0].stamp_ns) / NS_PER_S
    return max(grid_s, STAMP_STEP_S) if rule == "first_passing" else STAMP_STEP_S


def _energy_step_j(whole: Total, run: Run, time_s: float, time_step_s: float) -> float:
    """Joules that the figure cannot resolve: counters' steps, or its seconds at mean power."""
    added = set(whole.domains)
    counters = sum(domain.resolution_j or 0.0 for domain in run.domains if domain.name in added)
    return max(counters, (whole.energy_j or 0.0) * time_step_s / time_s)


def _energy(
    run: Run,
    joules: Mapping[str, IntervalEnergy],
    time_s: float | None,
    time_step_s: float | None,
    gpus_count: int,
) -> RunEnergy:
    cost, window = joules.get("cost"), joules.get("window")
    parts = cost.domains.values() if cost else ()
    energy = RunEnergy(
        by_domain_j={part.domain: part.energy_j for part in parts if part.energy_j is not None},
        window_j=window.total.energy_j if window else None,
    )
    # A counter that did not move has not measured anything: the joules are unknown, not zero.
    if not (cost and cost.total.energy_j and cost.total.energy_j > 0 and time_s and time_step_s):
        return energy
    return RunEnergy(
        energy_j=cost.total.energy_j,
        u_j=cost.total.u_j,
        step_j=_energy_step_j(cost.total, run, time_s, time_step_s),
        method=cost.total.method,
        domains=cost.total.domains,
        simulated=cost.total.simulated,
        level=measurement_level(cost.domains, run.domains, run.findings, gpus_count).level,
        by_domain_j=energy.by_domain_j,
        window_j=energy.window_j,
    )


def _energy_findings(
    joules: Mapping[str, IntervalEnergy], run: Run, ruleset: Ruleset
) -> Iterator[Finding]:
    """What keeps the joules of the counting window from being trusted."""
    cost = joules.get("cost")
    if cost is None:
        return
    if not cost.total.energy_j:
        reason = cost.total.reason or "no counter moved"
        yield Finding(rule="energy-missing", level="fail", message=f"no joules: {reason}")
        return
    for part in cost.domains.values():
        if part.domain in cost.total.domains:
            yield from _coverage_findings(part, run, ruleset)


def _coverage_findings(part: Energy, run: Run, ruleset: Ruleset) -> Iterator[Finding]:
    """Too little of the counting window was seen, or it was not looked at for too long.

    A counter goes on counting through a gap; power that nobody read is gone.
    """
    rules = ruleset.measure
    if part.coverage_ratio < rules.coverage_ratio_min:
        message = f"only {part.coverage_ratio:.1%} of the window has readings of {part.domain}"
        yield Finding(rule="energy-coverage", level="fail", message=message)
    update_s = max(d.update_period_s or 0.0 for d in run.domains if d.name == part.domain)
    asked_s = run.sampler.period_s if run.sampler else 0.0
    allowed_s = rules.gap_periods_max * max(asked_s, update_s)
    if part.method == "sampled" and (part.gap_max_s or 0.0) > allowed_s > 0:
        message = f"{part.domain} was not read for {part.gap_max_s:.3g} s"
        yield Finding(rule="energy-gap", level="fail", message=message)


NO_GPU = b'"gpus": []'
NO_PRICE = b'"price_usd_per_h": null'
"""How a machine without a price is written: parsing ten thousand of them would take seconds."""


def price_of(bundle: Bundle) -> float | None:
    """Declared price of the machine, US dollars an hour; None where nobody declared one."""
    if NO_PRICE in bundle.read("machine.json"):
        return None
    return bundle.machine.price_usd_per_h


def gpus_of(bundle: Bundle) -> int:
    """Number of GPUs of the machine."""
    return 0 if NO_GPU in bundle.read("machine.json") else len(bundle.machine.gpus)


def claimed_validation(bundle: Bundle) -> float | None:
    """What the submission logged last under the name that chooses its trial; None: nothing.

    Raises:
        BundleError: the events cannot be read.
    """
    claimed = None
    for line in bundle.read("events.jsonl").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a line that a fault cut off claims nothing
        if event.get("kind") == "log" and isinstance(event["data"].get(CLAIM), int | float):
            claimed = float(event["data"][CLAIM])
    return claimed


def trial_of(bundle: Bundle) -> TrialOf | None:
    """Which trial of which study a run is; None where nothing was tuned."""
    run, tuning = bundle.run, bundle.run.tuning
    if tuning is None:
        return None
    alone = tuning.mode == "self"
    # The runs of a series that tune themselves are studies of one trial each.
    number = f"{run.seeds.index}/{run.seeds.session}" if alone else str(tuning.study)
    return TrialOf(
        mode=tuning.mode,
        study=f"{run.seeds.commitment}/{number}",
        index=tuning.trial,
        trials_count=tuning.trials_count,
        validation=None if alone else claimed_validation(bundle),
    )


def run_score(bundle: Bundle, ruleset: Ruleset, results: Path) -> RunScore:
    """What one run cost under a ruleset.

    Args:
        bundle: The sealed evidence.
        ruleset: Which snapshot counts, and which checks apply.
        results: Folder that the bundle's path is given relative to.

    Raises:
        BundleError: a file of the bundle cannot be read.
    """
    run, rule = bundle.run, ruleset.run.snapshot_rule
    snapshots = counting_snapshots(run, bundle.ruleset, ruleset)
    hit = reached(run, bundle.evaluation, snapshots, rule)
    gun_ns, end_ns = run.window.gun_ns, run.window.end_ns
    time_s = _seconds(hit.snapshot.stamp_ns, gun_ns) if hit.snapshot else None
    time_step_s = _time_step_s(snapshots, hit, rule)
    joules, faults = joules_of(bundle, run, _spans(run, hit.snapshot))
    clock = (
        finding
        for finding in run.findings
        if finding.level == "fail" and finding.rule in CLOCK_RULES
    )
    findings = (
        *clock,
        *faults,
        *_energy_findings(joules, run, ruleset),
        *check_findings(bundle, ruleset),
    )
    status, reason = status_under(run, hit, ruleset)
    return RunScore(
        run_id=run.id,
        bundle=_relative(bundle.folder, results),
        manifest_sha256=bundle.manifest_sha256,
        seed=run.seeds.session,
        block=f"{run.seeds.commitment}/{run.seeds.index}/{run.seeds.instance}",
        started_utc=run.window.origin_utc,
        status=status,
        reason=reason,
        reached=hit.passed and run.status not in BROKEN,
        snapshot=hit.snapshot.index if hit.snapshot else None,
        step=hit.snapshot.step if hit.snapshot else None,
        metric=hit.metric,
        time_s=time_s,
        energy=_energy(run, joules, time_s, time_step_s, gpus_of(bundle)),
        time_low_s=_seconds(hit.before_ns, gun_ns) if rule == "first_passing" and time_s else None,
        time_step_s=time_step_s,
        window_s=None if end_ns is None else _seconds(end_ns, gun_ns),
        cpu_s=run.usage.cpu_s if run.usage else None,
        peak_rss_bytes=run.usage.peak_rss_bytes if run.usage else None,
        price_usd_per_h=price_of(bundle),
        trial=trial_of(bundle),
        findings=findings,
    )


def score_bundle(bundle: Bundle, ruleset: Ruleset, results: Path) -> ScoredRun:
    """The score of a bundle under a ruleset.

    Raises:
        BundleError: a file is not readable, or differs from the manifest.
    """
    run, evaluation = bundle.run, bundle.evaluation
    return ScoredRun(
        score=run_score(bundle, ruleset, results),
        workload=run.workload,
        submission=run.submission,
        machine=run.machine,
        examples=evaluation.examples if evaluation else 0,
        domains=run.domains,
    )


def _relative(folder: Path, results: Path) -> str:
    inside = folder.is_relative_to(results)
    return folder.relative_to(results).as_posix() if inside else folder.as_posix()
