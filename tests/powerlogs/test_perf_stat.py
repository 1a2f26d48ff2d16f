"""perf's intervals: separators, sockets, decimal commas, events that were not counted."""

from pathlib import Path

import pytest

from harness.powerlogs.perf_stat import FORMAT
from harness.records import ImportedRun
from tests.powerlogs.importing import import_log


def only(path: Path, text: str) -> ImportedRun:
    file = path / "perf.txt"
    file.write_text(text, newline="")
    (run,) = import_log(FORMAT, file).runs
    return run


LINES = (
    "# started on Sun Nov 22 10:00:00 2026\n\n"
    "     1.000; 20.50; Joules; power/energy-pkg/; 1000000; 100.00;;\n"
    "     1.000; 2.00; Joules; power/energy-ram/; 1000000; 100.00;;\n"
    "     2.000; 30.00; Joules; power/energy-pkg/; 1000000; 100.00;;\n"
    "     2.000; 3.00; Joules; power/energy-ram/; 1000000; 100.00;;\n"
)


def test_intervals_add_up(tmp_path: Path) -> None:
    run = only(tmp_path, LINES)
    assert run.energy_by_domain_j == {"cpu-package": 50.5, "dram": 5.0}
    assert run.energy_by_method_j == {"window": 55.5}
    assert (run.time_s, run.energy_kind, run.findings) == (2.0, "counter", ())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(";", ","),
        lambda text: text.replace(";", "|"),
        lambda text: text.replace(".", ","),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("power/energy-pkg/", "power/energy-pkg/u"),
        lambda text: text + "     2.000; 12; ; cycles; 1; 100.00;;\n",
        lambda text: text.replace("; 1000000; 100.00;;", "").replace(";", "    "),
        lambda text: text + "     summary; 50.50; Joules; power/energy-pkg/; 1; 100.00;;\n",
        lambda text: text + "50.50; Joules; power/energy-pkg/; 1; 100.00;;\n",
    ],
    ids=["comma", "bar", "decimal comma", "crlf", "modifier", "other event", "columns", "summary",
         "older summary"],
)  # fmt: skip
def test_dialects(tmp_path: Path, change) -> None:
    assert only(tmp_path, change(LINES)).energy_by_method_j == {"window": 55.5}


def test_a_summary_is_reported_and_not_added(tmp_path: Path) -> None:
    run = only(tmp_path, LINES + "     summary; 50.50; Joules; power/energy-pkg/; 1; 100.00;;\n")
    assert "1 lines without a time" in run.findings[0].message


COMMAS = """\
     1,001048308,18,50,Joules,power/energy-pkg/,2002406532,100,00,,
     1,001048308,1,05,Joules,power/energy-ram/,2002406532,100,00,,
     2,001048308,1018,75,Joules,power/energy-pkg/,2002406532,100,00,,
     2,001048308,0,95,Joules,power/energy-ram/,2002406532,100,00,,
"""


def test_a_decimal_comma_between_commas_splits_no_figure(tmp_path: Path) -> None:
    run = only(tmp_path, COMMAS)
    assert run.energy_by_domain_j == pytest.approx({"cpu-package": 1037.25, "dram": 2.0})
    assert (run.time_s, run.findings) == (2.001048308, ())


def test_a_decimal_comma_without_intervals(tmp_path: Path) -> None:
    lines = [line.split(",", 2)[2] for line in COMMAS.splitlines()[:2]]
    assert only(tmp_path, "\n".join(lines)).energy_by_method_j == {"window": pytest.approx(19.55)}


@pytest.mark.parametrize("figure", ["1,024.68", "1.024,68", "1\u202f024,68", "1'024.68", "1024.68"])
def test_thousands_as_people_read_them(tmp_path: Path, figure: str) -> None:
    text = f"""\
 Performance counter stats for 'system wide':

          {figure} Joules power/energy-pkg/
              2.32 Joules power/energy-ram/

      12.345678901 seconds time elapsed
"""
    run = only(tmp_path, text)
    assert run.energy_by_method_j == {"window": pytest.approx(1027.0)}
    assert run.time_s == 12.345678901


def test_sockets_in_columns(tmp_path: Path) -> None:
    run = only(tmp_path, "   1.0001 S0     1     19.63 Joules power/energy-pkg/\n")
    assert run.energy_by_domain_j == {"cpu-package-S0": 19.63}


def test_sockets_apart_and_parts_of_a_package_not_added(tmp_path: Path) -> None:
    text = "".join(
        f"1.0;{socket};1;{joules};Joules;power/energy-{event}/;1;100.00;;\n"
        for socket, event, joules in (
            ("S0", "pkg", 10), ("S1", "pkg", 20), ("S0", "cores", 5), ("S0", "psys", 50),
        )
    )  # fmt: skip
    run = only(tmp_path, text)
    assert run.energy_by_domain_j == {
        "cpu-package-S0": 10.0, "cpu-package-S1": 20.0, "cpu-cores-S0": 5.0, "node-S0": 50.0,
    }  # fmt: skip
    assert run.energy_by_method_j == {"window": 30.0}


def test_without_intervals_there_is_no_time(tmp_path: Path) -> None:
    run = only(tmp_path, "40.25;Joules;power/energy-pkg/;1000;100.00;;\n")
    assert (run.time_s, run.energy_by_method_j) == (None, {"window": 40.25})


@pytest.mark.parametrize("said", ["<not counted>", "<not supported>", "nan"])
def test_what_was_not_counted_is_missing_not_zero(tmp_path: Path, said: str) -> None:
    run = only(tmp_path, LINES + f"3.0;{said};Joules;power/energy-ram/;0;0.00;;\n")
    assert run.energy_by_domain_j["dram"] == 5.0
    assert "line 7: left out: no joules" in run.findings[0].message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no reading; expected the output of perf stat"),
        ("1.0;5;;cycles;1;100\n", "no reading; expected the output of perf stat"),
        ("1.0;<not supported>;Joules;power/energy-pkg/;0;0\n", "line 1"),
        ("power/energy-pkg/\n", "no value and unit before the event"),
    ],
)
def test_nothing_in_it(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "perf.txt").write_text(text)
    archive = import_log(FORMAT, tmp_path)
    assert archive.runs == []
    assert said in archive.findings[0].message


def test_two_recordings_in_one_file_are_reported(tmp_path: Path) -> None:
    assert "perf-stat-order" in {finding.rule for finding in only(tmp_path, LINES + LINES).findings}
