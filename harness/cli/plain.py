"""Makes text safe to print on a terminal."""

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories of invisible characters and of those that control a terminal."""


def _visible(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004 - one byte


def one_line(text: object) -> str:
    r"""Return the text on one line: white space is collapsed, control characters become `\xNN`."""
    return "".join(map(_visible, " ".join(str(text).split())))
