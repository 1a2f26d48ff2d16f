"""Physical limits of power by what a domain covers, and the numbers by which sensors say "unknown".

The limits hold for every device on sale with room to spare. They are not ratings: a reading
beyond them shows that the sensor or its unit is wrong, and no healthy machine is near them.
"""

import math
from collections.abc import Collection
from dataclasses import replace

from harness.plugins import Domain, DomainKind

_MOST_W: dict[DomainKind, float] = {"cpu": 1000.0, "gpu": 2000.0, "dram": 400.0, "node": 20e3}
"""Packages reach 600 W, cards and modules 1,400 W, a node of eight cards 15 kW."""

_PSYS_MOST_W = 3000.0

_LEAST_W: dict[DomainKind, float] = {"cpu": 1.0, "gpu": 1.0, "dram": 0.02, "node": 1.0, "wall": 1.0}
"""Whole devices in use are above this: laptop packages at 2 W, idle cards at 3 W."""

SAME_SILICON = ("-instant", "-average", "-power", "-perf")
"""Suffixes of domains that read the same silicon as the domain without the suffix."""

_UNSIGNED_MAX = (2**31 - 1, 2**32 - 1, 2**64 - 1)
SENTINELS = (
    65535.0,
    *(value / unit for value in _UNSIGNED_MAX for unit in (1.0, 1e3, 1e6)),
)
"""Values that firmware and drivers give where they know none: the greatest number of a field, in
units, thousandths or millionths. A negative number is refused for any reading."""

_SENTINEL_RATIO = 1e-8

_SLACK = 1.01
"""Noise and rounding may take a power reading this far above the greatest power."""


def is_sentinel(value: float) -> bool:
    """Whether a reading is a number by which a sensor reports "unknown"."""
    return any(math.isclose(value, item, rel_tol=_SENTINEL_RATIO) for item in SENTINELS)


def is_psys(name: str) -> bool:
    """Whether a domain is the platform's, which contains packages but is no processor's."""
    return name.startswith("cpu-psys")


def stands_in(inner: str, outer: str) -> bool:
    """Whether one domain measures all of what is asked of another that contains it, by their names.

    It reads the same silicon, or the packages where the other one is the whole platform.
    """
    if is_psys(outer) and inner.startswith("cpu-package"):
        return True
    return any(inner.removesuffix(suffix) == outer for suffix in SAME_SILICON)


def is_part(domain: Domain, names: Collection[str]) -> bool:
    """Whether a domain is a part of another one of those names, as a core or a rail is."""
    return any(name in names and not stands_in(domain.name, name) for name in domain.parents)


def limit_power(domain: Domain) -> Domain:
    """The domain with a greatest power no higher than any device of its kind can use.

    What a meter states for a node or a wall stays; simulated domains and estimates stay as well.
    """
    most_w = _PSYS_MOST_W if is_psys(domain.name) else _MOST_W.get(domain.kind)
    if domain.simulated or domain.method in ("modelled", "declared") or most_w is None:
        return domain
    stated_w = domain.power_high_w
    if stated_w is not None and (stated_w <= most_w or domain.kind == "node"):
        return domain
    return replace(domain, power_high_w=most_w)


def is_possible(watts: float, domain: Domain, *, may_be_off: bool) -> bool:
    """Whether a power reading can be true: within the limits, and no number for "unknown".

    Args:
        watts: the reading.
        domain: its domain.
        may_be_off: whether it is a part of a device, such as a rail, and may use 0 W.
    """
    high_w = limit_power(domain).power_high_w
    if high_w is not None and watts > high_w * (1 + (domain.gain_error_ratio or 0.0)) * _SLACK:
        return False
    return (watts > 0 or may_be_off) and not is_sentinel(watts)


def least_power_w(domain: Domain, names: Collection[str]) -> float:
    """Power that a domain exceeds at some time of a run, W; 0 for a part of a measured device.

    Args:
        domain: the domain.
        names: names of all domains of the run.
    """
    return 0.0 if domain.simulated or is_part(domain, names) else _LEAST_W[domain.kind]
