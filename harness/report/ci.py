"""Output for continuous integration: a Markdown summary, JUnit XML and badges."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.records import Figure, Leaderboard, Score
from harness.report import numbers, wording
from harness.report.charts.svg import cut
from harness.report.entries import BoardKey, Boards, board_key_of, order_of
from harness.report.text import clean, joined

SUMMARY_BYTES_MAX = 900_000
"""Just below the mebibyte from which on GitHub drops the summary of a job."""

NAME_LENGTH = 80
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|<>~&@:$-])")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

HEAD = (
    "| Entry | Energy rank | Energy to target ↓ | Speed rank | Time to target ↓ | Metric "
    "| Seeds | Status |\n|---|---|---|---|---|---|---|---|"
)


def _escaped(text: object) -> str:
    # As entities: a backslash does not keep `@name` from becoming a mention.
    return _MARKS.sub(lambda mark: f"&#{ord(mark[1])};", str(text))


def markdown(text: str) -> str:
    """Escape a submission's text for a table cell of GitHub's Markdown."""
    return _escaped(cut(" ".join(str(clean(text)).split()), NAME_LENGTH))


def _figure_text(figure: Figure | None, base: str) -> str:
    if figure is None:
        return "not measured" if base == "J" else numbers.MISSING
    unit = numbers.unit_for([figure.value], base)
    text = wording.formatted(figure, unit)
    marks = "".join(f" ({badge.text})" for badge in wording.figure_badges(figure))
    interval = f" [{text.interval}]" if text.interval else ""
    return f"{text.value} {unit.symbol}{interval}{marks}"


def _rank_text(boards: Boards, score: Score, prize: str) -> str:
    place = boards.places(score).get(prize)
    if place is None or place.standing is None:
        return numbers.MISSING
    row = place.standing
    ranks = f" ({row.rank_low} to {row.rank_high})" if row.rank_low != row.rank_high else ""
    return f"{row.rank}{ranks}"


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


def _by_board(scores: Sequence[Score]) -> dict[BoardKey, list[Score]]:
    groups = defaultdict(list)
    for score in sorted(scores, key=order_of):
        groups[board_key_of(score)].append(score)
    return groups


def _lines(scores: Sequence[Score], boards: Boards) -> Iterator[str]:
    for key, members in _by_board(scores).items():
        yield f"\n### {markdown(key.workload)}\n"
        machine, rules, division = map(markdown, (key.machine, key.ruleset, key.division))
        yield f"Machine {machine}, rules {rules}, {division} division.\n"
        for prize, board in boards.on(key).items():
            title, headline = wording.prize_words(prize).title, wording.board_result(board).headline
            yield f"**{title}: {headline}.** {_escaped(clean(board.note))}\n"
        yield HEAD
        yield from (_row(boards, score) for score in members)


def summary(scores: Sequence[Score], boards: Sequence[Leaderboard]) -> str:
    """Return the Markdown summary of a job; it states how much is left out if it is too long."""
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


def _add(parent: ET.Element, tag: str, **values: object) -> ET.Element:
    """Add an element; characters that XML 1.0 does not allow are replaced."""
    texts = {name: _NOT_XML.sub("\ufffd", str(value)) for name, value in values.items()}
    return ET.SubElement(parent, tag, texts)


def junit(scores: Sequence[Score]) -> bytes:
    """Return JUnit XML: a suite per board, a case per run, a failure where the target is missed."""
    root = ET.Element("testsuites", name="joulemark")
    for key, members in _by_board(scores).items():
        runs = [(score, run) for score in members for run in score.runs]
        failed = sum(not run.reached for _, run in runs)
        suite = _add(root, "testsuite", name=key.workload, tests=len(runs), failures=failed)
        for score, run in runs:
            name, time = f"{score.entry.submission} seed {run.seed}", f"{run.window_s or 0.0:.6f}"
            case = _add(suite, "testcase", classname=key.workload, name=name, time=time)
            properties = _add(case, "properties")
            _add(properties, "property", name="ruleset", value=score.rules.ruleset)
            _add(properties, "property", name="machine", value=score.entry.machine)
            if run.energy.energy_j is not None:
                _add(properties, "property", name="energy_j", value=repr(run.energy.energy_j))
            if not run.reached:
                _add(case, "failure", message=f"{run.status}: {run.reason}", type=run.status)
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def badge(board: Leaderboard) -> dict[str, object]:
    """Return a shields.io endpoint: the lowest cost of a board, or that no entry is eligible."""
    words, result = wording.prize_words(board.prize), wording.board_result(board)
    message, colour = "no eligible entry", "lightgrey"
    if result.standings:
        message = numbers.quantity(result.standings[0].score, words.unit)
        colour = "yellow" if result.kind == "tie" else "brightgreen"
    label = f"{str(clean(board.workload))[:NAME_LENGTH]} {words.title.lower()}"
    return {"schemaVersion": 1, "label": label, "message": message, "color": colour}


def write_ci(out: Path, scores: Sequence[Score], boards: Sequence[Leaderboard]) -> list[Path]:
    """Write `summary.md`, `junit.xml` and a badge for each board; return the files, sorted.

    Raises:
        OSError: a file could not be written.
    """
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
