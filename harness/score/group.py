"""One score: the runs of a submission on one workload and machine become figures and a status."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from harness.records import (
    CostFigures,
    Domain,
    EnergyStatus,
    EntryRef,
    Figure,
    Finding,
    LedgerRow,
    MetricResult,
    Ruleset,
    RulesInForce,
    RunScore,
    Score,
    TuningAccount,
)
from harness.score import tuning
from harness.score.costs import (
    Costs,
    costs,
    dollar_costs,
    energy_costs,
    is_valid,
    step_costs,
    time_costs,
)
from harness.score.energy_eligibility import ENERGY_RULES, EnergyAssessment, assess_energy
from harness.score.run.cost import ScoredRun
from harness.score.stats.intervals import (
    Interval,
    log_t_interval,
    mean_interval,
    metric_sd_floor,
    passes,
    success_cost,
    target_p,
)

ScoreStatus = Literal["scored", "target_missed", "runs_failed", "too_few_runs", "excluded"]


class Group(NamedTuple):
    """All runs of one submission on one workload version and machine under one ruleset."""

    runs: tuple[ScoredRun, ...]
    ruleset: Ruleset
    label: str
    """Name of the ruleset, with its overrides."""
    lost: tuple[LedgerRow, ...] = ()
    """Runs that were started and left no readable bundle."""
    trials: tuple[ScoredRun, ...] = ()
    """Tuning trials that do not represent their study: cost only."""

    @property
    def head(self) -> ScoredRun:
        """The last run, whose titles are shown."""
        return self.runs[-1]

    @property
    def rule(self) -> Literal["final", "first_passing"]:
        """Which snapshot is scored."""
        return self.ruleset.run.snapshot_rule

    @property
    def mode(self) -> Literal["cost_to_target", "quality_at_budget"]:
        """What ranks."""
        return self.ruleset.run.mode

    @property
    def level(self) -> float:
        """Confidence level of the intervals."""
        return self.ruleset.score.confidence


def by_study(group: Group) -> Group:
    """The group with one run for each tuning study; unchanged where nothing was tuned."""
    if group.head.score.trial is None:
        return group
    known = {run.score.run_id: run for run in group.runs}
    studies = tuning.studies(
        [run.score for run in group.runs],
        group.rule,
        group.head.workload.better,
        lambda run: is_valid(run, group.rule),
    )
    counting = tuple(
        known[study.counting.run_id].model_copy(update={"score": study.counting})
        for study in studies
    )
    others = tuple(known[run.run_id] for study in studies for run in study.others)
    return group._replace(runs=counting, trials=others)


def _figure(interval: Interval, n: int, level: float) -> Figure:
    return Figure(value=interval.value, low=interval.low, high=interval.high, n=n, level=level)


def _cost_figure(found: Costs | None, level: float) -> Figure | None:
    if found is None:
        return None
    interval = log_t_interval(found.values.values(), level, found.sd_floor)
    return _figure(interval, len(found.values), level)


class Tally(NamedTuple):
    """The runs of a group, sorted into those with a result and those without."""

    valid: tuple[RunScore, ...]
    failed: tuple[RunScore, ...]
    lost: int
    """Runs known from the ledger alone."""

    @property
    def seeds(self) -> int:
        """Distinct seeds that count."""
        return len({run.seed for run in self.valid})

    @property
    def failures(self) -> int:
        """Runs without a valid result."""
        return len(self.failed) + self.lost


def tally(group: Group) -> Tally:
    """Sort the runs of a group."""
    runs = [run.score for run in group.runs]
    valid = tuple(run for run in runs if is_valid(run, group.rule))
    failed = tuple(run for run in runs if not is_valid(run, group.rule))
    return Tally(valid, failed, len(group.lost))


def _spent(
    sums: Tally, fallback: float | None, cost: Callable[[RunScore], float | None]
) -> list[float] | None:
    """What the failed runs cost until they ended; None where one of them is unknown."""
    spent = [cost(run) for run in sums.failed] + [None] * sums.lost
    known = [fallback if item is None else item for item in spent]
    there = [item for item in known if item is not None]
    return there if len(there) == len(known) else None


def cost_with_failures(
    found: Costs | None, sums: Tally, level: float, spent: list[float] | None
) -> Figure | None:
    """A cost figure; where runs failed, all that was spent over the successes, upper end open."""
    if found is None or not sums.failures:
        return _cost_figure(found, level)
    if spent is None:
        return None
    interval = success_cost(list(found.values.values()), spent, level)
    return _figure(interval, len(found.values), level)


def metrics_by_seed(runs: Iterable[RunScore]) -> dict[int, float]:
    """The metric of each seed; of runs that share one, the mean."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for run in runs:
        if run.metric is not None:
            by_seed[run.seed].append(run.metric)
    return {seed: statistics.fmean(item) for seed, item in sorted(by_seed.items())}


def _metric_floor(sums: Tally, head: ScoredRun) -> float:
    values = list(metrics_by_seed(sums.valid).values())
    if not values:
        return 0.0
    return metric_sd_floor(head.workload.metric_unit, head.examples, statistics.fmean(values))


def _metric(sums: Tally, head: ScoredRun, level: float) -> tuple[Figure | None, float | None]:
    """The mean metric over seeds and the p of its test against the target."""
    values = list(metrics_by_seed(sums.valid).values())
    if not values:
        return None, None
    work, floor = head.workload, _metric_floor(sums, head)
    figure = _figure(mean_interval(values, level, floor), len(values), level)
    return figure, target_p(values, work.target, work.better, floor)


def _failure_text(sums: Tally) -> str:
    known = [f"{run.status}: {run.reason}" for run in sums.failed]
    return (known or ["left no readable bundle"])[0]


def _final_status(
    sums: Tally, group: Group, mean: Figure | None, p: float | None
) -> tuple[ScoreStatus, str]:
    """Status under `final`: enough seeds, none failed, and the mean beats the target."""
    rules, work = group.ruleset, group.head.workload
    runs = len({run.score.seed for run in group.runs}) + sums.lost
    if runs < rules.run.seeds_count:
        return "too_few_runs", f"{runs} of {rules.run.seeds_count} seeds were run"
    if sums.failures:
        count = f"{sums.failures} of {len(group.runs) + sums.lost} runs failed"
        return "target_missed", f"{count} ({_failure_text(sums)})"
    alpha = rules.score.target_alpha
    value = "none" if mean is None else f"{mean.value:.6g}"
    told = f"mean {work.metric} {value} against {work.target:g}"
    if p is None or not p < alpha:
        shown = "one seed cannot show it" if p is None else f"p = {p:.2g}, not under {alpha:g}"
        return "target_missed", f"{told}: not shown to beat the target ({shown})"
    return "scored", f"{told}: beats the target (p = {p:.2g})"


def _quality_status(sums: Tally, group: Group) -> tuple[ScoreStatus, str]:
    """Status where the metric at the budget ranks: enough seeds, and a metric of each run."""
    due, total = group.ruleset.run.seeds_count, len(group.runs) + sums.lost
    if sums.failures:
        count = f"{sums.failures} of {total} runs left no metric"
        return "runs_failed", f"{count} ({_failure_text(sums)})"
    if sums.seeds < due:
        return "too_few_runs", f"{sums.seeds} of {due} seeds were run"
    return "scored", f"mean {group.head.workload.metric} at the budget over {sums.seeds} seeds"


def _first_passing_status(sums: Tally) -> tuple[ScoreStatus, str]:
    if not sums.valid:
        return "target_missed", f"no run reached the target ({_failure_text(sums)})"
    if sums.failures:
        total = len(sums.valid) + sums.failures
        return "scored", f"{sums.failures} of {total} runs failed; what they spent is added"
    return "scored", f"{len(sums.valid)} of {len(sums.valid)} runs reached the target"


def _excluding(runs: Sequence[RunScore]) -> Finding | None:
    """The first failed check that is not about joules alone."""
    failed = (finding for run in runs for finding in run.findings if finding.level == "fail")
    return next((item for item in failed if not item.rule.startswith(ENERGY_RULES)), None)


def _merged(runs: Sequence[RunScore]) -> list[Finding]:
    """One finding for each rule and level, with the number of runs that it was found in."""
    found: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for run in runs:
        for rule, element in {
            (finding.rule, finding.level): finding for finding in run.findings
        }.items():
            found[rule].append(element)
    return [
        item[0].model_copy(
            update={"message": f"{item[0].message} ({len(item)} of {len(runs)} runs)"}
        )
        for _, item in sorted(found.items())
    ]


def _mixed(group: Group) -> Iterator[Finding]:
    """Runs on packed data that differ: a secret set that was changed, or another packing."""
    states = {run.workload.data for run in group.runs}
    found = {state.manifest_sha256 if state else None for state in states}
    if len(found) > 1:
        yield Finding(
            rule="data-mixed",
            level="fail",
            message=f"the runs used {len(found)} different packings of the data of "
            f"{group.head.workload.name}, whose figures have no common mean",
            advice="score the runs of each packing from a results folder of its own",
        )


def _group_findings(group: Group) -> list[Finding]:
    """Findings about the group itself: mixed data, repeated seeds, lost runs."""
    seeds = Counter(run.score.seed for run in group.runs)
    findings = [*_mixed(group)]
    if repeated := sum(count - 1 for count in seeds.values()):
        message = f"{repeated} runs repeat a seed and add nothing to n"
        findings.append(Finding(rule="seed-repeated", level="warn", message=message))
    if group.lost:
        names = ", ".join(row.run_id for row in group.lost[:3])
        more = f" and {len(group.lost) - 3} more" if len(group.lost) > 3 else ""  # noqa: PLR2004
        message = f"started and left no readable bundle, counted as failed: {names}{more}"
        findings.append(Finding(rule="ledger-lost", level="warn", message=message))
    return findings


def _domain_figures(sums: Tally, domains: Sequence[Domain], level: float) -> dict[str, Figure]:
    """Joules of each domain that every run with a result has."""
    figures = {}
    for domain in domains:
        found = costs(
            sums.valid,
            lambda run, name=domain.name: run.energy.by_domain_j.get(name),  # type: ignore[misc]
            lambda run: run.energy.step_j,
        )
        if figure := _cost_figure(found, level):
            figures[domain.name] = figure.model_copy(
                update={
                    "domains": (domain.name,),
                    "method": domain.method,
                    "simulated": domain.simulated,
                }
            )
    return figures


def _energy_figure(sums: Tally, joules: EnergyAssessment, level: float) -> Figure | None:
    if not joules.complete:
        return None
    spent = _spent(sums, None, lambda run: run.energy.window_j)
    figure = cost_with_failures(energy_costs(sums.valid), sums, level, spent)
    marks = {
        "method": joules.method,
        "domains": joules.domains,
        "simulated": joules.simulated,
        "uncertainty": joules.uncertainty,
    }
    return figure.model_copy(update=marks) if figure else None


class Verdict(NamedTuple):
    """Status of a group, and what of it is known."""

    status: ScoreStatus
    reason: str
    metric: Figure | None
    p_target: float | None


def verdict(group: Group, sums: Tally) -> Verdict:
    """Whether a group is scored, and why not."""
    level = group.level
    mean, p = _metric(sums, group.head, level)
    if group.mode == "quality_at_budget":
        p = None
        status, reason = _quality_status(sums, group)
    elif group.rule == "final":
        status, reason = _final_status(sums, group, mean, p)
    else:
        # Of a metric picked for passing no test can say anything.
        p = None
        status, reason = _first_passing_status(sums)
    out = _excluding([item.score for item in (*group.runs, *group.trials)]) or next(
        _mixed(group), None
    )
    if out is not None:
        status, reason = "excluded", f"{out.message} ({out.rule})"
    return Verdict(status, reason, mean, p)


def _has_costs(found: Verdict, group: Group, sums: Tally) -> bool:
    """Whether there is a cost to show: the target was reached, as far as the runs go."""
    if group.mode == "quality_at_budget":
        return False
    if group.rule == "first_passing":
        return bool(sums.valid)
    work = group.head.workload
    value = found.metric.value if found.metric else None
    return (
        not sums.failures
        and found.status != "target_missed"
        and passes(value, work.target, work.better)
    )


def _figures(group: Group, sums: Tally, joules: EnergyAssessment) -> CostFigures:
    """The costs of a group that reached the target."""
    level = group.level
    budget_s = group.head.workload.budget_s
    times = cost_with_failures(
        time_costs(sums.valid), sums, level, _spent(sums, budget_s, lambda run: run.window_s)
    )
    return CostFigures(
        time_to_target_s=times,
        energy_to_target_j=_energy_figure(sums, joules, level),
        steps_to_target=_cost_figure(step_costs(sums.valid), level),
        cost_to_target_usd=_cost_figure(dollar_costs(sums.valid), level),
        cpu_s=_cost_figure(costs(sums.valid, lambda run: run.cpu_s), level),
    )


def _account(group: Group, sums: Tally, *, shown: bool) -> TuningAccount | None:
    """What tuning cost, and the two costs with it."""
    level = group.level
    trials = [trial.score for trial in group.trials]
    time_s = tuning.tuning_costs(trials, lambda run: run.window_s)
    energy_j = tuning.tuning_costs(trials, lambda run: run.energy.window_j)
    valid = sums.valid if shown and not sums.failures else ()
    figures = (
        _cost_figure(costs(valid, tuning.with_tuning(lambda run: run.time_s, time_s)), level),
        _cost_figure(
            costs(valid, tuning.with_tuning(lambda run: run.energy.energy_j, energy_j)), level
        ),
    )
    counting = [run.score for run in group.runs]
    return tuning.account(counting, group.rule, figures, lambda run: is_valid(run, group.rule))


def score_of(group_: Group) -> Score:
    """The score of one group of runs."""
    group = by_study(group_)
    head, sums = group.head, tally(group)
    runs = [run.score for run in group.runs]
    trials = [trial.score for trial in group.trials]
    found = verdict(group, sums)
    joules = assess_energy(sums.valid, group.ruleset)
    shown = _has_costs(found, group, sums)
    figures = _figures(group, sums, joules) if shown else CostFigures()
    by_domain = _domain_figures(sums, head.domains, group.ruleset.score.confidence) if shown else {}
    peaks = [run.peak_rss_bytes for run in (*runs, *trials) if run.peak_rss_bytes is not None]
    return Score(
        entry=EntryRef(
            workload=head.workload.name,
            workload_version=head.workload.version,
            submission=head.submission.name,
            sha256=head.submission.sha256,
            title=head.submission.title,
            team=head.submission.team,
            division=head.submission.division,
            machine=head.machine,
        ),
        rules=RulesInForce(
            ruleset=group.label,
            snapshot_rule=group.rule,
            mode=group.mode,
            separation_alpha=group.ruleset.score.separation_alpha,
        ),
        status=found.status,
        reason=found.reason,
        n=sums.seeds,
        failures=sums.failures,
        quality=MetricResult(
            name=head.workload.metric,
            better=head.workload.better,
            target=head.workload.target,
            figure=found.metric,
            sd_floor=_metric_floor(sums, head),
            p_target=found.p_target,
        ),
        costs=figures,
        energy=EnergyStatus(
            eligible=joules.eligible and figures.energy_to_target_j is not None,
            note=joules.note,
            by_domain_j=by_domain,
        ),
        peak_rss_bytes=max(peaks, default=None),
        spent=tuning.spent_by([*runs, *trials]),
        tuning=_account(group, sums, shown=shown),
        runs=tuple(runs),
        trials=tuple(trials),
        findings=(*_merged([*runs, *trials]), *_group_findings(group)),
    )
