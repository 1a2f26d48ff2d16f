"""Whether a repetition bears out what was sealed: target, metric and costs, with intervals."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.records import Figure, RunScore, Score
from harness.records.confirm import Confirmation, ConfirmRow, ConfirmVerdict
from harness.records.measure import weakest_method
from harness.score.compare import ratio_interval
from harness.score.costs import Costs, energy_costs, sample_of, time_costs, valid_runs
from harness.score.stats.comparison import welch_degrees
from harness.score.stats.intervals import Interval, mean_interval, t_cdf, t_quantile
from harness.score.stats.sample import MeanVariance, Sample, sample_sd


class Halves(NamedTuple):
    """A series, and the reference's that alternated with it where there was one."""

    own: Score
    reference: Score | None


class Terms(NamedTuple):
    """What a verdict depends on besides the data."""

    margin_ratio: float
    confidence: float
    alpha: float
    """One-sided level of the test on the metric."""


# --- costs ---------------------------------------------------------------------------------------

CostsOf = Callable[[Sequence[RunScore]], Costs | None]


def _sample(score: Score | None, costs: CostsOf) -> Sample | None:
    found = costs(valid_runs(score)) if score else None
    return sample_of(found, score) if found and score else None


def _against_reference(old: Halves, new: Halves, costs: CostsOf, level: float) -> Interval | None:
    """New over old cost, each in multiples of its reference's; None without both references.

    The half-widths of the two logarithms' intervals are added in squares.
    """
    ratios = []
    for half in (old, new):
        base, own = _sample(half.reference, costs), _sample(half.own, costs)
        if base is None or own is None:
            return None
        ratios.append(ratio_interval(base, own, level))
    change = ratios[1].value / ratios[0].value
    halves = [math.log(r.high / r.value) for r in ratios if r.high is not None]
    if len(halves) < len(ratios):
        return Interval(change, None, None)
    width = math.exp(math.hypot(*halves))
    return Interval(change, change / width, change * width)


def _absolute(old: Halves, new: Halves, costs: CostsOf, level: float) -> Interval | None:
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
    quantity: str, old: Halves, new: Halves, figures: tuple[Figure | None, Figure | None],
    terms: Terms,
) -> ConfirmRow:  # fmt: skip
    costs = time_costs if quantity == "time_to_target_s" else energy_costs
    shared = _against_reference(old, new, costs, terms.confidence)
    interval = shared or _absolute(old, new, costs, terms.confidence)
    if interval is None:
        note = "the machines differ, and the reference did not run on both"
        return ConfirmRow(
            quantity=quantity, old=figures[0], new=figures[1], verdict="not judged", note=note
        )
    verdict, note = _cost_verdict(interval, new.own.failures, terms.margin_ratio)
    return ConfirmRow(
        quantity=quantity,
        old=figures[0],
        new=figures[1],
        change=interval.value,
        low=interval.low,
        high=interval.high,
        relative=shared is not None,
        verdict=verdict,
        note=note,
    )


def _time_row(old: Halves, new: Halves, terms: Terms) -> ConfirmRow:
    figures = (old.own.costs.time_to_target_s, new.own.costs.time_to_target_s)
    if figures[0] is None:
        note = "no seconds to the target were sealed"
    elif figures[1] is None:
        note = "the repetition has no seconds to the target"
    else:
        return _cost_row("time_to_target_s", old, new, figures, terms)
    verdict: ConfirmVerdict | None = "unclear" if figures[0] else None
    return ConfirmRow(
        quantity="time_to_target_s",
        old=figures[0],
        new=figures[1],
        verdict=verdict or "not judged",
        note=note,
    )


def _energy_row(old: Halves, new: Halves, terms: Terms) -> ConfirmRow:
    """Joules are compared over the same domains only; a measured claim asks for measured joules."""
    before, after = old.own.costs.energy_to_target_j, new.own.costs.energy_to_target_j
    row = ConfirmRow(
        quantity="energy_to_target_j", old=before, new=after, verdict="not judged", note=""
    )
    if before is None or before.method in ("modelled", None):
        note = "no measured joules were sealed"
        return row.model_copy(update={"note": note})
    if after is None or weakest_method([after.method or "modelled"]) == "modelled":
        note = "joules were sealed, but none were measured here"
        return row.model_copy(update={"verdict": "unclear", "note": note})
    if set(before.domains) != set(after.domains):
        told = f"{', '.join(before.domains)} there, {', '.join(after.domains)} here"
        note = f"other domains were measured: {told}"
        return row.model_copy(update={"verdict": "unclear", "note": note})
    return _cost_row("energy_to_target_j", old, new, (before, after), terms)


# --- target and metric ---------------------------------------------------------------------------


def _target_row(old: Score, new: Score) -> ConfirmRow:
    row = ConfirmRow(
        quantity="target", old=None, new=None, verdict="not judged",
        note="no sealed run reached the target, so nothing was claimed",
    )  # fmt: skip
    if not any(run.reached for run in old.runs):
        return row
    verdicts = {"scored": "confirmed", "target_missed": "not confirmed"}
    verdict = verdicts.get(new.status, "unclear")
    return row.model_copy(update={"verdict": verdict, "note": new.reason})


def _metrics(score: Score) -> list[float]:
    return [run.metric for run in valid_runs(score) if run.metric is not None]


def _metric_row(old: Score, new: Score, terms: Terms) -> ConfirmRow:
    """Not confirmed where it is shown to be worse; that it is not shown is no confirmation."""
    a, b = _metrics(old), _metrics(new)
    row = ConfirmRow(
        quantity=new.quality.name,
        old=old.quality.figure,
        new=new.quality.figure,
        verdict="not judged",
        note="",
    )
    if old.rules.snapshot_rule == "first_passing":
        note = "picked for passing the target: the target and the costs decide"
        return row.model_copy(update={"note": note})
    if min(len(a), len(b)) < 2:  # noqa: PLR2004 - a spread takes two
        return row.model_copy(update={"note": "a single run tells no spread"})
    change, half, p_worse = _metric_change(a, b, new.quality.better, terms.confidence)
    update = {"change": change, "low": change - half, "high": change + half}
    if p_worse < terms.alpha:
        note = f"worse than sealed (one-sided p = {p_worse:.2g})"
        return row.model_copy(update={**update, "verdict": "not confirmed", "note": note})
    note = f"not shown to be worse (one-sided p = {p_worse:.2g})"
    return row.model_copy(update={**update, "note": note})


def _metric_change(
    a: list[float], b: list[float], better: str, level: float
) -> tuple[float, float, float]:
    """Mean of b less that of a, half its interval, and Welch's one-sided p that b is worse."""
    change = mean_interval(b, level, 0.0).value - mean_interval(a, level, 0.0).value
    parts = [MeanVariance(sample_sd(values) ** 2 / len(values), len(values)) for values in (a, b)]
    error = math.sqrt(parts[0].variance + parts[1].variance)
    sign = 1.0 if better == "higher" else -1.0
    if error == 0:
        return change, 0.0, 0.0 if sign * change < 0 else 1.0
    df = welch_degrees(*parts)
    return change, t_quantile((1 + level) / 2, df) * error, t_cdf(sign * change / error, df)


# --- the whole -----------------------------------------------------------------------------------


def overall(rows: Sequence[ConfirmRow]) -> tuple[ConfirmVerdict, str]:
    """One verdict: the worst that is judged; confirmed takes the target and a cost."""
    for verdict in ("not confirmed", "unclear"):
        for row in rows:
            if row.verdict == verdict:
                return verdict, f"{row.quantity}: {row.note}"
    judged = {row.quantity for row in rows if row.verdict == "confirmed"}
    if "target" in judged and judged & {"time_to_target_s", "energy_to_target_j"}:
        return "confirmed", f"{', '.join(sorted(judged))} are as sealed"
    lacking = next((row for row in rows if row.verdict == "not judged"), rows[0])
    return "unclear", f"too little could be judged: {lacking.quantity}: {lacking.note}"


def confirm(old: Halves, new: Halves, terms: Terms) -> Confirmation:
    """Hold a repetition against what was sealed.

    Args:
        old: The sealed series, and the reference's on the same machine where it is known.
        new: The repetition, and the reference's that alternated with it.
        terms: Margin and levels.
    """
    rows = (
        _target_row(old.own, new.own),
        _metric_row(old.own, new.own, terms),
        _time_row(old, new, terms),
        _energy_row(old, new, terms),
    )
    verdict, reason = overall(rows)
    return Confirmation(
        workload=new.own.entry.workload,
        submission=new.own.entry.submission,
        submission_sha256=new.own.entry.sha256,
        reference=new.reference.entry.submission if new.reference else "",
        old_machine=old.own.entry.machine,
        new_machine=new.own.entry.machine,
        margin_ratio=terms.margin_ratio,
        confidence=terms.confidence,
        rows=rows,
        verdict=verdict,
        reason=reason,
    )
