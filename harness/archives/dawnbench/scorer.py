"""DAWNBench: time, and dollars, to the first row of an entry's table that reaches the target.

As shipped, the first row of the file counts; by the rules, the earliest one. Each entry is one run,
on the test set and as its authors reported it: it has no interval, and no two differ significantly.
"""

from collections.abc import Sequence

from harness.archives.scoring import (
    TargetMetric,
    figure,
    leaderboards,
    read_targets,
    report_without_target,
)
from harness.formats.format import Outcome
from harness.formats.imported import imported_rules
from harness.records import ImportedRules, ImportedRun, ImportedScore, Ruleset

S_PER_H = 3600.0


def first_hit_s(run: ImportedRun, target: TargetMetric, *, as_shipped: bool) -> float | None:
    """Seconds of the row that counts; None where none reaches the target."""
    if run.curve is None:
        return None
    values = run.curve.metric.get(target.metric, ())
    hits = [t for t, value in zip(run.curve.time_s, values, strict=False) if target.reached(value)]
    return min(hits[:1] if as_shipped else hits, default=None)


def _reason(run: ImportedRun, target: TargetMetric, time_s: float | None) -> str:
    if run.curve is None:
        return run.reason
    sign = ">=" if target.better == "higher" else "<="
    verb = "reached" if time_s is not None else "never reached"
    return f"{verb} {target.metric} {sign} {target.value:g}; one run, as its authors reported it"


def score_run(run: ImportedRun, target: TargetMetric, rules: ImportedRules) -> ImportedScore:
    """Score one entry."""
    time_s = first_hit_s(run, target, as_shipped=rules.as_shipped)
    price = run.facts.get("price_usd_per_h", rules.price_usd_per_h)
    usd = None
    if time_s is not None and isinstance(price, int | float) and price > 0:
        usd = time_s / S_PER_H * price
    return ImportedScore(
        workload=run.workload,
        submission=run.submission,
        machine=run.machine,
        n=int(time_s is not None),
        due_count=1,
        failures=int(time_s is None),
        status="target_missed" if time_s is None else "scored",
        reason=_reason(run, target, time_s),
        time_to_target_s=None if time_s is None else figure(time_s, [time_s], rules.confidence),
        energy_to_target_j=None,
        cost_to_target_usd=None if usd is None else figure(usd, [usd], rules.confidence),
        facts=run.facts,
    )


def score(runs: Sequence[ImportedRun], ruleset: Ruleset) -> Outcome:
    """Score every entry of every task that the rules have a target for.

    Raises:
        ValueError: a target of the rules cannot be read.
    """
    rules = imported_rules(ruleset)
    targets = read_targets(rules.targets)
    scores = [
        score_run(run, targets[run.workload], rules) for run in runs if run.workload in targets
    ]
    boards = [
        standing
        for quantity in ("time_to_target_s", "cost_to_target_usd")
        for standing in leaderboards(scores, None, quantity, rules.separation_alpha)
    ]
    findings = report_without_target(runs, targets, "dawnbench-no-target")
    return Outcome(tuple(scores), tuple(boards), tuple(findings))
