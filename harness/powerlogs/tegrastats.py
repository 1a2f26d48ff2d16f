"""tegrastats: power of a Jetson board's rails, `VDD_IN 5542mW/5542mW`, the momentary value first.

The board is its input rail, or the sum of its rails where it has none (AGX Orin, AGX Xavier), as
the meter `hwmon` reads it. Older releases write no unit (`GPU 0/0`) and no time.
"""

import re
from collections.abc import Sequence
from typing import Any

from harness.meters.hwmon import NO_RAILS, board_rails, rail_kind
from harness.plugins import Reading
from harness.powerlogs.log import LineError, LogParser, power_log

STAMP = re.compile(r"(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d) ")
RAIL = re.compile(r"(?<!\S)([A-Z][A-Z0-9_]*) (\d+)(?:mW(?:/\d+mW)?|/\d+)(?!\S)")


class TegrastatsParser(LogParser):
    """Lines of tegrastats; domains are the whole board and the rails of processor, GPU, memory."""

    expected = "the output of tegrastats"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._board = ""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether a line has memory, processors and a rail."""
        return any("RAM " in line and "CPU [" in line and RAIL.search(line) for line in lines)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: all rails have its time."""
        milliwatts: dict[str, int] = {}
        for name, power in RAIL.findall(line):
            if name not in NO_RAILS:
                milliwatts.setdefault(name, int(power))
        if not milliwatts:
            if "CPU [" in line:
                raise LineError("no rail with its power")
            return []
        stamp = STAMP.match(line)
        t_ns = self.time_ns(stamp[1] if stamp else "")
        self._board, added = board_rails(milliwatts)
        readings = [Reading(t_ns, self._board, None, sum(milliwatts[n] for n in added) / 1e3)]
        for name, power in milliwatts.items():
            kind = rail_kind(name)
            if kind != "node" and [name] != added:
                label = re.sub(r"[^a-z0-9]+", "-", name.lower())
                readings.append(Reading(t_ns, f"{kind}-{label}", None, power / 1e3))
        return readings

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of a board's own sensors; over which time they average is unknown."""
        parents = () if domain == self._board else (self._board,)
        return {"gain_error_ratio": 0.05, "update_period_s": 0.1, "parents": parents,
                "resolution_w": 0.005, "power_high_w": 200.0}  # fmt: skip


FORMAT = power_log("tegrastats", "tegrastats's rails", ("*.log", "*.txt"), TegrastatsParser)
