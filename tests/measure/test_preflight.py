"""Facts of the machine: each with its verdict, and unknown where nothing can be read."""

from pathlib import Path

import pytest

from harness.measure.preflight import _this_machine, changes, facts
from harness.records import MachineFact
from tests.measure.test_machine import written

CPU = "sys/devices/system/cpu"
GOOD = {
    "proc/loadavg": "0.05 0.1 0.2 1/200 4242\n",
    "proc/stat": "cpu  100 0 100 9800 0 0 0 0 0 0\ncpu0 1 2 3\n",
    "proc/pressure/cpu": "some avg10=0.10 avg60=0.0 avg300=0.0 total=5\n",
    "proc/pressure/memory": "some avg10=0.00 avg60=0.0 avg300=0.0 total=5\n",
    "proc/pressure/io": "some avg10=0.00 avg60=0.0 avg300=0.0 total=5\n",
    "proc/swaps": "Filename Type Size Used Priority\n",
    "proc/vmstat": "pswpin 0\npswpout 0\n",
    "proc/cmdline": "root=/dev/sda1 secret=yes mitigations=off isolcpus=3\n",
    "proc/cpuinfo": "model name : X\nflags : fpu\nmicrocode : 0x42\n",
    f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n",
    f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n",
    f"{CPU}/cpu0/cpufreq/scaling_cur_freq": "2000000\n",
    f"{CPU}/cpu1/cpufreq/scaling_cur_freq": "3000000\n",
    f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "3\n",
    f"{CPU}/intel_pstate/no_turbo": "0\n",
    f"{CPU}/smt/control": "on\n",
    "sys/class/thermal/thermal_zone0/temp": "45000\n",
    "sys/class/power_supply/AC/type": "Mains\n",
    "sys/class/power_supply/AC/status": "\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
    "sys/fs/cgroup/cpu.max": "max 100000\n",
    "sys/fs/cgroup/memory.max": "max\n",
    "sys/class/powercap/intel-rapl:0/energy_uj": "1\n",
}


def facts_by_id(root: Path, **changed: str) -> dict[str, MachineFact]:
    files = {**GOOD, **{name.replace("__", "/"): text for name, text in changed.items()}}
    return {fact.id: fact for fact in facts(written(root, files))}


def test_a_fit_machine_fails_nothing(tmp_path):
    result = facts_by_id(tmp_path)
    assert {fact.verdict for fact in result.values()} <= {"ok", "recorded", "unknown"}
    assert result["cpu-governor"].value == "performance"
    assert result["cpu-clock-hz"].value == 2.5e9
    assert result["cpu-turbo"].value is True
    assert result["core-throttle-count"].value == 3
    assert result["temperature-max-c"].value == 45.0
    assert result["microcode"].value == "0x42"
    assert result["rapl"].verdict == "ok"


@pytest.mark.parametrize(
    ("file", "text", "fact", "verdict"),
    [
        ("proc/loadavg", "7.7 5 3 9/200 1\n", "load-average", "fail"),
        ("proc/pressure/cpu", "some avg10=91.95 avg60=1 total=1\n", "pressure-cpu-percent", "fail"),
        ("proc/stat", "cpu  100 0 100 9000 0 0 0 1983 0 0\n", "cpu-steal-ratio", "warn"),
        ("proc/swaps", "Filename Type\n/dev/sda2 partition\n", "swap-areas-count", "warn"),
        ("sys/class/thermal/thermal_zone0/temp", "97000\n", "temperature-max-c", "warn"),
        ("sys/class/power_supply/BAT0/type", "Battery\n", "power-supply", "ok"),
        ("sys/fs/cgroup/cpu.max", "100000 100000\n", "cgroup-cpu-limit", "warn"),
        (
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "acpi_pm\n",
            "clocksource",
            "warn",
        ),
    ],
)
def test_every_trouble_is_reported_with_advice(tmp_path, file, text, fact, verdict):
    facts_by_id = {item.id: item for item in facts(written(tmp_path, GOOD | {file: text}))}
    assert facts_by_id[fact].verdict == verdict
    assert bool(facts_by_id[fact].advice) == (verdict in ("warn", "fail"))


def test_a_battery_that_discharges_fails(tmp_path):
    battery = "sys/class/power_supply/BAT0"
    files = {f"{battery}/type": "Battery\n", f"{battery}/status": "Discharging\n"}
    facts_by_id = {fact.id: fact for fact in facts(written(tmp_path, GOOD | files))}
    assert facts_by_id["power-supply"].verdict == "fail"


@pytest.mark.parametrize(
    ("supplies", "verdict"),
    [
        ({"AC/type": "Mains", "AC/online": "0"}, "fail"),
        ({"AC/type": "Mains", "AC/online": "1"}, "ok"),
        ({"AC/type": "Mains", "AC/online": "0", "DC/type": "Mains", "DC/online": "1"}, "ok"),
        ({"mouse/type": "Battery", "mouse/scope": "Device", "mouse/status": "Discharging"}, "ok"),
        ({"BAT0/type": "Battery", "BAT0/scope": "System", "BAT0/status": "Discharging"}, "fail"),
    ],
)
def test_only_the_machines_own_supply_counts(tmp_path, supplies, verdict):
    """A mouse's battery discharges on every desk."""
    files = {f"sys/class/power_supply/{name}": f"{text}\n" for name, text in supplies.items()}
    facts_by_id = {fact.id: fact for fact in facts(written(tmp_path, GOOD | files))}
    assert facts_by_id["power-supply"].verdict == verdict


def test_a_mouse_alone_is_no_supply(tmp_path):
    mouse = "sys/class/power_supply/mouse"
    files = {f"{mouse}/type": "Battery\n", f"{mouse}/scope": "Device\n"}
    facts_by_id = {fact.id: fact for fact in facts(written(tmp_path, files))}
    assert facts_by_id["power-supply"].verdict == "recorded"


@pytest.mark.parametrize(
    ("limits", "value", "verdict"),
    [
        ({}, None, "unknown"),
        ({"user.slice/cpu.max": "max 100000"}, "max 100000", "ok"),
        ({"user.slice/cpu.max": "50000 100000"}, "50000 100000", "warn"),
        ({"user.slice/a.scope/cpu.max": "max 100000", "cpu.max": "1 2"}, "1 2", "warn"),
        ({"other.slice/cpu.max": "50000 100000"}, None, "unknown"),
    ],
)
def test_a_limit_of_any_group_above_this_process_is_detected(tmp_path, limits, value, verdict):
    """On a plain machine the root of the tree has no such file."""
    files = {f"sys/fs/cgroup/{name}": f"{text}\n" for name, text in limits.items()}
    files["proc/self/cgroup"] = "0::/user.slice/a.scope\n"
    facts_by_id = {fact.id: fact for fact in facts(written(tmp_path, files))}["cgroup-cpu-limit"]
    assert (facts_by_id.value, facts_by_id.verdict) == (value, verdict)


def test_what_cannot_be_read_is_unknown_and_never_a_pass(tmp_path):
    facts_by_id = {fact.id: fact for fact in facts(tmp_path)}
    passed = [fact.id for fact in facts_by_id.values() if fact.verdict == "ok"]
    assert passed == []
    for name in ("load-average", "cpu-governor", "temperature-max-c", "clocksource", "virtualised"):
        assert facts_by_id[name].verdict == "unknown"
        assert facts_by_id[name].value is None


def test_only_boot_options_that_matter_are_kept(tmp_path):
    assert facts_by_id(tmp_path)["kernel-options"].value == "mitigations=off isolcpus=3"


def test_every_fact_has_a_source_and_an_id_of_its_own(tmp_path):
    facts_by_id = facts(written(tmp_path, GOOD))
    assert len({fact.id for fact in facts_by_id}) == len(facts_by_id) >= 30
    assert all(fact.source for fact in facts_by_id)


def test_facts_that_no_file_states_are_well_formed():
    result = {fact.id: fact for fact in _this_machine()}
    assert set(result) == {"clock-synchronised", "working-folder-free-bytes", "tmp-free-bytes"}
    assert all(fact.source for fact in result.values())


def test_what_must_stay_the_same_and_does_not_is_a_failure(tmp_path):
    before = facts(written(tmp_path, GOOD))
    file = f"{CPU}/cpu1/cpufreq/scaling_governor"
    throttled = {f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "9\n", file: "powersave\n"}
    after = facts(written(tmp_path, GOOD | throttled | {"proc/loadavg": "0.4 0 0 1/2 3\n"}))
    result = {fact.id: fact for fact in changes(before, after)}
    assert set(result) == {"cpu-governor", "core-throttle-count"}
    assert result["core-throttle-count"].value == "3 before, 9 after"
    assert all(fact.verdict == "fail" for fact in result.values())
    assert changes(before, before) == []


def test_the_clocks_and_limits_of_a_card_must_stay():
    def seen(**values: float) -> list[MachineFact]:
        return [
            MachineFact(id=f"gpu-0-{name.replace('_', '-')}", value=value, verdict="recorded",
                        source="x")
            for name, value in values.items()
        ]  # fmt: skip

    before = seen(power_limit_w=400, application_clock_hz=1.4e9, temperature_c=40)
    after = seen(power_limit_w=300, application_clock_hz=1.2e9, temperature_c=70)
    result = {fact.id: fact.verdict for fact in changes(before, after)}
    assert result == {"gpu-0-power-limit-w": "fail", "gpu-0-application-clock-hz": "fail"}
