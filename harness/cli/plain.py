"""Text from anywhere, made safe to print: no escapes, no line breaks, no invisible marks."""

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that a terminal acts on or that hide what is written."""


def _shown(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004


def one_line(text: object) -> str:
    r"""The text on one line; runs of white space become one space, other controls `\xNN`."""
    return "".join(_shown(item) for item in " ".join(str(text).split()))
