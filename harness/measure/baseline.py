"""Power of the idle machine before and after a run: told beside a score, never taken off it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.clock import NS_PER_S
from harness.measure.energy import EnergyReader
from harness.measure.trace import Trace
from harness.records import Domain

Window = tuple[int, int]


@dataclass(frozen=True)
class Idle:
    """Mean power of one domain while nothing ran, W; None where it was not measured."""

    domain: str
    before_w: float | None
    after_w: float | None
    u_w: float | None
    """Greater of the two uncertainties, k = 2."""

    @property
    def drift_w(self) -> float | None:
        """How much more the idle machine drew after the run."""
        if self.before_w is None or self.after_w is None:
            return None
        return self.after_w - self.before_w

    @property
    def drift_is_real(self) -> bool:
        """Whether the drift is greater than the uncertainty that the two do not share.

        The gain error is the same before and after, so that only the other terms count.
        """
        return self.drift_w is not None and self.u_w is not None and abs(self.drift_w) > self.u_w


def idle(trace: Trace, domain: Domain, before: Window | None, after: Window | None) -> Idle:
    """Mean power in two windows without work.

    Args:
        trace: the readings.
        domain: which of them.
        before: begin and end, nanoseconds on the trace's clock; None where there was none.
        after: the same after the run.
    """
    sides = [_mean(trace, domain, window) for window in (before, after)]
    doubts = [doubt for _, doubt in sides if doubt is not None]
    return Idle(domain.name, sides[0][0], sides[1][0], max(doubts, default=None))


def _mean(trace: Trace, domain: Domain, window: Window | None) -> tuple[float | None, float | None]:
    if window is None or window[1] <= window[0]:
        return None, None
    told = EnergyReader(trace, [domain]).energy(domain.name, *window)
    if told.energy_j is None:
        return None, None
    duration_s = (window[1] - window[0]) / NS_PER_S
    others = [value for name, value in told.terms.items() if name != "gain"]
    doubt_w = sum(value * value for value in others) ** 0.5 / duration_s
    return told.energy_j / duration_s, doubt_w if told.u_j is not None else None


def idle_windows(events: Path) -> dict[str, Window]:
    """Windows named `idle_before` and `idle_after` in a bundle's `events.jsonl`."""
    edges: dict[str, dict[str, int]] = {}
    for line in events.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the last line of a run that was killed
        if event.get("kind") in ("idle_before", "idle_after"):
            edges.setdefault(event["kind"], {})[event["data"]["edge"]] = event["t_ns"]
    return {
        name: (item["begin"], item["end"])
        for name, item in edges.items()
        if {"begin", "end"} <= set(item)
    }


def idle_of_run(trace: Trace, domains: Sequence[Domain], events: Path) -> list[Idle]:
    """Idle power of every domain in the windows that the run set aside; empty without any."""
    windows = idle_windows(events) if events.is_file() else {}
    if not windows:
        return []
    before, after = windows.get("idle_before"), windows.get("idle_after")
    return [idle(trace, domain, before, after) for domain in domains]
