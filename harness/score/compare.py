"""Two entries side by side: ratio of each cost with its interval, verdict, energy bridge."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from harness.records import RunScore, Score
from harness.records.compare import Comparison, CostRatio, EnergyBar
from harness.records.measure import weakest_method
from harness.score.bridge import Effort, bridge, sentence
from harness.score.costs import Costs, energy_costs, sample_of, time_costs, valid_runs
from harness.score.stats.comparison import TEST_NAMES, differ_p, pairwise_test
from harness.score.stats.intervals import Interval, t_quantile
from harness.score.stats.sample import Sample, mean_log

Outcome = Literal["better", "worse", "unclear"]


class Measured(NamedTuple):
    """A cost that both entries have."""

    quantity: str
    a: Sample
    b: Sample


def _pair(
    a: Score, b: Score, quantity: str, costs: Callable[[Sequence[RunScore]], Costs | None]
) -> Measured | None:
    found = [costs(valid_runs(item)) for item in (a, b)]
    if found[0] is None or found[1] is None:
        return None
    return Measured(quantity, sample_of(found[0], a), sample_of(found[1], b))


def ratio_interval(a: Sample, b: Sample, level: float) -> Interval:
    """Cost of B over cost of A with its interval.

    exp(m ± t · se) with m, se and the degrees of freedom of the test that compares the two. Ends
    are None where the entries are not comparable, or one has a single run.
    """
    test = pairwise_test(b, a)
    if not test.parts:
        return Interval(math.exp(test.difference), None, None)
    half = t_quantile((1 + level) / 2, test.degrees) * test.error
    return Interval(
        math.exp(test.difference),
        math.exp(test.difference - half),
        math.exp(test.difference + half),
    )


def _outcome(interval: Interval, a: Sample, b: Sample) -> Outcome:
    """Of B against A; an entry with failed runs can only be shown to be worse."""
    if interval.low is None or interval.high is None:
        return "unclear"
    if interval.low > 1 and not a.open_ended:
        return "worse"
    return "better" if interval.high < 1 and not b.open_ended else "unclear"


def _ratio(found: Measured, level: float) -> CostRatio:
    interval, test = ratio_interval(found.a, found.b, level), pairwise_test(found.a, found.b)
    high = None if found.b.open_ended else interval.high
    return CostRatio(
        quantity=found.quantity,
        cost_ratio=interval.value,
        low=interval.low,
        high=high,
        p_differ=differ_p(found.a, found.b),
        test=test.kind,
        outcome=_outcome(interval, found.a, found.b),
        note=TEST_NAMES[test.kind],
    )


def gate(found: CostRatio, margin: float) -> Literal["pass", "fail", "unclear"]:
    """Whether B is a regression of more than `margin` (0.1 for 10 %) against A.

    It fails only where the whole interval lies above the margin, passes only where it lies below;
    in between the data cannot tell.
    """
    limit = 1 + margin
    if found.low is not None and found.low > limit:
        return "fail"
    return "pass" if found.high is not None and found.high <= limit else "unclear"


def _effort(score: Score, energy: Sample, time: Sample) -> Effort:
    steps = score.costs.steps_to_target.value if score.costs.steps_to_target else None
    return Effort(math.exp(mean_log(energy)), math.exp(mean_log(time)), steps)


def _bridge(a: Score, b: Score, measured: dict[str, Measured]) -> tuple[tuple[EnergyBar, ...], str]:
    if not {"energy_to_target_j", "time_to_target_s"} <= measured.keys():
        return (), "no bridge: joules or seconds to the target are missing"
    energy, time = measured["energy_to_target_j"], measured["time_to_target_s"]
    bars = bridge(_effort(a, energy.a, time.a), _effort(b, energy.b, time.b))
    rows = tuple(
        EnergyBar(factor=bar.factor, factor_ratio=bar.ratio, energy_j=bar.energy_j) for bar in bars
    )
    return rows, sentence(bars, a.entry.submission, b.entry.submission)


def _hedged(found: str, ratios: Sequence[CostRatio]) -> str:
    """The bridge's sentence, and that joules are not measured, or show no difference, beside it."""
    joules = next((ratio for ratio in ratios if ratio.quantity == "energy_to_target_j"), None)
    if joules is None or found.startswith("no bridge"):
        return found
    kind = "simulated" if joules.simulated else joules.method
    if joules.simulated or joules.method in ("modelled", "declared"):
        found = f"{found}; these joules are {kind}, not measured"
    if joules.outcome != "unclear":
        return found
    return f"these data cannot tell which needs more joules; by value {found}"


def _with_method(ratio: CostRatio, a: Score, b: Score) -> CostRatio:
    """A ratio of joules says how they were come by."""
    figures = (a.costs.energy_to_target_j, b.costs.energy_to_target_j)
    if ratio.quantity != "energy_to_target_j" or figures[0] is None or figures[1] is None:
        return ratio
    methods = [figure.method or "modelled" for figure in figures if figure]
    simulated = any(figure.simulated for figure in figures if figure)
    return ratio.model_copy(update={"method": weakest_method(methods), "simulated": simulated})


def compare(a: Score, b: Score, level: float = 0.95) -> Comparison:
    """Compare two scores of one workload version, machine and ruleset.

    Args:
        a: The base.
        b: What is held against it.
        level: Of the intervals of the ratios.

    Raises:
        ValueError: they are of different workloads, machines or rulesets; the message says which.
    """
    for name, one, two in (
        ("workload", a.entry.workload, b.entry.workload),
        ("workload_version", a.entry.workload_version, b.entry.workload_version),
        ("machine", a.entry.machine, b.entry.machine),
        ("ruleset", a.rules.ruleset, b.rules.ruleset),
    ):
        if one != two:
            raise ValueError(f"cannot compare: {name} is '{one}' and '{two}'")
    domains = [
        f.domains for f in (a.costs.energy_to_target_j, b.costs.energy_to_target_j) if f is not None
    ]
    same = len(domains) == 2 and domains[0] == domains[1]  # noqa: PLR2004 - both of them
    wanted = [("time_to_target_s", time_costs)] + [("energy_to_target_j", energy_costs)] * same
    pairs = [_pair(a, b, quantity, costs) for quantity, costs in wanted]
    measured = {pair.quantity: pair for pair in pairs if pair is not None}
    bars, reason = _bridge(a, b, measured)
    ratios = tuple(_with_method(_ratio(item, level), a, b) for item in measured.values())
    return Comparison(
        workload=a.entry.workload,
        machine=a.entry.machine,
        ruleset=a.rules.ruleset,
        a=a.entry.submission,
        b=b.entry.submission,
        confidence=level,
        ratios=ratios,
        bridge=bars,
        sentence=_hedged(reason, ratios),
    )
