"""Whether a repetition reproduces what was sealed: target, metric and costs, with intervals."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.records import RunScore, Score
from harness.records.confirm import Confirmation, ConfirmRow, ConfirmVerdict
from harness.records.measure import weakest_method
from harness.score.compare import ratio_interval
from harness.score.costs import Costs, energy_costs, sample_of, time_costs, valid_runs
from harness.score.stats.comparison import welch_degrees
from harness.score.stats.intervals import Interval, log_interval, t_cdf, t_quantile
from harness.score.stats.sample import MeanVariance, Sample, sample_sd


class SeriesScores(NamedTuple):
    """The score of a series, and of the reference that was interleaved with it, if any."""

    own: Score
    reference: Score | None


class ConfirmRules(NamedTuple):
    """What a verdict depends on besides the data."""

    margin_ratio: float
    """A cost that is higher by no more than this is reproduced, as 0.1 for 10 %."""
    confidence: float
    alpha: float
    """One-sided level of the test on the metric."""


# --- costs ----------------------------------------------------------------------------------------

CostsOf = Callable[[Sequence[RunScore]], Costs | None]


def _sample(score: Score | None, costs: CostsOf) -> Sample | None:
    values = costs(valid_runs(score)) if score else None
    return sample_of(values, score) if values and score else None


def _over_reference(
    old: SeriesScores, new: SeriesScores, costs: CostsOf, level: float
) -> Interval | None:
    """New over old cost, each divided by its reference's; None without both references.

    The half-widths of the two logarithms' intervals are added in squares.
    """
    ratios = []
    for series in (old, new):
        base, own = _sample(series.reference, costs), _sample(series.own, costs)
        if base is None or own is None:
            return None
        ratios.append(ratio_interval(base, own, level))
    change = ratios[1].value / ratios[0].value
    halves = [math.log(ratio.high / ratio.value) for ratio in ratios if ratio.high is not None]
    if len(halves) < len(ratios):
        return Interval(change, None, None)
    return log_interval(math.log(change), math.hypot(*halves))


def _absolute(
    old: SeriesScores, new: SeriesScores, costs: CostsOf, level: float
) -> Interval | None:
    """New over old cost on one machine, without the reference; None where that is not possible.

    The two series are treated as independent samples. The upper end can confirm a cost: it was
    reached again. There is no lower end, since a higher cost may be due to the machine's state.
    """
    before, after = _sample(old.own, costs), _sample(new.own, costs)
    if old.own.entry.machine != new.own.entry.machine or before is None or after is None:
        return None
    ends = ratio_interval(before._replace(moments=None), after._replace(moments=None), level)
    return ends._replace(low=None)


def _cost_verdict(interval: Interval, failures: int, margin: float) -> tuple[ConfirmVerdict, str]:
    limit = 1 + margin
    if interval.low is not None and interval.low > limit:
        return "not confirmed", f"costs more than {limit:g} times what was sealed"
    if failures:
        return "unclear", f"{failures} of the repeated runs failed"
    if interval.high is not None and interval.high <= limit:
        return "confirmed", f"costs at most {limit:g} times what was sealed"
    return "unclear", f"the interval reaches beyond {limit:g} times what was sealed; run more seeds"


def _cost_row(
    row: ConfirmRow, old: SeriesScores, new: SeriesScores, costs: CostsOf, rules: ConfirmRules
) -> ConfirmRow:
    paired = _over_reference(old, new, costs, rules.confidence)
    interval = paired or _absolute(old, new, costs, rules.confidence)
    if interval is None:
        note = "the machines differ, and the reference did not run on both"
        return row.model_copy(update={"note": note})
    verdict, note = _cost_verdict(interval, new.own.failures, rules.margin_ratio)
    update = {
        "change": interval.value,
        "low": interval.low,
        "high": interval.high,
        "relative": paired is not None,
        "verdict": verdict,
        "note": note,
    }
    return row.model_copy(update=update)


def _time_row(old: SeriesScores, new: SeriesScores, rules: ConfirmRules) -> ConfirmRow:
    before, after = old.own.costs.time_to_target_s, new.own.costs.time_to_target_s
    row = ConfirmRow(quantity="time_to_target_s", old=before, new=after, verdict="not judged",
                     note="no seconds to the target were sealed")  # fmt: skip
    if before is None:
        return row
    if after is None:
        note = "the repetition has no seconds to the target"
        return row.model_copy(update={"verdict": "unclear", "note": note})
    return _cost_row(row, old, new, time_costs, rules)


def _energy_row(old: SeriesScores, new: SeriesScores, rules: ConfirmRules) -> ConfirmRow:
    """Joules are compared over the same domains; measured joules need measured joules."""
    before, after = old.own.costs.energy_to_target_j, new.own.costs.energy_to_target_j
    row = ConfirmRow(quantity="energy_to_target_j", old=before, new=after, verdict="not judged",
                     note="no measured joules were sealed")  # fmt: skip
    if before is None or before.method in ("modelled", None):
        return row
    if after is None or weakest_method([after.method or "modelled"]) == "modelled":
        note = "joules were sealed, but none were measured here"
    elif set(before.domains) != set(after.domains):
        domains = f"{', '.join(before.domains)} there, {', '.join(after.domains)} here"
        note = f"other domains were measured: {domains}"
    else:
        return _cost_row(row, old, new, energy_costs, rules)
    return row.model_copy(update={"verdict": "unclear", "note": note})


# --- target and metric ----------------------------------------------------------------------------


def _target_row(old: Score, new: Score) -> ConfirmRow:
    row = ConfirmRow(quantity="target", old=None, new=None, verdict="not judged",
                     note="no sealed run reached the target, so nothing was claimed")  # fmt: skip
    if not any(run.reached for run in old.runs):
        return row
    verdicts = {"scored": "confirmed", "target_missed": "not confirmed"}
    update = {"verdict": verdicts.get(new.status, "unclear"), "note": new.reason}
    return row.model_copy(update=update)


def _metric_row(old: Score, new: Score, rules: ConfirmRules) -> ConfirmRow:
    """Not confirmed where the metric is shown to be worse; otherwise it is not judged."""
    a, b = (
        [run.metric for run in valid_runs(score) if run.metric is not None] for score in (old, new)
    )
    row = ConfirmRow(quantity=new.quality.name, old=old.quality.figure, new=new.quality.figure,
                     verdict="not judged", note="a single run shows no spread")  # fmt: skip
    if old.rules.snapshot_rule == "first_passing":
        note = "selected for passing the target: the target and the costs decide"
        return row.model_copy(update={"note": note})
    if min(len(a), len(b)) <= 1:
        return row
    change, half, p_worse = _metric_change(a, b, new.quality.better, rules.confidence)
    worse = p_worse < rules.alpha
    note = f"{'worse than sealed' if worse else 'not shown to be worse'} "
    update = {
        "change": change,
        "low": change - half,
        "high": change + half,
        "verdict": "not confirmed" if worse else "not judged",
        "note": f"{note}(one-sided p = {p_worse:.2g})",
    }
    return row.model_copy(update=update)


def _metric_change(
    a: list[float], b: list[float], better: str, level: float
) -> tuple[float, float, float]:
    """Mean of b minus that of a, half its interval, and Welch's one-sided p that b is worse."""
    change = math.fsum(b) / len(b) - math.fsum(a) / len(a)
    parts = [MeanVariance(sample_sd(values) ** 2 / len(values), len(values)) for values in (a, b)]
    error = math.sqrt(parts[0].variance + parts[1].variance)
    gain = change if better == "higher" else -change
    if error == 0:
        return change, 0.0, 0.0 if gain < 0 else 1.0
    degrees = welch_degrees(*parts)
    half = t_quantile((1 + level) / 2, degrees) * error
    return change, half, t_cdf(gain / error, degrees)


# --- the verdict ----------------------------------------------------------------------------------


def overall(rows: Sequence[ConfirmRow]) -> tuple[ConfirmVerdict, str]:
    """One verdict: the worst that is judged; `confirmed` needs the target and a cost."""
    for verdict in ("not confirmed", "unclear"):
        for row in rows:
            if row.verdict == verdict:
                return verdict, f"{row.quantity}: {row.note}"
    judged = {row.quantity for row in rows if row.verdict == "confirmed"}
    if "target" in judged and judged & {"time_to_target_s", "energy_to_target_j"}:
        return "confirmed", f"{', '.join(sorted(judged))} are as sealed"
    missing = next((row for row in rows if row.verdict == "not judged"), rows[0])
    return "unclear", f"too little could be judged: {missing.quantity}: {missing.note}"


def confirm(old: SeriesScores, new: SeriesScores, rules: ConfirmRules) -> Confirmation:
    """Compare a repetition with what was sealed.

    Args:
        old: The sealed series, and the reference's on the same machine where it is known.
        new: The repetition, and the reference's that was interleaved with it.
        rules: Margin and levels.
    """
    rows = (
        _target_row(old.own, new.own),
        _metric_row(old.own, new.own, rules),
        _time_row(old, new, rules),
        _energy_row(old, new, rules),
    )
    verdict, reason = overall(rows)
    entry = new.own.entry
    return Confirmation(
        workload=entry.workload,
        submission=entry.submission,
        submission_sha256=entry.sha256,
        reference=new.reference.entry.submission if new.reference else "",
        old_machine=old.own.entry.machine,
        new_machine=entry.machine,
        margin_ratio=rules.margin_ratio,
        confidence=rules.confidence,
        rows=rows,
        verdict=verdict,
        reason=reason,
    )
