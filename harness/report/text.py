"""Makes text from submissions safe for pages, and their names safe for file systems."""

import base64
import hashlib
import json
import re
import unicodedata
from typing import Any

from markupsafe import Markup

LENGTH_MAX = 60
"""Longest slug of one name; longer ones are cut and get a digest."""
_UNSAFE = re.compile(r"[^a-z0-9.]+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]|[\ud800-\udfff]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean(value: object) -> object:
    """Clean a value that a template is about to print.

    In plain strings, control characters become U+FFFD, and marks that force a writing direction
    are removed; letters keep their own direction.
    """
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\ufffd", _BIDI.sub("", value))
    return value


def isolated(text: str) -> str:
    """Isolate text for titles and attributes, so that its writing direction stays inside it."""
    bare = _BIDI.sub("", text)
    # Markup, so that `clean` keeps the isolating marks.
    return bare if bare.isascii() else Markup("\u2068{}\u2069").format(clean(bare))


def csp_hash(text: str) -> str:
    """Return the source expression that allows exactly this inline style or script."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def with_code(text: str) -> Markup:
    """Escape a text and set what is between backticks as code."""
    parts = text.split("`")
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if at % 2 else part for at, part in enumerate(parts))


def embedded_json(tree: Any) -> Markup:
    """Write JSON for a `<script type="application/json">`; nothing in it can end the element."""
    text = json.dumps(tree, sort_keys=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def json_text(tree: Any) -> str:
    """Write plain values as JSON, in the form that records have on disk."""
    return json.dumps(tree, sort_keys=True, indent=1, allow_nan=False) + "\n"


def slug(name: str) -> str:
    """Return lower-case ASCII for a name, with a digest unless it equals the name."""
    flat = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    text = _UNSAFE.sub("-", flat).strip("-.")
    if text == name and 0 < len(text) <= LENGTH_MAX:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return "-".join(part for part in (text[: LENGTH_MAX - 9].strip("-."), digest) if part)


def joined(*names: str) -> str:
    """Return the slug of several names, separated by a double hyphen."""
    return "--".join(slug(name) for name in names)


class UniqueNames:
    """Returns each slug once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *names: str, tag: str) -> str:
        """Return an unused slug for the names; `tag`, a digest, is added where it is needed."""
        wanted = joined(*names)
        candidates = [wanted, f"{wanted}--{tag[:8]}", f"{wanted}--{tag}"]
        candidates += [f"{wanted}--{tag}-{at}" for at in range(2, len(self._taken) + 3)]
        free = next(name for name in candidates if name not in self._taken)
        self._taken.add(free)
        return free
