import hashlib
import itertools
import json
import re
from pathlib import Path

import pytest

from harness.records import Leaderboard, Score
from harness.registry import PLUGINS_VARIABLE
from harness.report import site as site_module
from harness.report.site import HERE, INVENTORY, SiteError, minified, render
from tests.lab.results import changed
from tests.report.made import PLANS, Made, Plan, make, scored
from tests.report.markup import pages_of, read

HOSTILE = '"><script>alert(1)</script><b onmouseover=x>&amp;\u202egnp.exe \u05d0\u0628' + "W" * 300


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_bundles_give_the_same_bytes(made: Made, site: Path, tmp_path: Path) -> None:
    again = scored(made.results)
    shuffled = Made(made.results, again.scores[::-1], again.boards[::-1])
    render(shuffled.results, tmp_path, shuffled.scores, shuffled.boards)
    first, second = contents(site), contents(tmp_path)
    assert set(first) == set(second)
    # Only pages that print rules, and the inventory, know of the ruleset that `site` was given.
    different = {path for path, digest in first.items() if second[path] != digest}
    assert {path for path in different if not path.startswith("award/")} <= {
        INVENTORY,
        "about.html",
        "methods.html",
    }
    render(made.results, tmp_path / "b", again.scores, again.boards)
    assert contents(tmp_path / "b") == second


def test_pages_are_well_formed_with_unique_ids(site: Path) -> None:
    for path, page in pages_of(site).items():
        assert page.faults == [], path
        assert len(page.ids) == len(set(page.ids)), path
        assert len(page.all("h1")) == 1, path
        assert page.all("html")[0].values["lang"] == "en", path


def test_headings_do_not_skip_a_level(site: Path) -> None:
    for path, page in pages_of(site).items():
        levels = [
            int(element.tag[1]) for element in page.elements if re.fullmatch("h[1-6]", element.tag)
        ]
        jumps = [b - a for a, b in itertools.pairwise(levels)]
        assert max(jumps, default=0) <= 1, (path, levels)


def test_nothing_is_fetched_from_anywhere(site: Path) -> None:
    for path, page in pages_of(site).items():
        assert page.loads == [], path
        text = (site / path).read_text()
        if path == "catalogue.html":
            # Its rows lead to papers; whether they load anything was asked above.
            text = re.sub(r"<tbody>.*</tbody>", "", text, flags=re.DOTALL)
        assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", text), path


def test_every_page_forbids_what_it_does_not_need(site: Path) -> None:
    for path, page in pages_of(site).items():
        policies = [item.values["content"] for item in page.all("meta")
                    if item.values.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
        assert len(policies) == 1, path
        assert "default-src 'none'" in policies[0]
        assert "unsafe" not in policies[0]
        assert not [element for element in page.elements if "style" in element.values]
        assert not [
            name for element in page.elements for name in element.values if name[:2] == "on"
        ]


def test_links_lead_somewhere(site: Path) -> None:
    pages = pages_of(site)
    for path, page in pages.items():
        for link in page.links:
            if link.startswith(("https://", "http://")):
                assert path == "catalogue.html", (path, link)
                continue
            target, _, anchor = link.partition("#")
            file = (site / path).parent / target if target else site / path
            assert file.resolve().is_file(), (path, link)
            if anchor and "=" not in anchor and file.suffix == ".html":
                assert anchor in pages[file.resolve().relative_to(site.resolve()).as_posix()].ids


def test_no_date_of_rendering_and_no_path_of_the_machine(made: Made, site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text()
        assert str(made.results) not in text
        assert str(site_module.HERE) not in text


def test_the_inventory_lists_every_file(site: Path) -> None:
    inventory = json.loads((site / INVENTORY).read_bytes())
    digests = contents(site)
    digests.pop(INVENTORY)
    assert inventory["files"] == digests


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    plans = [
        Plan(submission="evil", title=HOSTILE, team=HOSTILE, seeds=2, meter="rapl", speed=2.0),
        Plan(submission="plain", title="Plain", seeds=2, meter="rapl"),
    ]
    made = make(tmp_path / "results", tuple(plans))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    return tmp_path / "site"


def test_text_of_a_submission_stays_text(hostile: Path) -> None:
    for path, page in pages_of(hostile).items():
        assert page.faults == [], path
        runs = [item for item in page.all("script") if "type" not in item.values]
        assert len(runs) == (2 if path.startswith(("compare", "entry/")) else 1), path
        assert not page.all("img"), path
        assert "<script>alert(1)" not in (hostile / path).read_text(), path
    assert "<script>alert(1)</script>" in pages_of(hostile)["index.html"].text


def test_writing_direction_stays_inside_its_name(hostile: Path) -> None:
    named = 0
    for path, page in pages_of(hostile).items():
        assert "\u202e" not in (hostile / path).read_text(), path
        named += len(page.all("bdi"))
    assert named > 10


def test_long_names_do_not_make_long_file_names(hostile: Path) -> None:
    assert max(len(path.name) for path in hostile.rglob("*")) <= 200


def test_no_results_at_all(tmp_path: Path) -> None:
    render(tmp_path / "none", tmp_path / "site", [], [])
    pages = pages_of(tmp_path / "site")
    assert set(pages) == {
        "index.html", "about.html", "compare.html", "machines.html", "awards.html", "history.html",
        "catalogue.html", "overall.html", "methods.html",
    }  # fmt: skip
    assert "No results yet" in pages["index.html"].words
    assert all(page.faults == [] for page in pages.values())


def test_one_result(tmp_path: Path) -> None:
    made = make(tmp_path / "results", (Plan(submission="only", title="Only", seeds=1),))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    pages = pages_of(tmp_path / "site")
    assert all(page.faults == [] for page in pages.values())
    assert "Only eligible entry" in pages["index.html"].words
    assert "no interval, n = 1" in pages["entry/digits-mlp--only--epyc-7b13-4f2a.html"].words


def test_all_failed(tmp_path: Path) -> None:
    made = make(tmp_path / "results", (PLANS[-1],))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    words = pages_of(tmp_path / "site")["index.html"].words
    assert words.count("No eligible entry") == 2
    assert "Winner" not in words


def test_lost_bundles_are_said_to_be_lost(made: Made, tmp_path: Path) -> None:
    render(tmp_path / "elsewhere", tmp_path / "site", made.scores, made.boards)
    pages = pages_of(tmp_path / "site")
    assert all(page.faults == [] for page in pages.values())
    words = pages["entry/digits-cnn--cnn-muon--epyc-7b13-4f2a.html"].words
    assert "no sealed bundle at digits-cnn/cnn-muon" in words
    assert str(tmp_path) not in words


def test_a_torn_trace_is_said_to_be_unreadable(tmp_path: Path) -> None:
    made = make(tmp_path / "results", (Plan(submission="torn", title="Torn", meter="rapl"),))
    for path in made.results.rglob("trace.csv.gz"):
        path.write_bytes(path.read_bytes()[:40])
    render(made.results, tmp_path / "site", made.scores, made.boards)
    (page,) = (tmp_path / "site" / "entry").glob("*.html")
    assert "No trace to show" in read(page.read_text()).words


def test_no_not_a_number_anywhere(site: Path) -> None:
    for path, page in pages_of(site).items():
        # The methods say it of a formula, in words.
        words = page.words.replace("minus infinity", "")
        assert not re.search(r"\b(nan|inf|infinity|None|undefined)\b", words), path


def plugin(tmp_path: Path, text: str, name: str = "extra") -> None:
    (tmp_path / "pages").mkdir(exist_ok=True)
    (tmp_path / "pages" / f"{name}.py").write_text(text)


EXTRA = """
from harness.report.site import Page

def _publish(site):
    yield "extra.html", site.framed("extra.html", "Extra", "<i>%s</i>" % len(site.entries))

PAGE = Page(name="extra", title="Extra page", order=50, publish=_publish, landing="extra.html")
"""


def test_a_page_is_one_file_in_a_folder(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin(tmp_path, EXTRA)
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    render(made.results, tmp_path / "site", made.scores, made.boards)
    page = read((tmp_path / "site" / "extra.html").read_text())
    assert page.faults == []
    assert f"<i>{len(made.scores)}</i>" in page.text
    assert "extra.html" in read((tmp_path / "site" / "index.html").read_text()).links


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("PAGE = 3", "no harness.report.site.Page"),
        (EXTRA.replace("yield", "raise ValueError('broken on purpose')\n    yield"), "on purpose"),
        (EXTRA.replace('"extra.html", site', '"../extra.html", site'), "stays inside the site"),
    ],
)
def test_a_broken_page_is_listed_with_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    plugin(tmp_path, text)
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    render(tmp_path, tmp_path / "site", [], [])
    page = read((tmp_path / "site" / "about.html").read_text())
    assert words in page.words
    assert "extra.html" not in page.links
    assert not (tmp_path / "extra.html").exists()


def test_two_pages_cannot_write_one_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path, EXTRA.replace('"extra.html", site', '"index.html", site'))
    monkeypatch.setenv(PLUGINS_VARIABLE, str(tmp_path))
    with pytest.raises(SiteError, match=r"index\.html"):
        render(tmp_path, tmp_path / "site", [], [])


def test_what_fell_away_is_removed_and_nothing_else(made: Made, tmp_path: Path) -> None:
    render(made.results, tmp_path, made.scores, made.boards)
    entries = sorted((tmp_path / "entry").glob("*.html"))
    (tmp_path / "notes.html").write_text("mine")
    entries[0].write_text("edited by a person")
    render(made.results, tmp_path, [], [])
    assert entries[0].exists()
    assert not any(path.exists() for path in entries[1:])
    assert (tmp_path / "notes.html").read_text() == "mine"


def test_a_forged_inventory_deletes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "keep.txt"
    outside.write_text("keep")
    digest = hashlib.sha256(b"keep").hexdigest()
    (tmp_path / "site").mkdir()
    forged = {"files": {"../keep.txt": digest, str(outside): digest}}
    (tmp_path / "site" / INVENTORY).write_text(json.dumps(forged))
    render(tmp_path, tmp_path / "site", [], [])
    assert outside.exists()


def test_two_versions_of_one_submission_have_a_page_every(made: Made, tmp_path: Path) -> None:
    score = made.scores[0]
    other = changed(score, sha256="f" * 64)
    pair: list[Score] = [score, other]
    boards: list[Leaderboard] = []
    render(made.results, tmp_path, pair, boards)
    assert len(list((tmp_path / "entry").glob("*.html"))) == 2


def test_scripts_lose_their_indentation_and_nothing_else() -> None:
    source = 'a = 1;\n\n  // why\n  if (a) {\n    b = "// kept";\n  }\n'
    assert minified(source) == 'a = 1;\nif (a) {\nb = "// kept";\n}\n'
    for path in (HERE / "static").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "`" not in text, "a string may span lines"
        assert not re.search(r"\\\n", text)
        assert len(minified(text)) < len(text)
