"""The score of one entry: its runs on one workload and machine become figures and a status."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
    Cost,
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

Status = Literal["scored", "target_missed", "runs_failed", "too_few_runs", "excluded"]


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
    def at_budget(self) -> bool:
        """Whether the metric at the budget ranks."""
        return self.ruleset.run.mode == "quality_at_budget"

    @property
    def level(self) -> float:
        """Confidence level of the intervals."""
        return self.ruleset.score.confidence

    @property
    def scores(self) -> list[RunScore]:
        """Of the runs and of the trials."""
        return [run.score for run in (*self.runs, *self.trials)]

    def has_result(self, run: RunScore) -> bool:
        """Whether a run has a valid result under the ruleset."""
        return is_valid(run, self.rule)


class Tally(NamedTuple):
    """The runs of a group, sorted into those with a result and those without."""

    valid: tuple[RunScore, ...]
    failed: tuple[RunScore, ...]
    lost: int
    """Runs known from the ledger only."""

    @property
    def seeds(self) -> int:
        """Distinct seeds that count."""
        return len({run.seed for run in self.valid})

    @property
    def failures(self) -> int:
        """Runs without a valid result."""
        return len(self.failed) + self.lost

    @property
    def total(self) -> int:
        """All runs that were started."""
        return len(self.valid) + self.failures

    def first_failure(self) -> str:
        """Why the first of the failed runs failed."""
        if not self.failed:
            return "left no readable bundle"
        return f"{self.failed[0].status}: {self.failed[0].reason}"


def by_study(group: Group) -> Group:
    """The group with one run for each tuning study; unchanged where nothing was tuned."""
    if group.head.score.trial is None:
        return group
    known = {run.score.run_id: run for run in group.runs}
    scores = [run.score for run in group.runs]
    studies = tuning.studies(scores, group.rule, group.head.workload.better, group.has_result)
    counting = tuple(
        known[study.counting.run_id].model_copy(update={"score": study.counting})
        for study in studies
    )
    others = tuple(known[run.run_id] for study in studies for run in study.others)
    return group._replace(runs=counting, trials=others)


def tally(group: Group) -> Tally:
    """Sort the runs of a group."""
    runs = [run.score for run in group.runs]
    valid = tuple(run for run in runs if group.has_result(run))
    failed = tuple(run for run in runs if not group.has_result(run))
    return Tally(valid, failed, len(group.lost))


# --- metric and status ----------------------------------------------------------------------------


def metrics_by_seed(runs: Iterable[RunScore]) -> dict[int, float]:
    """The metric of each seed; of runs that share one, the mean."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for run in runs:
        if run.metric is not None:
            by_seed[run.seed].append(run.metric)
    return {seed: statistics.fmean(values) for seed, values in sorted(by_seed.items())}


def metric_result(group: Group, counts: Tally) -> MetricResult:
    """The mean metric over seeds, and the p of its test against the target.

    No test is made of a metric that was selected for passing, or where there is no target.
    """
    workload = group.head.workload
    values = list(metrics_by_seed(counts.valid).values())
    figure, p_target, floor = None, None, 0.0
    if values:
        mean = statistics.fmean(values)
        floor = metric_sd_floor(workload.metric_unit, group.head.examples, mean)
        interval = mean_interval(values, group.level, floor)
        figure = _figure(interval, len(values), group.level)
        if group.rule == "final" and not group.at_budget:
            p_target = target_p(values, workload.target, workload.better, floor)
    return MetricResult(
        name=workload.metric,
        better=workload.better,
        target=workload.target,
        figure=figure,
        sd_floor=floor,
        p_target=p_target,
    )


def _final_status(group: Group, counts: Tally, metric: MetricResult) -> tuple[Status, str]:
    """Status under `final`: enough seeds, none failed, and the mean beats the target."""
    started = len({run.score.seed for run in group.runs}) + counts.lost
    due = group.ruleset.run.seeds_count
    if started < due:
        return "too_few_runs", f"{started} of {due} seeds were run"
    if counts.failures:
        failed = f"{counts.failures} of {counts.total} runs failed"
        return "target_missed", f"{failed} ({counts.first_failure()})"
    value = "none" if metric.figure is None else f"{metric.figure.value:.6g}"
    mean, p = f"mean {metric.name} {value} against {metric.target:g}", metric.p_target
    alpha = group.ruleset.score.target_alpha
    if p is not None and p < alpha:
        return "scored", f"{mean}: beats the target (p = {p:.2g})"
    why = "one seed cannot show it" if p is None else f"p = {p:.2g}, not under {alpha:g}"
    return "target_missed", f"{mean}: not shown to beat the target ({why})"


def _budget_status(group: Group, counts: Tally, metric: MetricResult) -> tuple[Status, str]:
    """Status where the metric at the budget ranks: enough seeds, and a metric of each run."""
    due = group.ruleset.run.seeds_count
    if counts.failures:
        failed = f"{counts.failures} of {counts.total} runs left no metric"
        return "runs_failed", f"{failed} ({counts.first_failure()})"
    if counts.seeds < due:
        return "too_few_runs", f"{counts.seeds} of {due} seeds were run"
    return "scored", f"mean {metric.name} at the budget over {counts.seeds} seeds"


def _first_passing_status(counts: Tally) -> tuple[Status, str]:
    if not counts.valid:
        return "target_missed", f"no run reached the target ({counts.first_failure()})"
    if counts.failures:
        failed = f"{counts.failures} of {counts.total} runs failed"
        return "scored", f"{failed}; the cost includes what they used"
    return "scored", f"{len(counts.valid)} of {len(counts.valid)} runs reached the target"


def status_of(group: Group, counts: Tally, metric: MetricResult) -> tuple[Status, str]:
    """Status of a group with its reason; a failed check that is not about joules excludes it."""
    failed = (
        finding for run in group.scores for finding in run.findings if finding.level == "fail"
    )
    excluding = (item for item in failed if not item.rule.startswith(ENERGY_RULES))
    for finding in (*excluding, *_mixed_data(group)):
        return "excluded", f"{finding.message} ({finding.rule})"
    if group.at_budget:
        return _budget_status(group, counts, metric)
    if group.rule == "final":
        return _final_status(group, counts, metric)
    return _first_passing_status(counts)


# --- costs ----------------------------------------------------------------------------------------


def _figure(interval: Interval, n: int, level: float) -> Figure:
    return Figure(value=interval.value, low=interval.low, high=interval.high, n=n, level=level)


def _cost_figure(values: Costs | None, level: float) -> Figure | None:
    if values is None:
        return None
    interval = log_t_interval(values.values.values(), level, values.sd_floor)
    return _figure(interval, len(values.values), level)


def cost_with_failures(
    values: Costs | None, counts: Tally, level: float, cost: Cost, fallback: float | None = None
) -> Figure | None:
    """A cost figure; where runs failed, the cost of all runs over the successes, upper end open.

    Args:
        values: Costs of the valid runs.
        counts: All runs.
        level: Confidence of the interval.
        cost: What a failed run used until it ended.
        fallback: The same of a run for which it is unknown; None: then there is no figure.
    """
    if values is None or not counts.failures:
        return _cost_figure(values, level)
    spent = [*map(cost, counts.failed), *[None] * counts.lost]
    known = [used for run in spent if (used := fallback if run is None else run) is not None]
    if len(known) < len(spent):
        return None
    interval = success_cost(list(values.values.values()), known, level)
    return _figure(interval, len(values.values), level)


def _has_costs(group: Group, counts: Tally, status: Status, metric: MetricResult) -> bool:
    """Whether there is a cost to show: the target was reached, as far as the runs go."""
    if group.at_budget:
        return False
    if group.rule == "first_passing":
        return bool(counts.valid)
    value = metric.figure.value if metric.figure else None
    reached = passes(value, metric.target, metric.better)
    return reached and not counts.failures and status != "target_missed"


def _cost_figures(group: Group, counts: Tally, joules: EnergyAssessment) -> CostFigures:
    """The costs of a group that reached the target."""
    level, budget_s = group.level, group.head.workload.budget_s
    times = time_costs(counts.valid)
    return CostFigures(
        time_to_target_s=cost_with_failures(
            times, counts, level, lambda run: run.window_s, budget_s
        ),
        energy_to_target_j=_energy_figure(counts, joules, level),
        steps_to_target=_cost_figure(step_costs(counts.valid), level),
        cost_to_target_usd=_cost_figure(dollar_costs(counts.valid), level),
        cpu_s=_cost_figure(costs(counts.valid, lambda run: run.cpu_s), level),
    )


def _energy_figure(counts: Tally, joules: EnergyAssessment, level: float) -> Figure | None:
    if not joules.complete:
        return None
    figure = cost_with_failures(
        energy_costs(counts.valid), counts, level, lambda run: run.energy.window_j
    )
    marks = {
        "method": joules.method,
        "domains": joules.domains,
        "simulated": joules.simulated,
        "uncertainty": joules.uncertainty,
    }
    return figure.model_copy(update=marks) if figure else None


def _domain_figures(group: Group, counts: Tally) -> dict[str, Figure]:
    """Joules of each domain that every run with a result has."""
    figures = {}
    for domain in group.head.domains:

        def cost(run: RunScore, name: str = domain.name) -> float | None:
            """Joules of the domain."""
            return run.energy.by_domain_j.get(name)

        def step(run: RunScore, domain: Domain = domain) -> float:
            """Resolution of these joules: that of its counter, or of the seconds at mean power."""
            share = (run.time_step_s or 0.0) / run.time_s if run.time_s else 0.0
            return max(domain.resolution_j or 0.0, share * run.energy.by_domain_j[domain.name])

        values = costs(counts.valid, cost, step)
        if figure := _cost_figure(values, group.level):
            marks = {
                "domains": (domain.name,),
                "method": domain.method,
                "simulated": domain.simulated,
            }
            figures[domain.name] = figure.model_copy(update=marks)
    return figures


def _tuning_account(group: Group, valid: Sequence[RunScore]) -> TuningAccount | None:
    """What tuning cost, and the two costs with it; no figures without a valid run."""
    trials = [trial.score for trial in group.trials]

    def figure(own: Cost, window: Cost) -> Figure | None:
        """A cost with that of the other trials."""
        spent = tuning.tuning_costs(trials, window)
        return _cost_figure(costs(valid, tuning.with_tuning(own, spent)), group.level)

    return tuning.account(
        [run.score for run in group.runs],
        group.rule,
        figure(lambda run: run.time_s, lambda run: run.window_s),
        figure(lambda run: run.energy.energy_j, lambda run: run.energy.window_j),
        group.has_result,
    )


# --- findings -------------------------------------------------------------------------------------


def _merged_findings(runs: Sequence[RunScore]) -> Iterator[Finding]:
    """One finding for each rule and level, with the number of runs that have it."""
    by_rule: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for run in runs:
        of_run = {(finding.rule, finding.level): finding for finding in run.findings}
        for key, finding in of_run.items():
            by_rule[key].append(finding)
    for _, findings in sorted(by_rule.items()):
        message = f"{findings[0].message} ({len(findings)} of {len(runs)} runs)"
        yield findings[0].model_copy(update={"message": message})


def _mixed_data(group: Group) -> Iterator[Finding]:
    """Runs on packed data that differ: a secret set that was changed, or another packing."""
    packings = {run.workload.data.manifest_sha256 if run.workload.data else None
                for run in group.runs}  # fmt: skip
    if len(packings) > 1:
        yield Finding(
            rule="data-mixed",
            level="fail",
            message=f"the runs used {len(packings)} different packings of the data of "
            f"{group.head.workload.name}, whose figures have no common mean",
            advice="score the runs of each packing from a results folder of its own",
        )


def _group_findings(group: Group) -> Iterator[Finding]:
    """Findings about the group itself: mixed data, repeated seeds, lost runs."""
    yield from _mixed_data(group)
    seeds = Counter(run.score.seed for run in group.runs)
    if repeated := sum(count - 1 for count in seeds.values()):
        message = f"{repeated} runs repeat a seed and add nothing to n"
        yield Finding(rule="seed-repeated", level="warn", message=message)
    if group.lost:
        names = ", ".join(row.run_id for row in group.lost[:3])
        more = f" and {len(group.lost[3:])} more" if group.lost[3:] else ""
        message = f"started and left no readable bundle, counted as failed: {names}{more}"
        yield Finding(rule="ledger-lost", level="warn", message=message)


def score_of(all_runs: Group) -> Score:
    """The score of one group of runs."""
    group = by_study(all_runs)
    head, counts = group.head, tally(group)
    metric = metric_result(group, counts)
    status, reason = status_of(group, counts, metric)
    joules = assess_energy(counts.valid, group.ruleset)
    shown = _has_costs(group, counts, status, metric)
    figures = _cost_figures(group, counts, joules) if shown else CostFigures()
    peaks = (run.peak_rss_bytes for run in group.scores)
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
            mode=group.ruleset.run.mode,
            separation_alpha=group.ruleset.score.separation_alpha,
        ),
        status=status,
        reason=reason,
        n=counts.seeds,
        failures=counts.failures,
        quality=metric,
        costs=figures,
        energy=EnergyStatus(
            eligible=joules.eligible and figures.energy_to_target_j is not None,
            note=joules.note,
            by_domain_j=_domain_figures(group, counts) if shown else {},
        ),
        peak_rss_bytes=max((peak for peak in peaks if peak is not None), default=None),
        spent=tuning.spent_by(group.scores),
        tuning=_tuning_account(group, counts.valid if shown and not counts.failures else ()),
        runs=tuple(run.score for run in group.runs),
        trials=tuple(trial.score for trial in group.trials),
        findings=(*_merged_findings(group.scores), *_group_findings(group)),
    )
