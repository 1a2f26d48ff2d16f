"""turbostat: joules as they are, watts times the length of an interval, summary rows only."""

from pathlib import Path

import pytest

from harness.powerlogs.turbostat import FORMAT
from harness.records import ImportedRun
from tests.powerlogs.importing import import_log

JOULES = (
    "Core\tCPU\tBusy%\tPkg_J\tCor_J\tRAM_J\n"
    "-\t-\t50.00\t100.0\t60.0\t10.0\n"
    "0\t0\t50.00\t100.0\t60.0\t10.0\n"
    "-\t-\t50.00\t200.0\t90.0\t20.0\n"
    "0\t0\t50.00\t200.0\t90.0\t20.0\n"
)
WATTS = (
    "Time_Of_Day_Seconds\tCore\tCPU\tPkgWatt\tRAMWatt\n"
    "1700000005.0\t-\t-\t10.0\t1.0\n"
    "1700000010.0\t-\t-\t20.0\t2.0\n"
)


def only(path: Path, text: str) -> ImportedRun:
    file = path / "turbo.txt"
    file.write_text(text, newline="")
    (run,) = import_log(FORMAT, file).runs
    return run


def test_joules_of_summary_rows(tmp_path: Path) -> None:
    run = only(tmp_path, JOULES)
    assert run.energy_by_domain_j == {"cpu-package": 300.0, "cpu-cores": 150.0, "dram": 30.0}
    assert run.energy_by_method_j == {"window": 330.0}
    assert run.time_s is None


def test_watts_with_a_clock(tmp_path: Path) -> None:
    run = only(tmp_path, WATTS)
    assert run.energy_by_domain_j == {"cpu-package": 150.0, "dram": 15.0}
    assert run.time_s == 10.0


def test_the_line_above_a_command_s_table_is_its_length(tmp_path: Path) -> None:
    run = only(tmp_path, "5.000000 sec\nCPU\tPkgWatt\tCorWatt\n-\t10.00\t4.00\n0\t10.00\t4.00\n")
    assert (run.time_s, run.energy_by_method_j) == (5.0, {"window": 50.0})
    assert run.facts["cpu-package_mean_w"] == 10.0
    assert run.findings == ()


def test_the_time_that_reading_took_is_no_length(tmp_path: Path) -> None:
    run = only(tmp_path, "10.000000 sec\nusec\tCPU\tPkgWatt\n2006\t-\t10.00\n43\t0\t10.00\n")
    assert (run.time_s, run.energy_by_method_j) == (10.0, {"window": 100.0})


def test_rows_of_processors_end_early(tmp_path: Path) -> None:
    rows = JOULES.replace("0\t0\t50.00\t100.0\t60.0\t10.0", "0\t0\t50.00\t100.0\n0\t4\t50.00")
    run = only(tmp_path, rows)
    assert run.energy_by_method_j == {"window": 330.0}
    assert run.findings == ()


def test_a_row_without_a_clock_is_reported(tmp_path: Path) -> None:
    run = only(tmp_path, WATTS + "later\t-\t-\t30.0\t3.0\n")
    assert run.energy_by_method_j == {"window": 165.0}
    assert "1 intervals have no length" in run.findings[0].message


def test_watts_without_any_length_are_no_joules(tmp_path: Path) -> None:
    run = only(tmp_path, "PkgTmp\tPkgWatt\tRAMWatt\n29\t25.50\t6.75\n29\t26.50\t7.25\n")
    assert (run.time_s, run.energy_by_method_j, run.energy_kind) == (None, {}, None)
    assert (run.facts["cpu-package_mean_w"], run.facts["dram_mean_w"]) == (26.0, 7.0)
    assert "so no joules; record with --Joules" in run.findings[0].message


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\t", "   "),
        lambda text: "turbostat version 2024\nCPUID(0): GenuineIntel\n" + text,
        lambda text: text + text.partition("\n")[0] + "\n",
    ],
    ids=["bom", "crlf", "blanks", "banner", "header again"],
)  # fmt: skip
def test_dialects(tmp_path: Path, change) -> None:
    assert only(tmp_path, change(JOULES)).energy_by_method_j == {"window": 330.0}


def test_names_and_figures_that_old_versions_ran_together(tmp_path: Path) -> None:
    text = (
        "5.000 sec\n"
        "Core\tCPU\tCoreTmp\tTotl%C0\tAny%C0\tGFX%C0\tCPUGFX%Pkg%pc2\tPkgWatt\tCorWatt\tGFXWattRAMWatt\n"
        "-\t-\t46\t125.43\t99.66\t0.00\t0.00\t0.00\t15.17\t14.12\t0.00\t0.46\n"
        "0\t0\t39\t125.43\t99.67\t0.00\t0.00\t0.00\t15.17\t14.12\t0.00\t0.46\n"
        "3\t3\t46\n"
        "5.000 sec\n"
        "-\t-\t46\t261.67100.52\t0.00\t0.00\t0.00\t25.17\t14.12\t0.000.46\n"
    )
    run = only(tmp_path, text)
    expected = {"cpu-package": 201.7, "cpu-cores": 141.2, "igpu": 0.0, "dram": 4.6}
    assert run.energy_by_domain_j == pytest.approx(expected)
    assert (run.time_s, run.findings) == (10.0, ())


def test_the_system_s_own_sensor_is_reported_and_not_added(tmp_path: Path) -> None:
    text = WATTS.replace("RAMWatt", "RAMWatt\tSysWatt").replace("1.0\n", "1.0\t80.0\n")
    run = only(tmp_path, text.replace("2.0\n", "2.0\t90.0\n"))
    assert run.energy_by_domain_j == {"cpu-package": 150.0, "dram": 15.0, "node": 850.0}
    assert run.energy_by_method_j == {"window": 165.0}


def test_a_row_without_figures_still_ends_its_interval(tmp_path: Path) -> None:
    text = "Time_Of_Day_Seconds\tPkgWatt\n1.0\t20.0\n2.0\t**.**\n3.0\t30.0\n"
    file = tmp_path / "turbo.txt"
    file.write_text(text)
    (run,) = import_log(FORMAT, file).runs
    assert run.energy_by_method_j == {"window": pytest.approx(50.0)}
    assert run.time_s == 3.0
    assert run.facts["cpu-package_mean_w"] == 25.0
    assert "line 3: left out: PkgWatt is" in run.findings[0].message


def test_a_cut_row_is_named(tmp_path: Path) -> None:
    run = only(tmp_path, JOULES + "-\t-\t50.")
    assert "line 6" in run.findings[0].message
    assert run.energy_by_method_j == {"window": 330.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the output of turbostat"),
        ("Core\tCPU\tBusy%\n-\t-\t3\n", "expected the output of turbostat"),
        ("CPU\tPkg_J\n-\tmany\n", "expected the output of turbostat"),
    ],
)
def test_nothing_in_it(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "turbo.txt").write_text(text)
    archive = import_log(FORMAT, tmp_path)
    assert archive.runs == []
    assert said in archive.findings[-1].message
