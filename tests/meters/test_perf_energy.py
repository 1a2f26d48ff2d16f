"""The kernel's power PMU, from a written tree; the call itself against the kernel here."""

import os
import struct
from dataclasses import asdict
from pathlib import Path

import pytest

from harness.measure.energy import disjoint
from harness.meters import perf_energy, rapl
from harness.meters.perf_energy import PerfReader, PmuEvent, cpus, events, open_event
from harness.records import Domain
from harness.records.base import load
from tests.lab import powercap
from tests.measure.test_machine import written

PMU = "sys/bus/event_source/devices/power"
CPU = "sys/devices/system/cpu"
TREE = {
    f"{PMU}/type": "22\n",
    f"{PMU}/cpumask": "0,32\n",
    f"{PMU}/events/energy-pkg": "event=0x02\n",
    f"{PMU}/events/energy-pkg.scale": "2.3283064365386962890625e-10\n",
    f"{PMU}/events/energy-pkg.unit": "Joules\n",
    f"{PMU}/events/energy-ram": "event=0x03\n",
    f"{PMU}/events/energy-ram.scale": "2.3283064365386962890625e-10\n",
    f"{CPU}/cpu0/topology/physical_package_id": "0\n",
    f"{CPU}/cpu32/topology/physical_package_id": "1\n",
}


def test_every_event_is_detected_on_every_socket(tmp_path):
    result = list(events(written(tmp_path, TREE)))
    assert [(item.name, item.cpu, item.config) for item in result] == [
        ("cpu-package-0-perf", 0, 2),
        ("dram-0-perf", 0, 3),
        ("cpu-package-1-perf", 32, 2),
        ("dram-1-perf", 32, 3),
    ]
    assert result[0].scale_j == pytest.approx(2**-32)


def test_the_whole_platform_is_counted_once(tmp_path):
    psys = {
        f"{PMU}/events/energy-psys": "event=0x05\n",
        f"{PMU}/events/energy-psys.scale": "2.3e-10\n",
    }
    names = [event.name for event in events(written(tmp_path, TREE | psys))]
    assert names.count("cpu-psys-perf") == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("0", [0]), ("0,32", [0, 32]), ("0-3,8", [0, 1, 2, 3, 8]), ("", [])]
)
def test_lists_of_processors_are_read(text, expected):
    assert cpus(text) == expected


def counter(value: int) -> int:
    """A descriptor that gives one 64-bit count."""
    read_fd, write_fd = os.pipe()
    os.write(write_fd, struct.pack("Q", value))
    os.close(write_fd)
    return read_fd


def test_a_count_becomes_joules_and_an_exhausted_one_is_reported():
    event = PmuEvent("package", 2, 2**-32, 0, 0)
    reader = PerfReader([(event, counter(5 << 32))])
    (reading,) = reader.read()
    assert reading.energy_j == 5.0
    assert reader.read() == []
    assert "cannot be read" in reader.errors["cpu-package-0-perf"]
    reader.close()


def test_beside_powercap_it_is_never_added(tmp_path):
    powercap.server(tmp_path, sockets=1)
    plain = rapl.METER.open({"root": str(tmp_path)})
    made = [PmuEvent(label, 2, 2**-32, 0, 0) for label in ("package", "dram", "core")]
    second = PerfReader([(event, counter(0)) for event in made])
    both = [*plain.domains, *second.domains]
    records = [load(Domain, asdict(item), "meter") for item in both]
    assert {item.name for item in disjoint(records)} == {"cpu-package-0", "dram-0"}
    alone = [record for record in records if record.meter == "perf-energy"]
    assert {item.name for item in disjoint(alone)} == {"cpu-package-0-perf", "dram-0-perf"}
    plain.close()
    second.close()


def test_a_machine_without_the_pmu_says_so(tmp_path):
    result = perf_energy.METER._probe(tmp_path)
    assert not result.ok
    assert "is not there" in result.reason


@pytest.mark.parametrize(
    ("counter", "addition"),
    [("/dev/zero", "; that counter is dead: it does not move"), ("/dev/urandom", "")],
)
def test_a_pmu_with_psys_alone_is_no_meter_of_the_processor(
    tmp_path, monkeypatch, counter, addition
):
    monkeypatch.setattr(perf_energy, "open_event", lambda *_: os.open(counter, os.O_RDONLY))
    tree = {
        f"{PMU}/type": "22\n",
        f"{PMU}/cpumask": "0\n",
        f"{PMU}/events/energy-psys": "event=0x05\n",
        f"{PMU}/events/energy-psys.scale": "2.3e-10\n",
    }
    result = perf_energy.METER._probe(written(tmp_path, tree))
    assert not result.ok
    assert result.reason == (
        f"the PMU offers only energy-psys, which does not measure the processor{addition}"
    )


def test_a_refusal_of_the_kernel_comes_with_advice(tmp_path: Path, monkeypatch):
    def refuse(_type: int, _event: PmuEvent) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(perf_energy, "open_event", refuse)
    result = perf_energy.METER._probe(written(tmp_path, TREE))
    assert "Permission denied" in result.reason
    assert "perf_event_paranoid=0" in result.advice


def test_the_call_reaches_the_kernel_and_a_pmu_that_is_not_there_is_refused():
    with pytest.raises(OSError, match=r"."):
        open_event(2**31 - 1, PmuEvent("package", 2, 1.0, 0, 0))


def test_the_call_counts_on_a_software_clock_of_the_kernel():
    """Type 1 is the kernel's own software PMU: the packed attributes must be understood."""
    try:
        fd = open_event(1, PmuEvent("package", 0, 1e-9, 0, 0))
    except OSError as error:
        pytest.skip(f"the kernel refuses perf events here: {error}")
    first = struct.unpack("Q", os.read(fd, 8))[0]
    second = struct.unpack("Q", os.read(fd, 8))[0]
    os.close(fd)
    assert second >= first
