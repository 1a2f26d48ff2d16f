"""Makes file names for pages that are safe on every file system."""

import hashlib
import re
import unicodedata

LENGTH_MAX = 60
"""Longest slug of one name; longer ones are cut and get a digest."""

_UNSAFE = re.compile(r"[^a-z0-9.]+")


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
