"""PTDaemon: labels before values, channels, both orders of the date, readings that are none."""

from pathlib import Path

import pytest

from harness.powerlogs.ptdaemon import FORMAT
from harness.records import ImportedRun
from tests.powerlogs.importing import import_log


def lines(mark: str, *watts: float, day: str = "12-28-2020") -> str:
    return "".join(
        f"Time,{day} 15:21:{i:02d}.682,Watts,{power:.6f},Volts,228.57,Amps,0.2,Mark,{mark}\n"
        for i, power in enumerate(watts, 14)
    )


def runs(path: Path, text: str) -> dict[str, ImportedRun]:
    file = path / "spl.txt"
    file.write_text(text, newline="")
    return {run.run: run for run in import_log(FORMAT, file).runs}


def test_marks_are_runs(tmp_path: Path) -> None:
    result = runs(tmp_path, lines("a_ranging", 10, 20) + lines("a_testing", 20, 30, 40))
    run = result["a_testing"]
    assert run.energy_by_method_j == {"window": pytest.approx(60.0)}
    assert run.time_s == pytest.approx(2.0)
    assert run.energy_kind == "sampled"
    assert (run.facts["wall_mean_w"], run.facts["ranging"]) == (30.0, False)
    assert result["a_ranging"].facts["ranging"] is True


@pytest.mark.parametrize(
    ("day", "day_first"), [("12-28-2020", False), ("28-12-2020", True), ("05-06-2020", False)]
)
def test_both_orders_of_the_date(tmp_path: Path, day: str, day_first: bool) -> None:
    run = runs(tmp_path, lines("x", 10, 10, day=day))["x"]
    assert run.facts["day_first"] is day_first
    assert run.time_s == pytest.approx(1.0)


def test_channels_add_up(tmp_path: Path) -> None:
    text = "".join(
        f"Time,12-28-2020 15:21:{i:02d}.000,Ch1,Watts,10,Volts,1,Ch2,Watts,5,Volts,1,Mark,x\n"
        for i in (1, 2)
    )
    run = runs(tmp_path, text)["x"]
    assert run.energy_by_method_j == {"window": pytest.approx(15.0)}
    assert run.facts["channels"] == "Ch1, Ch2"


def test_stamps_keep_their_milliseconds(tmp_path: Path) -> None:
    stamped = {"24.510": 11.95, "25.509": 11.96, "26.509": 11.94}
    text = "".join(
        f"Time,02-17-2022 21:33:{stamp},Watts,{watts},Volts,249.9,Mark,x\n"
        for stamp, watts in stamped.items()
    )
    run = runs(tmp_path, text)["x"]
    assert run.time_s == 1.999
    assert run.energy_by_method_j == {"window": pytest.approx(11.955 * 0.999 + 11.95, rel=1e-9)}


def test_a_total_holds_its_channels(tmp_path: Path) -> None:
    text = "".join(
        f"Time,11-13-2020 22:38:{i}.240,Watts,{212 + i}.0,Volts,-1.0,Amps,-1.0,PF,-1.0,Mark,x,"
        "Ch1,Watts,91.0,Volts,120.9,PF,0.9,Ch2,Watts,90.0,Volts,120.8,PF,0.9,Ch3,Watts,89.0,Volts,1\n"
        for i in (57, 58, 59)
    )
    run = runs(tmp_path, text)["x"]
    assert run.energy_by_method_j == {"window": pytest.approx(540.0)}
    assert run.facts["wall_mean_w"] == pytest.approx(270.0)
    assert run.facts["channels"] == "Ch1, Ch2, Ch3"


def test_notices_are_no_readings_and_no_complaint(tmp_path: Path) -> None:
    stated = (
        "Time,12-28-2020 15:21:00.145,NOTICE,Analyzer identity response of 32 bytes: WT310\n"
        "Time,12-28-2020 15:21:01.071,ERROR,Bad volts reading nan from WT310\n"
        "Buffer was 1.000E+00;1;300.0E+00;1\n"
    )
    run = runs(tmp_path, stated + lines("x", 10, 10))["x"]
    assert run.time_s == pytest.approx(1.0)
    assert (run.findings, import_log(FORMAT, tmp_path).findings) == ((), [])


def test_a_mark_that_is_not_set_is_no_name(tmp_path: Path) -> None:
    assert list(runs(tmp_path, lines("notset", 10, 10))) == ["spl"]


def test_the_folders_of_mlperf_inference_give_the_names(tmp_path: Path) -> None:
    place = tmp_path / "closed/acme/results/edge-1/bert-99/offline/performance"
    for name, mark in (("ranging", "7_ranging"), ("run_1", "7_testing")):
        (place / name).mkdir(parents=True)
        (place / name / "spl.txt").write_text(lines(mark, 10, 10))
    result = import_log(FORMAT, tmp_path).runs
    assert {(run.submission, run.machine, run.workload) for run in result} == {
        ("acme", "edge-1", "bert-99/offline")
    }
    assert {run.run: run.facts["ranging"] for run in result} == {
        "7_ranging": True,
        "7_testing": False,
    }


def test_readings_of_nothing_are_skipped_and_counted(tmp_path: Path) -> None:
    run = runs(tmp_path, lines("x", 10, 0, -1, 10))["x"]
    assert run.facts["readings_count"] == 2
    assert run.energy_by_method_j == {"window": pytest.approx(30.0)}
    assert "2 readings of x are not above zero" in run.findings[0].message


def test_other_lines_and_ends(tmp_path: Path) -> None:
    text = "\ufeffhead\n" + lines("x", 10, 10) + "tail\n"
    assert runs(tmp_path, text.replace("\n", "\r\n"))["x"].time_s == pytest.approx(1.0)


def test_a_bad_line_is_named_and_loses_only_itself(tmp_path: Path) -> None:
    text = "Time,yesterday,Watts,10\nTime,12-28-2020 15:21:14.682,Watts,,Mark,x\n"
    archive_text = text + lines("x", 10, 10) + "Time,12-28-20"
    assert runs(tmp_path, archive_text)["x"].time_s == pytest.approx(1.0)
    messages = [finding.message for finding in import_log(FORMAT, tmp_path).runs[0].findings]
    assert "line 1: left out: no time as" in messages[0]
    assert "line 2: left out: no number behind Watts" in messages[1]
    assert "line 5" in messages[2]


@pytest.mark.parametrize("text", ["", "x\n", "Time,x\n"])
def test_nothing_in_it(tmp_path: Path, text: str) -> None:
    assert runs(tmp_path, text) == {}
    assert "expected an spl.txt of PTDaemon" in import_log(FORMAT, tmp_path).findings[-1].message
