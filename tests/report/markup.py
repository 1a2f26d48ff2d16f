"""Reads a page back: whether its elements balance, what it says, and what it would load."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "br", "hr", "img", "input", "path", "rect", "circle", "line"}
APART = {"td", "th", "li", "dt", "dd", "p", "h1", "h2", "h3", "h4", "title", "figcaption"}
"""Elements whose words do not run into those of the next."""

LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "ping"}
"""Attributes by which a page loads or sends something."""


@dataclass
class Element:
    """One start tag."""

    tag: str
    values: dict[str, str]
    parents: tuple[str, ...]


@dataclass
class Markup(HTMLParser):
    """The elements and the text of a page, with every fault of its structure."""

    elements: list[Element] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> repeats an attribute")
        values = {name: value or "" for name, value in attrs}
        self.elements.append(Element(tag, values, tuple(self._open)))
        if tag == "span" and values.get("role") == "img":
            # What a screen reader says in place of the sign.
            self.text += values.get("aria-label", values.get("title", ""))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1:] or 'nothing'}")
            return
        self._open.pop()
        if tag in APART:
            self.text += " "

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._open):
            self.text += data

    def close(self) -> None:
        super().close()
        if self._open:
            self.faults.append(f"never closed: {self._open}")

    def all(self, tag: str) -> list[Element]:
        """Every element of a tag."""
        return [element for element in self.elements if element.tag == tag]

    @property
    def ids(self) -> list[str]:
        """Every id, with repetitions."""
        return [element.values["id"] for element in self.elements if "id" in element.values]

    @property
    def links(self) -> list[str]:
        """Where the page's links lead."""
        return [item.values["href"] for item in self.all("a") if "href" in item.values]

    @property
    def loads(self) -> list[str]:
        """Everything that the page would fetch by itself."""
        addresses = [value for element in self.elements for name, value in element.values.items()
                 if name in LOADING]  # fmt: skip
        addresses += [item.values.get("href", "") for item in self.all("link")]
        return [address for address in addresses if not address.startswith("data:")]

    @property
    def words(self) -> str:
        """The text with single spaces."""
        return " ".join(self.text.split())


def read(page: str) -> Markup:
    """Parse a page's text."""
    markup = Markup()
    markup.feed(page)
    markup.close()
    return markup


def pages_of(site: Path) -> dict[str, Markup]:
    """Every page below a folder, parsed, by relative path."""
    return {
        path.relative_to(site).as_posix(): read(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }
