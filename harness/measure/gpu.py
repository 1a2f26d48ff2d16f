"""Facts about NVIDIA cards for the preflight: other processes, limits, modes, throttling."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from harness.measure.machine import machine_fact
from harness.records import MachineFact
from harness.records.machine import Verdict

SLOWED = 0x08 | 0x20 | 0x40 | 0x80
"""NVML's clock event reasons for a slowed card: hardware slowdown, software thermal, hardware
thermal, power brake."""

_SM_CLOCK = 1
"""`NVML_CLOCK_SM`."""

_ADVICE = {
    "other-processes-count": "end the other processes on this card: their energy is counted too",
    "persistence": "sudo nvidia-smi -pm 1 keeps the driver and its counter loaded",
    "mig": "power is known for the whole card only: switch MIG off for a measured run",
    "throttled": "the card is slowed by heat or its supply: fix the cooling first",
}


def gpu_facts() -> list[MachineFact]:
    """Facts of every card; empty without a driver, which the meter `nvml` reports."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 - no library or no driver
        return []
    try:
        count = pynvml.nvmlDeviceGetCount()
        return [fact for index in range(count) for fact in _of_card(pynvml, index)]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def _of_card(nvml: Any, index: int) -> Iterator[MachineFact]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)

    def fact(
        name: str, calls: str, judge: Callable[..., tuple[Any, Verdict]], *arguments: Any
    ) -> MachineFact:
        """The judged answers of one or several calls, whose names are the fact's source."""
        try:
            answers = [getattr(nvml, call)(handle, *arguments) for call in calls.split(", ")]
            value, verdict = judge(*answers)
        except (nvml.NVMLError, AttributeError):
            value, verdict = None, "unknown"
        return machine_fact(f"gpu-{index}-{name}", value, verdict, calls, _ADVICE.get(name, ""))

    yield fact(
        "other-processes-count",
        "nvmlDeviceGetComputeRunningProcesses, nvmlDeviceGetGraphicsRunningProcesses",
        _other_processes,
    )
    yield fact("persistence", "nvmlDeviceGetPersistenceMode", _persistence)
    yield fact("power-limit-w", "nvmlDeviceGetEnforcedPowerLimit", _watts)
    yield fact("application-clock-hz", "nvmlDeviceGetApplicationsClock", _hertz, _SM_CLOCK)
    yield fact("default-limit-w", "nvmlDeviceGetPowerManagementDefaultLimit", _watts)
    yield fact("mig", "nvmlDeviceGetMigMode", _mig)
    yield fact("ecc", "nvmlDeviceGetEccMode", lambda modes: (bool(modes[0]), "recorded"))
    yield fact("throttled", "nvmlDeviceGetCurrentClocksEventReasons", _throttled)


def _other_processes(computing: list[Any], drawing: list[Any]) -> tuple[int, Verdict]:
    # A process that computes and draws is in both lists.
    count = len({process.pid for process in (*computing, *drawing)} - {os.getpid()})
    return count, "fail" if count else "ok"


def _persistence(mode: int) -> tuple[bool, Verdict]:
    return bool(mode), "ok" if mode else "warn"


def _watts(milliwatts: int) -> tuple[float, Verdict]:
    return milliwatts / 1000, "recorded"


def _hertz(megahertz: int) -> tuple[float, Verdict]:
    return megahertz * 1e6, "recorded"


def _mig(modes: list[int]) -> tuple[bool, Verdict]:
    return bool(modes[0]), "fail" if modes[0] else "ok"


def _throttled(reasons: int) -> tuple[int, Verdict]:
    return int(reasons), "fail" if reasons & SLOWED else "ok"
