import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.report.figures import FORMATS, write_figures
from tests.report.made import Made, Plan, make

ROOT = Path(__file__).parents[2]


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


SCRIPT = (
    "import sys; from pathlib import Path; from harness.report.figures import write_figures;"
    "from tests.report.made import scored; made = scored(Path(sys.argv[1]));"
    "write_figures(made.results, Path(sys.argv[2]), made.scores, made.boards)"
)


def test_figures_come_in_every_format_and_the_same_every_time(few: Made, tmp_path: Path) -> None:
    """No hash seed, locale, time zone or library state of one process is in the bytes."""
    first = written(few, tmp_path / "a")
    odd = {"PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
    command = [sys.executable, "-c", SCRIPT, str(few.results), str(tmp_path / "b")]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | odd)
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}
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


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The reference and two other algorithms on three workloads."""
    plans = [
        Plan(submission=f"{workload}-{name}", title=name, seeds=2, meter="rapl", workload=workload,
             speed=speed)
        for workload in ("digits-cnn", "digits-mlp", "digits-snn")
        for name, speed in (("muon", 2.5), ("adamw", 1.5), ("sgd", 0.9))
    ]  # fmt: skip
    return make(tmp_path_factory.mktemp("several") / "results", tuple(plans))


def test_profiles_over_all_workloads_are_drawn(several: Made, tmp_path: Path) -> None:
    files = written(several, tmp_path, ("svg",))
    profiles = {name: data for name, data in files.items() if name.startswith("profiles--")}
    assert [name.split("--")[1] for name in sorted(profiles)] == [
        "joules",
        "seconds",
    ]
    for data in profiles.values():
        text = " ".join(ET.fromstring(data).itertext())
        assert "muon, score" in text
        assert "sgd, score" in text
        assert "part of the workloads" in text
