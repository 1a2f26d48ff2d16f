"""Our logs in MLPerf's format: complete, in order, and their power adds up to our joules."""

from pathlib import Path

import pytest

from harness.archives.formats.mllog import RULES, write
from harness.archives.mlperf.lines import parse_log
from harness.archives.mlperf.writer import origin_ms
from harness.formats.format import FormatError
from harness.formats.text import slug
from tests.formats.made_results import five_runs, one_failed, request_for, runs_of


def test_every_run_has_a_log_and_a_power_log(tmp_path: Path) -> None:
    files = write(request_for(five_runs(tmp_path))).files
    assert files["joulemark.yaml"] == RULES.read_bytes()
    assert sum(name.endswith("node_0.txt") for name in files) == 5
    assert "adam/desk/toy/result_4.txt" in files


def test_the_events_of_a_run(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    files = write(request_for(results)).files
    text = files["adam/desk/toy/result_0.txt"].decode()
    log = parse_log(Path("x"), text.splitlines())
    assert log.findings == []
    said = {line.key: line for line in log.lines}
    run = runs_of(results)[0]
    assert said["run_stop"].time_ms - said["run_start"].time_ms == round(run["time_s"] * 1000)
    assert said["run_stop"].metadata["status"] == "success"
    assert said["seed"].value == run["seed"]
    assert said["eval_accuracy"].value == run["metric"]
    assert said["joulemark_manifest_sha256"].value == run["manifest_sha256"]
    times = [line.time_ms for line in log.lines]
    assert times == sorted(times)


def test_power_adds_up_to_our_joules_at_a_hertz_or_more(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    files = write(request_for(results)).files
    for index, run in enumerate(runs_of(results)):
        text = files[f"adam/desk/toy/power/result_{index}/node_0.txt"].decode()
        lines = parse_log(Path("x"), text.splitlines()).lines
        marks = [line for line in lines if line.key == "power_reading"]
        before = [lines[0], *marks]
        joules = sum(
            float(b.value) * (b.time_ms - a.time_ms) / 1000
            for a, b in zip(before, marks, strict=False)
        )
        assert joules == pytest.approx(run["energy"]["energy_j"], abs=1e-6)
        assert len(marks) >= 60
        assert max(b.time_ms - a.time_ms for a, b in zip(before, marks, strict=False)) <= 1000
        assert marks[-1].time_ms == lines[-1].time_ms


def test_runs_without_joules_have_no_power_log(tmp_path: Path) -> None:
    files = write(request_for(five_runs(tmp_path, watts=None))).files
    assert not [name for name in files if "power" in name]


def test_a_failed_run_is_written_as_aborted(tmp_path: Path) -> None:
    files = write(request_for(one_failed(tmp_path))).files
    assert b'"status": "aborted"' in files["bad/desk/toy/result_0.txt"]


def test_a_damaged_trace_loses_one_run_and_says_so(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    request = request_for(results)
    document = request.scores()
    trace = next(iter(sorted(results.rglob("trace.csv.gz"))))
    trace.write_bytes(b"no gzip")
    result = write(type(request)(results=results, scores=lambda: document))
    assert "cannot be unpacked" in result.findings[0].message
    assert sum(name.endswith("node_0.txt") for name in result.files) == 4


def test_nothing_to_write_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no scored run to write"):
        write(request_for(tmp_path))


def test_names_and_origins() -> None:
    assert slug("a b/../c:é") == "a-b-..-c"
    assert slug("///") == "unnamed"
    assert origin_ms("1970-01-01T00:00:01.002999999Z") == 1002
    assert origin_ms("1970-01-01T00:01:00Z") == 60_000
