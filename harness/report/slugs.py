"""File names for pages: safe on every file system, whatever an entrant called things."""

import hashlib
import re
import unicodedata

LENGTH_MAX = 60
"""Longest slug of one name; longer ones are cut and marked by a digest."""

_BAD = re.compile(r"[^a-z0-9.]+")


def slug(name: str) -> str:
    """Lower-case ASCII of a name; a digest tells apart what looks the same afterwards."""
    flat = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    text = _BAD.sub("-", flat).strip("-.")
    if text == name and 0 < len(text) <= LENGTH_MAX:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return "-".join(part for part in (text[: LENGTH_MAX - 9].strip("-."), digest) if part)


def joined(*names: str) -> str:
    """The slug of several names, told apart by a double hyphen."""
    return "--".join(slug(name) for name in names)


class Names:
    """Hands out each slug once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *names: str, tag: str) -> str:
        """A free slug for the names; `tag` (a digest) is added where they are taken already."""
        wanted = joined(*names)
        tries = [wanted, f"{wanted}--{tag[:8]}", f"{wanted}--{tag}"]
        tries += [f"{wanted}--{tag}-{number}" for number in range(2, len(self._taken) + 3)]
        free = next(item for item in tries if item not in self._taken)
        self._taken.add(free)
        return free
