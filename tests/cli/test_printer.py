"""Tables are not cut, wrapped or coloured outside a terminal."""

import io
import re

import pytest

from harness.cli.printer import Printer, is_terminal


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_long_cells_are_neither_cut_nor_folded() -> None:
    stream = io.StringIO()
    Printer(stream).table(("name", "why"), [("a", "x" * 500), ("b", "y y y " * 100)])
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert "x" * 500 in lines[2]


def test_in_a_narrow_terminal_words_stay_whole_and_sentences_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Screen()
    reason = "handed over no snapshot that counts within the budget of five seconds"
    Printer(stream).table(("seed", "status", "why"), [(7, "budget_exceeded", reason)])
    text = re.sub(r"\x1b\[\d*m", "", stream.getvalue())
    assert "budget_exceeded" in text
    assert reason not in text
    assert all(word in text for word in reason.split())
    assert max(len(line) for line in text.splitlines()) <= 60


def test_plain_output_has_no_escapes_and_no_trailing_blanks() -> None:
    stream = io.StringIO()
    page = Printer(stream)
    page.heading("title")
    page.table(("verdict", "n"), [("fail", 1), ("", 2)], right=("n",))
    text = stream.getvalue()
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_markup_of_strangers_stays_text() -> None:
    stream = io.StringIO()
    Printer(stream).table(("name",), [("[red]x[/red]",), ("\x1b[31mred",)])
    assert "[red]x[/red]" in stream.getvalue()
    assert "\\x1b[31mred" in stream.getvalue()


def test_missing_is_a_dash_and_zero_is_zero() -> None:
    stream = io.StringIO()
    Printer(stream).table(("a", "b"), [(None, 0)])
    assert stream.getvalue().splitlines()[-1].split() == ["–", "0"]


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colour_only_in_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, coloured: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    stream = Screen()
    Printer(stream).table(("verdict",), [("fail",)])
    assert ("\x1b[31m" in stream.getvalue()) is coloured


def test_a_dumb_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Screen())
    assert not is_terminal(io.StringIO())
