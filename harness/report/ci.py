"""What continuous integration shows: a Markdown summary, JUnit XML and badges."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.records import Figure, Leaderboard, Score
from harness.report import numbers, wording
from harness.report.entries import BoardKey, Boards, board_key_of, order_of
from harness.report.finite import tamed_board, tamed_score
from harness.report.slugs import joined
from harness.report.text import clean

SUMMARY_BYTES_MAX = 900_000
"""Under the mebibyte beyond which a job's summary is thrown away."""
NAME_LENGTH = 80
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~&@:$-])")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
GREEN, YELLOW, GREY = "brightgreen", "yellow", "lightgrey"


def markdown(text: str) -> str:
    """Somebody's text for a table cell of GitHub's Markdown: no mark in it has a meaning."""
    flat = " ".join(str(clean(text)).split())
    short = flat if len(flat) <= NAME_LENGTH else f"{flat[:NAME_LENGTH]}…"
    # As entities: a backslash does not keep `@name` from becoming a mention.
    return _MARKS.sub(lambda found: f"&#{ord(found[1])};", short)


def _figure_text(figure: Figure | None, base: str) -> str:
    if figure is None:
        return "not measured" if base == "J" else numbers.MISSING
    unit = numbers.unit_for([figure.value], base)
    shown = numbers.figure(figure.value, figure.low, figure.high, unit)
    marks = "".join(f" ({figure_badge.text})" for figure_badge in wording.figure_badges(figure))
    interval = f" [{shown.interval}]" if shown.interval else ""
    return f"{shown.value} {unit.symbol}{interval}{marks}"


def _rank_text(boards: Boards, score: Score, prize: str) -> str:
    place = boards.places(score).get(prize)
    if place is None or place.standing is None:
        return numbers.MISSING
    row = place.standing
    spread = f" ({row.rank_low} to {row.rank_high})" if row.rank_low != row.rank_high else ""
    return f"{row.rank}{spread}"


def _row(boards: Boards, score: Score) -> str:
    cells = (
        markdown(score.entry.title or score.entry.submission),
        _rank_text(boards, score, "energy"),
        _figure_text(score.costs.energy_to_target_j, "J"),
        _rank_text(boards, score, "speed"),
        _figure_text(score.costs.time_to_target_s, "s"),
        numbers.plain(score.quality.figure.value) if score.quality.figure else numbers.MISSING,
        f"{score.n}{f', {score.failures} failed' if score.failures else ''}",
        score.status.replace("_", " "),
    )
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| Entry | Energy rank | Energy to target ↓ | Speed rank | Time to target ↓ | Metric "
    "| Seeds | Status |\n|---|---|---|---|---|---|---|---|"
)


def _grounds(scores: Sequence[Score]) -> dict[BoardKey, list[Score]]:
    found: dict[BoardKey, list[Score]] = {}
    for score in sorted(scores, key=order_of):
        found.setdefault(board_key_of(score), []).append(score)
    return found


def _lines(scores: Sequence[Score], boards: Boards) -> Iterator[str]:
    for board_key, members in _grounds(scores).items():
        yield f"\n### {markdown(board_key.workload)}\n"
        where = f"Machine {markdown(board_key.machine)}, rules {markdown(board_key.ruleset)}"
        yield f"{where}, {markdown(board_key.division)} division.\n"
        for prize, board in boards.on(board_key).items():
            title = wording.PRIZES.get(prize, (prize, ""))[0]
            yield f"**{title}: {wording.board_result(board).headline}.** {markdown_note(board)}\n"
        yield HEAD
        yield from (_row(boards, score) for score in members)


def markdown_note(board: Leaderboard) -> str:
    """The board's own sentence, safe for Markdown, uncut."""
    return _MARKS.sub(lambda found: f"&#{ord(found[1])};", str(clean(board.note)))


def summary(scores: Sequence[Score], boards: Sequence[Leaderboard]) -> str:
    """A job's summary in Markdown; it says what it leaves out where it would grow too long."""
    kept, size = ["## JouleMark\n"], 0
    if not scores:
        kept.append("No results.\n")
    lines = list(_lines(scores, Boards(boards)))
    for number, line in enumerate(lines):
        size += len(line.encode()) + 1
        if size > SUMMARY_BYTES_MAX:
            kept.append(f"\n{len(lines) - number} more lines are left out: see the site.")
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def _xml(text: object) -> str:
    """Text with nothing that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\ufffd", str(text))


def _properties(case: ET.Element, score: Score, energy_j: float | None) -> None:
    properties = ET.SubElement(case, "properties")
    values = {"ruleset": score.rules.ruleset, "machine": score.entry.machine}
    if energy_j is not None:
        values["energy_j"] = repr(energy_j)
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=_xml(value))


def _suite(root: ET.Element, board_key: BoardKey, members: Sequence[Score]) -> None:
    runs = [(score, run) for score in members for run in score.runs]
    failed = sum(not run.reached for _, run in runs)
    named = {"name": _xml(board_key.workload), "tests": str(len(runs)), "failures": str(failed)}
    suite = ET.SubElement(root, "testsuite", named)
    for score, run in runs:
        name = f"{score.entry.submission} seed {run.seed}"
        seconds = run.window_s if run.window_s is not None else 0.0
        case = ET.SubElement(
            suite,
            "testcase",
            classname=_xml(score.entry.workload),
            name=_xml(name),
            time=f"{seconds:.6f}",
        )
        _properties(case, score, run.energy.energy_j)
        if not run.reached:
            message = f"{run.status}: {run.reason}"
            ET.SubElement(case, "failure", message=_xml(message), type=run.status)


def junit(scores: Sequence[Score]) -> bytes:
    """JUnit XML: a suite for each board_key, a case for each run, a failure where it missed."""
    root = ET.Element("testsuites", name="joulemark")
    for board_key, members in _grounds(scores).items():
        _suite(root, board_key, members)
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def badge(board: Leaderboard) -> dict[str, object]:
    """A shields.io endpoint: the best cost of a board, or that there is none."""
    title, base = wording.PRIZES.get(board.prize, (board.prize, ""))
    found = wording.board_result(board)
    message, colour = "no eligible entry", GREY
    if found.standings:
        message = numbers.quantity(found.standings[0].score, base)
        colour = YELLOW if found.kind == "tie" else GREEN
    label = f"{str(clean(board.workload))[:NAME_LENGTH]} {title.lower()}"
    return {"schemaVersion": 1, "label": label, "message": message, "color": colour}


def write_ci(out: Path, scores: Sequence[Score], boards: Sequence[Leaderboard]) -> list[Path]:
    """Write `summary.md`, `junit.xml` and a badge for each board; returns the files, sorted.

    Raises:
        OSError: a file could not be written.
    """
    scores, boards = list(map(tamed_score, scores)), list(map(tamed_board, boards))
    files = {
        "summary.md": summary(scores, boards).encode("utf-8", "replace"),
        "junit.xml": junit(scores),
    }
    for board in boards:
        name = joined(board.workload, board.machine, board.ruleset, board.division, board.prize)
        files[f"badge-{name}.json"] = (json.dumps(badge(board), sort_keys=True) + "\n").encode()
    out.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (out / name).write_bytes(data)
    return [out / name for name in sorted(files)]
