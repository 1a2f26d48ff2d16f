"""NVIDIA cards through the real pynvml, in a process that loads the stand-in library."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.measure.energy import disjoint
from harness.meters import nvml
from harness.records import Domain
from harness.records.base import load
from tests.lab.nvml import knobs

pytestmark = pytest.mark.needs("compiler")
ROOT = Path(harness.__file__).parent.parent

PROGRAM = """
import json, sys, time
from dataclasses import asdict
from harness.meters.nvml import METER

probe = METER.probe()
out = {"ok": probe.ok, "reason": probe.reason}
if probe.ok:
    begin = time.perf_counter()
    reader = METER.open(json.loads(sys.argv[1]))
    out["open_s"] = time.perf_counter() - begin
    out["domains"] = [asdict(each) for each in reader.domains]
    out["readings"] = [each._asdict() for each in reader.read()]
    out["vitals"] = reader.vitals()
    out["trouble"] = reader.errors
    reader.close()
print(json.dumps(out))
"""


def seen(options: dict[str, str] | None = None, visible: str | None = None, **settings: Any) -> Any:
    """What the meter makes of the cards that the stand-in shows."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **knobs(**settings)}
    if visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = visible
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(options or {})],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def names(result: Any) -> list[str]:
    return [item["name"] for item in result["domains"]]


def test_counter_instant_and_average_are_domains_of_their_own():
    result = seen(watts=250)
    assert names(result) == ["gpu-0", "gpu-0-instant", "gpu-0-average"]
    counter, instant, average = result["domains"]
    assert (counter["method"], instant["method"]) == ("counter", "sampled")
    assert average["parents"] == ["gpu-0", "gpu-0-instant"]
    assert average["averaging_window_s"] == 1.0
    assert "scope GPU" in counter["source"]
    assert "driver 999.01" in counter["source"]
    readings = {item["domain"]: item for item in result["readings"]}
    assert readings["gpu-0"]["power_w"] is None
    assert readings["gpu-0"]["energy_j"] > 5000
    assert readings["gpu-0-instant"]["power_w"] == pytest.approx(250, abs=0.01)


def test_it_opens_without_watching_its_sensors():
    """The trace shows the update period, so that the start of a run need not wait for it."""
    result = seen(shape="sine", update_s=0.02)
    assert {item["update_period_s"] for item in result["domains"]} == {0.1}
    assert result["open_s"] < 0.1


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        ("NVIDIA H100 80GB HBM3", 0.12),
        ("NVIDIA A100-SXM4-40GB", 0.10),
        ("NVIDIA GeForce RTX 2060 SUPER", 0.15),
        ("NVIDIA RTX A5000", 0.11),
    ],
)
def test_the_gain_class_covers_what_was_published_of_a_card(name, ratio):
    assert {item["gain_error_ratio"] for item in seen(name=name)["domains"]} == {ratio}


@pytest.mark.parametrize(
    ("name", "window_s"),
    [("NVIDIA H100 80GB HBM3", 0.025), ("NVIDIA A100-SXM4-40GB", 0.025), ("NVIDIA RTX 4090", 0.1)],
)
def test_cards_that_look_at_a_quarter_of_the_time_are_known(name, window_s):
    result = seen(name=name)
    assert result["domains"][1]["averaging_window_s"] == window_s
    assert "not measured" in result["domains"][1]["source"]
    assert "not measured" not in result["domains"][0]["source"]
    # No published card looks at less; the hard bound holds for one that breaks its own rule.
    assert 0.01 < result["domains"][1]["averaging_window_low_s"] < 0.025
    assert result["domains"][0]["averaging_window_low_s"] is None


def test_a_module_contains_the_card():
    result = seen(module=1)
    by_name = {item["name"]: item for item in result["domains"]}
    assert by_name["gpu-0"]["parents"] == ["gpu-0-module"]
    assert by_name["gpu-0-module"]["parents"] == []
    assert "scope module" in by_name["gpu-0-module"]["source"]


GRACE = "NVIDIA GH200 480GB"


def test_the_counter_of_a_superchip_is_of_its_module():
    """As the card's own it would say 1.5 times what the card's power says, in every run."""
    result = seen(name=GRACE, module=1, counter_share=1.5)
    by_name = {item["name"]: item for item in result["domains"]}
    assert set(by_name) == {
        "gpu-0-module",
        "gpu-0-module-instant",
        "gpu-0-instant",
        "gpu-0-average",
    }
    assert by_name["gpu-0-module"]["method"] == "counter"
    assert by_name["gpu-0-module"]["parents"] == []
    assert "of the whole module" in by_name["gpu-0-module"]["source"]
    records = [load(Domain, item, "meter") for item in result["domains"]]
    assert [item.name for item in disjoint(records)] == ["gpu-0-module"]


def test_a_superchip_without_a_counter_counts_its_module_once():
    result = seen(name=GRACE, module=1, no_counter=1)
    records = [load(Domain, item, "meter") for item in result["domains"]]
    assert [item.name for item in disjoint(records)] == ["gpu-0-module-instant"]


def test_a_card_without_a_counter_keeps_its_power():
    assert names(seen(no_counter=1)) == ["gpu-0-instant", "gpu-0-average"]


def test_a_card_without_fields_has_its_plain_power():
    result = seen(no_fields=1)
    assert names(result) == ["gpu-0-power"]
    assert result["readings"][0]["power_w"] == pytest.approx(300, abs=0.01)


@pytest.mark.parametrize(
    ("visible", "cards"),
    [
        (None, ["gpu-0", "gpu-1", "gpu-2"]),
        ("1", ["gpu-1"]),
        ("2,0", ["gpu-2", "gpu-0"]),
        ("GPU-00000001", ["gpu-1"]),
        ("MIG-GPU-00000002-1111-2222-3333-444444444444/1/0", ["gpu-2"]),
        ("0,7,1", ["gpu-0"]),
    ],
)
def test_only_the_devices_of_the_job_are_read(visible, cards):
    result = seen(gpus=3, visible=visible)
    assert [name for name in names(result) if name.count("-") == 1] == cards


def test_an_option_names_devices_too():
    result = seen({"devices": "0+2"}, gpus=3)
    assert {name[:5] for name in names(result)} == {"gpu-0", "gpu-2"}


def test_no_visible_device_is_no_meter():
    result = seen(visible="-1")
    assert not result["ok"]
    assert "no GPU to this job" in result["reason"]


def test_an_instance_of_a_card_is_named_as_the_whole_card():
    result = seen(mig=1)
    assert "MIG on" in result["domains"][0]["source"]
    assert "MIG on" in result["reason"]


@pytest.mark.parametrize(("mode", "named"), [(2, "a vGPU"), (0, "the meter hwmon")])
def test_a_card_that_gives_no_power_is_named(mode, named):
    """A vGPU, and a Jetson whose NVML supports nothing (intelligence-per-watt, issue 40)."""
    result = seen(fault="not_supported", virtualization=mode)
    assert not result["ok"]
    assert "gives no power of NVIDIA Lab 100" in result["reason"]
    assert named in result["reason"]


def test_a_card_without_power_does_not_hide_the_others():
    result = seen(gpus=2, fault="not_supported", fault_device=1)
    assert {name[:5] for name in names(result)} == {"gpu-0"}


def test_clocks_limits_and_processes_are_watched():
    result = seen(throttle=4, processes=2)["vitals"]
    assert result["gpu-0-clock-sm-hz"] == 1410e6
    assert result["gpu-0-throttle-reasons"] == 4
    assert result["gpu-0-power-limit-w"] == 400
    assert result["gpu-0-temperature-c"] == 55
    assert result["gpu-0-processes-count"] == 2


def test_the_hard_range_follows_from_the_power_limit():
    assert seen(limit_w=700)["domains"][0]["power_high_w"] == pytest.approx(1050)


def test_a_card_that_is_lost_is_reported():
    result = seen(gpus=2, fault="lost", fault_device=1, fault_after_calls=4)
    assert "gpu-1" in result["trouble"]
    assert "gpu-0" not in result["trouble"]
    assert {item["domain"][:5] for item in result["readings"]} == {"gpu-0"}


def test_without_a_driver_the_reason_and_the_advice_are_given(monkeypatch):
    def library() -> None:
        raise OSError("NVML Shared Library Not Found")

    monkeypatch.setattr(nvml, "library", library)
    availability = nvml.METER.probe()
    assert not availability.ok
    assert "NVML Shared Library Not Found" in availability.reason
    assert "install the NVIDIA driver" in availability.advice


def test_an_unknown_option_is_refused():
    with pytest.raises(ValueError, match="unknown option 'gpu'"):
        nvml.METER.open({"gpu": "0"})
