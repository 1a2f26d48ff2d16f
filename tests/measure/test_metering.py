"""The conductor's handle: it starts, hears and ends the sampler, and packs its files."""

import gzip
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S, now_ns
from harness.measure import metering
from harness.measure.choice import MeterChoice
from harness.measure.metering import Metering, MeteringError, pack
from harness.measure.trace import read_trace
from harness.records import Domain
from tests.lab.waiting import until

FAKE = MeterChoice(name="fake", target="harness.meters.fake")


def rows_of(folder: Path) -> int:
    """Readings that the sampler has written so far."""
    return (folder / "trace.csv").read_bytes().count(b"\n") - 1


def heard(handle: Metering) -> Metering:
    """The handle, once it has taken in what was said."""
    handle.pump()
    return handle


def test_a_run_leaves_a_packed_trace_and_a_report(tmp_path):
    handle = Metering.start([FAKE], tmp_path, now_ns(), 0.05)
    assert [domain.name for domain in handle.domains] == ["node"]
    assert handle.domains[0].simulated
    assert handle.domains[0].read_period_s == 0.05
    assert handle.pid is not None
    handle.mark()
    until(lambda: rows_of(tmp_path) >= 6)
    report = handle.stop()
    assert report is not None
    assert report.reads_count >= 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trace.csv.gz", "vitals.csv.gz"]
    trace = read_trace(tmp_path / "trace.csv.gz")
    assert len(trace.columns["node"].t_ns) == report.readings_count


def test_the_display_is_fed_without_waiting(tmp_path):
    handle = Metering.start([FAKE], tmp_path, now_ns(), 0.05)
    until(lambda: heard(handle).latest)
    assert handle.pid is not None
    os.kill(handle.pid, signal.SIGSTOP)
    handle.pump()
    result = handle.latest
    handle.pump()  # nothing will come: it would wait for ever
    assert handle.latest is result
    os.kill(handle.pid, signal.SIGCONT)
    until(lambda: heard(handle).latest is not result)
    assert handle.latest is not None
    assert handle.latest.watts["node"] == pytest.approx(100, rel=0.01)
    handle.stop()


def test_without_a_meter_nothing_is_started_and_there_is_no_trace(tmp_path):
    handle = Metering.start([], tmp_path, now_ns())
    handle.mark()
    handle.pump()
    assert handle.pid is None
    assert handle.fileno() == -1
    assert handle.domains == ()
    assert handle.stop() is None
    handle.kill()
    assert list(tmp_path.iterdir()) == []


def test_a_meter_that_does_not_open_is_in_failed(tmp_path):
    lost = MeterChoice(name="lost", target="harness.meters.no_such_meter")
    handle = Metering.start([lost, FAKE], tmp_path, now_ns())
    assert "no_such_meter" in handle.failed["lost"]
    assert [domain.name for domain in handle.domains] == ["node"]
    handle.stop()


def test_faults_reach_the_conductor(tmp_path):
    broken = MeterChoice(
        name="fake",
        target="harness.meters.fake",
        options={"fault": "nan", "fault_after": "2"},
    )
    handle = Metering.start([broken], tmp_path, now_ns(), 0.05)
    until(lambda: heard(handle).faults)
    handle.stop()
    assert handle.faults[0]["domain"] == "node"
    assert "not a finite number" in handle.faults[0]["message"]


def test_a_sampler_that_is_killed_is_reported_and_its_trace_is_kept(tmp_path):
    handle = Metering.start([FAKE], tmp_path, now_ns(), 0.05)
    until(lambda: rows_of(tmp_path) >= 5)
    assert handle.pid is not None
    os.kill(handle.pid, 9)
    with pytest.raises(MeteringError, match="ended without its report"):
        handle.stop()
    assert len(read_trace(tmp_path / "trace.csv.gz").columns["node"].t_ns) >= 5


def test_a_sampler_that_does_not_start_is_reported_with_its_last_words(tmp_path):
    missing = tmp_path / "no such folder"
    with pytest.raises(MeteringError, match="not ready within 20 s: FileNotFoundError"):
        Metering.start([FAKE], missing, now_ns())


def test_an_abort_keeps_what_was_written(tmp_path):
    handle = Metering.start([FAKE], tmp_path, now_ns(), 0.05)
    handle.kill()
    assert len(read_trace(tmp_path / "trace.csv.gz").columns["node"].t_ns) >= 1


@given(rows=st.lists(st.text("019,.-", max_size=30), max_size=5), torn=st.text("019,.", max_size=9))
def test_what_a_killed_sampler_left_of_a_line_is_no_reading(rows, torn):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = "".join(f"{row}\n" for row in rows)
        (folder / "trace.csv").write_text(whole + torn)
        pack(folder)
        packed = folder / "trace.csv.gz"
        assert packed.exists() == bool(whole), "nothing at all is no table"
        assert not whole or gzip.decompress(packed.read_bytes()) == whole.encode()
        assert not (folder / "trace.csv").exists()


def test_a_long_table_is_cut_at_its_last_line_alone(tmp_path):
    whole = b"".join(b"%d,gpu-0,1.0,,40\n" % number for number in range(20_000))
    (tmp_path / "trace.csv").write_bytes(whole + b"123,gp")
    pack(tmp_path)
    assert gzip.decompress((tmp_path / "trace.csv.gz").read_bytes()) == whole


def test_packing_twice_gives_the_same_bytes(tmp_path):
    packed = []
    for _ in range(2):
        (tmp_path / "trace.csv").write_bytes(b"t_ns,domain,energy_j,power_w,u_ns\n")
        pack(tmp_path)
        packed.append((tmp_path / "trace.csv.gz").read_bytes())
    assert packed[0] == packed[1]
    assert gzip.decompress(packed[0]).startswith(b"t_ns")
    assert not (tmp_path / "trace.csv").exists()


def test_the_sampler_sees_device_choices_and_no_secrets(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("SOME_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    seen = metering._environment()
    assert seen["CUDA_VISIBLE_DEVICES"] == "1"
    assert "SOME_TOKEN" not in seen
    assert seen["PYTHONPATH"] != "elsewhere"


def domain(**changes: object) -> Domain:
    fields = {"name": "d", "kind": "cpu", "method": "counter", "meter": "m", "source": "s"}
    return Domain(**(fields | changes))  # type: ignore[arg-type]


def live(
    described: Domain, readings: Sequence[tuple[float | None, float | None]]
) -> metering.Status:
    energies = metering._LiveEnergy([described])
    for second, (energy_j, power_w) in enumerate(readings):
        status = energies.status(0, [(second * NS_PER_S, "d", energy_j, power_w, 0)])
    return status


def test_the_display_undoes_wraps_and_sums_power():
    status = live(
        domain(wrap_j=100.0, power_high_w=50.0, resolution_j=1.0),
        [(90.0, None), (95.0, None), (5.0, None)],
    )
    assert status.joules["d"] == pytest.approx(15.0)
    assert status.watts["d"] == pytest.approx(10.0)
    status = live(domain(method="sampled"), [(None, 10.0), (None, 20.0), (None, 20.0)])
    assert status.joules["d"] == pytest.approx(35.0)
    assert status.watts["d"] == 20.0


def test_a_long_display_keeps_the_energy_of_early_readings():
    readings = [(10.0 * second, None) for second in range(1500)]
    assert live(domain(), readings).joules["d"] == pytest.approx(14990.0)
