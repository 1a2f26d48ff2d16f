"""Checks the rows of a trace, a block at a time: whole where all is well, else row by row.

A block of known domains is matched whole, one of others gone through by columns. Both take less
than half of the time, and pass nothing that the rows would not: a block that is not plainly sound
is gone through row by row, which names line and fault.
"""

import math
import re
from collections import Counter
from functools import lru_cache

TRACE_COLUMNS = ("t_ns", "domain", "energy_j", "power_w", "u_ns")
STAMP_DIGITS = 19
"""No count of nanoseconds in 64 bits has more."""

_WHOLE = rb"[0-9]{1,19}+"
_FIGURE = rb"[0-9]{1,99}+(?:\.[0-9]++)?+"
"""Never infinite; whatever else is a number, as one with an exponent, is looked at by itself."""
_EITHER = rb"(?:%b,(?:%b)?+|,%b)" % (_FIGURE, _FIGURE, _FIGURE)
_SOUND = re.compile(rb"(?:%b,[^,\n]++,%b,%b\n)*+" % (_WHOLE, _EITHER, _WHOLE))

_MOSTLY = rb"(?:[0-9]{1,99}+\.[0-9]++,|%b)" % _EITHER
"""The same, with what a counter's rows look like tried first."""


_NAMES_MAX = 32
"""More domains than any machine has."""


@lru_cache(maxsize=64)
def _alike(digits: int, names: tuple[str, ...]) -> re.Pattern[bytes]:
    """Sound rows of these domains whose stamps have so many digits."""
    either = b"|".join(re.escape(name.encode()) for name in names)
    return re.compile(rb"(?:[0-9]{%d},(?:%b),%b,%b\n)*+" % (digits, either, _MOSTLY, _WHOLE))


class TraceChecker:
    """What is found in the rows of one trace."""

    def __init__(self) -> None:
        """Nothing has been read yet."""
        self.rows: Counter[str] = Counter()
        """Rows of each domain."""
        self.faults: list[str] = []
        """Sentences on rows that are wrong, with their lines."""
        self._last: dict[str, int] = {}
        self._line = 2

    def take(self, block: bytes) -> None:
        """Look at some whole lines, of ASCII, that follow those before."""
        if not self._plainly_sound(block):
            self._one_by_one(block.decode("ascii"))
        self._line += block.count(b"\n")

    def _plainly_sound(self, block: bytes) -> bool:
        """Whether every row is well formed, in order and not negative; then they are counted."""
        return self._of_known_domains(block) or self._by_columns(block)

    def _of_known_domains(self, block: bytes) -> bool:
        """The same, where the domains were seen before and all stamps have as many digits."""
        digits = block.find(b",")
        # No other cell of a sound row has a character that is neither a digit nor a point.
        names = tuple(name for name in self.rows if name.strip("0123456789."))
        if not 0 < digits <= STAMP_DIGITS or not 0 < len(names) <= _NAMES_MAX:
            return False
        rows = block.split(b"\n")[:-1]
        if _alike(digits, names).fullmatch(block) is None or not _ascend(rows, digits):
            return False
        counts = {name: block.count(b",%b," % name.encode()) for name in names}
        ends = {name: block.rfind(b",%b," % name.encode()) for name in names if counts[name]}
        latest = {name: int(block[end - digits : end]) for name, end in ends.items()}
        return self._follow(int(block[:digits]), latest, counts)

    def _follow(self, first_ns: int, latest: dict[str, int], counts: dict[str, int]) -> bool:
        """Whether a block that begins at a stamp comes after those before; then it is counted."""
        if any(self._last.get(name, first_ns) > first_ns for name in latest):
            return False
        self._last |= latest
        self.rows.update({name: counts[name] for name in latest})
        return True

    def _by_columns(self, block: bytes) -> bool:
        """The same, cell by cell."""
        if _SOUND.fullmatch(block) is None:
            return False
        cells = block.replace(b"\n", b",").split(b",")
        stamps, domains = cells[0:-1:5], cells[1::5]
        # Of equally many digits, the order of texts is that of numbers.
        alike = len(set(map(len, stamps))) == 1
        moments: list[bytes] | list[int] = stamps if alike else list(map(int, stamps))
        if not moments or sorted(moments) != moments:
            return False
        first_ns = int(stamps[0])
        latest = {name.decode(): int(at) for name, at in dict(zip(domains, stamps)).items()}  # noqa: B905
        counts = {name: domains.count(name.encode()) for name in latest}
        return self._follow(first_ns, latest, counts)

    def _one_by_one(self, block: str) -> None:
        for number, line in enumerate(block.split("\n")[:-1], self._line):
            if fault := self._fault(line):
                self.faults.append(f"line {number}: {fault}")

    def _fault(self, line: str) -> str:
        """What is wrong with one reading, or nothing; notes its domain and time."""
        cells = line.split(",")
        if len(cells) != len(TRACE_COLUMNS):
            return f"{len(cells)} columns in place of {len(TRACE_COLUMNS)}"
        stamp, domain, energy, power, half = cells
        self.rows[domain] += 1
        if not (_is_whole(stamp.removeprefix("-")) and _is_whole(half)):
            return "t_ns or u_ns is no whole number"
        if not (energy or power):
            return "neither energy_j nor power_w"
        if not (_is_finite(energy) and _is_finite(power)):
            return "energy_j or power_w is no finite number"
        t_ns = int(stamp)
        late = t_ns < self._last.get(domain, t_ns)
        self._last[domain] = t_ns
        return f"domain {domain}: goes back in time" if late else ""


def _ascend(rows: list[bytes], digits: int) -> bool:
    """Whether stamps of so many digits at the heads of rows are in order; equal ones are."""
    if sorted(rows) == rows:
        return True
    stamps = [row[:digits] for row in rows]
    return sorted(stamps) == stamps


def _is_whole(text: str) -> bool:
    return text.isdecimal() and len(text) <= STAMP_DIGITS


def _is_finite(text: str) -> bool:
    """Whether it is empty or a finite number."""
    try:
        return not text or math.isfinite(float(text))
    except ValueError:
        return False
