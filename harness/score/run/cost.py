"""The cost of one run under a ruleset: seconds and joules of its score window."""

import json
from functools import cache
from pathlib import Path
from typing import cast

from harness.bundle import Bundle
from harness.clock import NS_PER_S
from harness.records import (
    Domain,
    Finding,
    Record,
    Ruleset,
    Run,
    RunScore,
    Status,
    Submission,
    TrialOf,
    Workload,
)
from harness.registry import find
from harness.rules.evidence import Check, Evidence
from harness.score.run.energy import energy_findings, read_joules, run_energy
from harness.score.run.snapshots import (
    ScoredSnapshot,
    counting_snapshots,
    scored_snapshot,
    time_step_s,
)

BROKEN = frozenset({"invalid", "aborted", "crashed", "oom", "killed"})
"""Statuses of runs that count as infinite cost, whatever they handed over."""

KEPT = frozenset({"degraded", "budget_exceeded", "diverged"})
"""Statuses that are kept where the target is not reached; `degraded` is kept in any case."""

CLOCK_RULES = frozenset({"suspended"})
"""Findings of the run's audit that make its seconds invalid too."""

CLAIM = "validation"
"""Name under which a submission logs the figure that chooses its tuning trial."""

NO_PRICE = b'"price_usd_per_h": null'
"""How a machine without a price is written: parsing ten thousand machine records takes seconds."""


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


@cache
def check_named(name: str) -> Check:
    """The check plug-in of that name.

    Raises:
        UnknownPlugin: there is none.
        BrokenPlugin: it does not load.
    """
    return cast("Check", find("checks", name).value)


def check_findings(bundle: Bundle, ruleset: Ruleset) -> tuple[Finding, ...]:
    """What the ruleset's named checks report of a run."""
    evidence = Evidence(
        run=bundle.run,
        evaluation=bundle.evaluation,
        ruleset=ruleset,
        enforced=bundle.ruleset,
        read_machine=lambda: bundle.machine,
    )
    return tuple(finding for name in ruleset.checks for finding in check_named(name)(evidence))


def status_under(run: Run, scored: ScoredSnapshot, rules: Ruleset) -> tuple[Status, str]:
    """Status and reason under a ruleset: the run's own where it failed, else by the target.

    Where the metric at the budget ranks there is no target to miss.
    """
    snapshot, name = scored.snapshot, run.workload.metric
    if run.status in BROKEN or run.status == "degraded":
        return run.status, run.reason
    if rules.run.mode == "quality_at_budget" and snapshot and scored.metric is not None:
        value = f"{name} {scored.metric:.6g} at snapshot {snapshot.index}"
        return "ok", f"{value}, the last within the budget"
    if run.status in KEPT and not scored.passed:
        return run.status, run.reason
    if snapshot is None:
        return "target_missed", f"no snapshot counts under {rules.name}: {run.reason}"
    reaches = "reaches" if scored.passed else "does not reach"
    sign = {"higher": ">=", "lower": "<="}[run.workload.better]
    metric = "none" if scored.metric is None else f"{scored.metric:.6g}"
    return ("ok" if scored.passed else "target_missed"), (
        f"snapshot {snapshot.index} {reaches} the target: "
        f"{name} {metric}, target {sign} {run.workload.target:g}"
    )


def _claimed_validation(bundle: Bundle) -> float | None:
    """What the submission logged last as `CLAIM`; None where it logged nothing.

    Raises:
        BundleError: the events cannot be read.
    """
    claimed = None
    for line in bundle.read("events.jsonl").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a line that a crash cut off
        if event.get("kind") == "log" and isinstance(event["data"].get(CLAIM), int | float):
            claimed = float(event["data"][CLAIM])
    return claimed


def _trial_of(bundle: Bundle) -> TrialOf | None:
    """Which trial of which study a run is; None where nothing was tuned."""
    seeds, tuning = bundle.run.seeds, bundle.run.tuning
    if tuning is None:
        return None
    # The runs of a series that tune themselves are studies of one trial each.
    alone = tuning.mode == "self"
    study = f"{seeds.index}/{seeds.session}" if alone else str(tuning.study)
    return TrialOf(
        mode=tuning.mode,
        study=f"{seeds.commitment}/{study}",
        index=tuning.trial,
        trials_count=tuning.trials_count,
        validation=None if alone else _claimed_validation(bundle),
    )


def run_score(bundle: Bundle, ruleset: Ruleset, results: Path) -> RunScore:
    """The cost of one run under a ruleset.

    Args:
        bundle: The sealed run.
        ruleset: Which snapshot is scored, and which checks apply.
        results: Folder that the bundle's path is given relative to.

    Raises:
        BundleError: a file of the bundle cannot be read.
    """
    run, rule, window = bundle.run, ruleset.run.snapshot_rule, bundle.run.window

    def seconds(end_ns: int | None) -> float | None:
        """Seconds after the start signal."""
        if end_ns is None or window.gun_ns is None:
            return None
        return (end_ns - window.gun_ns) / NS_PER_S

    snapshots = counting_snapshots(run, bundle.ruleset, ruleset)
    scored = scored_snapshot(run, bundle.evaluation, snapshots, rule)
    snapshot = scored.snapshot
    end_ns = None
    if snapshot:
        # Work after the last snapshot can reach the predictor, so `final` charges it.
        end_ns = window.end_ns if rule == "final" else snapshot.stamp_ns
    time_s, step_s = seconds(end_ns), time_step_s(snapshots, snapshot, rule)
    joules, faults = read_joules(bundle, end_ns)
    clock = (item for item in run.findings if item.level == "fail" and item.rule in CLOCK_RULES)
    status, reason = status_under(run, scored, ruleset)
    priced = NO_PRICE not in bundle.read("machine.json")
    inside = bundle.folder.is_relative_to(results)
    folder = bundle.folder.relative_to(results) if inside else bundle.folder
    return RunScore(
        run_id=run.id,
        bundle=folder.as_posix(),
        manifest_sha256=bundle.manifest_sha256,
        seed=run.seeds.session,
        block=f"{run.seeds.commitment}/{run.seeds.index}/{run.seeds.instance}",
        started_utc=window.origin_utc,
        status=status,
        reason=reason,
        reached=scored.passed and run.status not in BROKEN,
        snapshot=snapshot.index if snapshot else None,
        step=snapshot.step if snapshot else None,
        metric=scored.metric,
        time_s=time_s,
        time_low_s=seconds(scored.before_ns) if rule == "first_passing" and time_s else None,
        time_step_s=step_s,
        energy=run_energy(bundle, joules, time_s, step_s),
        window_s=seconds(window.end_ns),
        cpu_s=run.usage.cpu_s if run.usage else None,
        peak_rss_bytes=run.usage.peak_rss_bytes if run.usage else None,
        price_usd_per_h=bundle.machine.price_usd_per_h if priced else None,
        trial=_trial_of(bundle),
        findings=(
            *clock,
            *faults,
            *energy_findings(joules, run, ruleset),
            *check_findings(bundle, ruleset),
        ),
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
