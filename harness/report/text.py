"""Text that others wrote, made safe to stand in a page."""

import base64
import hashlib
import json
import re
from typing import Any

from markupsafe import Markup

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]|[\ud800-\udfff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean(value: object) -> object:
    """A value on its way into a template.

    In plain strings control characters become U+FFFD, and marks that force a writing direction
    are taken out; letters keep their own direction.
    """
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\ufffd", _BIDI.sub("", value))
    return value


def isolated(text: str) -> str:
    """Text for titles and attributes: its writing direction cannot leak into what follows."""
    bare = _BIDI.sub("", text)
    # Markup, so that the isolating marks survive `clean`.
    return bare if bare.isascii() else Markup("\u2068{}\u2069").format(clean(bare))


def csp_hash(text: str) -> str:
    """Source expression that lets exactly this inline style or script through."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def with_code(text: str) -> Markup:
    """Escape a text and set what is between backticks as code."""
    parts = text.split("`")
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if at % 2 else part for at, part in enumerate(parts))


def embedded_json(tree: Any) -> Markup:
    """JSON for a `<script type="application/json">`: nothing in it can end the element."""
    text = json.dumps(tree, sort_keys=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above for where it stands
