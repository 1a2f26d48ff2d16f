"""Checks of several domains against each other and against the machine."""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from harness.measure import counter
from harness.measure.domain_checks import ESTIMATES, DomainCase, make_finding
from harness.measure.energy import EnergyReader, contains, disjoint
from harness.measure.limits import SAME_SILICON
from harness.measure.series import Float
from harness.records import Domain, Finding
from harness.records.ruleset import MeasureRules
from harness.records.run import Level

_AVERAGES_COMPARED = 10
"""Two meters are compared over at least this many averaging windows of the slower one."""
_EXCESS_RATIO = 0.1
"""Parts that exceed their whole by less are not reported."""
_MIRROR_READINGS = 10
_MIRROR_J = 1.0
_MIRROR_SWING = 3.0
"""The power may exceed its mean so many times between two reads."""
_MEMORY_W_PER_GIB = (0.01, 1.5)
"""Memory in use: modules of 64 GiB idle at 0.03 W per GiB, small busy ones use 1 W per GiB."""
_MEMORY_UNLIKE = (20.0, 100.0)
"""Greatest ratio of two sockets' memory powers where one is above so many watts."""

_COMPARE = "one of the two is wrong: compare with an external meter before trusting either"


def disagreements(cases: Sequence[DomainCase], rules: MeasureRules) -> Iterator[Finding]:
    """Two readings of the same silicon that differ by more than their uncertainties."""
    by_name = {case.domain.name: case for case in cases if case.result.energy_j is not None}
    pairs = (
        (by_name[stem], case)
        for name, case in by_name.items()
        for suffix in SAME_SILICON
        if (stem := name.removesuffix(suffix)) != name and stem in by_name
    )
    for first, second in pairs:
        slowest_s = max(case.domain.averaging_window_s or 0.0 for case in (first, second))
        one_j, other_j = first.result.energy_j, second.result.energy_j
        # An average over a second says nothing about a window of a second.
        if first.length_s < _AVERAGES_COMPARED * slowest_s or not one_j or other_j is None:
            continue
        ratio = other_j / one_j
        (low_j, high_j), (other_low_j, other_high_j) = first.range_j, second.range_j
        apart = low_j > other_high_j or other_low_j > high_j
        if abs(ratio - 1) > rules.meters_disagree_ratio and apart:
            text = (
                f"'{first.domain.name}' reads {one_j:.6g} J and '{second.domain.name}' "
                f"{other_j:.6g} J, {ratio:.3g} times as much"
            )
            yield make_finding("meters-disagree", "fail", text, _COMPARE)


def contained(cases: Sequence[DomainCase]) -> Iterator[Finding]:
    """Parts with more energy than the domain that contains them, by name or by kind."""
    measured = {
        case.domain.name: case
        for case in cases
        if case.result.energy_j is not None and case.domain.method not in ESTIMATES
    }
    for name, outer in measured.items():
        inside = [
            case.domain
            for case in measured.values()
            if contains(outer.domain, case.domain)
            and all(case.domain.name.removesuffix(suffix) != name for suffix in SAME_SILICON)
        ]
        parts = [measured[domain.name] for domain in disjoint(inside)]
        outer_j = outer.result.energy_j or 0.0
        parts_j = sum(part.result.energy_j or 0.0 for part in parts)
        least_j = sum(part.range_j[0] for part in parts)
        if least_j > _most_j(outer) and parts_j > (1 + _EXCESS_RATIO) * outer_j:
            names = " and ".join(f"'{part.domain.name}'" for part in parts)
            text = (
                f"{names} read {parts_j:.6g} J, more than the {outer_j:.6g} J of '{name}' "
                "that contains them"
            )
            level: Level = "fail" if any(case.added for case in (outer, *parts)) else "warn"
            yield make_finding("part-exceeds-whole", level, text, _COMPARE)


def _most_j(outer: DomainCase) -> float:
    """Most energy of a whole: no node or wall meter misses all high power of its parts."""
    if outer.blind and outer.domain.kind in ("node", "wall"):
        gain = outer.domain.gain_error_ratio or 0.0
        return float(outer.usable.power_w.max()) * (1 + gain) * outer.length_s
    return outer.range_j[1]


def mirrored(cases: Sequence[DomainCase]) -> Iterator[Finding]:
    """Two counters of processors or memory that show one value, so that it is added twice.

    At every reading they differ by no more than what one of them gains between the two reads and
    within two updates; two counters of their own do not, however alike their powers are.
    """
    counters = [
        case
        for case in cases
        if case.counts and case.added and not case.dead and case.domain.kind in ("cpu", "dram")
        if len(case.usable.t_ns) >= _MIRROR_READINGS
    ]
    for first, second in itertools.combinations(counters, 2):
        if first.domain.kind != second.domain.kind:
            continue
        t_s, other_s, joules = first.usable.t_s, second.usable.t_s, _unwrapped_j(first)
        after = np.clip(other_s.searchsorted(t_s), 1, len(other_s) - 1)
        nearest = after - (t_s - other_s[after - 1] < other_s[after] - t_s)
        apart_s = np.abs(t_s - other_s[nearest]) + 2 * (first.domain.update_period_s or 0.0)
        gained_j = joules[-1] - joules[0]
        allowed_j = apart_s * gained_j / (t_s[-1] - t_s[0]) * _MIRROR_SWING
        if (
            gained_j > _MIRROR_J
            and (np.abs(joules - _unwrapped_j(second)[nearest]) <= allowed_j).all()
        ):
            names = f"'{first.domain.name}' and '{second.domain.name}'"
            text = f"{names} show one and the same counter, which is added twice"
            yield make_finding("counter-mirrored", "fail", text, _COMPARE)


def _unwrapped_j(case: DomainCase) -> Float:
    unfolded = counter.unfold(case.usable, case.domain)
    return np.asarray(case.usable.energy_j[0] + unfolded.total_j)


def memory(cases: Sequence[DomainCase], memory_bytes: int) -> Iterator[Finding]:
    """Memory whose power does not fit its size, as where the unit of its counter is wrong."""
    memory = [
        (case, case.result.energy_j / case.length_s)
        for case in cases
        if case.domain.kind == "dram" and case.domain.method not in ESTIMATES
        if case.result.energy_j is not None and not case.domain.simulated
    ]
    if not memory:
        return
    watts = [item for _, item in memory]
    fail: Level = "fail" if any(case.fail == "fail" for case, _ in memory) else "warn"
    advice = "the unit of the counter may be wrong: update the kernel, or compare with a meter"
    ratio_max, above_w = _MEMORY_UNLIKE
    if max(watts) > max(above_w, ratio_max * min(watts)):
        text = f"memory of one socket uses {max(watts):.3g} W and of another {min(watts):.3g} W"
        yield make_finding("memory-power", fail, text, advice)
    low_w, high_w = (limit * memory_bytes / 2**30 for limit in _MEMORY_W_PER_GIB)
    if memory_bytes and not low_w < sum(watts) < high_w:
        text = (
            f"memory of {memory_bytes / 2**30:.0f} GiB shows {sum(watts):.3g} W, where such memory "
            f"uses {low_w:.2g} to {high_w:.3g} W"
        )
        yield make_finding("memory-power", fail, text, advice)


def shared(domains: Sequence[Domain]) -> Iterator[Finding]:
    """Cards that are divided among jobs, so that the energy of other jobs is included."""
    for domain in domains:
        if "MIG on" in domain.source:
            text = f"'{domain.name}' is of a whole card that MIG divides among several jobs"
            yield make_finding("card-shared", "warn", text, "switch MIG off for a measured run")


def locked(cases: Iterable[DomainCase], step_s: float | None) -> Iterator[Finding]:
    """A sensor that samples the same moment of every training step sees only that moment."""
    for case in cases:
        period_s = case.domain.update_period_s
        if case.domain.method != "sampled" or not step_s or not period_s:
            continue
        samples, steps = (case.window_s[1] - case.window_s[0]) / period_s, period_s / step_s
        # Over the whole run the phase drifts by this many steps; below one it is locked.
        drift = abs(steps - round(steps)) * samples
        short = (case.domain.averaging_window_s or 0.0) < min(period_s, step_s)
        if short and round(steps) >= 1 and drift < 1:
            text = (
                f"'{case.domain.name}' samples every {period_s:.4g} s and a training step takes "
                f"{step_s:.4g} s: it sees the same moment of each step"
            )
            advice = "trust the energy counter instead"
            yield make_finding("sampling-locked", "warn", text, advice)


def contradicted_windows(reader: EnergyReader) -> Iterator[Finding]:
    """Averaging windows that the readings contradict."""
    for name, domain in reader.domains.items():
        inferred, stated_s = reader.averaging_window(name), domain.averaging_window_s
        if inferred is not None and stated_s is not None and inferred.contradicts(stated_s):
            low_ms, high_ms = 1e3 * inferred.low_s, 1e3 * inferred.high_s
            text = (
                f"'{name}' averages over {low_ms:.0f} to {high_ms:.0f} ms, "
                f"not over the {1e3 * stated_s:.0f} ms that are stated for it"
            )
            advice = "its uncertainty and bound were widened; use the counter of the same device"
            yield make_finding("averaging-window", "warn", text, advice)
