"""AMD cards, against a module made after the documented interface."""

import importlib.util
import sys
import time

import pytest

from harness.clock import now_ns
from harness.meters import amdsmi
from tests.lab.amdsmi import module

CARD = {
    "energy": {"energy_accumulator": 1_000_000, "counter_resolution": 15.3, "timestamp": 1},
    "power": {
        "current_socket_power": 300,
        "average_socket_power": "N/A",
        "power_limit": 560_000_000,
    },
    "uuid": "deadbeef",
}


@pytest.fixture
def installed(monkeypatch):
    def install(*devices):
        made = module(*devices)
        monkeypatch.setitem(sys.modules, "amdsmi", made)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
        return made

    return install


def test_the_accumulator_counts_in_its_own_steps(installed):
    installed(CARD)
    reader = amdsmi.METER.open({})
    counter, power = reader.read()
    assert counter.domain == "gpu-amd-0"
    assert counter.energy_j == pytest.approx(15.3)
    assert power.power_w == 300
    first, second = reader.domains
    assert first.resolution_j == pytest.approx(15.3e-6)
    assert second.parents == ("gpu-amd-0",)
    assert first.power_high_w == pytest.approx(840)


def test_the_older_name_of_the_accumulator_is_known():
    result = amdsmi.joules({"power": 2_000_000, "counter_resolution": 15.3})
    assert result is not None
    assert result[0] == pytest.approx(30.6)
    assert result[1] == pytest.approx(15.3e-6)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"current_socket_power": 250, "average_socket_power": 200}, 250),
        ({"current_socket_power": "N/A", "average_socket_power": 200}, 200),
        ({"current_socket_power": "N/A", "average_socket_power": "N/A"}, None),
        ({}, None),
    ],
)
def test_text_in_the_place_of_a_number_is_no_number(info, expected):
    assert amdsmi.watts(info) == expected


def test_a_card_without_a_counter_has_its_power_alone(installed):
    installed({"power": CARD["power"]})
    reader = amdsmi.METER.open({})
    assert [domain.name for domain in reader.domains] == ["gpu-amd-0-power"]
    assert [item.power_w for item in reader.read()] == [300]


def test_a_card_that_stops_answering_is_reported_and_the_other_is_read(installed):
    failing = dict(CARD)
    installed(failing, CARD)
    reader = amdsmi.METER.open({})
    del failing["energy"]
    failing["power"] = {"current_socket_power": "N/A"}
    assert {item.domain for item in reader.read()} == {"gpu-amd-1", "gpu-amd-1-power"}
    assert "NOT_SUPPORTED" in reader.errors["gpu-amd-0"]
    assert "gave no number" in reader.errors["gpu-amd-0-power"]


def test_the_library_is_let_go_after_a_probe(installed):
    made = installed(CARD, CARD)
    availability = amdsmi.METER.probe()
    assert availability.ok
    assert availability.reason == "2 AMD GPUs"
    assert made.open_count == 0


def test_no_card_and_no_driver_are_reported(installed):
    made = installed()
    assert amdsmi.METER.probe().reason == "AMD's library shows no GPU"

    def refuse() -> None:
        raise RuntimeError("driver not loaded")

    made.amdsmi_init = refuse
    availability = amdsmi.METER.probe()
    assert not availability.ok
    assert "driver not loaded" in availability.reason
    assert "/dev/kfd" in availability.advice
    with pytest.raises(OSError, match="driver not loaded"):
        amdsmi.METER.open({})


def test_an_accumulator_without_its_step_is_no_counter(installed):
    installed({"energy": {"energy_accumulator": 1_000_000}, "power": CARD["power"]})
    reader = amdsmi.METER.open({})
    assert [domain.name for domain in reader.domains] == ["gpu-amd-0-power"]


@pytest.mark.parametrize("value", ["N/A", "", None, True, [300]])
def test_only_a_number_is_a_number(value):
    assert amdsmi.number(value) is None
    assert amdsmi.watts({"current_socket_power": value}) is None
    assert amdsmi.joules({"energy_accumulator": value, "counter_resolution": 15.3}) is None


def test_no_watts_is_a_reading_and_not_a_missing_one():
    assert amdsmi.watts({"current_socket_power": 0, "average_socket_power": 200}) == 0.0
    result = amdsmi.joules({"energy_accumulator": 0, "counter_resolution": 15.3})
    assert result is not None
    assert result[0] == 0.0


@pytest.mark.parametrize(
    ("limit", "highest_w"),
    [(560_000_000, 840), (560, 840), ("N/A", 2000), (0, 2000)],
)
def test_a_limit_is_understood_in_either_unit_or_left_out(installed, limit, highest_w):
    installed({"power": {"current_socket_power": 300, "power_limit": limit}})
    (domain,) = amdsmi.METER.open({}).domains
    assert domain.power_high_w == pytest.approx(highest_w)


def test_the_counter_wraps_at_its_width_in_its_own_steps(installed):
    installed(CARD)
    counter, power = amdsmi.METER.open({}).domains
    assert counter.wrap_j == pytest.approx(2**64 * 15.3e-6)
    assert power.wrap_j is None
    assert power.resolution_j is None


def test_a_card_that_answers_nothing_has_no_domain_and_shifts_no_number(installed):
    installed({}, CARD)
    reader = amdsmi.METER.open({})
    assert [domain.name for domain in reader.domains] == ["gpu-amd-1", "gpu-amd-1-power"]
    assert {item.domain for item in reader.read()} == {"gpu-amd-1", "gpu-amd-1-power"}
    assert reader.errors == {}


def test_trouble_is_of_the_last_look_alone(installed):
    failing = dict(CARD)
    installed(failing)
    reader = amdsmi.METER.open({})
    energy = failing.pop("energy")
    reader.read()
    assert set(reader.errors) == {"gpu-amd-0"}
    failing["energy"] = energy
    assert len(reader.read()) == 2
    assert reader.errors == {}


def test_a_counter_that_runs_backwards_is_handed_on_as_it_is(installed):
    card = dict(CARD)
    installed(card)
    reader = amdsmi.METER.open({})
    reader.read()
    card["energy"] = {"energy_accumulator": 500_000, "counter_resolution": 15.3}
    assert reader.read()[0].energy_j == pytest.approx(7.65)


def test_a_release_without_a_call_does_without(installed):
    made = installed(CARD)
    del made.amdsmi_get_gpu_device_uuid
    reader = amdsmi.METER.open({})
    assert "unknown" in reader.domains[0].source
    assert len(reader.read()) == 2


def test_the_library_is_let_go_at_the_end(installed):
    made = installed(CARD)
    reader = amdsmi.METER.open({})
    assert made.open_count == 1
    assert reader.close() == {}
    assert made.open_count == 0


def test_a_wrong_option_is_refused_before_the_driver_is_touched(installed):
    made = installed(CARD)
    with pytest.raises(ValueError, match="unknown option 'index'; there are: devices"):
        amdsmi.METER.open({"index": "0"})
    assert made.open_count == 0


def test_a_missing_package_is_reported_with_advice(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    availability = amdsmi.METER.probe()
    assert availability.reason == "the package amdsmi is not installed"
    assert "pip install amdsmi" in (availability.advice or "")


def of_card(number: int, **changes: object) -> dict[str, object]:
    return CARD | {"uuid": f"{number:02d}ff-{number}"} | changes


def names(options: dict[str, str] | None = None) -> list[str]:
    domains = amdsmi.METER.open(options or {}).domains
    return [domain.name for domain in domains if domain.method == "counter"]


@pytest.mark.parametrize(
    ("variables", "cards"),
    [
        ({}, ["gpu-amd-0", "gpu-amd-1", "gpu-amd-2"]),
        ({"HIP_VISIBLE_DEVICES": "1"}, ["gpu-amd-1"]),
        ({"CUDA_VISIBLE_DEVICES": "2"}, ["gpu-amd-2"]),
        ({"ROCR_VISIBLE_DEVICES": "2,0"}, ["gpu-amd-2", "gpu-amd-0"]),
        ({"ROCR_VISIBLE_DEVICES": "2,0", "HIP_VISIBLE_DEVICES": "1"}, ["gpu-amd-0"]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-01ff"}, ["gpu-amd-1"]),
        ({"ROCR_VISIBLE_DEVICES": "0,7,1"}, ["gpu-amd-0"]),
    ],
)
def test_only_the_devices_of_the_job_are_read(installed, monkeypatch, variables, cards):
    for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    installed(*map(of_card, range(3)))
    assert names() == cards
    assert names({"devices": "all"}) == ["gpu-amd-0", "gpu-amd-1", "gpu-amd-2"]
    assert names({"devices": "2+1"}) == ["gpu-amd-2", "gpu-amd-1"]


def test_a_job_without_a_device_is_reported(installed, monkeypatch):
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "-1")
    installed(CARD)
    with pytest.raises(OSError, match="no GPU is visible to this job"):
        amdsmi.METER.open({})


SILENT = {"power": {"current_socket_power": 0, "average_socket_power": "N/A"}}
MI250 = {"asic": {"market_name": "AMD Instinct MI250X"}}


@pytest.mark.parametrize("chosen", ["all", "0", "1", "1+0"])
def test_both_dies_of_a_card_are_read_once_where_one_shows_them_both(installed, chosen):
    """The odd one would stand still for ever and look like a stuck sensor."""
    installed(of_card(0, **MI250), of_card(1, **MI250, **SILENT))
    reader = amdsmi.METER.open({"devices": chosen})
    assert [domain.name for domain in reader.domains] == ["gpu-amd-0", "gpu-amd-0-power"]
    assert "both dies" in reader.domains[0].source
    assert {item.domain for item in reader.read()} == {"gpu-amd-0", "gpu-amd-0-power"}


@pytest.mark.parametrize(
    "second",
    [
        of_card(1, **MI250),
        of_card(1, **SILENT),
        of_card(1, asic={"market_name": "AMD Instinct MI300X"}, **SILENT),
    ],
)
def test_a_second_die_with_figures_of_its_own_and_another_card_stay(installed, second):
    installed(of_card(0, **MI250), second)
    assert names({"devices": "all"}) == ["gpu-amd-0", "gpu-amd-1"]


class Running:
    """A card whose accumulator runs in steps of 15.3 µJ, with the step that its driver states."""

    def __init__(self, stated_uj: float, power_w: float | str, true_w: float = 300.0) -> None:
        self.stated_uj, self.power_w, self.true_w = stated_uj, power_w, true_w

    def __contains__(self, key: str) -> bool:
        return key in ("energy", "power")

    def __getitem__(self, key: str) -> dict[str, object]:
        if key == "power":
            return {"current_socket_power": self.power_w}
        steps = int(self.true_w * now_ns() / 1e9 / 15.3e-6)
        return {"energy_accumulator": steps, "counter_resolution": self.stated_uj}


def test_a_step_that_the_power_contradicts_is_corrected(installed):
    """1.0 in place of 15.3 (ROCm/amdsmi#38)."""
    installed(Running(1.0, 290.0))
    reader = amdsmi.METER.open({})
    first = reader.read()[0]
    time.sleep(0.1)
    second = reader.read()[0]
    assert first.energy_j is not None
    assert second.energy_j is not None
    power_w = (second.energy_j - first.energy_j) / (second.t_ns - first.t_ns) * 1e9
    assert power_w == pytest.approx(300, rel=0.02)
    assert reader.domains[0].resolution_j == pytest.approx(15.3e-6)
    assert "states a step of 1 µJ" in reader.domains[0].source


def test_a_step_that_nothing_confirms_is_no_counter(installed):
    installed(Running(1.0, "N/A"))
    with pytest.raises(OSError, match="in steps that are known"):
        amdsmi.METER.open({})
    installed(Running(1000.0, 3.0))
    assert [domain.name for domain in amdsmi.METER.open({}).domains] == ["gpu-amd-0-power"]


def test_a_step_that_the_power_confirms_is_kept(installed):
    installed(Running(15.3, 300.0), Running(15.259, 300.0))
    assert len(amdsmi.METER.open({}).domains) == 4
