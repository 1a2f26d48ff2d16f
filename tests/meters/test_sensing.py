"""What meters do alike: stamp the middle of a read, check options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.meters import _sensing
from harness.meters._sensing import check_options, number_option, timed


class Ticking:
    """A clock that only sleeping and reading move."""

    def __init__(self, read_ns: int = 0) -> None:
        self.ns = 5 * NS_PER_S
        self.read_ns = read_ns

    def now_ns(self) -> int:
        return self.ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    made = Ticking()
    monkeypatch.setattr(_sensing, "now_ns", made.now_ns)
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
