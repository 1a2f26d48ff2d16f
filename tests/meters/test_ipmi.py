"""The node's controller, against a stand-in for ipmitool that prints its documented answer."""

from pathlib import Path

import pytest

from harness.meters import ipmi

ANSWER = """
    Instantaneous power reading:                   412 Watts
    Minimum during sampling period:                 98 Watts
    Maximum during sampling period:                730 Watts
    Average power reading over sample period:      377 Watts
    IPMI timestamp:                           Thu Nov 19 10:00:00 2026
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated
"""


def program(folder: Path, script: str) -> Path:
    path = folder / "ipmitool"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    def install(script: str) -> None:
        monkeypatch.setenv("PATH", f"{program(tmp_path, script)}:/usr/bin:/bin")

    return install


def says(text: str) -> str:
    return f"[ \"$*\" = 'dcmi power reading' ] || exit 9\ncat <<'END'\n{text}\nEND"


def test_the_instantaneous_power_is_read_with_the_calls_own_doubt(installed):
    installed(says(ANSWER))
    reader = ipmi.METER.open({})
    (reading,) = reader.read()
    assert reading.power_w == 412
    assert reading.energy_j is None
    assert reading.u_ns > 100_000
    (domain,) = reader.domains
    assert (domain.kind, domain.method) == ("node", "sampled")
    assert ipmi.METER.probe().reason == "the node's controller reads 412 W"


@pytest.mark.parametrize(
    "period", ["00000001 Seconds.", "01131466 Seconds.", "00065530 Seconds.", "300 Seconds."]
)
def test_the_period_of_the_statistics_is_no_averaging_window(installed, period):
    """Real answers: lovoo/ipmi_exporter#18, radiorabe/rabe-zabbix#101."""
    installed(says(ANSWER.replace("00000001 Seconds.", period)))
    (domain,) = ipmi.METER.open({}).domains
    assert domain.averaging_window_s is None
    assert domain.update_period_s == 1.0


FUJITSU = """Ambient Temp     | 26 degrees C      | ok
FAN 1 RPM        | 5280 RPM          | ok
System Level     | 161 Watts         | ok
"""
DELL = """Voltage 1        | 6Ah | ok  |  7.1 | 224 Volts
Pwr Consumption  | 77h | ok  |  7.1 | 288 Watts
"""


@pytest.mark.parametrize(
    ("text", "power_w"),
    [
        (FUJITSU, 161.0),
        (DELL, 288.0),
        (
            "Pwr Consumption  | 154.000 | Watts | ok | na | na | na | 896.000 | 980.000 | na\n",
            154.0,
        ),
        ("Power Meter      | 200 Watts         | ok\n", 200.0),
        ("Total_Power      | 350 Watts         | ok\n", 350.0),
    ],
)
def test_a_controller_without_dcmi_has_a_sensor(installed, text, power_w):
    """Real lines of `ipmitool sdr`, `sdr elist` and `sensor` from public exporters."""
    installed(
        f"[ \"$*\" = sdr ] || {{ echo 'Invalid command' >&2; exit 1; }}\ncat <<'END'\n{text}\nEND"
    )
    reader = ipmi.METER.open({})
    assert [item.power_w for item in reader.read()] == [power_w]
    assert reader.domains[0].source == "ipmitool sdr"


@pytest.mark.parametrize(
    "text", ["CPU1 Power | 80 Watts | ok", "Pwr Consumption | no reading | ns"]
)
def test_other_sensors_are_not_the_node(text):
    with pytest.raises(ValueError, match="no sensor of the node's power"):
        ipmi.sensor_watts(text)


def test_a_controller_that_does_not_measure_is_unavailable(installed):
    installed(says(ANSWER.replace("activated", "deactivated")))
    availability = ipmi.METER.probe()
    assert not availability.ok
    assert availability.reason == "the controller's power reading is deactivated"


def test_a_failure_is_reported_in_its_own_words(installed):
    installed("echo 'Could not open device at /dev/ipmi0' >&2; exit 1")
    availability = ipmi.METER.probe()
    assert "Could not open device at /dev/ipmi0" in availability.reason
    assert "ipmi_devintf" in availability.advice


def test_an_answer_without_a_power_is_refused(installed):
    installed(says("no such command"))
    with pytest.raises(ValueError, match="no power reading in ipmitool's answer"):
        ipmi.METER.open({})


def test_a_controller_that_blocks_is_given_up(installed, monkeypatch):
    monkeypatch.setattr(ipmi, "_TIMEOUT_S", 0.2)
    installed("exec sleep 5")
    with pytest.raises(OSError, match=r"no answer within 0\.2 s"):
        ipmi.METER.open({})


def test_a_missing_program_is_reported_with_advice(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    availability = ipmi.METER.probe()
    assert availability.reason == "ipmitool is not installed"
    assert availability.advice == "apt-get install ipmitool"


@pytest.mark.parametrize(
    ("line", "expected_w"),
    [
        ("Instantaneous power reading: 0 Watts", 0.0),
        ("Instantaneous power reading:\t1999 Watts", 1999.0),
        ("  Instantaneous power reading:                 7 Watts  ", 7.0),
    ],
)
def test_spaces_do_not_matter_and_no_watts_are_watts(line, expected_w):
    assert ipmi.watts(line) == expected_w


@pytest.mark.parametrize("line", ["-5 Watts", "N/A", "nan Watts", "5 BTU/hr", ""])
def test_what_is_no_number_of_watts_is_refused(line):
    with pytest.raises(ValueError, match="no power reading"):
        ipmi.watts(f"Instantaneous power reading: {line}")


def test_neither_average_nor_extreme_is_taken_for_the_power():
    rest = "\n".join(line for line in ANSWER.splitlines() if "Instantaneous" not in line)
    with pytest.raises(ValueError, match="no power reading"):
        ipmi.watts(rest)


def test_a_failure_without_words_reports_its_code(installed):
    installed("exit 3")
    with pytest.raises(OSError, match="ipmitool failed: code 3"):
        ipmi.METER.open({})


def test_a_failure_on_the_wrong_stream_is_reported_by_its_last_line(installed):
    installed("echo first; echo last; exit 1")
    with pytest.raises(OSError, match="ipmitool failed: last"):
        ipmi.METER.open({})


def test_a_controller_that_stops_measuring_is_reported_at_the_next_read(installed):
    installed(says(ANSWER))
    reader = ipmi.METER.open({})
    installed(says(ANSWER.replace("activated", "deactivated")))
    with pytest.raises(ValueError, match="power reading is deactivated"):
        reader.read()


def test_a_program_that_vanishes_is_reported_at_the_next_read(installed, monkeypatch, tmp_path):
    installed(says(ANSWER))
    reader = ipmi.METER.open({})
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(OSError, match="ipmitool is not installed"):
        reader.read()
    assert reader.close() == {}


def test_it_has_no_options():
    with pytest.raises(ValueError, match="ipmi meter: unknown option 'host'; it has none"):
        ipmi.METER.open({"host": "bmc"})
