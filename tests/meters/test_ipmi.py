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
    assert domain.averaging_window_s == 1.0
    assert ipmi.METER.probe().reason == "the node's controller reads 412 W"


def test_milliseconds_are_understood():
    assert ipmi.sampling_s("Sampling period:   00005000 Milliseconds") == 5.0
    assert ipmi.sampling_s("nothing") is None


def test_a_controller_that_does_not_measure_is_unavailable(installed):
    installed(says(ANSWER.replace("activated", "deactivated")))
    told = ipmi.METER.probe()
    assert not told.ok
    assert told.reason == "the controller's power reading is deactivated"


def test_a_failure_is_told_in_its_own_words(installed):
    installed("echo 'Could not open device at /dev/ipmi0' >&2; exit 1")
    told = ipmi.METER.probe()
    assert "Could not open device at /dev/ipmi0" in told.reason
    assert "ipmi_devintf" in told.advice


def test_an_answer_without_a_power_is_refused(installed):
    installed(says("no such command"))
    with pytest.raises(ValueError, match="no power reading in ipmitool's answer"):
        ipmi.METER.open({})


def test_a_controller_that_blocks_is_given_up(installed, monkeypatch):
    monkeypatch.setattr(ipmi, "_TIMEOUT_S", 0.2)
    installed("exec sleep 5")
    with pytest.raises(OSError, match=r"no answer within 0\.2 s"):
        ipmi.METER.open({})


def test_a_missing_program_is_told_with_its_cure(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    told = ipmi.METER.probe()
    assert told.reason == "ipmitool is not installed"
    assert told.advice == "apt-get install ipmitool"
