"""Packages for MLPerf's tools: our importer reads them back, and so do MLPerf's own."""

import csv
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.archives.formats.mlperf_package import write
from harness.formats.exports import export_results
from harness.formats.format import FormatError
from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.rules.load import load_ruleset
from tests.formats.made_results import five_runs, olympic, request_for, runs_of

ROUND = ("training", "4.0.0")


def exported(root: Path, name: str) -> Path:
    """The folder of an export of five runs."""
    document = export_results(name, request_for(five_runs(root)), root / "out")
    return Path(document.folder)


def test_our_own_importer_reads_our_joules_back(tmp_path: Path) -> None:
    package = exported(tmp_path, "mlperf-package") / "adam-toy"
    import_archive("mlperf-training", package, tmp_path / "imported")
    rules = load_ruleset("mlperf-training", ["as_shipped=false"])
    (score,) = score_imported(tmp_path / "imported", rules).scores
    runs = runs_of(tmp_path / "results")
    assert score.time_to_target_s is not None
    assert score.time_to_target_s.value == pytest.approx(olympic(runs, "time_s"), abs=1e-3)
    assert score.energy_by_method_j["mlperf-current"] == pytest.approx(
        olympic(runs, "energy_j"), abs=1e-3
    )
    assert score.energy_by_method_j["window"] == pytest.approx(olympic(runs, "energy_j"), rel=0.01)


def test_a_package_of_runs_without_joules_has_no_power_at_all(tmp_path: Path) -> None:
    result = write(request_for(five_runs(tmp_path, watts=None)))
    assert not [name for name in result.files if "/power/" in name]


def test_another_number_of_runs_and_another_alias_are_reported(tmp_path: Path) -> None:
    result = write(request_for(five_runs(tmp_path), alias="bert"))
    assert "wants 10 for bert" in result.findings[0].message
    assert "adam-toy/results/desk/bert/result_0.txt" in result.files


def test_metrics_that_the_checker_refuses_are_reported(tmp_path: Path) -> None:
    results = five_runs(tmp_path, target=2.0, better="lower", unit="nats",
                        snapshots=((70.0, 1.5),))  # fmt: skip
    request = request_for(results)
    document = request.scores()
    for run in document["scores"][0]["runs"]:
        run["metric"] = 1.5
    result = write(type(request)(results=results, scores=lambda: document))
    assert "no metric below 1" in result.findings[-1].message


def test_nothing_to_write_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no scored run to write"):
        write(request_for(tmp_path))


# --- MLPerf's own tools ---------------------------------------------------------------------------


def test_the_tools_are_of_the_pinned_release() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert f"mlperf-logging=={version('mlperf-logging')}" in project["optional-dependencies"]["dev"]


def tool(where: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of MLPerf's tools."""
    command = [sys.executable, "-m", f"mlperf_logging.{name}", *words]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_mlperfs_engine_accepts_our_logs_by_our_rules(tmp_path: Path) -> None:
    folder = exported(tmp_path, "mllog").resolve()
    config = ["--config", str(folder / "joulemark.yaml"), "--usage", "training",
              "--ruleset", "4.0.0"]  # fmt: skip
    logs = sorted(folder.rglob("result_*.txt"))
    assert len(logs) == 5
    for log in logs:
        done = tool(tmp_path, "compliance_checker", *config, str(log))
        assert done.returncode == 0, done.stdout + done.stderr
    bad = logs[0]
    bad.write_text(bad.read_text().replace("joulemark_run", "other_key"))
    assert tool(tmp_path, "compliance_checker", *config, str(bad)).returncode != 0


@pytest.mark.slow
def test_mlperfs_summarizer_reads_back_our_minutes_and_joules(tmp_path: Path) -> None:
    package = (exported(tmp_path, "mlperf-package") / "adam-toy").resolve()
    done = tool(tmp_path, "package_checker", str(package), *ROUND)
    assert "FOUND NO ERRORS" in done.stdout + done.stderr
    tool(tmp_path, "result_summarizer", str(package), *ROUND, "--csv", "s.csv")
    with (tmp_path / "s_detailed.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    runs = runs_of(tmp_path / "results")
    assert float(row["resnet:time_to_train"]) == pytest.approx(olympic(runs, "time_s") / 60)
    assert float(row["resnet:Energy"]) == pytest.approx(olympic(runs, "energy_j"), abs=0.1)


@pytest.mark.slow
def test_mlperfs_code_gives_the_same_joules_for_every_dialect(tmp_path: Path) -> None:
    from harness.archives.mlperf.reader import read
    from tests.archives.mlperf.made import Power, Run, write_package

    dialects = [
        Power(watts=lambda at_s: 900 + at_s % 13),
        Power(conversion=0.94, before_s=3.0, after_s=90.0),
        Power(shuffle=True, watts=lambda at_s: 900 + at_s % 13),
        Power(every_s=2.0, stop=False),
    ]
    runs = [Run(nodes=(power,), switches=(50.0,)) for power in dialects]
    write_package(tmp_path / "acme", runs)
    code = (
        "import sys, glob\n"
        "from mlperf_logging.compliance_checker.mlp_parser import parse_file\n"
        "from mlperf_logging.result_summarizer import result_summarizer as rs\n"
        "for f in sorted(glob.glob(sys.argv[1] + '/result_*.txt')):\n"
        "    a, b = rs._query_run_start_stop(parse_file(f, '4.0.0')[0])\n"
        "    print('J', rs._compute_total_power(sys.argv[1], f, b - a, '4.0.0'))\n"
    )
    folder = str(tmp_path / "acme/results/one/resnet")
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    theirs = [float(line[2:]) for line in done.stdout.splitlines() if line.startswith("J ")]
    ours = [run.energy_by_method_j["mlperf-current"] for run in read(tmp_path / "acme").runs]
    assert len(theirs) == len(dialects)
    assert ours == pytest.approx(theirs, rel=1e-12)
