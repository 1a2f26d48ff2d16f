"""Two entries side by side: the ratio of each cost with its interval, and the energy bridge."""

import math
from typing import Literal

from harness.records import Score
from harness.records.compare import Comparison, CostRatio, EnergyBar
from harness.records.measure import weakest_method
from harness.score.bridge import bridge_between, not_comparable, sentence
from harness.score.costs import energy_costs, sample_of, time_costs, valid_runs
from harness.score.stats.comparison import TEST_NAMES, differ_p, pairwise_test
from harness.score.stats.intervals import Interval, log_interval, t_quantile
from harness.score.stats.sample import Sample

Outcome = Literal["better", "worse", "unclear"]


def ratio_interval(a: Sample, b: Sample, level: float) -> Interval:
    """Cost of B over cost of A with its interval.

    exp(m ± t · se) with m, se and the degrees of freedom of the test that compares the two. Ends
    are None where the entries are not comparable, or one has a single run.
    """
    test = pairwise_test(b, a)
    if not test.parts:
        return Interval(math.exp(test.difference), None, None)
    half = t_quantile((1 + level) / 2, test.degrees) * test.error
    return log_interval(test.difference, half)


def _outcome(interval: Interval, a: Sample, b: Sample) -> Outcome:
    """Of B against A; an entry with failed runs can only be shown to be worse."""
    if interval.low is None or interval.high is None:
        return "unclear"
    if interval.low > 1 and not a.open_ended:
        return "worse"
    return "better" if interval.high < 1 and not b.open_ended else "unclear"


def _ratio(a: Score, b: Score, quantity: str, level: float) -> CostRatio | None:
    """The ratio of a cost that both have; joules only over the same domains."""
    costs = energy_costs if quantity == "energy_to_target_j" else time_costs
    of_a, of_b = costs(valid_runs(a)), costs(valid_runs(b))
    figures = [figure for score in (a, b) if (figure := score.figure_of(quantity))]
    if of_a is None or of_b is None:
        return None
    if costs is energy_costs and len({figure.domains for figure in figures}) != len(figures) - 1:
        return None  # one has no joules, or they cover different domains
    one, two = sample_of(of_a, a), sample_of(of_b, b)
    interval, kind = ratio_interval(one, two, level), pairwise_test(one, two).kind
    methods = [figure.method for figure in figures if figure.method]
    return CostRatio(
        quantity=quantity,
        cost_ratio=interval.value,
        low=interval.low,
        high=None if two.open_ended else interval.high,
        p_differ=differ_p(one, two),
        test=kind,
        outcome=_outcome(interval, one, two),
        note=TEST_NAMES[kind],
        method=weakest_method(methods),
        simulated=any(figure.simulated for figure in figures),
    )


def gate(ratio: CostRatio, margin: float) -> Literal["pass", "fail", "unclear"]:
    """Whether B is a regression of more than `margin` (0.1 for 10 %) against A.

    It fails only where the whole interval lies above the margin, and passes only where it lies
    below; otherwise it is unclear.
    """
    limit = 1 + margin
    if ratio.low is not None and ratio.low > limit:
        return "fail"
    return "pass" if ratio.high is not None and ratio.high <= limit else "unclear"


def _explanation(a: Score, b: Score, joules: CostRatio | None) -> str:
    """Why B needs more energy, or less, and whether the joules are measured and different."""
    path = bridge_between(a, b)
    if path is None or joules is None:
        return f"no energy bridge: {not_comparable(a, b) or 'the joules cover different domains'}"
    text = sentence(path, a.entry.submission, b.entry.submission)
    kind = "simulated" if joules.simulated else joules.method
    if joules.simulated or joules.method in ("modelled", "declared"):
        text = f"{text}; these joules are {kind}, not measured"
    if joules.outcome == "unclear":
        return f"not shown to differ in energy; by value {text}"
    return text


def compare(a: Score, b: Score, level: float = 0.95) -> Comparison:
    """Compare two scores of one workload version, machine and ruleset.

    Args:
        a: The base.
        b: The entry that is compared with it.
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
    time = _ratio(a, b, "time_to_target_s", level)
    joules = _ratio(a, b, "energy_to_target_j", level)
    path = bridge_between(a, b) if joules else None
    return Comparison(
        workload=a.entry.workload,
        machine=a.entry.machine,
        ruleset=a.rules.ruleset,
        a=a.entry.submission,
        b=b.entry.submission,
        confidence=level,
        ratios=tuple(ratio for ratio in (time, joules) if ratio is not None),
        bridge=tuple(
            EnergyBar(factor=bar.factor, factor_ratio=bar.ratio, energy_j=bar.energy_j)
            for bar in (path.bars if path else ())
        ),
        sentence=_explanation(a, b, joules),
    )
