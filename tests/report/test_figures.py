from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.report.figures import FORMATS, write_figures
from tests.report.made import Made, Plan, make


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Made:
    plans = (
        Plan(submission="a", title="A $x$ and $y", seeds=2, meter="rapl"),
        Plan(submission="b", title="\u05d0\u0628 <b>", seeds=2, meter="rapl", speed=2.0),
        Plan(submission="c", title="C", seeds=2),
        Plan(submission="d", title="D", seeds=1, meter="none"),
    )
    return make(tmp_path_factory.mktemp("few") / "results", plans)


def written(few: Made, out: Path, formats: tuple[str, ...] = FORMATS) -> dict[str, bytes]:
    files = write_figures(few.results, out, few.scores, few.boards, formats)
    assert files == sorted(out.iterdir())
    return {path.name: path.read_bytes() for path in files}


def test_figures_come_in_every_format_and_the_same_each_time(few: Made, tmp_path: Path) -> None:
    first = written(few, tmp_path / "a")
    assert first == written(few, tmp_path / "b")
    # A plane; trace and breakdown of the three entries that have a meter.
    assert len(first) == 3 * (1 + 2 * 3)
    for name, data in first.items():
        start = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}[name.rpartition(".")[2]]
        assert data.startswith(start)
        assert b"/CreationDate" not in data
        assert b"dc:date" not in data


def test_names_are_text_in_the_figures_and_estimates_are_marked(few: Made, tmp_path: Path) -> None:
    files = written(few, tmp_path, ("svg",))
    (plane,) = (data for name, data in files.items() if name.startswith("plane"))
    text = " ".join(ET.fromstring(plane).itertext())
    assert "A $x$ and $y" in text
    assert "C (estimated)" in text
    traces = [data for name, data in files.items() if name.startswith("power") and "--c--" in name]
    assert b"(modelled)" in traces[0]


def test_an_unknown_format_is_refused_by_name(few: Made, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--format gif: figures come as svg, pdf, png"):
        write_figures(few.results, tmp_path, few.scores, few.boards, ("gif",))


def test_no_scores_no_figures(tmp_path: Path) -> None:
    assert write_figures(tmp_path, tmp_path / "out", [], []) == []
