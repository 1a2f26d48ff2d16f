"""Tables with named columns: the logs of external meters, and of the programs of GPU makers."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, timezone
from typing import Any, ClassVar

from harness.formats.text import delimiter_of, shown
from harness.plugins import Reading
from harness.powerlogs.log import HeaderError, LineError, LogParser, cells

TIMES = ("timestamp", "time", "datetime", "date", "t", "t_s", "utc", "date time", "timestamp_unix")
"""Usual names of a column of times; `date` and `time` together are one."""

UNITS = {
    "w": 1.0, "watt": 1.0, "watts": 1.0, "kw": 1e3, "mw": 1e-3, "milliwatts": 1e-3,
    "j": 1.0, "joules": 1.0, "mj": 1e-3, "wh": 3.6e3, "kwh": 3.6e6, "uj": 1e-6,
}  # fmt: skip
"""Watts or joules for one of a unit."""

POWERS = ("", "power", "p", "active power", "total power", "power consumption", "power draw")
ENERGIES = ("", "energy", "total energy", "active energy")
"""Usual names of columns of power and of energy, before their unit."""

UNIT = re.compile(r"^(.*?)[\s_]*[\[(]?\s*\b([a-z]+)\s*[\])]?$", re.DOTALL)
VALUE = re.compile(r"([-+0-9.,eE]+)\s*([a-zA-Z]*)")
JOULE_UNITS = ("j", "joules", "mj", "wh", "kwh", "uj")


def split_unit(name: str) -> tuple[str, str]:
    """Name and unit of a column: `Power (W)`, `power_kw`, `power.draw [mW]`, `watts`."""
    match = UNIT.match(name.lower().replace("\n", " ").replace("_", " "))
    if match and match[2] in UNITS:
        return match[1].strip(" [("), match[2]
    return re.sub(r"\s*[\[(].*[\])]$", "", name.lower()), ""


class TableParser(LogParser):
    """Lines of a table of an external meter; its domain is `wall`."""

    expected = "a table with a column of times and one of power or energy, such as time,power"
    scope = "wall"

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
        self._open = ""
        """The beginning of a line whose quoted cell goes on in the next one."""
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

    def _figure_columns(self, bases: Sequence[str], *, energy: bool) -> dict[str, float]:
        """Columns that may hold the figure, the most usual name first, with their units."""
        columns = {}
        for name in self._names:
            base, unit = split_unit(name)
            if base in bases and (unit or base) and (unit in JOULE_UNITS) == energy:
                columns[name] = UNITS.get(unit, 1.0)
        return dict(sorted(columns.items(), key=lambda item: bases.index(split_unit(item[0])[0])))

    def _read_header(self, line: str) -> None:
        self._delimiter = delimiter_of(line)
        self._names = [name.lower() for name in cells(line, self._delimiter)]
        self._time = self._find("time", TIMES) or ""
        for option, bases in (("power", POWERS), ("energy", ENERGIES)):
            units = self._figure_columns(bases, energy=option == "energy")
            if name := self._find(option, tuple(units)):
                unit = units.get(name, UNITS.get(split_unit(name)[1], 1.0))
                self._figures[option] = (name, unit)
        if not self._time or not self._figures:
            missing = "power or energy" if self._time else "time"
            raise HeaderError(
                f"no column of {missing} among: {', '.join(self._names)}; "
                "name them with time=..., power=... or energy=..."
            )
        if self.has_energy:
            self.counted.add("wall")

    def feed(self, line: str) -> list[Reading]:
        """Parse a line; the first one is the header."""
        line = f"{self._open} {line}" if self._open else line
        self._open = line if not self._names and line.count('"') % 2 else ""
        if not line.strip() or self._open:
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
        stamp = row[self._time]
        if self._time == "time" and "date" in row:
            stamp = f"{row['date']} {stamp}"
        return [Reading(self.time_ns(stamp), "wall", energy_j, power_w)]

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

    def sensor(self, domain: str) -> dict[str, Any]:
        """A meter that writes a row a second shows the mean of that second; others are unknown."""
        del domain
        return {"update_period_s": 1.0, "averaging_window_s": None if self.has_energy else 1.0}


class GpuTableParser(LogParser):
    """Lines of a table with a row for each GPU at each time; domains are `gpu-0`, `gpu-1` ...

    Columns are matched by name; units are in the header, in the values, or nowhere. GPUs are
    distinguished by the first of the known columns that differs between the rows of one time: a
    column that is the same in several rows of one time identifies nothing, whatever its name.
    """

    scope = "gpu"
    times: ClassVar[tuple[str, ...]] = TIMES
    powers: ClassVar[tuple[str, ...]] = ()
    """Names of columns of power; the first that is present is read."""
    energies: ClassVar[tuple[str, ...]] = ()
    identities: ClassVar[tuple[str, ...]] = (
        "index", "gpu", "gpu_index", "gpu_id", "device", "card", "module_id", "uuid", "gpu_uuid",
        "pci.bus_id", "gpu_bus_id", "bus_id", "pci_bus_id", "minor_number", "serial", "name",
    )  # fmt: skip
    prefix: ClassVar[str] = "gpu-"

    def __init__(self, zone: timezone | None = UTC) -> None:
        super().__init__(zone)
        self._names: list[str] = []
        self._units: dict[str, str] = {}
        self.power_column = ""
        self.energy_column = ""
        self.identity_column: str | None = None
        self.models: dict[str, str] = {}
        """Model of each GPU."""
        self.silent_count = 0
        """Readings that say that power is not available."""
        self._barred: set[str] = set()

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the first lines have a header with a column of power."""
        return any(cls._header_names(line) & {*cls.powers, *cls.energies} for line in lines[:9])

    @classmethod
    def _header_names(cls, line: str) -> set[str]:
        try:
            return {_base(name) for name in cells(line, ",")}
        except LineError:
            return set()

    def prepare(self, lines: Sequence[str]) -> None:
        """Find the columns that identify nothing."""
        groups: dict[tuple[str, str], set[str]] = defaultdict(set)
        rows: dict[str, int] = defaultdict(int)
        names: list[str] = []
        for line in lines:
            fields = [cell.strip() for cell in line.split(",")]
            if {_base(field) for field in fields} & {*self.powers, *self.energies}:
                names = [_base(field) for field in fields]
            elif len(fields) == len(names):
                row = dict(zip(names, fields, strict=True))
                if stamp := self._stamp(row):
                    rows[stamp] += 1
                    for name in row.keys() & set(self.identities):
                        groups[stamp, name].add(row[name])
        self._barred |= {
            name for (stamp, name), values in groups.items() if len(values) < rows[stamp]
        }
        if all(count == 1 for count in rows.values()):
            self._barred.add("name")

    def _stamp(self, row: Mapping[str, str]) -> str:
        column = next((name for name in self.times if name in row), None)
        if column == "time" and "date" in row:
            return f"{row['date']} {row['time']}"
        return row[column] if column else ""

    def _read_header(self, fields: Sequence[str]) -> None:
        self._names = [_base(field) for field in fields]
        self._units = {_base(field): split_unit(field)[1] for field in fields}
        self.power_column = next((name for name in self.powers if name in self._names), "")
        self.energy_column = next((name for name in self.energies if name in self._names), "")
        known = (n for n in self.identities if n in self._names and n not in self._barred)
        self.identity_column = next(known, None)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line; the header, also when it is repeated, gives no reading."""
        if not line.strip():
            return []
        fields = cells(line, ",")
        if {_base(field) for field in fields} & {*self.times, *self.identities}:
            self._read_header(fields)
            return []
        if not self._names:
            raise HeaderError(f"no header with {self.powers[0]}; record again with a header")
        if not (self.power_column or self.energy_column):
            return []  # a block of other quantities
        if len(fields) != len(self._names):
            raise LineError(f"no such row: {shown(line)}")
        return self._read_row(line, dict(zip(self._names, fields, strict=True)))

    def _read_row(self, line: str, row: Mapping[str, str]) -> list[Reading]:
        try:
            t_ns = self.time_ns(self._stamp(row))
        except LineError as error:
            raise LineError(f"no such row: {shown(line)}") from error
        gpu = row[self.identity_column] if self.identity_column else "0"
        gpu = re.sub(r"^card(?=\d)", "", gpu)
        if "name" in row:
            self.models[gpu] = row["name"]
        domain, readings = f"{self.prefix}{gpu}", []
        joules = self._value(self.energy_column, row)
        if joules is not None:
            self.counted.add(domain)
            readings.append(Reading(t_ns, domain, joules, None))
        watts = self._value(self.power_column, row)
        if watts is not None:
            name = f"{domain}-power" if self.energy_column else domain
            readings.append(Reading(t_ns, name, None, watts))
        elif self.power_column:
            self.silent_count += 1
        return readings

    def _value(self, column: str, row: Mapping[str, str]) -> float | None:
        return figure(row[column], self._units[column]) if column else None

    def finish(self) -> list[Reading]:
        """Report readings that say that power is not available."""
        if self.silent_count:
            text = f"{self.silent_count} readings say that power is not available"
            self.notes.append(("silent", text))
        return []

    def describe(self, name: str, names: Any, **fields: Any) -> Any:
        """The description of a domain; a card's counter contains its power."""
        parents = (stem,) if (stem := name.removesuffix("-power")) != name else ()
        return super().describe(name, names, **({"parents": parents} | fields))

    def identify(self, path: Any, folder: str, run: str) -> dict[str, str]:
        """The machine is named after its cards."""
        del path, folder, run
        models = list(self.models.values())
        names = (f"{models.count(name)}x {name}" for name in sorted(set(models)))
        return {"machine": " + ".join(names) or "unknown"}

    def facts(self, run: str) -> dict[str, Any]:
        """The column that was read."""
        del run
        return {"power_column": self.power_column or self.energy_column}


def _base(name: str) -> str:
    """The name of a column without its unit."""
    return re.sub(r"\s*[\[(][^\])]*[\])]\s*$", "", name.strip().strip('"')).strip().lower()


def figure(field: str, unit: str = "") -> float | None:
    """Watts or joules of `39.43 W`, `39430 mW` or `39.43`; None for `[N/A]` and below zero.

    Args:
        field: the cell.
        unit: of the column, where the cell names none.
    """
    match = VALUE.fullmatch(field.strip())
    factor = UNITS.get((match[2] or unit or "w").lower()) if match else None
    try:
        value = float(match[1]) if match else -1.0
    except ValueError:
        return None
    return value * factor if factor and 0 <= value < math.inf else None
