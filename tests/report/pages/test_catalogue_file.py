from pathlib import Path

import pytest

from harness.report.pages.catalogue import CatalogueError, catalogue_file, read_catalogue

ROW = """[[row]]
id = "a-b"
section = "pruning"
status = "listed"
proof = "none"
"""


def test_the_catalogue_is_next_to_the_workloads() -> None:
    path = catalogue_file()
    assert path is not None
    assert (path.parent / "tasks").is_dir()


def test_what_the_list_does_not_tell_stays_unknown(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text(ROW)
    (row,) = read_catalogue(tmp_path / "catalog.toml")
    assert row.year is None
    assert row.links == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROW + ROW, "id 'a-b' is used twice"),
        (ROW.replace("listed", "works"), "status"),
        (ROW.replace("none", ""), "proof"),
        (ROW.replace("a-b", "A b"), "id"),
        (ROW + "tipo = 1", "tipo"),
        (ROW + "links = { paper = 'javascript:alert(1)' }", "links"),
        ("[[row", "catalog.toml"),
    ],
)
def test_a_faulty_row_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "catalog.toml").write_text(text)
    with pytest.raises(CatalogueError, match=words):
        read_catalogue(tmp_path / "catalog.toml")
