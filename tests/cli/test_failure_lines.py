"""Nothing that a stranger wrote can act on the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.failure import one_line


@given(st.text())
def test_the_line_is_one_line_of_printable_characters(text: str) -> None:
    shown = one_line(text)
    assert "\n" not in shown
    assert all(item.isprintable() for item in shown)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P"])))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb", "a b"),
        ("abc\u202edef", "abc\\u202edef"),
        ("\udc80", "\\udc80"),
        (12.5, "12.5"),
        ("  12\u202fkJ ", "12 kJ"),
    ],
)
def test_what_becomes_of_marks(text: object, shown: str) -> None:
    assert one_line(text) == shown
