import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import numbers
from harness.report.numbers import GAP, MISSING, Unit

ONE = Unit("", 1.0)
positive = st.floats(min_value=1e-8, max_value=1e14, allow_nan=False)


def back(text: str) -> float:
    """The number that a text shows."""
    return float(text.replace(GAP, "").replace("\N{MINUS SIGN}", "-"))


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e14, max_value=1e14))
def test_three_digits_are_right_to_half_a_unit_of_the_last(value: float) -> None:
    shown = numbers.plain(value)
    if "^" in shown:
        return
    assert math.isclose(back(shown), value, rel_tol=5.01e-3, abs_tol=1e-300)


@given(positive)
def test_no_more_than_three_digits_are_claimed(value: float) -> None:
    digits = numbers.plain(value).replace(GAP, "").replace(".", "").strip("0")
    assert len(digits) <= 3


@given(st.floats())
def test_nothing_that_is_no_number_is_ever_shown(value: float) -> None:
    texts = [
        numbers.plain(value), numbers.quantity(value, "J"), numbers.percent(value),
        numbers.p_value(value), *numbers.figure(value, value, value, ONE),
    ]  # fmt: skip
    assert not re.search("nan|inf|e[+-]", " ".join(texts))


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_missing_is_a_dash_and_never_a_zero(value: float | None) -> None:
    assert numbers.plain(value) == MISSING
    assert numbers.quantity(value, "s") == MISSING
    assert numbers.figure(value, 1.0, 2.0, ONE) == (MISSING, "")


@pytest.mark.parametrize(
    ("value", "base", "text"),
    [
        (12345.0, "J", "12.3 kJ"),
        (0.0, "J", "0 J"),
        (0.88, "s", "0.880 s"),
        (0.0011, "s", "1.10 ms"),
        (3600.0, "s", "3600 s"),
        (12345.0, "s", "12 300 s"),
        (38_440, "B", "37.5 KiB"),
        (230.04, "W", "230 W"),
        (5e9, "J", "5.00 GJ"),
    ],
)
def test_quantities(value: float, base: str, text: str) -> None:
    assert numbers.quantity(value, base).replace(GAP, " ") == text


@given(st.lists(positive, min_size=1, max_size=5))
def test_a_column_has_one_unit_in_which_nothing_is_too_long(values: list[float]) -> None:
    unit = numbers.unit_for(values, "J")
    assert max(values) / unit.factor < 1e4 or unit.symbol == "GJ"


def test_missing_values_do_not_choose_the_unit() -> None:
    assert numbers.unit_for([None, math.inf, 0.0, 2300.0], "J").symbol == "kJ"
    assert numbers.unit_for([None], "J").symbol == "J"


@given(positive, st.floats(0.5, 0.9999), st.floats(1.0001, 2))
def test_an_interval_is_shown_around_its_value(value: float, down: float, up: float) -> None:
    shown = numbers.figure(value, value * down, value * up, ONE)
    if "^" in shown.value or "^" in shown.interval:
        return
    low, high = (back(end) for end in shown.interval.split("–"))
    assert low <= back(shown.value) <= high


@given(positive, st.floats(0.5, 0.99))
def test_value_and_ends_have_equally_many_decimals(value: float, down: float) -> None:
    shown = numbers.figure(value, value * down, value / down, ONE)
    if "^" in shown.value or "^" in shown.interval:
        return
    decimals = {len(text.partition(".")[2]) for text in (shown.value, *shown.interval.split("–"))}
    assert len(decimals) == 1


def test_a_narrow_interval_gets_a_digit_more() -> None:
    assert numbers.figure(2300.4, 2298.0, 2303.0, ONE) == ("2300", "2298–2303")
    assert numbers.figure(12.3456, 12.2, 12.5, ONE) == ("12.3", "12.2–12.5")


def test_an_open_end_is_said() -> None:
    assert numbers.figure(5.0, 4.0, None, ONE).interval == f"≥{GAP}4.00"
    assert numbers.figure(5.0, None, 6.0, ONE).interval == f"≤{GAP}6.00"
    assert numbers.figure(5.0, None, None, ONE).interval == ""


def test_rounding_up_to_the_next_power_keeps_three_digits() -> None:
    assert numbers.plain(9.996) == "10.0"
    assert numbers.plain(0.99951) == "1.00"


@pytest.mark.parametrize(("value", "text"), [(0.9, "0.9"), (0.941, "0.941"), (12000.0, "12 000")])
def test_chosen_numbers_keep_their_own_digits(value: float, text: str) -> None:
    assert numbers.exact(value).replace(GAP, " ") == text


def test_small_probabilities_are_said_to_be_small() -> None:
    assert numbers.p_value(1e-9) == "p < 0.0001"
    assert numbers.p_value(0.0042) == "p = 0.0042"


def test_ratios_are_per_cent() -> None:
    assert numbers.percent(0.061).replace(GAP, " ") == "6.1 %"


def test_huge_numbers_get_a_power_of_ten() -> None:
    assert numbers.plain(5e17).replace(GAP, " ") == "5.00 × 10^17"


def test_an_end_at_zero_beside_next_to_nothing_stays_short() -> None:
    figure = numbers.figure(1e-300, 0.0, None, Unit("s", 1.0))
    assert figure.interval == f"≥{GAP}0"
    assert len(figure.value) < 20
    assert numbers.figure(0.5, 0.0, 1.0, Unit("s", 1.0)).interval == "0.000–1.000"
