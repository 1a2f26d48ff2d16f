"""JUnit: a suite a workload, a case a run, reasons for those that missed; hostile names."""

from pathlib import Path
from xml.etree import ElementTree as ET

from harness.formats.format import ExportRequest
from harness.formats.junit import write
from tests.formats.made_results import five_runs, one_failed, request_for, runs_of


def test_suites_and_cases(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    one_failed(tmp_path)
    root = ET.fromstring(write(request_for(results)).files["junit.xml"])
    (suite,) = root
    assert suite.attrib == {"name": "toy", "tests": "6", "errors": "1", "failures": "0"}
    good = [case for case in suite if case.find("error") is None]
    assert sorted(float(case.attrib["time"]) for case in good) == sorted(
        run["time_s"] for run in runs_of(results) if run["reached"]
    )
    energies = [case.find("properties/property[@name='energy_j']") for case in good]
    assert all(energy is not None and float(energy.attrib["value"]) > 0 for energy in energies)
    (error,) = suite.findall("testcase/error")
    assert error.attrib["type"] == "crashed"
    assert error.attrib["message"]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    run = {
        "seed": 1, "run_id": "\x00<&\"'>\ud800", "time_s": None, "window_s": None,
        "reached": False, "status": "ok", "reason": "]]>\x1b[31m",
    }  # fmt: skip
    names = {"workload": "<w>", "submission": "</testcase>", "machine": "m"}
    entry = {"entry": names, "runs": [run]}
    document = {"scores": [entry]}
    data = write(ExportRequest(results=tmp_path, scores=lambda: document)).files["junit.xml"]
    case = ET.fromstring(data).find("testsuite/testcase")
    assert case is not None
    assert "</testcase>" in case.attrib["name"]
    assert "\x1b" not in data.decode()


def test_no_runs_give_an_empty_document(tmp_path: Path) -> None:
    assert len(ET.fromstring(write(request_for(tmp_path)).files["junit.xml"])) == 0
