from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.report.site import render
from tests.conftest import chromium_path, needs
from tests.report.chrome import Tab, chrome
from tests.report.made import Made, Plan, make

pytestmark = pytest.mark.browser

VISIBLE = "[...document.querySelectorAll('#t1 tbody tr:not([hidden]) th a')].map(a => a.innerText)"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    needs("chromium")
    program = chromium_path()
    assert program is not None
    with chrome(program) as opened:
        opened.view(1280)
        yield opened


def address(site: Path, path: str) -> str:
    return (site / path).as_uri()


def click(tab: Tab, key: str) -> None:
    tab.run(f"document.querySelector('#t1 th[data-key={key}] button').click()")


def test_pages_open_from_a_file_without_a_complaint_or_a_request(tab: Tab, site: Path) -> None:
    for path in sorted(site.rglob("*.html")):
        tab.open(path.as_uri())
        assert tab.complaints() == [], path
        assert tab.requests() == [path.as_uri()], path


def test_columns_sort_both_ways_and_back(tab: Tab, site: Path) -> None:
    tab.open(address(site, "board/digits-cnn.html"))
    before = tab.run(VISIBLE)
    click(tab, "time")
    up = tab.run(VISIBLE)
    assert up == ["Muon", "AdamW", "AdamW, fake meter", "AdamW, no meter", "SGD"]
    sorted_head = "document.querySelector('#t1 th[aria-sort]').getAttribute('aria-sort')"
    assert tab.run(sorted_head) == "ascending"
    click(tab, "time")
    assert tab.run(VISIBLE) == up[::-1]
    assert tab.run(sorted_head) == "descending"
    click(tab, "time")
    assert tab.run(VISIBLE) == before
    assert tab.run("document.querySelector('#t1 th[aria-sort]')") is None


@pytest.mark.parametrize("clicks", [1, 2])
def test_missing_values_come_last_whichever_way(tab: Tab, site: Path, clicks: int) -> None:
    tab.open(address(site, "board/digits-cnn.html"))
    for _ in range(clicks):
        click(tab, "energy")
    assert tab.run(VISIBLE)[-1] == "AdamW, no meter"


def typed(tab: Tab, text: str) -> None:
    tab.run(
        "(() => { const box = document.querySelector('.tools input');"
        f"box.value = {text!r}; box.dispatchEvent(new Event('input')); }})()"
    )


def test_the_filter_hides_rows_and_keeps_their_ranks(tab: Tab, site: Path) -> None:
    tab.open(address(site, "board/digits-cnn.html"))
    ranks = "[...document.querySelectorAll('#t1 tbody tr:not([hidden]) .rank b')]"
    typed(tab, "sgd")
    assert tab.run(VISIBLE) == ["SGD"]
    assert tab.run(f"{ranks}.map(e => e.innerText)") == ["3", "5"]
    assert tab.run("document.querySelector('.tools .count').innerText") == "1 of 5 entries"
    typed(tab, "no such entry")
    assert tab.run(VISIBLE) == []
    typed(tab, "")
    assert len(tab.run(VISIBLE)) == 5


def test_the_address_restores_the_view(tab: Tab, site: Path) -> None:
    tab.open(address(site, "board/digits-mlp.html"))
    typed(tab, "adamw")
    click(tab, "time")
    click(tab, "time")
    state, shown = tab.run("location.hash"), tab.run(VISIBLE)
    assert state == "#t1.q=adamw&t1.sort=time&t1.dir=-1"
    tab.open(address(site, "board/digits-mlp.html") + state)
    assert tab.run(VISIBLE) == shown == ["AdamW, wide", "AdamW, cosine"]
    assert tab.run("document.querySelector('.tools input').value") == "adamw"


@pytest.mark.parametrize(
    "state", ["#t1.sort=__proto__", "#t1.q=%E0%A4%A", "#=&&==", "#t9.q=x", "#t1.dir=7&t1.sort=time"]
)
def test_a_mangled_address_does_no_harm(tab: Tab, site: Path, state: str) -> None:
    tab.open(address(site, "board/digits-mlp.html") + state)
    assert tab.complaints() == []
    assert len(tab.run(VISIBLE)) == 6


SHOWN = (
    "[...document.querySelectorAll('#t1 tbody tr')]"
    ".map(row => [...row.cells].filter(cell => !cell.hidden).length)"
)


def test_columns_can_be_hidden_and_the_address_keeps_it(tab: Tab, site: Path) -> None:
    tab.open(address(site, "board/digits-cnn.html"))
    whole = tab.run(SHOWN)[0]
    tab.run("document.querySelectorAll('.chooser input')[1].click()")
    assert tab.run("location.hash") == "#t1.hide=energy"
    # The value and the drawing beside it.
    assert set(tab.run(SHOWN)) == {whole - 2}
    tab.open(address(site, "board/digits-cnn.html") + "#t1.hide=energy,status,nonsense")
    assert set(tab.run(SHOWN)) == {whole - 3}
    assert tab.complaints() == []


def test_a_link_to_an_entry_marks_its_row(tab: Tab, site: Path) -> None:
    anchor = "digits-cnn--cnn-sgd--epyc-7b13-4f2a"
    tab.open(address(site, "board/digits-cnn.html") + f"#{anchor}")
    assert tab.run("document.querySelector('tr:target').id") == anchor
    assert len(tab.run(VISIBLE)) == 5


def test_the_status_filter_is_there_where_statuses_differ(tab: Tab, site: Path) -> None:
    tab.open(address(site, "board/digits-mlp.html"))
    tab.run(
        "(() => { const box = document.querySelector('.tools select');"
        "box.value = 'target_missed'; box.dispatchEvent(new Event('change')); })()"
    )
    assert tab.run(VISIBLE) == ["Sophia"]


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_its_window(tab: Tab, site: Path, width: int, dark: bool) -> None:
    tab.view(width, dark=dark)
    for path in sorted(site.rglob("*.html")):
        tab.open(path.as_uri())
        assert tab.run("document.documentElement.scrollWidth") <= width, path
    tab.view(1280)


def test_dark_is_dark_and_light_is_light(tab: Tab, site: Path) -> None:
    shades = []
    for dark in (False, True):
        tab.view(1280, dark=dark)
        tab.open(address(site, "index.html"))
        colour = tab.run("getComputedStyle(document.documentElement).backgroundColor")
        shades.append(int(colour.partition("(")[2].partition(",")[0]))
    tab.view(1280)
    assert shades[0] > 240
    assert shades[1] < 40


def test_without_scripts_everything_is_readable(tab: Tab, site: Path, made: Made) -> None:
    tab.scripts(on=False)
    try:
        for workload in ("digits-cnn", "digits-mlp"):
            tab.open(address(site, f"board/{workload}.html"))
            root = tab.call("DOM.getDocument", depth=1)["root"]["nodeId"]
            text = tab.call("DOM.getOuterHTML", nodeId=root)["outerHTML"]
            assert "<tr hidden" not in text
            assert 'class="tools" data-for="t1" hidden' in text
            assert all(s.entry.title in text for s in made.scores if s.entry.workload == workload)
        assert tab.complaints() == []
    finally:
        tab.scripts(on=True)


CONTRAST = """
(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number);
    return m.length > 3 ? m : [...m, 1]; };
  const light = c => { const f = c.slice(0, 3).map(v => { v /= 255;
    return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const board_key = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c[3] > .99) return c; }
    return [255, 255, 255, 1]; };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || e.closest('svg,script,style,.unseen')) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(board_key(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) faint.push(e.className + ': ' + ratio.toFixed(2));
  }
  return [...new Set(faint)];
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast(tab: Tab, site: Path, dark: bool) -> None:
    tab.view(1280, dark=dark)
    for path in sorted(site.rglob("*.html")):
        tab.open(path.as_uri())
        assert tab.run(CONTRAST) == [], path
    tab.view(1280)


AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
CHECK = """
axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(
  each => each.id + ': ' + each.nodes.slice(0, 3).map(node => node.target.join(' ')).join(' | ')))
"""


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_axe_finds_nothing_to_blame(tab: Tab, site: Path, width: int, dark: bool) -> None:
    axe = AXE.read_text(encoding="utf-8")
    tab.view(width, dark=dark)
    for path in sorted(site.rglob("*.html")):
        tab.open(path.as_uri())
        tab.run(f"{axe};0")
        assert tab.run(CHECK) == [], path
    tab.view(1280)


def test_a_view_that_keeps_its_order_moves_nothing(tab: Tab, site: Path) -> None:
    tab.open(address(site, "board/digits-cnn.html"))
    tab.run(
        "window.moves = 0; new MutationObserver(found => { window.moves += found.length; })"
        ".observe(document.querySelector('#t1'), {childList: true, subtree: true}); 0"
    )
    typed(tab, "muon")
    click(tab, "speed-rank")
    settled = "new Promise(done => setTimeout(() => done(window.moves), 0))"
    once = tab.run(settled)
    order = tab.run("[...document.querySelectorAll('#t1 tbody tr')].map(row => row.id)")
    click(tab, "time")
    assert tab.run(settled) == once
    assert tab.run("[...document.querySelectorAll('#t1 tbody tr')].map(row => row.id)") == order


BOX = "document.querySelector('svg.zoom').getAttribute('viewBox')"
TIMES = "[...document.querySelectorAll('svg.chart[data-low] g.times')][0].textContent"


def press(tab: Tab, kind: str, x: float, y: float) -> None:
    tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def drag(tab: Tab, start: float, end: float) -> None:
    """Drag over the trace, from and to a part of its width."""
    frame = tab.run(
        "(() => { const svg = document.querySelector('svg.chart[data-low]');"
        "svg.scrollIntoView({block: 'center', behavior: 'instant'});"
        "const box = svg.getBoundingClientRect(); return [box.left, box.top, box.width]; })()"
    )
    left, top, width = frame
    press(tab, "mousePressed", left + width * start, top + 90)
    press(tab, "mouseMoved", left + width * end, top + 90)
    press(tab, "mouseReleased", left + width * end, top + 90)


def test_a_trace_can_be_looked_at_closer(tab: Tab, site: Path) -> None:
    path = next((site / "entry").glob("*cnn-muon*.html"))
    tab.open(path.as_uri())
    whole, times = tab.run(BOX), tab.run(TIMES)
    drag(tab, 0.4, 0.6)
    closer = [float(part) for part in tab.run(BOX).split()]
    assert closer[2] == pytest.approx(0.2 * 920, rel=0.03)
    assert closer[0] == pytest.approx(0.4 * 920, rel=0.03)
    assert tab.run(TIMES) != times
    tab.run("document.querySelectorAll('.zoom-bar button')[4].click()")
    again = [float(part) for part in tab.run(BOX).split()]
    assert again == pytest.approx([float(part) for part in whole.split()])
    assert tab.run(TIMES) == times
    assert tab.complaints() == []


def test_a_trace_is_zoomed_by_keyboard_within_the_run(tab: Tab, site: Path) -> None:
    path = next((site / "entry").glob("*cnn-muon*.html"))
    tab.open(path.as_uri())
    left, _, width, _ = (float(part) for part in tab.run(BOX).split())
    for button in (0, 0, 2, 2, 2, 2, 2, 2, 2, 3, 1, 0):
        tab.run(f"document.querySelectorAll('.zoom-bar button')[{button}].click()")
        x, _, span, _ = (float(part) for part in tab.run(BOX).split())
        assert left - 0.01 <= x
        assert x + span <= left + width + 0.01


def test_imported_records_show_beside_own_runs(tab: Tab, mixed: Path) -> None:
    axe = AXE.read_text(encoding="utf-8")
    for path in ("index.html", "imported.html"):
        for width, dark in ((1280, False), (390, True)):
            tab.view(width, dark=dark)
            tab.open(address(mixed, path))
            assert tab.complaints() == []
            assert tab.requests() == [address(mixed, path)]
            assert tab.run("document.documentElement.scrollWidth") <= width
            assert tab.run(CONTRAST) == []
            tab.run(f"{axe};0")
            assert tab.run(CHECK) == [], (path, width)
    tab.view(1280)


def test_imported_tables_sort_every_for_itself(tab: Tab, mixed: Path) -> None:
    tab.open(address(mixed, "imported.html"))
    tables = tab.run("[...document.querySelectorAll('table[data-sortable]')].map(t => t.id)")
    names = "[...document.querySelectorAll('#{} tbody th')].map(h => h.innerText)"
    before = {name: tab.run(names.format(name)) for name in tables}
    tab.run(f"document.querySelector('#{tables[0]} th[data-key=submission] button').click()")
    tab.run(f"document.querySelector('#{tables[0]} th[data-key=submission] button').click()")
    after = {name: tab.run(names.format(name)) for name in tables}
    assert after[tables[0]] == sorted(before[tables[0]], reverse=True)
    assert all(after[name] == before[name] for name in tables[1:])


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of an entry with thousands of readings."""
    root = tmp_path_factory.mktemp("dense")
    plan = Plan(submission="dense", title="Dense", meter="rapl", seeds=1, hz=1000.0)
    made = make(root / "results", (plan,))
    render(made.results, root / "site", made.scores, made.boards)
    return next((root / "site" / "entry").glob("*.html"))


READINGS = "(document.querySelector('path.reading.d0')?.getAttribute('d').match(/M/g) || []).length"
SHOWN_BAND = "getComputedStyle(document.querySelector('svg.zoom path.band')).display"


def test_a_trace_can_be_looked_at_down_to_its_readings(tab: Tab, dense: Path) -> None:
    tab.open(dense.as_uri())
    assert tab.run(READINGS) == 0
    assert tab.run(SHOWN_BAND) != "none"
    for _ in range(14):
        tab.run("document.querySelectorAll('.zoom-bar button')[0].click()")
    assert 5 <= tab.run(READINGS) <= 9
    assert tab.run(SHOWN_BAND) == "none"
    # A reading each millisecond: the axis tells them apart.
    labels = tab.run(
        "[...document.querySelectorAll('svg[data-low] g.times text')].map(t => t.textContent)"
    )
    assert len(set(labels)) == len(labels) > 2
    tab.run("document.querySelectorAll('.zoom-bar button')[4].click()")
    assert tab.run(READINGS) == 0
    assert tab.run(SHOWN_BAND) != "none"
    assert tab.complaints() == []


def test_readings_are_drawn_at_the_same_places_as_the_overview(tab: Tab, dense: Path) -> None:
    tab.open(dense.as_uri())
    heights = (
        "(style => { const d = document.querySelector('svg.zoom path.power.d0' + style)"
        ".getAttribute('d').match(/ [\\d.]+/g).map(Number);"
        "return d.reduce((a, b) => a + b) / d.length; })"
    )
    whole = tab.run(f"{heights}('.drawn')")
    tab.run("document.querySelectorAll('.zoom-bar button')[1].click()")
    assert tab.run(READINGS) == 0
    drag(tab, 0.02, 0.98)
    assert tab.run(f"{heights}(':not(.drawn)')") == pytest.approx(whole, abs=6)
