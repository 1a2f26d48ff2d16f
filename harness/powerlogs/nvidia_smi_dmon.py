"""`nvidia-smi dmon -s p -o DT`: power of each GPU in columns separated by blanks.

Without `-o DT` the lines have no time, so that an import has mean watts and no joules. Watts are
whole numbers; `-` means that a card has no power reading.
"""

from collections.abc import Sequence
from typing import Any

from harness.meters._sensing import UNKNOWN_GPU_GAIN
from harness.plugins import Reading
from harness.powerlogs.log import LineError, LogParser, power_log


class DmonParser(LogParser):
    """Lines of dmon; domains are `gpu-0`, `gpu-1` ..."""

    expected = "the output of nvidia-smi dmon -s p -o DT"
    scope = "gpu"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._names: list[str] = []

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether a line is dmon's header."""
        return any(line.startswith("#") and {"gpu", "pwr"} <= set(line.split()) for line in lines)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line; lines with `#` are headers."""
        fields = line.lstrip("# ").split()
        if line.startswith("#"):
            if "gpu" in fields and "pwr" in fields:
                self._names = [name.lower() for name in fields]
            return []
        if not fields or not self._names:
            return []
        if len(fields) != len(self._names):
            raise LineError(f"{len(fields)} fields, {len(self._names)} named")
        row = dict(zip(self._names, fields, strict=True))
        # A time without a date is placed by the time of its arrival.
        stamp = " ".join(row[name] for name in ("date", "time") if name in row)
        t_ns = self.time_ns(stamp if "date" in row else "")
        if row["pwr"] == "-":
            return []
        try:
            return [Reading(t_ns, f"gpu-{row['gpu']}", None, float(row["pwr"]))]
        except ValueError as error:
            raise LineError(str(error)) from error

    def sensor(self, domain: str) -> dict[str, Any]:
        """No line names the card, so that its class is that of an unknown one."""
        del domain
        return {"gain_error_ratio": UNKNOWN_GPU_GAIN, "update_period_s": 0.1, "resolution_w": 1.0}


FORMAT = power_log(
    "nvidia-smi-dmon", "nvidia-smi dmon's power readings", ("*.txt", "*.log", "*.dmon"), DmonParser
)
