"""Checks the rows of a trace."""

import math
from collections import Counter

TRACE_COLUMNS = ("t_ns", "domain", "energy_j", "power_w", "u_ns")
STAMP_DIGITS = 19
"""A number of nanoseconds in 64 bits has at most this many digits."""


class TraceChecker:
    """Counts the rows of one trace, and what is wrong with them."""

    def __init__(self) -> None:
        """Start before the first row."""
        self.rows: Counter[str] = Counter()
        """Number of rows by domain."""
        self.errors: list[str] = []
        """Sentences about wrong rows, with their line numbers."""
        self._last_ns: dict[str, int] = {}
        self._line = 1

    def check(self, block: bytes) -> None:
        """Check some whole lines of ASCII text that follow the previous block."""
        for row in block.decode("ascii").split("\n")[:-1]:
            self._line += 1
            if error := self._error(row):
                self.errors.append(f"line {self._line}: {error}")

    def _error(self, row: str) -> str:
        """What is wrong with one row, or nothing; its domain and time are stored."""
        cells = row.split(",")
        if len(cells) != len(TRACE_COLUMNS):
            return f"{len(cells)} columns instead of {len(TRACE_COLUMNS)}"
        stamp, domain, energy, power, half = cells
        self.rows[domain] += 1
        if not (_is_integer(stamp.removeprefix("-")) and _is_integer(half)):
            return "t_ns or u_ns is not an integer"
        if not (energy or power):
            return "neither energy_j nor power_w"
        if not (_is_finite(energy) and _is_finite(power)):
            return "energy_j or power_w is not a finite number"
        t_ns = int(stamp)
        earlier = t_ns < self._last_ns.get(domain, t_ns)
        self._last_ns[domain] = t_ns
        return f"domain {domain}: goes back in time" if earlier else ""


def _is_integer(text: str) -> bool:
    return text.isdecimal() and len(text) <= STAMP_DIGITS


def _is_finite(text: str) -> bool:
    """Whether a cell is empty or a finite number."""
    try:
        return not text or math.isfinite(float(text))
    except ValueError:
        return False
