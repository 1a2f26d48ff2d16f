"""Tells live sensors from dead ones when a meter is opened, under a short load of its own.

Firmware and drivers answer for sensors that do not exist: with a counter that never moves, with
0 W, or with the greatest number of a field. No such answer is a measurement.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.clock import NS_PER_S, now_ns
from harness.measure.limits import is_part, is_possible, is_psys
from harness.plugins import Availability, Domain, Reader

_FAST_S = 0.05
"""Time under load within which a counter of the processor moves."""

_LIMIT_S = 1.3
"""Some hypervisors refresh a counter only once a second."""

_FAST_UPDATE_S = 0.005
"""A counter that is updated no slower than this and stands at zero is not given more time."""

_SLOW_UPDATE_S = 0.5
"""A counter that is updated less often, as a log of an external meter, is not judged here."""

_LOAD_S = 0.002
_PAUSE_S = 0.02


Value = tuple[float | None, float | None]
"""Energy in joules and power in watts, as far as a reading gives them."""


class DeadDomain(NamedTuple):
    """A domain that a meter offers and whose sensor does not work."""

    domain: Domain
    reason: str


def find_dead(reader: Reader) -> list[DeadDomain]:
    """The domains of an opened meter whose sensors are dead.

    A counter is dead if it does not move while this process computes. A power reading is dead if
    it is impossible twice: 0, a sentinel, or more than any device of its kind uses; one that
    stands still is not, since an idle device may be steady. A domain is dead too if the meter
    gives an error in place of a reading twice. Simulated domains and estimates are not judged.

    Raises:
        Exception: whatever the meter raises when it is read.
    """
    judged = {
        spec.name: spec
        for spec in reader.domains
        if not spec.simulated and spec.method in ("counter", "sampled")
    }
    if not judged:
        return []
    first, errors = _values(reader)
    counters = {
        name: joules
        for name, (joules, _) in first.items()
        if joules is not None and name in judged and _is_judged(judged[name])
    }
    dead = _unmoved(reader, judged, counters) if counters else {}
    suspects = _suspects(judged, first, errors)
    if suspects:
        time.sleep(_PAUSE_S)
        again = _suspects(judged, *_values(reader))
        dead |= {name: reason for name, reason in again.items() if name in suspects}
    return [DeadDomain(judged[name], reason) for name, reason in dead.items()]


def _is_judged(spec: Domain) -> bool:
    return spec.method == "counter" and (spec.update_period_s or 0.0) <= _SLOW_UPDATE_S


def _suspects(
    judged: Mapping[str, Domain], values: Mapping[str, Value], errors: Mapping[str, str]
) -> dict[str, str]:
    """Domains without a possible value, with the reason."""
    suspects = {
        name: f"it gives no reading: {errors[name]}"
        for name in judged.keys() & errors.keys()
        if name not in values
    }
    for name in judged.keys() & values.keys():
        (joules, watts), spec = values[name], judged[name]
        may_be_off = is_part(spec, judged)
        if (
            joules is None
            and watts is not None
            and not is_possible(watts, spec, may_be_off=may_be_off)
        ):
            suspects[name] = f"it reads {watts:.10g} W, which is no measurement"
    return suspects


def _values(reader: Reader) -> tuple[dict[str, Value], Mapping[str, str]]:
    """Energy and power by domain, and errors by domain."""
    readings, errors = reader.decode(reader.poll())
    return {item.domain: (item.energy_j, item.power_w) for item in readings}, errors


def _unmoved(
    reader: Reader, specs: Mapping[str, Domain], counters: Mapping[str, float]
) -> dict[str, str]:
    """The counters that keep their first value, with the reason."""
    waiting, begin_ns = dict(counters), now_ns()
    while waiting:
        passed_s = (now_ns() - begin_ns) / NS_PER_S
        _load(_LOAD_S) if passed_s < _FAST_S else time.sleep(_PAUSE_S)
        after, _ = _values(reader)
        waiting = {
            name: value for name, value in waiting.items() if after.get(name, (value,))[0] == value
        }
        if passed_s > max((_patience_s(specs[name], waiting[name]) for name in waiting), default=0):
            break
    return {
        name: f"its counter stays at {value:.10g} J under load" for name, value in waiting.items()
    }


def _patience_s(spec: Domain, value_j: float) -> float:
    fast = spec.update_period_s is not None and spec.update_period_s <= _FAST_UPDATE_S
    return _FAST_S if fast and value_j == 0 else _LIMIT_S


def _load(duration_s: float) -> None:
    """Compute for a short time, so that the counters of the processor must move."""
    end_ns = now_ns() + int(duration_s * NS_PER_S)
    while now_ns() < end_ns:
        sum(range(1000))


def check_meter(meter: Any, availability: Availability) -> Availability:
    """An available meter's answer after its sensors were tried; it needs a live device.

    Args:
        meter: the plug-in, opened without options.
        availability: what its probe said.
    """
    try:
        reader: Reader = meter.open({})
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        return Availability(ok=False, reason=f"it does not open: {error}")
    try:
        dead = find_dead(reader)
    except Exception as error:  # noqa: BLE001 - plug-ins raise what they like
        return Availability(ok=False, reason=f"it cannot be read: {error}")
    finally:
        reader.close()
    if not dead:
        return availability
    text, names = describe(dead), {spec.name for spec in reader.domains}
    live = [spec for spec in reader.domains if spec not in [item.domain for item in dead]]
    # Memory or cores alone are no measurement: an estimate of the whole machine is better.
    if all(spec.kind == "dram" or is_psys(spec.name) or is_part(spec, names) for spec in live):
        return Availability(ok=False, reason=text, advice="use a meter that works on this machine")
    return Availability(ok=True, reason=f"{availability.reason}; not read: {text}")


def describe(dead: Sequence[DeadDomain]) -> str:
    """The dead domains with their reasons, in one line."""
    return "; ".join(f"the sensor of '{item.domain.name}' is dead: {item.reason}" for item in dead)
