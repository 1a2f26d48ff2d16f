"""A recording plays as it was, and is marked for what it is."""

import gzip
import json
from pathlib import Path

import pytest

from harness.meters import replay

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
    assert [(each.domain, each.energy_j) for each in first] == [
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
    assert [each.t_ns for each in reader.read()] == [1_001_000]


def test_the_end_is_a_fault_and_not_a_standstill(tmp_path, stopped):
    reader = replay.METER.open({"path": str(recording(tmp_path))})
    stopped[0] += 10_000
    assert len(reader.read()) == 3
    with pytest.raises(OSError, match="recording is over"):
        reader.read()


def test_it_is_simulated_and_an_estimate_stays_one(tmp_path):
    reader = replay.METER.open({"path": str(recording(tmp_path))})
    told = {each.name: each for each in reader.domains}
    assert all(each.simulated for each in told.values())
    assert told["gpu-0"].method == "counter"
    assert told["cpu-modelled"].method == "modelled"
    assert "unknown source" in told["gpu-0"].source


def test_a_bundle_brings_what_its_record_says(tmp_path):
    recording(tmp_path)
    domain = {
        "name": "gpu-0", "kind": "gpu", "method": "counter", "meter": "nvml",
        "source": "NVIDIA H100", "parents": ["gpu-0-module"], "wrap_j": 99.0,
        "gain_error_ratio": 0.06,
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps({"domains": [domain]}))
    reader = replay.METER.open({"path": str(tmp_path)})
    told = next(each for each in reader.domains if each.name == "gpu-0")
    assert told.wrap_j == 99.0
    assert told.parents == ("gpu-0-module",)
    assert told.meter == "replay"
    assert "NVIDIA H100" in told.source
    assert told.simulated


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,b\n", "the first line is not"),
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
    with pytest.raises(ValueError, match="speed must be above 0"):
        replay.METER.open({"path": str(recording(tmp_path)), "speed": "0"})


def test_it_is_never_chosen_by_itself():
    assert replay.METER.origin == "simulated"
    assert replay.METER.probe().ok
