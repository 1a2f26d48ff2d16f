"""powermetrics of macOS, as text or as property lists (`-f plist`): mean power of each interval.

Its manual says that average power is estimated, so that joules are `modelled`. `Package Power` or
`Combined Power (CPU + GPU + ANE)`, on Intel `derived package power`, is the whole chip; the other
figures are parts of it, and are added only where no whole is stated. Memory is part of `Package
Power` alone.
"""

import plistlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any
from xml.parsers.expat import ExpatError

from harness.clock import NS_PER_S
from harness.plugins import Reading
from harness.powerlogs.log import Accumulator, LineError, LogParser, power_log

SAMPLE = re.compile(r"\*\*\* Sampled system activity \((.+)\) \(([\d.]+)ms elapsed\)")
POWER = re.compile(r"(CPU|GPU|ANE|DRAM|Package|Combined) Power(?: \([^)]*\))?: +([\d.]+) *(m?)W")
INTEL = re.compile(r"Intel energy model derived package power[^:]*: +([\d.]+) *(m?)W")
WHOLE = "cpu-package"
DOMAINS = {"CPU": "cpu-cores", "GPU": "igpu", "ANE": "cpu-ane", "DRAM": "dram",
           "Package": WHOLE, "Combined": WHOLE}  # fmt: skip
KEYS = {"cpu_power": "cpu-cores", "gpu_power": "igpu", "ane_power": "cpu-ane",
        "dram_power": "dram", "combined_power": WHOLE, "package_power": WHOLE}  # fmt: skip
"""Keys of property lists, in milliwatts, at the top or below `processor`."""

STAMP_ERROR_NS = 2 * NS_PER_S
"""Stamps are in whole seconds: intervals follow each other unless a stamp is further off."""


class PowermetricsParser(LogParser):
    """Lines of powermetrics; domains are the chip and its parts."""

    method = "modelled"
    expected = "the output of powermetrics --samplers cpu_power,gpu_power (text or plist)"
    scope = "cpu"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._counters = Accumulator()
        self._end_ns: int | None = None
        self._interval: tuple[str, float] | None = None
        self._watts: dict[str, float] = {}
        self._plist: list[str] = []
        self._memory_within = False

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether a line begins a sample, or is of a property list with its keys."""
        return any(SAMPLE.search(line) or f"<key>{key}</key>" in line
                   for line in lines for key in ("elapsed_ns", *KEYS))  # fmt: skip

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: a sample ends where the next one begins."""
        if self._plist or line.lstrip("\0 ").startswith(("<?xml", "<plist")):
            return self._feed_plist(line.lstrip("\0"))
        if sample := SAMPLE.search(line):
            readings = self._close()
            self._interval = sample[1], float(sample[2]) / 1e3
            return readings
        if self._interval is None:
            return []
        if match := POWER.match(line.strip()):
            # The sampler gpu_power repeats the figure of the GPU.
            factor = 1e-3 if match[3] else 1.0
            self._watts.setdefault(DOMAINS[match[1]], float(match[2]) * factor)
            self._memory_within |= match[1] == "Package"
        elif match := INTEL.match(line.strip()):
            self._watts[WHOLE] = float(match[1]) * (1e-3 if match[2] else 1.0)
        return []

    def _feed_plist(self, line: str) -> list[Reading]:
        self._plist.append(line)
        if "</plist>" not in line:
            return []
        text, self._plist = "\n".join(self._plist), []
        try:
            sample = plistlib.loads(text.encode())
            length_s = sample["elapsed_ns"] / NS_PER_S
        except (ValueError, KeyError, TypeError, ExpatError) as error:
            raise LineError(f"no property list with elapsed_ns: {error}") from error
        processor = sample.get("processor", {})
        self._watts = dict(_plist_watts({**processor, **sample}))
        for package in processor.get("packages", ()):
            if "package_watts" in package:
                self._watts[WHOLE] = self._watts.get(WHOLE, 0.0) + float(package["package_watts"])
        stamp = sample.get("timestamp")
        shown = stamp.replace(tzinfo=UTC).isoformat() if stamp is not None else ""
        self._interval = shown, length_s
        return self._close()

    def _close(self) -> list[Reading]:
        interval, watts = self._interval, self._watts
        self._interval, self._watts = None, {}
        if interval is None or not watts:
            return []
        stamp, length_s = interval
        length_ns = round(length_s * NS_PER_S)
        stamped_ns, before_ns = self.time_ns(stamp), self._end_ns
        end_ns = stamped_ns if before_ns is None else before_ns + length_ns
        if abs(end_ns - stamped_ns) > STAMP_ERROR_NS:
            end_ns = stamped_ns
        self._end_ns = end_ns
        self.counted.update(watts)
        return [
            reading
            for domain, power_w in watts.items()
            for reading in self._counters.add(
                domain, power_w * length_s, end_ns - length_ns, end_ns
            )
        ]

    def finish(self) -> list[Reading]:
        """The last sample."""
        return self._close()

    def sensor(self, domain: str) -> dict[str, Any]:
        """Joules of an estimate; the chip contains its parts."""
        within = WHOLE in self.counted and domain != WHOLE
        if domain == "dram":
            within &= self._memory_within
        return {"method": "modelled", "parents": (WHOLE,) if within else ()}


def _plist_watts(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, domain in KEYS.items():
        if isinstance(value := values.get(key), int | float):
            yield domain, value / 1e3


FORMAT = power_log(
    "powermetrics",
    "powermetrics's samples",
    ("*.txt", "*.log", "*.plist"),
    PowermetricsParser,
)
