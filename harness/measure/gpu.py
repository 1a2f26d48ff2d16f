"""Facts about NVIDIA cards for the preflight: other processes, limits, modes, throttling."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from harness.records import MachineFact
from harness.records.machine import Verdict

_SLOWED = 0x08 | 0x20 | 0x40 | 0x80
"""Hardware slowdown, software thermal, hardware thermal, power brake."""

_SM_CLOCK = 1
"""`NVML_CLOCK_SM`."""


def gpu_facts() -> list[MachineFact]:
    """Facts of every card; empty where there is no driver, which the meter `nvml` tells."""
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
        name: str,
        call: str,
        judge: Callable[[Any], tuple[Any, Verdict]],
        advice: str = "",
        ask: Callable[[], Any] | None = None,
    ) -> MachineFact:
        try:
            value, verdict = judge(ask() if ask else getattr(nvml, call)(handle))
        except (nvml.NVMLError, AttributeError):
            value, verdict = None, "unknown"
        told = advice if verdict in ("warn", "fail") else ""
        return MachineFact(
            id=f"gpu-{index}-{name}", value=value, verdict=verdict, source=call, advice=told
        )

    yield fact(
        "other-processes-count",
        "nvmlDeviceGetComputeRunningProcesses, nvmlDeviceGetGraphicsRunningProcesses",
        _others,
        "end the other processes on this card: their joules are counted too",
        lambda: [
            *nvml.nvmlDeviceGetComputeRunningProcesses(handle),
            *nvml.nvmlDeviceGetGraphicsRunningProcesses(handle),
        ],
    )
    yield fact(
        "persistence",
        "nvmlDeviceGetPersistenceMode",
        lambda mode: (bool(mode), "ok" if mode else "warn"),
        "sudo nvidia-smi -pm 1 keeps the driver and its counter loaded",
    )
    yield fact("power-limit-w", "nvmlDeviceGetEnforcedPowerLimit", _milli)
    yield fact(
        "application-clock-hz",
        "nvmlDeviceGetApplicationsClock",
        lambda mhz: (mhz * 1e6, "recorded"),
        ask=lambda: nvml.nvmlDeviceGetApplicationsClock(handle, _SM_CLOCK),
    )
    yield fact("default-limit-w", "nvmlDeviceGetPowerManagementDefaultLimit", _milli)
    yield fact(
        "mig",
        "nvmlDeviceGetMigMode",
        lambda modes: (bool(modes[0]), "fail" if modes[0] else "ok"),
        "power is known for the whole card only: switch MIG off for a measured run",
    )
    yield fact("ecc", "nvmlDeviceGetEccMode", lambda modes: (bool(modes[0]), "recorded"))
    yield fact(
        "throttled",
        "nvmlDeviceGetCurrentClocksEventReasons",
        lambda reasons: (int(reasons), "fail" if reasons & _SLOWED else "ok"),
        "the card is slowed by heat or its supply: mend the cooling first",
    )


def _others(processes: list[Any]) -> tuple[int, Verdict]:
    # One that computes and draws is in both lists.
    others = len({process.pid for process in processes} - {os.getpid()})
    return others, "fail" if others else "ok"


def _milli(value: int) -> tuple[float, Verdict]:
    return value / 1000, "recorded"
