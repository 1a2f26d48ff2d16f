from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import chromium_path, needs
from tests.report.chrome import Tab, chrome

pytestmark = pytest.mark.browser

MUON = "digits-cnn--cnn-muon--epyc-7b13-4f2a"
SGD = "digits-cnn--cnn-sgd--epyc-7b13-4f2a"
FAKE = "digits-cnn--cnn-fake--epyc-7b13-4f2a"
COMMITTED = Path(__file__).parents[2] / "reports" / "reference"
TEXT = "document.getElementById('compare').innerText"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    needs("chromium")
    program = chromium_path()
    assert program is not None
    with chrome(program) as opened:
        opened.view(1280)
        yield opened


def opened(tab: Tab, site: Path, state: str) -> str:
    tab.open((site / "compare.html").as_uri() + state)
    assert tab.complaints() == []
    return str(tab.run(TEXT)).replace("\u202f", " ")


def test_the_address_picks_both(tab: Tab, site: Path) -> None:
    text = opened(tab, site, f"#a={MUON}&b={SGD}")
    assert "cnn-muon" in text
    assert "cnn-sgd" in text
    assert "seconds per step" in text
    bars = "document.querySelectorAll('#compare rect.change').length"
    assert tab.run(bars) == 5


def test_both_languages_reckon_the_same_bridge(tab: Tab, site: Path) -> None:
    opened(tab, site, f"#a={MUON}&b={SGD}")
    labels = "[...document.querySelectorAll('{} svg text.label')].map(t => t.textContent)"
    drawn = tab.run(labels.format("#compare"))
    tab.open((site / "entry" / f"{SGD}.html").as_uri())
    section = "section[aria-labelledby=bridge-h]"
    assert tab.run(labels.format(section)) == drawn


def test_picking_changes_the_address(tab: Tab, site: Path) -> None:
    opened(tab, site, f"#a={MUON}&b={SGD}")
    tab.run(
        f"(() => {{ const box = document.getElementById('pick-b'); box.value = '{FAKE}';"
        "box.dispatchEvent(new Event('change')); })()"
    )
    assert tab.run("location.hash") == f"#a={MUON}&b={FAKE}"
    assert "No bridge: the entries are on different workloads" in tab.run(TEXT)
    assert "(simulated)" in tab.run(TEXT)


@pytest.mark.parametrize("state", ["", "#a=unknown", "#a=__proto__&b=constructor", "#a=%E0%A4%A"])
def test_a_mangled_address_shows_some_pair(tab: Tab, site: Path, state: str) -> None:
    assert "Energy to target" in opened(tab, site, state)


def test_the_first_pair_shown_can_be_compared(tab: Tab, site: Path) -> None:
    """On the committed site too, whose first entry is alone on its workload."""
    for pages in (site, COMMITTED):
        assert "No bridge" not in opened(tab, pages, "")


def test_names_are_not_broken_within_words_on_a_phone(tab: Tab, site: Path) -> None:
    tab.view(390)
    tab.open((site / "history.html").as_uri())
    widths = "[...document.querySelectorAll('tbody th')].map(h => h.getBoundingClientRect().width)"
    assert min(tab.run(widths)) >= 120
    tab.view(1280)
