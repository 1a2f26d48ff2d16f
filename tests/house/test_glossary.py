"""Words that docs/glossary.md replaces are used neither in names nor in texts.

A name is an identifier in a Python file of `harness`, `workloads`, `benchmarks` or `tests`; its
parts are what underscores and capitals separate. A text is any tracked Python file, page, style,
script, template, ruleset or configuration file. Evidence, vendored files and the glossary itself
are left out.
"""

import builtins
import re
import subprocess
import tokenize
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house.sources import ROOT, tokens_of, tracked

GLOSSARY = "docs/glossary.md"
HEADING = "## Words that are not used"
FOREIGN = {"PackageNotFoundError", "costPerHour"}
"""Names of the standard library and of DAWNBench's files."""
NAMED = ("harness/", "workloads/", "benchmarks/", "tests/")
LEFT_OUT = ("results/", "reports/", "tests/vendor/", "changelog.d/", GLOSSARY)
SUFFIXES = {".py", ".md", ".j2", ".jinja", ".html", ".toml", ".txt", ".js", ".css"}


class Word(NamedTuple):
    """One row of the glossary's second table."""

    text: str
    in_names: bool
    in_texts: bool
    instead: str


def words_of(glossary: str) -> list[Word]:
    """The words that are not used, from the text of the glossary."""
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", glossary.split(HEADING)[1], re.MULTILINE
    )
    return [
        Word(text, "name" in places, "text" in places, instead)
        for text, places, instead in rows
        if text not in {"word", "---"}
    ]


def parts_of(name: str) -> list[str]:
    """The words of an identifier, in lower case."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_")


def names_in(text: str, words: list[Word]) -> list[str]:
    """`line: name 'x': use y` for each identifier with such a word in it."""
    replacements = {word.text: word.instead for word in words if word.in_names}
    return [
        f"{token.start[0]}: name '{token.string}': use {replacements[part]}"
        for token in tokens_of(text)
        if token.type == tokenize.NAME
        and not hasattr(builtins, token.string)
        and token.string not in FOREIGN
        for part in parts_of(token.string)
        if part in replacements
    ]


def texts_in(text: str, words: list[Word]) -> list[str]:
    """`line: text 'x': use y` for each such word or phrase."""
    rows = []
    for word in words:
        if word.in_texts:
            # A phrase may be broken over two lines of a comment.
            pattern = r"[\s#]+".join(map(re.escape, word.text.split()))
            for match in re.finditer(rf"\b{pattern}\b", text, re.IGNORECASE):
                line = text.count("\n", 0, match.start()) + 1
                rows.append(f"{line}: text '{word.text}': use {word.instead}")
    return rows


def uses(root: Path, words: list[Word]) -> list[str]:
    """Every use of one of the words below a folder that git tracks."""
    rows = []
    for path in tracked(root):
        if path.startswith(LEFT_OUT) or Path(path).suffix not in SUFFIXES:
            continue
        text = (root / path).read_text(encoding="utf-8")
        if path.endswith(".py") and path.startswith(NAMED):
            rows += [f"{path}:{row}" for row in names_in(text, words)]
        rows += [f"{path}:{row}" for row in texts_in(text, words)]
    return rows


WORDS = words_of((ROOT / GLOSSARY).read_text(encoding="utf-8"))


def test_words_that_are_not_used_are_not_used() -> None:
    rows = uses(ROOT, WORDS)
    assert not rows, f"{len(rows)} uses:\n  " + "\n  ".join(rows)


def test_the_table_is_read() -> None:
    assert "ammunition" in {word.text for word in WORDS}
    assert all(word.in_names or word.in_texts for word in WORDS)


def planted(root: Path, path: str, text: str) -> Path:
    """A checkout with one file in it."""
    (root / path).parent.mkdir(parents=True)
    (root / path).write_text(text, encoding="utf-8")
    for command in (["git", "init", "-q"], ["git", "add", "-A"]):
        subprocess.run(command, cwd=root, check=True)
    return root


WORD = [Word("blue moon", in_names=False, in_texts=True, instead="rarely")]
NAME = [Word("moon", in_names=True, in_texts=False, instead="satellite")]


@pytest.mark.parametrize(
    ("path", "text", "words", "row"),
    [
        ("docs/a.md", "x\nonce in a Blue\nmoon", WORD, "docs/a.md:2: text 'blue moon': use rarely"),
        ("harness/a.py", "x = 1  # blue\n# moon\n", WORD, "harness/a.py:1: text 'blue moon'"),
        ("harness/a.py", "theMoon_x = 1\n", NAME, "harness/a.py:1: name 'theMoon_x'"),
        ("tests/a.py", "def test_moon(): ...\n", NAME, "tests/a.py:1: name 'test_moon'"),
    ],
)
def test_a_planted_word_is_reported(
    tmp_path: Path, path: str, text: str, words: list[Word], row: str
) -> None:
    (use,) = uses(planted(tmp_path, path, text), words)
    assert use.startswith(row)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("results/a.md", "blue moon"),
        ("docs/glossary.md", "blue moon"),
        ("docs/a.md", "blue moons, moon"),
        ("harness/a.py", "honeymoon = 'moon'\n"),
        ("docs/example.py", "moon = 1\n"),
    ],
)
def test_what_is_allowed_is_not_reported(tmp_path: Path, path: str, text: str) -> None:
    assert uses(planted(tmp_path, path, text), [*WORD, *NAME]) == []


def test_names_of_python_itself_are_allowed() -> None:
    word = Word("found", in_names=True, in_texts=False, instead="match")
    assert names_in("raise FileNotFoundError\n", [word]) == []
