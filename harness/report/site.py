"""The site: scores and boards become a folder of static pages that open without a network."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.errors import JouleMarkError
from harness.records import Leaderboard, Ruleset, Score
from harness.registry import Broken, Plugin, discover
from harness.report import numbers, wording
from harness.report.digest import Digests
from harness.report.entries import BoardKey, Boards, Entry, entries_of
from harness.report.finite import tamed_board, tamed_score
from harness.report.slugs import slug
from harness.report.text import clean, csp_hash, isolated, with_code
from harness.report.wording import ties

HERE = Path(__file__).parent
INVENTORY = "site.json"
"""Lists every file of the site with its SHA-256; the next rendering removes what fell away."""

Files = dict[str, str | Path]
"""Text of each file of the site, or the file to copy, by path relative to the site."""


_IDLE = re.compile(r"^\s*(//.*)?\n|^[ \t]+", re.MULTILINE)


def squeezed(source: str) -> str:
    """A style or a script without indentation, empty lines and lines that only comment.

    It stands in every page. Our own files have no string that spans lines.
    """
    return _IDLE.sub("", source)


class SiteError(JouleMarkError, ValueError):
    """Pages that cannot stand side by side: the message names page and path."""


def environment() -> Environment:
    """Templates that escape everything and stop at an unknown name."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=clean,
    )
    made.filters |= {"isolated": isolated, "slug": slug, "ties": ties, "with_code": with_code}
    made.globals |= {"numbers": numbers, "wording": wording}
    return made


class Site:
    """What a page plug-in works with: entries, boards, and the frame around a page."""

    def __init__(
        self,
        results: Path,
        scores: Sequence[Score],
        boards: Sequence[Leaderboard],
        rulesets: Sequence[Ruleset] = (),
    ) -> None:
        self.results = results
        self.scores = tuple(map(tamed_score, scores))
        self.rulesets = tuple(
            sorted(rulesets, key=lambda each: (each.name, each.model_dump_json()))
        )
        self.boards = Boards(map(tamed_board, boards))
        self.entries: tuple[Entry, ...] = entries_of(self.scores, self.boards, results)
        self.digests = Digests()
        """What several pages want of traces, so that each is read twice at most."""
        self.broken: list[Broken] = []
        """Page plug-ins that did not load or failed, with their errors."""
        self.menu: list[Page] = []

    @cached_property
    def _environment(self) -> Environment:
        return environment()

    @cached_property
    def _static(self) -> dict[str, Markup]:
        """Style and script, put into each page so that a page can be mailed alone."""
        # Our own files, not an entrant's.
        return {
            name: Markup(squeezed((HERE / "static" / name).read_text(encoding="utf-8")))  # noqa: S704
            for name in ("style.css", "site.js", "compare.js", "zoom.js")
        }

    def policy(self, scripts: tuple[str, ...]) -> str:
        """Content-Security-Policy: nothing from anywhere but this page's own style and scripts."""
        style = csp_hash(self._static["style.css"])
        hashes = " ".join(csp_hash(self._static[name]) for name in scripts)
        return (
            f"default-src 'none'; style-src {style}; script-src {hashes}; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        )

    @cached_property
    def data_sha256(self) -> str:
        """Digest over the manifests behind the scores: the same data, the same digest."""
        manifests = sorted({run.manifest_sha256 for score in self.scores for run in score.runs})
        return hashlib.sha256("\n".join(manifests).encode()).hexdigest()

    @cached_property
    def workloads(self) -> tuple[str, ...]:
        """Names of all workloads with an entry, sorted."""
        return tuple(sorted({entry.score.entry.workload for entry in self.entries}))

    def entries_on(self, workload: str) -> list[Entry]:
        """Entries of one workload, in stable order."""
        return [entry for entry in self.entries if entry.score.entry.workload == workload]

    def entries_by_board(self, workload: str) -> dict[BoardKey, list[Entry]]:
        """Entries of one workload by what they share; those of two grounds are never mixed."""
        found: dict[BoardKey, list[Entry]] = {}
        for entry in self.entries_on(workload):
            found.setdefault(entry.board_key, []).append(entry)
        return dict(sorted(found.items()))

    def board_path(self, workload: str) -> str:
        """Path of a workload's board."""
        return f"board/{slug(workload)}.html"

    def page(self, path: str, title: str, template: str, **values: Any) -> str:
        """A whole page from one of the project's templates.

        Args:
            path: of the page, relative to the site; links are made relative to it.
            title: for the browser's tab; entrants' names in it are fine.
            template: file in `templates/`.
            values: names for the template; strings are escaped. `scripts` names the files of
                `static/` that the page runs, `site.js` alone where it is left out.
        """
        scripts = values.pop("scripts", ("site.js",))
        depth = len(PurePosixPath(path).parts) - 1
        return self._environment.get_template(template).render(
            site=self,
            path=path,
            title=title,
            up="../" * depth,
            policy=self.policy(scripts),
            style=self._static["style.css"],
            scripts=[self._static[name] for name in scripts],
            **values,
        )

    def framed(self, path: str, title: str, body: str) -> str:
        """A page of a plug-in's own: `body` is escaped unless it is `markupsafe.Markup`."""
        return self.page(path, title, "framed.html", body=body)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page plug-in: `PAGE` in `pages/<name>.py`."""

    name: str
    """Stable name, such as `board`."""
    title: str
    """Its name in the menu."""
    order: int
    """Position in the menu and among the pages; small numbers come first."""
    publish: Callable[[Site], Iterator[tuple[str, str | Path]]]
    """Yields pairs of relative path and text; `site.page()` makes the text of a whole page.
    A `Path` in place of the text is a file to copy."""
    landing: str = ""
    """Path that the menu links to; empty for pages that only other pages link to."""


def _checked(path: str) -> str:
    """A path inside the site.

    Raises:
        SiteError: it leads out of it.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise SiteError(
            f"{path!r}: a page's path stays inside the site; write it relative, without '..'"
        )
    return "/".join(parts)


def _published(site: Site, plugin: Plugin) -> Files:
    page: Page = plugin.value
    return {_checked(path): text for path, text in page.publish(site)}


def _try_published(site: Site, plugin: Plugin) -> Files:
    """Files of one page; a plug-in from outside that fails is listed, ours may not fail."""
    try:
        return _published(site, plugin)
    except Exception as error:
        if plugin.source.origin == "built-in":
            raise
        text = " ".join(str(error).split()) or "no message"
        broken = Broken(plugin.name, f"{type(error).__name__}: {text}", plugin.source)
        site.broken.append(broken)
        site.menu = [page for page in site.menu if page is not plugin.value]
        return {}


def _merge(files: Files, more: Files, name: str) -> None:
    taken = sorted(files.keys() & more.keys())
    if taken:
        raise SiteError(f"page '{name}' writes {taken[0]}, which another page has written already")
    files.update(more)


def _sorted_pages(site: Site) -> Iterator[Plugin]:
    found = discover("pages")
    site.broken += [each for each in found if isinstance(each, Broken)]
    plugins = [each for each in found if isinstance(each, Plugin)]
    for plugin in plugins:
        if not isinstance(plugin.value, Page):
            error = "PAGE is no harness.report.site.Page"
            site.broken.append(Broken(plugin.name, error, plugin.source))
    pages = [each for each in plugins if isinstance(each.value, Page)]
    return iter(sorted(pages, key=lambda each: (each.value.order, each.name)))


def texts(site: Site) -> Files:
    """Every file of the site by its path, before anything is written.

    Raises:
        SiteError: two pages write the same path, or one leads out of the site.
    """
    pages = list(_sorted_pages(site))
    site.menu = [each.value for each in pages if each.value.landing]
    files: Files = {}
    # Plug-ins from outside first: the built-in pages list those that failed.
    for plugin in sorted(pages, key=lambda each: each.source.origin == "built-in"):
        _merge(files, _try_published(site, plugin), plugin.name)
    return files


def _inventory(out: Path) -> dict[str, str]:
    """The inventory of the rendering before; empty where there is none to be trusted."""
    try:
        tree = json.loads((out / INVENTORY).read_bytes())
        return {str(path): str(digest) for path, digest in tree["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def _remove_stale(out: Path, kept: set[str]) -> None:
    """Delete files that an earlier rendering wrote, unchanged since, and this one did not."""
    for path, digest in _inventory(out).items():
        if path in kept or path.startswith("/") or ".." in PurePosixPath(path).parts:
            continue
        file = out / path
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
            file.unlink()


def render(
    results: Path,
    out: Path,
    scores: Sequence[Score],
    boards: Sequence[Leaderboard],
    rulesets: Sequence[Ruleset] = (),
) -> list[Path]:
    """Write the site; returns the files written, sorted.

    The same bundles and ruleset give the same bytes. Files of an earlier rendering that are no
    longer part of the site are removed; everything else in `out` is left alone.

    Args:
        results: folder that the scores' bundle paths are relative to.
        out: folder of the site, made where it is missing.
        scores: every entry, ranked or not.
        boards: their leaderboards.
        rulesets: in force, for the page that prints them.

    Raises:
        SiteError: pages get into each other's way.
        OSError: a file could not be written.
    """
    site = Site(results, scores, boards, rulesets)
    files = texts(site)
    _remove_stale(out, set(files))
    digests = {path: _write(out / path, _bytes(files[path])) for path in sorted(files)}
    inventory = {"data_sha256": site.data_sha256, "files": digests}
    _write(out / INVENTORY, (json.dumps(inventory, indent=1) + "\n").encode())
    return [out / path for path in sorted([*files, INVENTORY])]


def _bytes(content: str | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content.encode("utf-8", "replace")


def _write(path: Path, data: bytes) -> str:
    """Write one file, with no sync, since a site can be rendered again; returns its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
