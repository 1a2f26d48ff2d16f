"""Formats numbers for pages: units, digits, intervals, and a dash for missing values."""

import math
from collections.abc import Iterable
from typing import NamedTuple

GAP = "\u202f"
"""Narrow no-break space, between thousands and between a number and its unit."""

MISSING = "\N{EM DASH}"
"""Shown in place of a missing value; pages add the reason."""

READABLE_MAX = 1e4
"""A column takes a larger unit if a value is this large."""

GROUPED_FROM = 5
"""Numbers with this many digits before the point are set in groups of three."""

DECIMAL_RANGE = (1e-9, 1e15)
"""Numbers outside this range are written with a power of ten."""

EXACT_RANGE = (1e-5, 1e6)
"""Chosen numbers in this range are shown with their own digits."""

P_LEAST = 1e-4
"""Smaller p values are shown as `p < 0.0001`."""

DIGITS, DIGITS_MAX = 3, 4
"""Significant digits of a value, and the most that a narrow interval adds up to."""

PLACES_MAX = 12
"""Zero is not padded to more decimals than this."""


class Unit(NamedTuple):
    """A unit of display."""

    symbol: str
    factor: float
    """Size in base units."""


UNITS = {
    "J": (Unit("mJ", 1e-3), Unit("J", 1.0), Unit("kJ", 1e3), Unit("MJ", 1e6), Unit("GJ", 1e9)),
    "W": (Unit("mW", 1e-3), Unit("W", 1.0), Unit("kW", 1e3), Unit("MW", 1e6)),
    "s": (Unit("µs", 1e-6), Unit("ms", 1e-3), Unit("s", 1.0)),
    "B": tuple(Unit(name, 1024.0**at) for at, name in enumerate(("B", "KiB", "MiB", "GiB", "TiB"))),
    "": (Unit("", 1.0),),
}
"""Display units of each base unit, in ascending order."""


class FormattedFigure(NamedTuple):
    """A value and its interval, ready for a table cell."""

    value: str
    interval: str
    """Such as `11.9–12.8`, or `≥ 11.9` with an open upper end; empty without an interval."""


def finite(value: float | None) -> float | None:
    """Return the value, or None where it is infinite or NaN."""
    return value if value is not None and math.isfinite(value) else None


def unit_for(values: Iterable[float | None], base: str) -> Unit:
    """Choose one unit for a column: no value is below 1, unless the largest would reach 10 000.

    Args:
        values: in base units; missing, zero and infinite values are ignored.
        base: `J`, `W`, `s`, `B`, or empty.
    """
    units = UNITS[base]
    sizes = [abs(value) for value in values if value is not None and finite(value)]
    if not sizes:
        return next(unit for unit in units if unit.factor == 1.0)
    # A tenth of a base unit is easier to read as 0.1 than as 100 of the smaller unit.
    least = min(sizes) if not 0.1 <= min(sizes) < 1 else 1.0  # noqa: PLR2004 - see above
    candidates = [unit for unit in units if unit.factor <= least * 1.0000001]
    unit = candidates[-1] if candidates else units[0]
    if max(sizes) / unit.factor < READABLE_MAX:
        return unit
    return next((unit for unit in units if max(sizes) / unit.factor < READABLE_MAX), units[-1])


def grouped(text: str) -> str:
    """Group the digits before the point by three, from five digits on."""
    sign = "\N{MINUS SIGN}" if text.startswith("-") else ""
    integer, point, decimals = text.lstrip("-").partition(".")
    if len(integer) >= GROUPED_FROM:
        integer = f"{int(integer):,}".replace(",", GAP)
    return sign + integer + point + decimals


def plain(value: float | None, significant: int = DIGITS) -> str:
    """Format a number with significant digits, without an exponent below 1e15."""
    number = finite(value)
    if number is None:
        return MISSING
    if number == 0:
        return "0"
    if not DECIMAL_RANGE[0] <= abs(number) < DECIMAL_RANGE[1]:
        return _with_power(number, significant)
    exponent = math.floor(math.log10(abs(number)))
    decimals = significant - 1 - exponent
    rounded = round(number, decimals)
    if abs(rounded) >= 10.0 ** (exponent + 1):
        decimals -= 1
    return grouped(f"{rounded:.{max(decimals, 0)}f}")


def _with_power(value: float, significant: int = DIGITS) -> str:
    mantissa, _, exponent = f"{value:.{significant - 1}e}".partition("e")
    return f"{mantissa}{GAP}×{GAP}10^{int(exponent)}"


def in_unit(value: float | None, unit: Unit, significant: int = DIGITS) -> str:
    """Format a number in a unit, without the symbol."""
    return plain(None if value is None else value / unit.factor, significant)


def quantity(value: float | None, base: str, significant: int = DIGITS) -> str:
    """Format a number with its unit, such as `12.3 kJ`."""
    if finite(value) is None:
        return MISSING
    unit = unit_for([value], base)
    number = in_unit(value, unit, significant)
    return f"{number}{GAP}{unit.symbol}" if unit.symbol else number


def figure(
    value: float | None, low: float | None, high: float | None, unit: Unit
) -> FormattedFigure:
    """Format a value and its interval in one unit, with as many digits as the interval needs."""
    number, low, high = (
        finite(None if item is None else item / unit.factor) for item in (value, low, high)
    )
    if number is None:
        return FormattedFigure(MISSING, "")
    exponent = math.floor(math.log10(abs(number))) if number else 0
    # Four digits where three do not separate the interval from the value.
    texts = [plain(end) for end in (low, high) if end is not None and end != number]
    places = (DIGITS_MAX if plain(number) in texts else DIGITS) - 1 - exponent
    return FormattedFigure(_fixed(number, places), _interval(low, high, places))


def _fixed(value: float, places: int) -> str:
    if not value and places > PLACES_MAX:
        return "0"
    if value and not DECIMAL_RANGE[0] <= abs(value) < DECIMAL_RANGE[1]:
        return _with_power(value)
    return grouped(f"{round(value, places) + 0.0:.{max(places, 0)}f}")


def _interval(low: float | None, high: float | None, places: int) -> str:
    if low is None:
        return "" if high is None else f"≤{GAP}{_fixed(high, places)}"
    if high is None:
        return f"≥{GAP}{_fixed(low, places)}"
    return f"{_fixed(low, places)}–{_fixed(high, places)}"


def exact(value: float | None) -> str:
    """Format a number that was chosen, such as a target, with its own digits."""
    number = finite(value)
    if number is None:
        return MISSING
    in_range = EXACT_RANGE[0] <= abs(number) < EXACT_RANGE[1]
    return grouped(f"{number:.6g}") if in_range else plain(number, 6)


def percent(ratio: float | None, significant: int = 2) -> str:
    """Format a ratio as a percentage, such as `6.1 %`."""
    number = finite(ratio)
    return MISSING if number is None else f"{plain(number * 100, significant)}{GAP}%"


def p_value(value: float | None) -> str:
    """Format a p value, such as `p = 0.004` or `p < 0.0001`."""
    number = finite(value)
    if number is None:
        return MISSING
    return "p < 0.0001" if number < P_LEAST else f"p = {plain(number, 2)}"
