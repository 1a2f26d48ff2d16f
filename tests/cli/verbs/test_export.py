"""`joulemark export`: files where they were asked for, one document, one sentence."""

import json
from pathlib import Path

import pytest

from tests.formats.made_results import five_runs


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return five_runs(tmp_path)


def test_files_and_document(results: Path, joulemark) -> None:
    done = joulemark("export", "csv", "--json", "--out", "there")
    assert (done.exit_code, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["folder"] == "there/csv"
    assert all((Path("there/csv") / name).is_file() for name in document["files"])


def test_options_travel(results: Path, joulemark) -> None:
    done = joulemark("export", "mlperf-package", "--option", "alias=bert")
    assert done.exit_code == 0
    assert "wants 10 for bert" in done.stdout
    assert Path("exports/mlperf-package/adam-toy/results/desk/bert/result_0.txt").is_file()


def test_other_rules(results: Path, joulemark) -> None:
    done = joulemark("export", "json", "--ruleset", "smoke")
    assert done.exit_code == 0
    (row,) = json.loads(Path("exports/json/scores.json").read_text())
    assert row["ruleset"] == "smoke"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("cvs",), 2, "did you mean csv"),
        (("perf-stat",), 3, "only read: joulemark import perf-stat"),
        (("mlperf-package", "--option", "alias"), 2, "write KEY=VALUE"),
        (("model-card",), 3, "how clean the power was"),
    ],
)
def test_refusals_are_one_sentence(results: Path, joulemark, words, code: int, said: str) -> None:
    done = joulemark("export", *words)
    assert done.exit_code == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_formats_are_listed(joulemark) -> None:
    text = joulemark("list", "formats").stdout
    for name in ("algoperf", "mllog", "nvidia-smi-csv", "junit"):
        assert name in text
    assert "broken" not in text
