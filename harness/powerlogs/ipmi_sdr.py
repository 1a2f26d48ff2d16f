"""Repeated answers of ipmitool: `dcmi power reading`, or `sdr` with a sensor of the node's power.

DCMI's answer has a time. A loop around `sdr` has to write one, as a line of its own before the
sensors (the output of `date`) or at the beginning of the sensor's line.
"""

import re
from collections.abc import Sequence
from typing import Any

from harness.meters.ipmi import sensor_watts, watts
from harness.plugins import Reading
from harness.powerlogs.log import LineError, LogParser, power_log, time_ns

DCMI_STAMP = re.compile(r"\s*IPMI timestamp:\s*(.+?)(?:\s{2,}.*)?$")
STAMPED = re.compile(r"^(\S+(?: [\d:.]+)?)[,;\s]+(?=[A-Z][\w ]*\|)")
INSTANT = "Instantaneous power reading"


class IpmiParser(LogParser):
    """Lines of ipmitool; the domain is `node`."""

    expected = "repeated output of ipmitool dcmi power reading or ipmitool sdr"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._stamp = ""
        self._waiting: float | None = None
        """Power of an answer whose time comes some lines below it."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether a line is of DCMI's answer, or of a list of sensors with watts."""
        return any(INSTANT in line or ("|" in line and "Watts" in line) for line in lines)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line."""
        if INSTANT in line:
            readings = self.finish()
            try:
                self._waiting = watts(line)
            except ValueError as error:
                raise LineError(str(error)) from error
            return readings
        if stamp := DCMI_STAMP.match(line):
            self._stamp = stamp[1]
            return self.finish()
        match = STAMPED.match(line) if "|" in line else None
        if match and not self._is_stamp(match[1]):
            match = None  # the first word of a sensor's name
        stamp_text = match[1] if match else line.strip()
        if ("|" not in line or match) and self._is_stamp(stamp_text):
            self._stamp = stamp_text
        try:
            power_w = sensor_watts(line[match.end() :] if match else line)
        except ValueError:
            return []  # a time, or another sensor
        return [self._reading(power_w)]

    def _is_stamp(self, text: str) -> bool:
        try:
            time_ns(text, self.zone)
        except LineError:
            return False
        return True

    def _reading(self, power_w: float) -> Reading:
        stamp, self._stamp = self._stamp, ""
        return Reading(self.time_ns(stamp), "node", None, power_w)

    def finish(self) -> list[Reading]:
        """The answer whose time is known now, or never was given."""
        waiting, self._waiting = self._waiting, None
        return [] if waiting is None else [self._reading(waiting)]

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of a controller; over which time it averages is unknown."""
        del domain
        return {"gain_error_ratio": 0.05, "update_period_s": 1.0, "resolution_w": 1.0}


FORMAT = power_log("ipmi-sdr", "answers of ipmitool", ("*.txt", "*.log"), IpmiParser)
