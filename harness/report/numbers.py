"""How numbers read on a page: units, digits and what stands where there is no number."""

import math
import sys
from collections.abc import Iterable
from typing import NamedTuple

GAP = "\u202f"
"""Narrow no-break space: between thousands, and between a number and its unit."""

MISSING = "\N{EM DASH}"
"""Stands where nothing was measured; pages add the words for it."""

READABLE = 1e4
"""Numbers from here on are too long for a column: a greater unit is taken."""

GROUPED_FROM = 5
"""Least number of digits that are set in groups."""

TENTH = 0.1
"""Part of a base unit that still reads better in it than in the next smaller one."""

TAME = (1e-9, 1e15)
"""Numbers outside are written with a power of ten."""

CHOSEN = (1e-5, 1e6)
"""Numbers that people choose lie in here; others are not shown digit by digit."""

P_LEAST = 1e-4
"""Probabilities below are said to be below."""

DIGITS = 3
DIGITS_MAX = 4

PLACES_MAX = 12
"""Zeros after the point that nobody counts any more."""


class Unit(NamedTuple):
    """A unit to show numbers in."""

    symbol: str
    factor: float
    """How many base units make one."""


LADDERS = {
    "J": (Unit("mJ", 1e-3), Unit("J", 1.0), Unit("kJ", 1e3), Unit("MJ", 1e6), Unit("GJ", 1e9)),
    "W": (Unit("mW", 1e-3), Unit("W", 1.0), Unit("kW", 1e3), Unit("MW", 1e6)),
    "s": (Unit("µs", 1e-6), Unit("ms", 1e-3), Unit("s", 1.0)),
    "B": (
        Unit("B", 1.0),
        Unit("KiB", 1024.0),
        Unit("MiB", 1024.0**2),
        Unit("GiB", 1024.0**3),
        Unit("TiB", 1024.0**4),
    ),
    "": (Unit("", 1.0),),
}
"""Units of each base unit, small to large."""


def finite(value: float | None) -> float | None:
    """The value, or None where it is no finite number: those never reach a page."""
    return value if value is not None and math.isfinite(value) else None


def unit_for(values: Iterable[float | None], base: str) -> Unit:
    """One unit for a whole column: the least value reads at least 1, the greatest below 10 000.

    Args:
        values: in base units; missing, zero and infinite ones do not count.
        base: `J`, `W`, `s`, `B`, or empty.
    """
    ladder = LADDERS[base]
    sizes = [abs(value) for value in values if value is not None and finite(value)]
    if not sizes:
        return next(unit for unit in ladder if unit.factor == 1.0)
    least = min(sizes) if not TENTH <= min(sizes) < 1 else 1.0
    fitting = [unit for unit in ladder if unit.factor <= least * 1.0000001]
    unit = fitting[-1] if fitting else ladder[0]
    if max(sizes) / unit.factor < READABLE:
        return unit
    return next((item for item in ladder if max(sizes) / item.factor < READABLE), ladder[-1])


def grouped(text: str) -> str:
    """Digits before the point in groups of three, from five digits on."""
    sign = "\N{MINUS SIGN}" if text.startswith("-") else ""
    whole, point, rest = text.lstrip("-").partition(".")
    if len(whole) >= GROUPED_FROM:
        whole = f"{int(whole):,}".replace(",", GAP)
    return sign + whole + point + rest


def plain(value: float | None, significant: int = DIGITS) -> str:
    """A number with that many significant digits, never in exponent form below 1e15."""
    if finite(value) is None or value is None:
        return MISSING
    if value == 0:
        return "0"
    if not TAME[0] <= abs(value) < TAME[1]:
        return powered(value, significant)
    exponent = math.floor(math.log10(abs(value)))
    decimals = significant - 1 - exponent
    rounded = round(value, decimals)
    if abs(rounded) >= 10.0 ** (exponent + 1):
        decimals -= 1
    return grouped(f"{rounded:.{max(decimals, 0)}f}")


def powered(value: float, significant: int = DIGITS) -> str:
    """A number as `1.23 × 10^17`, for what no unit can tame; held where no float is greater."""
    value = min(max(value, -sys.float_info.max), sys.float_info.max)
    mantissa, _, exponent = f"{value:.{significant - 1}e}".partition("e")
    return f"{mantissa}{GAP}×{GAP}10^{int(exponent)}"


def digits_for(value: float, low: float | None, high: float | None) -> int:
    """Three significant digits, or as many more as tell the interval's ends from the value."""
    ends = [end for end in (low, high) if end is not None and end != value]
    for significant in range(DIGITS, DIGITS_MAX):
        shown = plain(value, significant)
        if all(plain(end, significant) != shown for end in ends):
            return significant
    return DIGITS_MAX


def in_unit(value: float | None, unit: Unit, significant: int = DIGITS) -> str:
    """The number alone, in the given unit."""
    return (
        MISSING
        if finite(value) is None or value is None
        else plain(value / unit.factor, significant)
    )


def quantity(value: float | None, base: str, significant: int = DIGITS) -> str:
    """Number and unit, as `12.3 kJ`; a dash where there is none."""
    if finite(value) is None:
        return MISSING
    unit = unit_for([value], base)
    number = in_unit(value, unit, significant)
    return f"{number}{GAP}{unit.symbol}" if unit.symbol else number


class Shown(NamedTuple):
    """A figure ready for a table cell."""

    value: str
    interval: str
    """As `11.9–12.8`; `≥ 11.9` where the upper end is open; empty where there is none."""


def figure(value: float | None, low: float | None, high: float | None, unit: Unit) -> Shown:
    """Value and interval in one unit, with the digits that the interval needs."""
    value, low, high = finite(value), finite(low), finite(high)
    if value is None:
        return Shown(MISSING, "")
    low, high = (end / unit.factor if end is not None else None for end in (low, high))
    scaled = value / unit.factor
    places = _places(scaled, digits_for(scaled, low, high))
    return Shown(_fixed(scaled, places), _span(low, high, places))


def _places(value: float, significant: int) -> int:
    """Place of the last shown digit after the point; negative before it."""
    if value == 0:
        return significant - 1
    return significant - 1 - math.floor(math.log10(abs(value)))


def _fixed(value: float, places: int) -> str:
    if not value and places > PLACES_MAX:
        return "0"
    if value and not TAME[0] <= abs(value) < TAME[1]:
        return powered(value)
    return grouped(f"{round(value, places) + 0.0:.{max(places, 0)}f}")


def _span(low: float | None, high: float | None, places: int) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f"≤{GAP}{_fixed(high or 0.0, places)}"
    if high is None:
        return f"≥{GAP}{_fixed(low, places)}"
    return f"{_fixed(low, places)}–{_fixed(high, places)}"


def exact(value: float | None) -> str:
    """A number that somebody chose, as a target: its own digits, no more."""
    if finite(value) is None or value is None:
        return MISSING
    return grouped(f"{value:.6g}") if CHOSEN[0] <= abs(value) < CHOSEN[1] else plain(value, 6)


def percent(ratio: float | None, significant: int = 2) -> str:
    """A ratio as per cent, as `6.1 %`."""
    if finite(ratio) is None or ratio is None:
        return MISSING
    return f"{plain(ratio * 100, significant)}{GAP}%"


def p_value(value: float | None) -> str:
    """`p = 0.004`, or `p < 0.0001` where more digits would mean nothing."""
    if finite(value) is None or value is None:
        return MISSING
    return "p < 0.0001" if value < P_LEAST else f"p = {plain(value, 2)}"


def seconds(ns: float | None) -> float | None:
    """Nanoseconds as seconds."""
    return None if ns is None else ns / 1e9
