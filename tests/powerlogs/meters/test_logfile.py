"""Logs of external meters: any order of columns, any clock, and never a wrong time in silence."""

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, anchor, now_ns
from harness.powerlogs.log import time_ns
from harness.powerlogs.meters import logfile
from harness.powerlogs.meters.logfile import LogReader, zone_of
from harness.powerlogs.table import TableParser

SPL = "Time,{},Watts,{:.6f},Volts,228.570000,Amps,0.206430,PF,0.486400,Mark,notset\n"


def stamp(form: str = "%Y-%m-%dT%H:%M:%S.%f", shift_s: float = 0.0, zone=UTC) -> str:
    now_s = anchor().wall_ns / NS_PER_S + shift_s
    return datetime.fromtimestamp(now_s, zone).strftime(form)


def followed(path: Path, first: str, *lines: str, **options: str) -> tuple[LogReader, list]:
    path.write_text(first)
    reader = logfile.METER.open({"path": str(path), "tz": "utc", **options})
    with path.open("a") as log:
        log.writelines(lines)
    return reader, list(reader.read())


def test_ptdaemons_log_is_followed(tmp_path):
    first = SPL.format(stamp("%m-%d-%Y %H:%M:%S.%f"), 20.0)
    begin_ns = now_ns()
    later = SPL.format(stamp("%m-%d-%Y %H:%M:%S.%f"), 22.95)
    reader, readings = followed(tmp_path / "spl.txt", first, later)
    assert [reading.power_w for reading in readings] == [22.95]
    a_step_ns = NS_PER_S // 100  # of the wall clock, should its service set it just now
    assert begin_ns - a_step_ns < readings[0].t_ns < now_ns() + a_step_ns
    assert readings[0].u_ns == NS_PER_S // 2
    assert reader.domains[0].name == "wall"
    reader.close()


@pytest.mark.parametrize(
    ("header", "row", "watts", "joules"),
    [
        ("time,watts\n", "{t},50.5\n", 50.5, None),
        ("Power (W),Note,Timestamp\n", "50.5,x,{t}\n", 50.5, None),
        ("time;power_kw\n", "{t};0,0505\n", 50.5, None),
        ("time\tenergy_wh\n", "{t}\t2\n", None, 7200.0),
        ("t,p,kwh\n", "{t},50.5,0.001\n", 50.5, 3600.0),
    ],
)
def test_columns_are_detected_by_name_in_any_order_and_unit(tmp_path, header, row, watts, joules):
    reader, readings = followed(tmp_path / "log.csv", header, row.format(t=stamp()))
    assert not reader.errors
    (reading,) = readings
    assert reading.power_w == pytest.approx(watts) if watts else reading.power_w is None
    assert reading.energy_j == pytest.approx(joules) if joules else reading.energy_j is None
    assert reader.domains[0].method == ("counter" if joules else "sampled")
    reader.close()


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("time,watts\n", '{t},"243,2"\n', "could not convert"),
        ("time,watts\n", "{t},243,2\n", "more columns than the 2"),
        ("time,watts,note\n", "{t},1,243,x\n", "more columns than the 3"),
        ("time;watts\n", "{t};1.243,2\n", "could not convert"),
        ("time,watts\n", "{t},243.2 W\n", "could not convert"),
        ("time,watts\n", "{t}\n", "too few columns"),
        (SPL.format("{t}", 20.0), "Time,{t},Watts,243,2,Volts,230,1\n", "a decimal comma"),
    ],
)
def test_a_comma_within_a_figure_never_cuts_it_in_silence(tmp_path, header, row, message):
    """243,2 would be 243, and 1,243 a thousandth of what was meant."""
    now = stamp("%m-%d-%Y %H:%M:%S.%f")
    reader, readings = followed(tmp_path / "log.csv", header.format(t=now), row.format(t=now))
    assert readings == []
    assert message in reader.errors["wall"]
    reader.close()


def test_a_quoted_cell_may_hold_the_delimiter(tmp_path):
    row = f'"rack 3, left",{stamp()},"50.5"\n'
    reader, readings = followed(tmp_path / "log.csv", "place,time,watts\n", row)
    assert [reading.power_w for reading in readings] == [50.5]
    reader.close()


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="more than one column is called 'watts'"):
        TableParser().feed("time,watts,watts")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_log_of_either_byte_order_is_followed(tmp_path, encoding):
    path = tmp_path / "log.csv"
    path.write_bytes("\ufefftime,watts\n".encode(encoding))
    reader = logfile.METER.open({"path": str(path), "tz": "utc"})
    with path.open("ab") as log:
        for watts in (50.5, 51.0):
            log.write(f"{stamp()},{watts}\n".encode(encoding))
    assert [item.power_w for item in reader.read()] == [50.5, 51.0]
    assert not reader.errors
    reader.close()


def test_columns_with_names_of_their_own_are_named_by_options(tmp_path):
    options = {"time": "when", "power": "P1"}
    reader, readings = followed(
        tmp_path / "log.csv", "foo,P1,when\n", f"1,70,{stamp()}\n", **options
    )
    assert readings[0].power_w == 70
    reader.close()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path, encoding):
    path = tmp_path / "log.csv"
    path.write_bytes("time,watts\n".encode(encoding))
    logfile.METER.open({"path": str(path)}).close()


def test_a_log_in_utf_16_is_followed(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes("time,watts\n".encode("utf-16"))
    reader = logfile.METER.open({"path": str(path), "tz": "utc"})
    with path.open("ab") as log:
        log.write(f"{stamp()},33\n".encode("utf-16-le"))
    assert [item.power_w for item in reader.read()] == [33]
    reader.close()


@pytest.mark.parametrize(
    ("shift_s", "words"),
    [(-7200, "2.00 h) behind"), (7200, "2.00 h) ahead of"), (-30, "0.01 h) behind")],
)
def test_a_clock_that_is_off_is_refused_with_the_remedy(tmp_path, shift_s, words):
    row = f"{stamp(shift_s=shift_s)},50\n"
    reader, readings = followed(tmp_path / "log.csv", "time,watts\n", row)
    assert readings == []
    message = reader.errors["wall"]
    assert words in message
    assert "tz=" in message
    (offset_s,) = re.findall(r"offset_s=(-?\d+)", message)
    # A busy machine may read the row a while after it was stamped.
    assert -1 <= int(offset_s) + shift_s < 60
    reader.close()


def test_the_remedies_work(tmp_path):
    late = f"{stamp(shift_s=-7200)},50\n"
    for options in ({"offset_s": "7200"}, {"tz": "-02:00"}, {"clock": "arrival"}):
        reader, readings = followed(tmp_path / "log.csv", "time,watts\n", late, **options)
        assert [reading.power_w for reading in readings] == [50], options
        assert abs(readings[0].t_ns - now_ns()) < 60 * NS_PER_S
        reader.close()


def test_local_stamps_are_local(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Etc/GMT-5")
    time.tzset()
    try:
        row = f"{stamp(zone=None)},50\n"
        reader, readings = followed(tmp_path / "log.csv", "time,watts\n", row, tz="local")
        assert [reading.power_w for reading in readings] == [50]
        reader.close()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_half_a_line_waits_for_its_other_half(tmp_path):
    path = tmp_path / "log.csv"
    reader, readings = followed(path, "time,watts\n", f"{stamp()},5")
    assert readings == []
    with path.open("a") as log:
        log.write("5\n")
    assert [item.power_w for item in reader.read()] == [55]
    reader.close()


@pytest.mark.parametrize("row", ["nonsense\n", "{t},many\n", "yesterday,5\n"])
def test_a_line_that_is_no_reading_is_reported(tmp_path, row):
    reader, readings = followed(tmp_path / "log.csv", "time,watts\n", row.format(t=stamp()))
    assert readings == []
    assert "no reading" in reader.errors["wall"]
    reader.close()


def test_a_log_that_is_begun_again_is_reported(tmp_path):
    path = tmp_path / "log.csv"
    reader, _ = followed(path, "time,watts\n" + "x" * 500 + "\n")
    path.write_text("time,watts\n")
    with pytest.raises(OSError, match="has become shorter"):
        reader.read()
    reader.close()


def test_day_and_month_are_distinguished_by_what_is_near():
    near = int(datetime(2026, 2, 3, 12, tzinfo=UTC).timestamp())
    for text in ("02-03-2026 12:00:00.000", "03-02-2026 12:00:00.000"):
        assert time_ns(text, zone_of("utc"), near * NS_PER_S) == near * NS_PER_S


def test_seconds_and_milliseconds_since_1970_are_distinguished():
    assert time_ns("1700000000.5", None) == 1_700_000_000_500_000_000
    assert time_ns("1700000000500", None) == 1_700_000_000_500_000_000


def test_a_stamp_with_a_zone_needs_no_option():
    moment = datetime(2026, 11, 22, 10, tzinfo=UTC)
    text = (moment + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    assert time_ns(text, None) == moment.timestamp() * NS_PER_S


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "option path is missing"),
        ({"path": "x", "colour": "red"}, "unknown option 'colour'"),
        ({"path": "x", "clock": "sundial"}, "neither stamp nor arrival"),
    ],
)
def test_wrong_options_are_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        logfile.METER.open(options)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("offset_s", "soon", "option offset_s: 'soon' is no finite number"),
        ("offset_s", "1,5", "option offset_s: '1,5' is no finite number"),
        ("offset_s", "nan", "option offset_s: 'nan' is no finite number"),
        ("max_w", "500W", "option max_w: '500W' is no finite number"),
        ("max_w", "inf", "option max_w: 'inf' is no finite number"),
        ("max_w", "0", "option max_w: 0 must be above 0"),
        ("accuracy", "2 %", "option accuracy: '2 %' is no finite number"),
        ("accuracy", "-0.1", "option accuracy: -0.1 must be above 0"),
        ("tz", "+25:00", "option tz"),
    ],
)
def test_an_option_that_is_no_number_is_reported_in_a_sentence(tmp_path, name, text, fault):
    path = tmp_path / "log.csv"
    path.write_text("time,watts\n")
    with pytest.raises(ValueError, match=r"^logfile meter: ") as caught:
        logfile.METER.open({"path": str(path), name: text})
    assert fault in str(caught.value)


def test_a_table_without_the_columns_is_refused_and_lists_what_it_has(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("alpha,beta\n1,2\n")
    with pytest.raises(ValueError, match="no column of time among: alpha, beta"):
        logfile.METER.open({"path": str(path)})
    path.write_text("time,beta\n1,2\n")
    with pytest.raises(ValueError, match="no column of power or energy"):
        logfile.METER.open({"path": str(path)})
    path.write_text("")
    with pytest.raises(ValueError, match="the log is empty"):
        logfile.METER.open({"path": str(path)})


def test_an_unstated_accuracy_stays_unstated(tmp_path):
    reader, _ = followed(tmp_path / "log.csv", "time,watts\n")
    assert reader.domains[0].gain_error_ratio is None
    reader.close()
    options = {"accuracy": "0.01", "max_w": "2000", "kind": "node"}
    reader, _ = followed(tmp_path / "log.csv", "time,watts\n", **options)
    assert reader.domains[0].gain_error_ratio == 0.01
    assert reader.domains[0].power_high_w == 2000
    assert reader.domains[0].kind == "node"
    reader.close()


@pytest.mark.parametrize("figure", ["nan", "inf", "-inf", "NaN"])
def test_a_figure_that_is_no_number_is_reported_and_not_read(tmp_path, figure):
    reader, readings = followed(tmp_path / "log.csv", "time,watts\n", f"{stamp()},{figure}\n")
    assert readings == []
    assert "no reading" in reader.errors["wall"]
    reader.close()


def test_ptdaemons_figure_that_is_no_number_is_reported(tmp_path):
    now = stamp("%m-%d-%Y %H:%M:%S.%f")
    later = SPL.format(now, 7.0).replace("7.000000", "nan")
    reader, readings = followed(tmp_path / "spl.txt", SPL.format(now, 20.0), later)
    assert readings == []
    assert "no reading" in reader.errors["wall"]
    reader.close()


def test_a_bad_line_does_not_take_the_good_ones_with_it(tmp_path):
    rows = [f"{stamp()},1\n", "broken\n", "\n", f"{stamp()},3\n"]
    reader, readings = followed(tmp_path / "log.csv", "time,watts\n", *rows)
    assert [reading.power_w for reading in readings] == [1.0, 3.0]
    assert reader.errors
    assert reader.read() == []
    assert reader.errors == {}
    reader.close()


def test_power_may_flow_back_and_is_not_cut_to_zero(tmp_path):
    reader, readings = followed(tmp_path / "log.csv", "time,watts\n", f"{stamp()},-4.5\n")
    assert [reading.power_w for reading in readings] == [-4.5]
    reader.close()


def test_what_stood_there_before_is_not_read(tmp_path):
    old = f"time,watts\n{stamp()},1\n"
    reader, readings = followed(tmp_path / "log.csv", old, f"{stamp()},2\n")
    assert [reading.power_w for reading in readings] == [2.0]
    reader.close()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_quotes_spaces_and_line_ends_are_no_part_of_a_figure(tmp_path, ending):
    row = f'"{stamp()}", "12.5" {ending}'
    reader, readings = followed(tmp_path / "log.csv", f'"Time", "Watts"{ending}', row)
    assert [reading.power_w for reading in readings] == [12.5]
    reader.close()


@pytest.mark.parametrize("name", ["Größe", "电表", "名,x"])
def test_other_columns_may_be_called_anything(tmp_path, name):
    places = name.count(",") + 1
    row = "ü," * places + f"{stamp()},8\n"
    reader, readings = followed(tmp_path / "log.csv", f"{name},time,watts\n", row)
    assert [reading.power_w for reading in readings] == [8.0]
    reader.close()


@pytest.mark.parametrize(
    ("text", "hours"), [("utc", 0), ("UTC", 0), ("+02:00", 2), ("-03:30", -3.5), ("+5", 5)]
)
def test_a_zone_is_its_offset(text, hours):
    zone = zone_of(text)
    assert zone is not None
    assert zone.utcoffset(None) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["Berlin", "2", "+", "+a:00", "+02:xx"])
def test_a_zone_that_is_none_is_refused_with_what_would_do(text):
    with pytest.raises(ValueError, match=r"none of utc, local, \+02:00"):
        zone_of(text)


def test_a_log_that_is_not_there_is_reported_by_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        logfile.METER.open({"path": str(tmp_path / "absent.csv")})


def test_a_kind_that_no_meter_outside_can_have_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("time,watts\n")
    with pytest.raises(ValueError, match="'gpu' is neither wall nor node"):
        logfile.METER.open({"path": str(path), "kind": "gpu"})


NVIDIA = "timestamp, index, power.draw [W]\n"


def test_nvidia_smi_is_followed_by_gpu(tmp_path):
    form = "%Y/%m/%d %H:%M:%S.%f"
    before = "".join(f"{stamp(form)[:-3]}, {gpu}, 70.00 W\n" for gpu in (0, 1))
    after = "".join(f"{stamp(form)[:-3]}, {gpu}, {watts} W\n" for gpu, watts in ((0, 80), (1, 90)))
    reader, readings = followed(tmp_path / "gpu.csv", NVIDIA + before, after)
    assert [(domain.name, domain.kind) for domain in reader.domains] == [
        ("gpu-0", "gpu"),
        ("gpu-1", "gpu"),
    ]
    assert [(item.domain, item.power_w) for item in readings] == [("gpu-0", 80.0), ("gpu-1", 90.0)]
    reader.close()


def test_turbostat_is_followed_as_a_counter(tmp_path):
    head = "Time_Of_Day_Seconds\tCPU\tPkgWatt\tCorWatt\n"
    now = anchor().wall_ns / NS_PER_S
    rows = [f"{now + i:.6f}\t-\t{10 * (i + 3)}\t5\n" for i in (-2, -1, 0)]
    reader, readings = followed(tmp_path / "turbo.txt", head + "".join(rows[:2]), rows[2])
    package, cores = reader.domains
    assert (package.name, package.method, cores.parents) == (
        "cpu-package", "counter", ("cpu-package",),
    )  # fmt: skip
    assert [item.energy_j for item in readings] == pytest.approx([60.0, 15.0], rel=1e-4)
    reader.close()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (NVIDIA, "no reading yet"),
        ("timestamp, power.draw [W]\n2026/01/01 00:00:00, 5 W\n", "no column identifies the GPU"),
    ],
)
def test_a_log_whose_domains_are_unknown_is_refused(tmp_path, text, fault):
    (tmp_path / "gpu.csv").write_text(text)
    with pytest.raises(ValueError, match=fault):
        logfile.METER.open({"path": str(tmp_path / "gpu.csv")})
