"""The cases that all tools go through, each with joules that are known exactly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.peers.counters import Course

CARDS = 2
"""Simulated cards in the cases that have a library."""


@dataclass(frozen=True)
class Case:
    """One situation."""

    name: str
    asks: Literal["gpu", "cpu", "all"]
    """Which joules are asked for: of the cards, of processor and memory, or all that a tool has."""
    card: Mapping[str, object] | None = None
    """Course and faults of each card; None: there is no library."""
    course: Course | None = None
    """Of the processor; None: the kernel shows no counter."""
    smi: bool = False
    """Whether a program `nvidia-smi` is on the path."""

    @property
    def measurable(self) -> bool:
        """Whether anything is there that could be measured."""
        return self.card is not None or self.course is not None


def cases(seconds: float) -> list[Case]:
    """All cases for a window of so many seconds."""
    lost = {"shape": "constant", "fault": "lost", "fault_after_s": seconds * 0.75 + 2}
    steady = ((20.0, 1.0),)
    step = ((10.0, 0.9 * seconds), (300.0, 1.0))
    return [
        Case("constant 300 W", "gpu", {"shape": "constant"}, smi=True),
        Case("square 100/300 W, 4 s", "gpu", {"shape": "square", "wave_s": 4}, smi=True),
        Case("pulse 100/300 W, 1 s in 5", "gpu", {"shape": "pulse", "wave_s": 5}, smi=True),
        Case("sine 100..300 W, 0.9 s", "gpu", {"shape": "sine", "wave_s": 0.9}, smi=True),
        Case(
            "constant, card without fields",
            "gpu",
            {"shape": "constant", "architecture": 4, "no_fields": 1},
            smi=True,
        ),
        Case("card lost halfway", "gpu", lost, smi=True),
        Case("card, but no nvidia-smi", "gpu", {"shape": "constant"}),
        Case("no library at all", "gpu"),
        Case("package 20 W + dram 6 W", "cpu", course=Course(steady, 6.0)),
        Case(
            "package's counter wraps",
            "cpu",
            course=Course(steady, 6.0, wraps_at_s=seconds - 0.03),
        ),
        Case("10 W for 9 s, then 300 W for 1 s", "cpu", course=Course(step, 1.0)),
        Case("no sensor at all", "all"),
    ]
