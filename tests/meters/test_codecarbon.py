"""The estimate: pinned in every option, recomputable, offline, and marked as what it is."""

import inspect
import itertools
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.clock import NS_PER_S, now_ns
from harness.meters import codecarbon
from tests.lab.waiting import until


def test_every_option_of_the_tracker_is_pinned():
    from codecarbon.emissions_tracker import BaseEmissionsTracker, OfflineEmissionsTracker

    known = {
        name
        for kind in (BaseEmissionsTracker, OfflineEmissionsTracker)
        for name in inspect.signature(inspect.unwrap(kind.__init__)).parameters
    }
    old = {name for name in known if name.startswith("save_to")}
    given_elsewhere = {"self", "args", "kwargs", "output_handlers"}
    unused = {
        "logging_logger",
        "prometheus_url",
        "electricitymaps_api_token",
        "co2_signal_api_token",
        "metadata",
        "country_2letter_iso_code",
    }
    pinned = set(codecarbon.tracker_options("USA"))
    assert known - old - given_elsewhere - unused == pinned


@pytest.fixture(scope="module")
def reader():
    made = codecarbon.METER.open({})
    yield made
    made.close()


def test_the_names_and_methods_make_the_estimate_plain(reader):
    result = {domain.name: domain for domain in reader.domains}
    assert set(result) == {"cpu-modelled", "dram-modelled"}
    assert all(item.method == "modelled" for item in result.values())
    assert not any(item.simulated for item in result.values())
    assert "Cpu Load" in result["cpu-modelled"].source
    assert result["cpu-modelled"].power_high_w is None


def test_a_window_of_a_second_has_rows_at_both_edges(reader):
    began_ns = now_ns()
    reader.mark()
    first = {item.domain: item for item in reader.read()}
    time.sleep(1.0)
    reader.mark()
    last = {item.domain: item for item in reader.read()}
    took_s = (now_ns() - began_ns) / NS_PER_S
    assert set(first) == set(last) == {"cpu-modelled", "dram-modelled"}
    for name, begin in first.items():
        passed_s = (last[name].t_ns - begin.t_ns) / NS_PER_S
        assert 0.5 <= passed_s <= took_s
        watts = (last[name].energy_j - begin.energy_j) / passed_s
        assert 0.1 < watts < 1000


def test_the_rows_stand_about_a_second_apart(reader):
    reader.mark()
    reader.read()
    stamps: list[int] = []

    def enough() -> bool:
        stamps.extend(item.t_ns for item in reader.read() if item.domain == "cpu-modelled")
        return len(stamps) >= 3

    until(enough)
    # A busy machine leaves rows out or has one late; none come much oftener.
    assert (stamps[-1] - stamps[0]) / NS_PER_S > (len(stamps) - 1) / 4
    assert stamps == sorted(set(stamps))


def test_marks_in_quick_succession_never_stamp_an_old_estimate_anew(reader):
    reader.read()
    rows = []
    for _ in range(4):
        reader.mark()
        rows += [item for item in reader.read() if item.domain == "cpu-modelled"]
    joules = [row.energy_j for row in rows]
    assert len(rows) >= 4
    assert all(later > earlier for earlier, later in itertools.pairwise(joules))


class SlowTracker:
    """As codecarbon's: within 50 ms of the last it hands the old joules out in a new object."""

    step_kwh = 1e-6

    def __init__(self, output_handlers, **_options):
        self.out = output_handlers[0].out
        self.flushes = 0
        self.made_ns = 0
        self.kwh = 0.0

    def start(self):
        self.made_ns = now_ns()

    def flush(self):
        self.flushes += 1
        if now_ns() - self.made_ns >= 50_000_000:
            self.made_ns = now_ns()
            self.kwh += self.step_kwh
        self.out(SimpleNamespace(cpu_energy=self.kwh, ram_energy=0.0), None)


def test_an_estimate_is_stamped_by_the_call_that_made_it(monkeypatch):
    monkeypatch.setattr("codecarbon.OfflineEmissionsTracker", SlowTracker)
    child: Any = codecarbon._Child("USA")
    first = child.estimate()
    second = child.estimate()
    assert second["cpu_j"] > first["cpu_j"]
    assert abs(second["t_ns"] - child._tracker.made_ns) < 20_000_000
    assert second["u_ns"] < 20_000_000


def test_a_repeated_estimate_gets_no_new_time(monkeypatch):
    class Stuck(SlowTracker):
        step_kwh = 0.0

    monkeypatch.setattr("codecarbon.OfflineEmissionsTracker", Stuck)
    child: Any = codecarbon._Child("USA")
    assert child.estimate() is None
    assert child._tracker.flushes == 8


def test_configuration_files_and_variables_have_no_say(monkeypatch, tmp_path: Path):
    """A forced power of a megawatt in every place that codecarbon reads."""
    (tmp_path / ".codecarbon.config").write_text("[codecarbon]\nforce_ram_power=1000000\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CODECARBON_FORCE_RAM_POWER", "1000000")
    monkeypatch.chdir(tmp_path)
    made = codecarbon.METER.open({})
    try:
        made.mark()
        first = made.read()
        time.sleep(0.3)
        made.mark()
        last = made.read()
        passed_s = (last[-1].t_ns - first[-1].t_ns) / NS_PER_S
        assert last[-1].domain == "dram-modelled"
        assert last[-1].energy_j is not None
        assert first[-1].energy_j is not None
        assert (last[-1].energy_j - first[-1].energy_j) / passed_s < 1000
    finally:
        helpers = made.close()
    assert helpers["codecarbon"] > 0


def test_a_child_that_dies_is_reported():
    made = codecarbon.METER.open({})
    made._process.kill()
    made._process.wait()
    made._receive(0.0)
    made._rows.clear()
    try:
        with pytest.raises(OSError, match="has ended"):
            made.read()
    finally:
        made.close()


def test_a_missing_package_is_reported(monkeypatch):
    monkeypatch.setattr(codecarbon.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    availability = codecarbon.METER.probe()
    assert not availability.ok
    assert availability.advice == "pip install codecarbon"


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match="unknown option 'pue'; there are: country"):
        codecarbon.METER.open({"pue": "1.58"})
