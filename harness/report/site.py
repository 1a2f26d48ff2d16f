"""Renders scores and leaderboards as a folder of static pages that open without a network."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.errors import JouleMarkError
from harness.records import Leaderboard, Ruleset, Score
from harness.registry import Broken, Plugin, discover
from harness.report import numbers, wording
from harness.report.digest import Digest, digest_of
from harness.report.entries import BoardKey, Boards, Entry, entries_of, group_by_board
from harness.report.text import clean, csp_hash, isolated, slug, with_code

HERE = Path(__file__).parent

INVENTORY = "site.json"
"""Lists every file of the site with its SHA-256; the next rendering removes what is obsolete."""

Files = dict[str, str | Path]
"""Text of each file of the site, or the file to copy, by path relative to the site."""

_INSIGNIFICANT = re.compile(r"^\s*(//.*)?\n|^[ \t]+", re.MULTILINE)


class SiteError(JouleMarkError, ValueError):
    """Pages that conflict, or a page outside the site; the message names page and path."""


def minified(source: str) -> str:
    """Remove indentation, empty lines and comment lines from a style sheet or script.

    Every page includes them. No string in them spans lines.
    """
    return _INSIGNIFICANT.sub("", source)


class Site:
    """Entries and boards, and the frame around each page; what a page plug-in works with."""

    def __init__(
        self,
        results: Path,
        scores: Sequence[Score],
        boards: Sequence[Leaderboard],
        rulesets: Sequence[Ruleset] = (),
    ) -> None:
        self.results = results
        self.scores = tuple(scores)
        self.rulesets = tuple(
            sorted(rulesets, key=lambda ruleset: (ruleset.name, ruleset.model_dump_json()))
        )
        self.boards = Boards(boards)
        self.entries: tuple[Entry, ...] = entries_of(self.scores, self.boards, results)
        self.broken: list[Broken] = []
        """Page plug-ins that could not be loaded or failed, with their errors."""
        self.menu: list[Page] = []
        self._digests: dict[str, Digest] = {}

    @cached_property
    def _environment(self) -> Environment:
        """Templates that escape everything and stop at an undefined name."""
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=clean,
        )
        filters = {"isolated": isolated, "slug": slug, "tie": wording.tie_text}
        environment.filters |= {**filters, "with_code": with_code}
        environment.globals |= {"numbers": numbers, "wording": wording}
        return environment

    @cached_property
    def _static(self) -> dict[str, Markup]:
        """Style sheet and scripts by file name; each page includes them and can be mailed alone."""
        return {
            path.name: Markup(minified(path.read_text(encoding="utf-8")))  # noqa: S704 - our files
            for path in (HERE / "static").iterdir()
        }

    @cached_property
    def data_sha256(self) -> str:
        """Digest of the manifests behind the scores; equal for equal data."""
        manifests = sorted({run.manifest_sha256 for score in self.scores for run in score.runs})
        return hashlib.sha256("\n".join(manifests).encode()).hexdigest()

    @cached_property
    def workloads(self) -> tuple[str, ...]:
        """Names of all workloads with an entry, sorted."""
        return tuple(sorted({entry.score.entry.workload for entry in self.entries}))

    def entries_on(self, workload: str) -> list[Entry]:
        """Return the entries of one workload, sorted."""
        return [entry for entry in self.entries if entry.score.entry.workload == workload]

    def entries_by_board(self, workload: str) -> dict[BoardKey, list[Entry]]:
        """Return the entries of one workload by the board that they are ranked on."""
        return group_by_board(self.entries_on(workload))

    def all_by_board(self) -> Iterator[tuple[BoardKey, list[Entry]]]:
        """Yield the entries of every board, sorted by workload and board."""
        yield from group_by_board(self.entries).items()

    def digest(self, entry: Entry) -> Digest:
        """Return what pages need of an entry's traces; the traces are read once."""
        if entry.path not in self._digests:
            self._digests[entry.path] = digest_of(entry)
        return self._digests[entry.path]

    def board_path(self, workload: str) -> str:
        """Return the path of a workload's page of boards."""
        return f"board/{slug(workload)}.html"

    def page(
        self,
        path: str,
        title: str,
        template: str,
        values: Mapping[str, object],
        scripts: Sequence[str] = ("site.js",),
    ) -> str:
        """Render a page from one of the project's templates.

        Args:
            path: path of the page relative to the site; links are made relative to it.
            title: title of the browser window; it may contain names from submissions.
            template: file in `templates/`.
            values: values for the template by name; strings are escaped.
            scripts: files in `static/` that the page runs.
        """
        style = self._static["style.css"]
        hashes = " ".join(csp_hash(self._static[name]) for name in scripts)
        return self._environment.get_template(template).render(
            site=self,
            path=path,
            title=title,
            up="../" * (len(PurePosixPath(path).parts) - 1),
            policy=f"default-src 'none'; style-src {csp_hash(style)}; script-src {hashes}; "
            "img-src data:; base-uri 'none'; form-action 'none'",
            style=style,
            scripts=[self._static[name] for name in scripts],
            **values,
        )

    def framed(self, path: str, title: str, body: str) -> str:
        """Render a page of a plug-in; `body` is escaped unless it is `markupsafe.Markup`."""
        return self.page(path, title, "framed.html", {"body": body})


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
    """Yields pairs of relative path and text; `site.page()` renders the text of a page.
    A `Path` in place of the text is a file to copy."""
    landing: str = ""
    """Path that the menu links to; empty for pages that only other pages link to."""


def single_page(
    name: str,
    title: str,
    order: int,
    values: Callable[[Site], Mapping[str, object]],
    scripts: Sequence[str] = ("site.js",),
) -> Page:
    """Return a plug-in of one page, `<name>.html`, rendered from the template of that name."""
    path = f"{name}.html"

    def publish(site: Site) -> Iterator[tuple[str, str]]:
        yield path, site.page(path, title, path, values(site), scripts)

    return Page(name=name, title=title, order=order, publish=publish, landing=path)


def _publish(site: Site, plugin: Plugin) -> Files:
    """Return the files of one page; a plug-in from outside that fails is listed as broken."""
    page: Page = plugin.value
    files: Files = {}
    try:
        for path, content in page.publish(site):
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
                text = "the path of a page stays inside the site; write it relative, without '..'"
                raise SiteError(f"{path!r}: {text}")  # noqa: TRY301 - shown as the plug-in's error
            files["/".join(parts)] = content
    except Exception as error:
        if plugin.source.origin == "built-in":
            raise
        text = " ".join(str(error).split()) or "no message"
        site.broken.append(Broken(plugin.name, f"{type(error).__name__}: {text}", plugin.source))
        site.menu = [other for other in site.menu if other is not page]
        return {}
    return files


def _page_plugins(site: Site) -> list[Plugin]:
    plugins: list[Plugin] = []
    for plugin in discover("pages"):
        if isinstance(plugin, Broken):
            site.broken.append(plugin)
        elif isinstance(plugin.value, Page):
            plugins.append(plugin)
        else:
            error = "PAGE is no harness.report.site.Page"
            site.broken.append(Broken(plugin.name, error, plugin.source))
    return sorted(plugins, key=lambda plugin: (plugin.value.order, plugin.name))


def publish(site: Site) -> Files:
    """Return every file of the site by its path, before anything is written.

    Raises:
        SiteError: two pages write the same path, or one writes outside the site.
    """
    plugins = _page_plugins(site)
    site.menu = [plugin.value for plugin in plugins if plugin.value.landing]
    files: Files = {}
    # Plug-ins from outside come first, since the built-in pages list those that failed.
    for plugin in sorted(plugins, key=lambda plugin: plugin.source.origin == "built-in"):
        published = _publish(site, plugin)
        if taken := sorted(files.keys() & published.keys()):
            raise SiteError(
                f"page '{plugin.name}' writes {taken[0]}, which another page has already written"
            )
        files.update(published)
    return files


def _remove_obsolete(out: Path, kept: set[str]) -> None:
    """Delete files of an earlier rendering that were not changed since and are not in `kept`."""
    try:
        files = json.loads((out / INVENTORY).read_bytes())["files"]
        inventory = {str(path): str(digest) for path, digest in files.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return
    for path, digest in inventory.items():
        if path in kept or path.startswith("/") or ".." in PurePosixPath(path).parts:
            continue
        file = out / path
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
            file.unlink()


def _write(path: Path, content: str | Path) -> str:
    """Write one file and return its SHA-256; without fsync, since a site can be rendered again."""
    data = content.read_bytes() if isinstance(content, Path) else content.encode("utf-8", "replace")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def render(
    results: Path,
    out: Path,
    scores: Sequence[Score],
    boards: Sequence[Leaderboard],
    rulesets: Sequence[Ruleset] = (),
) -> list[Path]:
    """Write the site and return its files, sorted.

    The same bundles and ruleset give the same bytes. Obsolete files of an earlier rendering are
    removed; everything else in `out` is left alone. The scores' bundle paths are relative to
    `results`; `rulesets` are those in force.

    Raises:
        SiteError: two pages write the same path, or one writes outside the site.
        OSError: a file could not be written.
    """
    site = Site(results, scores, boards, rulesets)
    files = publish(site)
    _remove_obsolete(out, set(files))
    digests = {path: _write(out / path, files[path]) for path in sorted(files)}
    inventory = {"data_sha256": site.data_sha256, "files": digests}
    _write(out / INVENTORY, json.dumps(inventory, indent=1) + "\n")
    return [out / path for path in sorted([*files, INVENTORY])]
