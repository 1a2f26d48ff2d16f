"""How long the site of many entries takes to build, and a browser to open and sort its board.

python -m benchmarks.report_speed [--entries N] [--traces N] [--readings N]

The entries are made, not measured. CPU seconds are of this process for the build, and of the
browser's renderer for the page. Where plotly is installed the same board and the same trace are
drawn with it for comparison.
"""

import argparse
import dataclasses
import importlib.util
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness.measure.trace import read_trace
from harness.report.site import render
from harness.report.traces import power_of
from tests.conftest import chromium_path
from tests.report.chrome import Tab, chrome
from tests.report.made import Made, Plan, make, timeline

IDLE_S = 0.6
"""Readings of a made run go on for so long after its end."""
SETTLE_MS = 1500
SORTS_COUNT = 5
SORT = "document.querySelector('#t1 th[data-key=entry] button').click()"


def _plan(number: int, draw: random.Random) -> Plan:
    return Plan(
        submission=f"entry-{number:04d}",
        title=f"Entry {number}",
        team=f"Team {number % 37}",
        workload="digits-cnn",
        seeds=1,
        speed=draw.uniform(0.9, 3.0),
        watts=draw.uniform(20, 60),
        meter="none",
    )


def _metered(plan: Plan, readings_count: int) -> Plan:
    """The same with a trace of so many readings in each of three domains."""
    length_s = timeline(plan, 0).end_s + IDLE_S
    return dataclasses.replace(plan, meter="rapl", hz=readings_count / length_s)


def plans(entries_count: int, traces_count: int, readings_count: int) -> tuple[Plan, ...]:
    """Entries of one board, some with a trace of three domains."""
    draw = random.Random(0)
    made = [_plan(number, draw) for number in range(entries_count)]
    return tuple(
        _metered(plan, readings_count) if number < traces_count else plan
        for number, plan in enumerate(made)
    )


def built(made: Made, out: Path) -> dict[str, float]:
    """CPU seconds and sizes of one rendering."""
    start_s = time.process_time()
    files = render(made.results, out, made.scores, made.boards)
    cpu_s = time.process_time() - start_s
    pages = [path.stat().st_size for path in files if path.suffix == ".html"]
    return {
        "build CPU, s": cpu_s,
        "peak memory of all, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "files": len(files),
        "largest page, MB": max(pages) / 1e6,
        "whole site, MB": sum(path.stat().st_size for path in files) / 1e6,
    }


def _task_s(tab: Tab) -> float:
    """CPU seconds of the page's main thread so far."""
    metrics = tab.call("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def opened(tab: Tab, page: Path) -> float:
    """CPU seconds until a page has been idle for a while."""
    tab.call("Performance.enable", timeDomain="threadTicks")
    before_s = _task_s(tab)
    tab.open(page.as_uri())
    tab.run(f"new Promise(done => setTimeout(done, {SETTLE_MS}))")
    after_s = _task_s(tab)
    # Where the page got a process of its own the count started again.
    return after_s - before_s if after_s >= before_s else after_s


def sorted_s(tab: Tab) -> float:
    """CPU seconds to sort the board by name and paint it, the median of several, up and down."""
    results = []
    for _ in range(SORTS_COUNT):
        before_s = _task_s(tab)
        tab.run(f"{SORT}; new Promise(done => requestAnimationFrame(() => setTimeout(done, 300)))")
        results.append(_task_s(tab) - before_s)
    return statistics.median(results)


def _plotly_board(made: Made, page: Path) -> None:
    """Scatter and table of all entries."""
    from plotly import graph_objects  # type: ignore[import-not-found,unused-ignore]
    from plotly.subplots import make_subplots  # type: ignore[import-not-found,unused-ignore]

    figure = make_subplots(rows=2, cols=1, specs=[[{"type": "xy"}], [{"type": "table"}]])
    scores = [score for score in made.scores if score.time_to_target_s]
    seconds = [score.time_to_target_s.value for score in scores if score.time_to_target_s]
    figure.add_trace(graph_objects.Scatter(x=seconds, y=[s.n for s in scores], mode="markers"))
    cells = {"values": [[score.title for score in scores], seconds]}
    figure.add_trace(graph_objects.Table(cells=cells), row=2, col=1)
    figure.write_html(page, include_plotlyjs=True)


def _plotly_entry(made: Made, page: Path) -> None:
    """The power trace of the first entry, three domains with every reading."""
    from plotly import graph_objects

    path = next(made.results.glob("*/entry-0000/*/*/trace.csv.gz"))
    series = power_of(read_trace(path), [])
    lines = [graph_objects.Scatter(x=item.t_s, y=item.power_w, name=item.domain) for item in series]
    graph_objects.Figure(lines).write_html(page, include_plotlyjs=True)


def plotly_figures(made: Made, out: Path, tab: Tab) -> dict[str, float]:
    """The same board and the same trace by plotly; nothing where it is not installed."""
    if importlib.util.find_spec("plotly") is None:
        sys.stdout.write("plotly is not installed: no page of it to stand beside ours\n")
        return {}
    results = {}
    for name, draw in (("board", _plotly_board), ("entry", _plotly_entry)):
        page = out / f"plotly-{name}.html"
        draw(made, page)
        results[f"plotly {name} to idle, CPU s"] = opened(tab, page)
        results[f"plotly {name}, MB"] = page.stat().st_size / 1e6
    return results


def browsed(made: Made, out: Path) -> dict[str, float]:
    """What a browser spends on the board, an entry with a trace, and the comparison page."""
    program = chromium_path()
    if program is None:
        return {}
    results: dict[str, float] = {}
    with chrome(program) as tab:
        tab.view(1280)
        board = out / "board" / "digits-cnn.html"
        results["board to idle, CPU s"] = opened(tab, board)
        results["sort the board, CPU s"] = sorted_s(tab)
        entry = next((out / "entry").glob("*entry-0000*.html"))
        results["entry with a trace to idle, CPU s"] = opened(tab, entry)
        results["compare to idle, CPU s"] = opened(tab, out / "compare.html")
        results["board, MB"] = board.stat().st_size / 1e6
        results["entry with a trace, MB"] = entry.stat().st_size / 1e6
        results |= plotly_figures(made, out, tab)
    return results


def main() -> None:
    """Print the figures as a Markdown table and, last, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=500)
    parser.add_argument("--traces", type=int, default=50)
    parser.add_argument("--readings", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made = make(root / "results", plans(asked.entries, asked.traces, asked.readings))
        result = built(made, root / "site")
        result |= browsed(made, root / "site")
    sys.stdout.write("| figure | value |\n|---|---|\n")
    for name, value in result.items():
        sys.stdout.write(f"| {name} | {value:.3g} |\n")
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
