"""The whole chain of processes against fake sensors: the truth lies where the figure says."""

import pytest

from harness.measure.choice import MeterChoice
from harness.measure.energy import Energy, EnergyReader, total
from harness.meters.fake import Wave
from harness.records import Domain
from tests.lab import nvml, powercap
from tests.lab.measured import Measured

pytestmark = pytest.mark.needs("compiler")

NVML = MeterChoice(name="nvml", target="harness.meters.nvml")


def holds(result: Energy, truth_j: float) -> None:
    """The truth is within the hard bound and, of a counter, within the stated uncertainty.

    An instant power reading of a card may be of a part of the time, so that it has no uncertainty.
    """
    assert result.energy_j is not None
    assert result.bound_j is not None
    assert result.bound_j[0] <= truth_j <= result.bound_j[1], result
    assert (result.u_j is not None) == (result.method == "counter")
    if result.u_j is not None:
        assert abs(result.energy_j - truth_j) <= result.u_j, result


def with_environment(monkeypatch: pytest.MonkeyPatch, **knobs: object) -> dict[str, str]:
    environment = nvml.knobs(**knobs)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.mark.parametrize(
    "knobs",
    [
        {"shape": "constant", "watts": 300},
        {"shape": "square", "wave_s": 1.3},
        {"shape": "ramp", "wave_s": 1.7, "gain": 1.02},
        {"shape": "sine", "wave_s": 0.9, "gain": 0.98},
        {"shape": "sine", "wave_s": 2.3, "window_s": 0.025, "name": "NVIDIA H100 PCIe"},
    ],
)
def test_the_truth_lies_within_every_reading_of_a_card(tmp_path, monkeypatch, knobs):
    environment = with_environment(monkeypatch, **knobs)
    measured = Measured(tmp_path, [NVML], 2.0)
    assert not measured.faults
    assert set(measured.domains) == {"gpu-0", "gpu-0-instant", "gpu-0-average"}
    truth_j = nvml.truth_j(environment, measured.begin_ns, measured.end_ns)
    for name in ("gpu-0", "gpu-0-instant"):
        holds(measured.energy(name), truth_j)


def test_a_card_that_breaks_the_published_rule_is_detected_and_bounded(tmp_path, monkeypatch):
    """An RTX 8000 looks at 20 ms of each 100 ms where the table says all of them."""
    knobs = {"shape": "sine", "wave_s": 1.37, "window_s": 0.02, "name": "NVIDIA RTX 8000"}
    environment = with_environment(monkeypatch, **knobs)
    measured = Measured(tmp_path, [NVML], 8.0)
    assert measured.domains["gpu-0-instant"].averaging_window_s == 0.1
    assert measured.trace is not None
    result = EnergyReader(measured.trace, measured.domains.values()).averaging_window(
        "gpu-0-instant"
    )
    assert result is not None
    assert result.low_s <= 0.02 <= result.high_s < 0.1
    assert "averaging-window" in measured.rules()
    truth_j = nvml.truth_j(environment, measured.begin_ns, measured.end_ns)
    holds(measured.energy("gpu-0-instant"), truth_j)


def test_cards_and_packages_together_add_up(tmp_path, monkeypatch):
    environment = with_environment(monkeypatch, gpus=2, shape="square", wave_s=0.7)
    tree = powercap.server(tmp_path / "powercap")
    waves = {path: Wave("sine", 120.0, 20.0, 1.1) for path in tree.values()}
    rapl = MeterChoice(
        name="rapl", target="harness.meters.rapl", options={"root": str(tmp_path / "powercap")}
    )
    with powercap.running(waves) as origin_ns:
        measured = Measured(tmp_path, [NVML, rapl], 2.0)
    domains: list[Domain] = list(measured.domains.values())
    result = total([measured.energy(domain.name) for domain in domains], domains)
    assert result.domains == (
        "cpu-package-0", "cpu-package-1", "dram-0", "dram-1", "gpu-0", "gpu-1",
    )  # fmt: skip
    wave = Wave("sine", 120.0, 20.0, 1.1)
    edges = [(stamp - origin_ns) / 1e9 for stamp in (measured.begin_ns, measured.end_ns)]
    rapl_j = wave.energy_j(edges[1]) - wave.energy_j(edges[0])
    truth_j = 2 * nvml.truth_j(environment, measured.begin_ns, measured.end_ns) + 4 * rapl_j
    assert result.energy_j == pytest.approx(truth_j, abs=result.u_j)
    assert result.method == "counter"


GPUS = tuple(f"gpu-{index}" for index in range(8))
SOCKETS = ("cpu-package-0", "cpu-package-1", "dram-0", "dram-1")


def test_a_server_of_eight_cards_two_sockets_and_a_wall_meter_counts_nothing_twice(
    tmp_path, monkeypatch
):
    with_environment(monkeypatch, gpus=8)
    tree = powercap.server(tmp_path / "powercap")
    root = {"root": str(tmp_path / "powercap")}
    rapl = MeterChoice(name="rapl", target="harness.meters.rapl", options=root)
    wall = MeterChoice(
        name="fake", target="harness.meters.fake", options={"domains": "wall", "watts": "4000"}
    )
    with powercap.running(dict.fromkeys(tree.values(), Wave("constant", 90.0))):
        measured = Measured(tmp_path, [NVML, rapl, wall], 1.5)
    table = {
        ("nvml",): (GPUS, 2400.0),
        ("rapl",): (SOCKETS, 360.0),
        ("nvml", "rapl"): (SOCKETS + GPUS, 2760.0),
        ("nvml", "rapl", "fake"): (("wall",), 4000.0),
        ("nvml", "fake"): (("wall",), 4000.0),
    }
    for meters, (counted, watts) in table.items():
        domains = [domain for domain in measured.domains.values() if domain.meter in meters]
        result = total([measured.energy(domain.name) for domain in domains], domains)
        assert result.domains == counted, meters
        assert result.energy_j == pytest.approx(1.5 * watts, rel=0.08), meters


def test_a_card_that_is_lost_leaves_the_others_measured(tmp_path, monkeypatch):
    with_environment(monkeypatch, gpus=2, fault="lost", fault_after_s=3)
    measured = Measured(tmp_path, [NVML], 3.0)
    assert measured.energy("gpu-1").coverage_ratio == 1.0
    result = measured.energy("gpu-0")
    assert result.coverage_ratio < 1.0 or result.energy_j is None
    assert any("lost" in fault["message"].lower() for fault in measured.faults)


@pytest.mark.parametrize(("fault", "rule"), [("frozen", "sensor-dead"), ("reset", "counter-reset")])
def test_a_counter_that_breaks_during_the_run_is_detected(tmp_path, monkeypatch, fault, rule):
    with_environment(monkeypatch, fault=fault, fault_after_s=3, update_s=0.05)
    measured = Measured(tmp_path, [NVML], 6.5)
    assert rule in measured.rules()


def test_a_module_contains_its_card_and_is_not_added_to_it(tmp_path, monkeypatch):
    with_environment(monkeypatch, module=1, name="NVIDIA GH200")
    measured = Measured(tmp_path, [NVML], 1.0)
    domains = list(measured.domains.values())
    result = total([measured.energy(domain.name) for domain in domains], domains)
    assert result.domains == ("gpu-0-module",)


def test_an_old_card_without_fields_is_read_by_its_plain_power(tmp_path, monkeypatch):
    environment = with_environment(monkeypatch, no_fields=1)
    measured = Measured(tmp_path, [NVML], 2.0)
    truth_j = nvml.truth_j(environment, measured.begin_ns, measured.end_ns)
    holds(measured.energy("gpu-0-power"), truth_j)


def test_the_sampler_reports_its_own_cost(tmp_path, monkeypatch):
    with_environment(monkeypatch)
    measured = Measured(tmp_path, [NVML], 1.5)
    assert 0 < measured.report.import_cpu_s <= measured.report.cpu_s
    assert measured.report.peak_rss_bytes > 4 << 20
    assert measured.report.reads_count >= 15
    assert measured.report.jitter_p99_s is not None
