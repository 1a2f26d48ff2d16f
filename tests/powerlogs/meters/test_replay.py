"""A recording plays as it was, and is marked for what it is."""

import gzip
import json
from pathlib import Path

import pytest

from harness.powerlogs.meters import replay

HEADER = "t_ns,domain,energy_j,power_w,u_ns\n"
ROWS = HEADER + "5000,gpu-0,10.0,,7\n5000,cpu-modelled,1.0,,9\n7000,gpu-0,12.5,,7\n"


@pytest.fixture
def stopped(monkeypatch):
    """The clock of the meter, moved by hand."""
    now = [1_000_000]
    monkeypatch.setattr(replay, "now_ns", lambda: now[0])
    return now


def recording(folder: Path, text: str = ROWS) -> Path:
    path = folder / "trace.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_rows_come_when_their_time_has_come(tmp_path, stopped):
    reader = replay.METER.open({"path": str(recording(tmp_path))})
    first = reader.read()
    assert [(item.domain, item.energy_j) for item in first] == [
        ("cpu-modelled", 1.0),
        ("gpu-0", 10.0),
    ]
    stopped[0] += 1999
    assert reader.read() == []
    stopped[0] += 1
    (last,) = reader.read()
    assert (last.energy_j, last.t_ns, last.u_ns) == (12.5, 1_002_000, 7)


def test_twice_the_speed_takes_half_the_time(tmp_path, stopped):
    reader = replay.METER.open({"path": str(recording(tmp_path)), "speed": "2"})
    reader.read()
    stopped[0] += 1000
    assert [item.t_ns for item in reader.read()] == [1_001_000]


def test_the_end_is_a_fault_and_not_a_standstill(tmp_path, stopped):
    reader = replay.METER.open({"path": str(recording(tmp_path))})
    stopped[0] += 10_000
    assert len(reader.read()) == 3
    with pytest.raises(OSError, match="recording is over"):
        reader.read()


def test_it_is_simulated_and_an_estimate_stays_one(tmp_path):
    reader = replay.METER.open({"path": str(recording(tmp_path))})
    message = {domain.name: domain for domain in reader.domains}
    assert all(item.simulated for item in message.values())
    assert message["gpu-0"].method == "counter"
    assert message["cpu-modelled"].method == "modelled"
    assert "unknown source" in message["gpu-0"].source


def test_a_bundle_brings_what_its_record_says(tmp_path):
    recording(tmp_path)
    domain = {
        "name": "gpu-0", "kind": "gpu", "method": "counter", "meter": "nvml",
        "source": "NVIDIA H100", "parents": ["gpu-0-module"], "wrap_j": 99.0,
        "gain_error_ratio": 0.06,
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps({"domains": [domain]}))
    reader = replay.METER.open({"path": str(tmp_path)})
    message = next(item for item in reader.domains if item.name == "gpu-0")
    assert message.wrap_j == 99.0
    assert message.parents == ("gpu-0-module",)
    assert message.meter == "replay"
    assert "NVIDIA H100" in message.source
    assert message.simulated


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,b\n", "line 1: no column of time"),
        (HEADER, "no reading in it"),
        (HEADER + "1,gpu-0,many,,0\n", "line 2"),
        (HEADER + "1,gpu-0,1.0\n", "line 2"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, text, fault):
    with pytest.raises(ValueError, match=fault):
        replay.METER.open({"path": str(recording(tmp_path, text))})


def test_a_missing_path_is_asked_for(tmp_path):
    with pytest.raises(ValueError, match="option path is missing"):
        replay.METER.open({})
    with pytest.raises(ValueError, match="option speed: 0 must be above 0"):
        replay.METER.open({"path": str(recording(tmp_path)), "speed": "0"})


def test_it_is_never_chosen_by_itself():
    assert replay.METER.origin == "simulated"
    assert replay.METER.probe().ok


def test_two_rows_of_one_moment_need_not_have_the_same_figures(tmp_path, stopped):
    text = HEADER + "5,gpu-0,10.0,,7\n5,gpu-0,,300,7\n5,gpu-0,,,7\n"
    readings = replay.METER.open({"path": str(recording(tmp_path, text))}).read()
    assert {(reading.energy_j, reading.power_w) for reading in readings} == {
        (10.0, None),
        (None, 300.0),
        (None, None),
    }


def test_an_empty_figure_is_missing_and_not_zero(tmp_path):
    _, (row,) = replay.read_recording(recording(tmp_path, HEADER + "5,gpu-0,,0,\n"))
    assert row.energy_j is None
    assert row.power_w == 0.0
    assert row.u_ns == 0


def test_a_plain_table_plays_as_a_packed_one_does(tmp_path):
    _, packed = replay.read_recording(recording(tmp_path))
    plain = tmp_path / "trace.csv"
    plain.write_text(ROWS)
    assert replay.read_recording(plain)[1] == packed


def test_rows_out_of_order_are_played_in_the_order_of_time(tmp_path, stopped):
    text = HEADER + "9,gpu-0,3.0,,0\n5,gpu-0,1.0,,0\n7,gpu-0,2.0,,0\n"
    reader = replay.METER.open({"path": str(recording(tmp_path, text))})
    stopped[0] += 4
    assert [item.energy_j for item in reader.read()] == [1.0, 2.0, 3.0]


def test_a_counter_that_ran_backwards_does_so_again(tmp_path, stopped):
    text = HEADER + "5,gpu-0,9.0,,0\n6,gpu-0,2.0,,0\n"
    reader = replay.METER.open({"path": str(recording(tmp_path, text))})
    stopped[0] += 1
    assert [item.energy_j for item in reader.read()] == [9.0, 2.0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("gpu-3", "gpu"), ("cpu-package-0", "cpu"), ("dram-0", "dram"), ("wall", "wall"),
     ("node", "node"), ("psys", "node")],
)  # fmt: skip
def test_without_a_record_a_name_tells_the_kind(tmp_path, name, kind):
    path = recording(tmp_path, HEADER + f"5,{name},,20,0\n")
    (domain,) = replay.METER.open({"path": str(path)}).domains
    assert domain.kind == kind
    assert domain.method == "sampled"


def test_a_record_of_other_domains_says_nothing_of_these(tmp_path):
    recording(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"domains": []}))
    reader = replay.METER.open({"path": str(tmp_path)})
    assert all("unknown source" in domain.source for domain in reader.domains)


def test_half_the_speed_takes_twice_the_time(tmp_path, stopped):
    reader = replay.METER.open({"path": str(recording(tmp_path)), "speed": "0.5"})
    reader.read()
    stopped[0] += 3999
    assert reader.read() == []
    stopped[0] += 1
    assert [item.energy_j for item in reader.read()] == [12.5]


@pytest.mark.parametrize("speed", ["-1", "nan", "fast"])
def test_a_speed_that_is_none_is_refused(tmp_path, speed):
    with pytest.raises(ValueError, match=r"^replay meter: option speed: .*(number|above 0)$"):
        replay.METER.open({"path": str(recording(tmp_path)), "speed": speed})


def test_an_option_that_it_does_not_have_is_named_with_those_it_has(tmp_path):
    with pytest.raises(ValueError, match="unknown option 'loop'; there are: path, speed"):
        replay.METER.open({"path": str(tmp_path), "loop": "1"})


def test_a_recording_that_is_not_there_is_reported_by_its_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"trace\.csv\.gz"):
        replay.METER.open({"path": str(tmp_path)})


def test_a_log_of_another_tool_plays_as_well(tmp_path, stopped):
    log = tmp_path / "perf.txt"
    log.write_text("1.0;20.5;Joules;power/energy-pkg/;1\n2.0;30.0;Joules;power/energy-pkg/;1\n")
    reader = replay.METER.open({"path": str(log)})
    (domain,) = reader.domains
    assert (domain.name, domain.kind, domain.method) == ("cpu-package", "cpu", "counter")
    stopped[0] += 2_000_000_000
    assert [item.energy_j for item in reader.read()] == [0.0, 20.5, 50.5]
