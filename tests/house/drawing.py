"""Draws the folders of the harness and their imports, from the code.

python -m tests.house.drawing > docs/architecture.svg

Each row is one layer of the import contract in `pyproject.toml`; a folder imports only from rows
below its own or from a neighbour. An arrow is an import. One that follows from other arrows, over
a folder in between, is left out.
"""

import ast
import re
import sys
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

from tests.house.sources import ROOT, parse, python_files

WIDTH, BOX_HEIGHT, ROW_HEIGHT, MARGIN = 1200, 34, 84, 20
STYLE = """
text { font: 14px sans-serif; text-anchor: middle; fill: #1a1a1a }
rect { fill: #eef3f8; stroke: #4a6178 }
line { stroke: #4a6178; stroke-opacity: 0.55; marker-end: url(#tip) }
"""
MARKER = """\
<marker id="tip" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="7" markerHeight="7"
 orient="auto">
<path d="M0 0 10 5 0 10z" fill="#4a6178"/></marker>"""


def layers(root: Path = ROOT) -> list[list[str]]:
    """Folders and modules of `harness`, row by row from the top, and `workloads`."""
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    files = {path.stem for path in (root / "harness").iterdir()}
    rows = [[x for x in re.findall(r"\w+", layer) if x in files] for layer in contract["layers"]]
    return [[*row, "workloads"] if "registry" in row else row for row in rows if row]


def node_of(module: str) -> str:
    """The box that a dotted module belongs to; empty for modules of others."""
    first, _, rest = module.partition(".")
    if first == "harness":
        return rest.partition(".")[0]
    return first if first == "workloads" else ""


def imported(tree: ast.Module) -> set[str]:
    """The boxes whose modules a file imports, also inside functions."""
    boxes = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            boxes |= {node_of(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "harness":
            boxes |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            boxes.add(node_of(node.module or ""))
    return boxes


def imports(root: Path = ROOT) -> dict[str, set[str]]:
    """Each box to the boxes that its files import."""
    boxes = {name for row in layers(root) for name in row}
    edges: dict[str, set[str]] = {name: set() for name in boxes}
    for path in python_files("harness", "workloads", root=root):
        parts = path.relative_to(root).with_suffix("").parts
        box = node_of(".".join(parts))
        if box in boxes:
            edges[box] |= imported(parse(path)) & boxes - {box}
    return edges


def reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    """All boxes that can be reached from one, itself only through a circle."""
    seen: set[str] = set()
    pending = list(edges[start])
    while pending:
        box = pending.pop()
        if box not in seen:
            seen.add(box)
            pending.extend(edges[box])
    return seen


def reduced(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """The edges without those that follow from others."""
    return {
        box: {
            target
            for target in targets
            if not any(target in reachable(edges, other) for other in targets - {target})
            or box in reachable(edges, target)
        }
        for box, targets in edges.items()
    }


def draw(root: Path = ROOT) -> str:
    """The drawing as an SVG document."""
    rows = layers(root)
    # Every second row is shifted, so that a long arrow seldom runs through a box.
    centres = {
        name: (
            WIDTH * (column + 0.5) / len(row) + (30 if number % 2 else -30),
            MARGIN + BOX_HEIGHT / 2 + ROW_HEIGHT * number,
        )
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    height = 2 * MARGIN + BOX_HEIGHT + ROW_HEIGHT * (len(rows) - 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
        "<title>Folders of the harness and their imports</title>",
        f"<style>{STYLE}</style>",
        MARKER,
    ]
    lines += [
        _arrow(box, target, centres[box], centres[target])
        for box, targets in sorted(reduced(imports(root)).items())
        for target in sorted(targets)
    ]
    for name, (x, y) in sorted(centres.items()):
        width = 24 + 8 * len(name)
        box_text = f'x="{x - width / 2:.0f}" y="{y - BOX_HEIGHT / 2:.0f}" width="{width}"'
        lines.append(f'<rect {box_text} height="{BOX_HEIGHT}" rx="4"/>')
        lines.append(f'<text x="{x:.0f}" y="{y + 5:.0f}">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _arrow(box: str, target: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    """A line from the edge of one box to the edge of another."""
    (x1, y1), (x2, y2) = start, end
    half = BOX_HEIGHT / 2
    if y1 == y2:
        sign = 1 if x2 > x1 else -1
        x1, x2 = x1 + sign * (12 + 4 * len(box)), x2 - sign * (12 + 4 * len(target))
    else:
        sign = 1 if y2 > y1 else -1
        y1, y2 = y1 + sign * half, y2 - sign * half
    title = escape(f"{box} imports {target}")
    points = f'x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}"'
    return f"<line {points}><title>{title}</title></line>"


if __name__ == "__main__":
    sys.stdout.write(draw())
