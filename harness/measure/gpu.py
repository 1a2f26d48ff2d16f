"""Facts about NVIDIA cards for the preflight: other processes, limits, modes, throttling."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from harness.records import MachineFact
from harness.records.machine import Verdict

SLOWED = 0x08 | 0x20 | 0x40 | 0x80
"""NVML's clock event reasons for a slowed card: hardware slowdown, software thermal, hardware
thermal, power brake."""

_SM_CLOCK = 1
"""`NVML_CLOCK_SM`."""

Judged = tuple[Any, Verdict]


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
    for name, source, query, advice in _QUERIES:
        try:
            value, verdict = query(nvml, handle)
        except (nvml.NVMLError, AttributeError):
            value, verdict = None, "unknown"
        yield MachineFact(
            id=f"gpu-{index}-{name}",
            value=value,
            verdict=verdict,
            source=source,
            advice=advice if verdict in ("warn", "fail") else "",
        )


def _other_processes(nvml: Any, handle: Any) -> Judged:
    computing = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    drawing = nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)
    # A process that computes and draws is in both lists.
    count = len({process.pid for process in (*computing, *drawing)} - {os.getpid()})
    return count, "fail" if count else "ok"


def _persistence(nvml: Any, handle: Any) -> Judged:
    mode = bool(nvml.nvmlDeviceGetPersistenceMode(handle))
    return mode, "ok" if mode else "warn"


def _application_clock(nvml: Any, handle: Any) -> Judged:
    return nvml.nvmlDeviceGetApplicationsClock(handle, _SM_CLOCK) * 1e6, "recorded"


def _mig(nvml: Any, handle: Any) -> Judged:
    mode = bool(nvml.nvmlDeviceGetMigMode(handle)[0])
    return mode, "fail" if mode else "ok"


def _ecc(nvml: Any, handle: Any) -> Judged:
    return bool(nvml.nvmlDeviceGetEccMode(handle)[0]), "recorded"


def _throttled(nvml: Any, handle: Any) -> Judged:
    reasons = int(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))
    return reasons, "fail" if reasons & SLOWED else "ok"


def _watts(call: str) -> Callable[[Any, Any], Judged]:
    return lambda nvml, handle: (getattr(nvml, call)(handle) / 1000, "recorded")


_QUERIES: tuple[tuple[str, str, Callable[[Any, Any], Judged], str], ...] = (
    (
        "other-processes-count",
        "nvmlDeviceGetComputeRunningProcesses, nvmlDeviceGetGraphicsRunningProcesses",
        _other_processes,
        "end the other processes on this card: their energy is counted too",
    ),
    (
        "persistence",
        "nvmlDeviceGetPersistenceMode",
        _persistence,
        "sudo nvidia-smi -pm 1 keeps the driver and its counter loaded",
    ),
    (
        "power-limit-w",
        "nvmlDeviceGetEnforcedPowerLimit",
        _watts("nvmlDeviceGetEnforcedPowerLimit"),
        "",
    ),
    ("application-clock-hz", "nvmlDeviceGetApplicationsClock", _application_clock, ""),
    (
        "default-limit-w",
        "nvmlDeviceGetPowerManagementDefaultLimit",
        _watts("nvmlDeviceGetPowerManagementDefaultLimit"),
        "",
    ),
    (
        "mig",
        "nvmlDeviceGetMigMode",
        _mig,
        "power is known for the whole card only: switch MIG off for a measured run",
    ),
    ("ecc", "nvmlDeviceGetEccMode", _ecc, ""),
    (
        "throttled",
        "nvmlDeviceGetCurrentClocksEventReasons",
        _throttled,
        "the card is slowed by heat or its supply: fix the cooling first",
    ),
)
"""Name, source, query and advice of each fact."""
