"""Logs of external meters as tables with named columns: a time, and power or an energy counter."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, timezone

from harness.formats.text import delimiter_of
from harness.plugins import Reading
from harness.powerlogs.log import HeaderError, LineError, LogParser, cells

TIMES = ("time", "timestamp", "datetime", "date", "t", "t_s", "utc")
POWERS = {
    **dict.fromkeys(("watts", "watt", "w", "power", "power_w", "power (w)", "power[w]"), 1.0),
    **dict.fromkeys(("active power", "active power (w)", "p", "power_watts"), 1.0),
    **dict.fromkeys(("power_kw", "kw", "power (kw)"), 1e3),
    **dict.fromkeys(("power_mw", "mw", "power (mw)"), 1e-3),
}
"""Usual names of a column of power, and watts for one of its units."""

ENERGIES = {
    **dict.fromkeys(("energy_j", "joules", "j", "energy (j)"), 1.0),
    **dict.fromkeys(("energy_wh", "wh", "energy (wh)"), 3.6e3),
    **dict.fromkeys(("energy_kwh", "kwh", "energy (kwh)"), 3.6e6),
}
"""Usual names of a column of energy, and joules for one of its units."""


class TableParser(LogParser):
    """Lines of a table; its domain is `wall`."""

    def __init__(
        self, zone: timezone | None = UTC, options: Mapping[str, str] | None = None
    ) -> None:
        """Start a log.

        Args:
            zone: Time zone of stamps that name none; None for this machine's zone.
            options: Names of the columns `time`, `power` and `energy` where they are unusual.
        """
        super().__init__(zone)
        self._options = options or {}
        self._delimiter = ""
        self._names: list[str] = []
        self._time = ""
        self._figures: dict[str, tuple[str, float]] = {}
        """Column of `power` and of `energy`, and SI units for one of its units."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether there is any line: the header is checked when it is parsed."""
        return bool(lines)

    @property
    def has_energy(self) -> bool:
        """Whether the log has an energy counter."""
        return "energy" in self._figures

    def _find(self, option: str, known: Sequence[str]) -> str | None:
        wanted = self._options.get(option, "").lower()
        name = next((name for name in ([wanted] if wanted else known) if name in self._names), None)
        if name is not None and self._names.count(name) > 1:
            raise HeaderError(f"more than one column is called '{name}'; rename one of them")
        return name

    def _read_header(self, line: str) -> None:
        self._delimiter = delimiter_of(line)
        self._names = [name.lower() for name in cells(line, self._delimiter)]
        self._time = self._find("time", TIMES) or ""
        for option, units in (("power", POWERS), ("energy", ENERGIES)):
            if name := self._find(option, tuple(units)):
                self._figures[option] = (name, units.get(name, 1.0))
        if not self._time or not self._figures:
            missing = "power or energy" if self._time else "time"
            raise HeaderError(
                f"no column of {missing} among: {', '.join(self._names)}; "
                "name them with time=..., power=... or energy=..."
            )

    def feed(self, line: str) -> list[Reading]:
        """Parse a line; the first one is the header."""
        if not line.strip():
            return []
        if not self._names:
            self._read_header(line)
            return []
        fields = cells(line, self._delimiter)
        if len(fields) > len(self._names):
            raise LineError(
                f"more columns than the {len(self._names)} of the header: {line[:60]!r}"
            )
        row = dict(zip(self._names, fields, strict=False))
        energy_j, power_w = self._figure("energy", row), self._figure("power", row)
        return [Reading(self.time_ns(row[self._time]), "wall", energy_j, power_w)]

    def _figure(self, option: str, row: Mapping[str, str]) -> float | None:
        if option not in self._figures:
            return None
        name, unit = self._figures[option]
        if name not in row or self._time not in row:
            raise LineError(f"too few columns: {list(row.values())}")
        # Beside commas between columns, a comma within a figure cannot be told from one of them.
        text = row[name] if self._delimiter == "," else row[name].replace(",", ".")
        try:
            value = float(text)
        except ValueError as error:
            raise LineError(str(error)) from error
        if not math.isfinite(value):
            raise LineError(f"'{text}' is no figure")
        return value * unit
