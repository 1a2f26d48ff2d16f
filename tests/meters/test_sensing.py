"""What meters do alike: stamp the middle of a read, measure a period, check options."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.meters import _sensing
from harness.meters._sensing import (
    check_options,
    number_option,
    timed,
    update_period_s,
    update_periods_s,
)


class Ticking:
    """A clock that only sleeping and reading move."""

    def __init__(self, read_ns: int = 0) -> None:
        self.ns = 5 * NS_PER_S
        self.read_ns = read_ns

    def now_ns(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * NS_PER_S)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    made = Ticking()
    monkeypatch.setattr(_sensing, "now_ns", made.now_ns)
    monkeypatch.setattr("time.sleep", made.sleep)
    return made


@pytest.mark.parametrize("length_ns", [0, 1, 2, 1001, 40_000])
def test_the_stamp_is_the_middle_and_the_half_covers_the_read(
    clock: Ticking, length_ns: int
) -> None:
    begin_ns = clock.ns

    def look() -> str:
        clock.ns += length_ns
        return "value"

    value, t_ns, u_ns = timed(look)
    assert value == "value"
    assert t_ns - u_ns <= begin_ns
    assert t_ns + u_ns >= begin_ns + length_ns
    assert u_ns <= length_ns / 2 + 1


@pytest.mark.parametrize("period_s", [0.02, 0.1, 0.1017])
def test_a_period_is_measured_to_within_a_look(clock: Ticking, period_s: float) -> None:
    measured = update_period_s(lambda: int(clock.ns / NS_PER_S / period_s), 5.0, 0.001)
    assert measured == pytest.approx(period_s, abs=0.001)


@given(st.sets(st.integers(0, 250), max_size=12))
def test_looks_that_come_late_do_not_make_the_period_longer(late: set[int]) -> None:
    """On a busy machine two changes pass for one now and then."""
    clock, looks = Ticking(), iter(range(10_000))

    def look() -> list[int]:
        clock.ns += NS_PER_S // 1000 * (130 if next(looks) in late else 1)
        return [clock.ns // (NS_PER_S // 10), 7]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sensing, "now_ns", clock.now_ns)
        patch.setattr("time.sleep", clock.sleep)
        moving, still = update_periods_s(look, 2, 3.0, 0.001)
    assert moving == pytest.approx(0.1, abs=0.05)
    assert still is None
    if len(late) <= 4:
        assert moving == pytest.approx(0.1, abs=0.003)


def test_a_value_that_comes_twice_in_a_row_does_not_make_the_period_longer(clock: Ticking) -> None:
    said = (3, 4, 4, 5, 3, 3, 3, 4, 5, 4)
    measured = update_period_s(lambda: said[int(clock.ns / NS_PER_S / 0.1) % 10], 3.0, 0.001)
    assert measured == pytest.approx(0.1, abs=0.001)


def test_an_idle_sensor_has_no_period_rather_than_a_long_one(clock: Ticking) -> None:
    begin_ns = clock.ns
    assert update_period_s(lambda: 7, 0.5, 0.01) is None
    assert (clock.ns - begin_ns) / NS_PER_S == pytest.approx(0.5, abs=0.02)


def test_too_few_changes_are_no_measurement(clock: Ticking) -> None:
    values: Iterator[int] = iter([0, 1, 2, 3, 4, *([4] * 1000)])
    assert update_period_s(lambda: next(values), 0.5, 0.01) is None


NAMES = st.lists(st.text("abc_", min_size=1, max_size=4), unique=True, max_size=5)


@given(known=NAMES, asked=NAMES)
def test_exactly_the_unknown_options_are_refused(known: list[str], asked: list[str]) -> None:
    options = dict.fromkeys(asked, "1")
    unknown = sorted(set(asked) - set(known))
    if not unknown:
        check_options("test", options, known)
        return
    with pytest.raises(ValueError, match="test meter: unknown option") as caught:
        check_options("test", options, known)
    assert f"'{unknown[0]}'" in str(caught.value)
    assert all(name in str(caught.value) for name in known)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e9, 1e9))
def test_a_number_is_taken_exactly_where_it_is_above_the_least(value: float, least: float) -> None:
    options = {"x": repr(value)}
    assert number_option("m", options, "x") == value
    assert number_option("m", options, "y", least) is None
    if value > least:
        assert number_option("m", options, "x", least) == value
    else:
        with pytest.raises(ValueError, match=r"m meter: option x: .* must be above"):
            number_option("m", options, "x", least)


def test_a_meter_without_options_says_so() -> None:
    with pytest.raises(ValueError, match="it has none"):
        check_options("bare", {"watts": "3"}, ())
