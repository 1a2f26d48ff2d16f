"""A stand-in for AMD's Python module, after the names of its documented interface."""

from types import ModuleType
from typing import Any


class AmdSmiException(Exception):
    """What the vendor's calls raise."""


def module(*devices: dict[str, Any]) -> ModuleType:
    """A module with these devices; keys `energy`, `power`, `uuid`, `asic`; a missing one raises."""
    made: Any = ModuleType("amdsmi")
    made.AmdSmiException = AmdSmiException
    made.open_count = 0

    def init() -> None:
        made.open_count += 1

    def shut_down() -> None:
        made.open_count -= 1

    def asked(key: str) -> Any:
        def answer(handle: int) -> Any:
            if key not in devices[handle]:
                raise AmdSmiException("AMDSMI_STATUS_NOT_SUPPORTED")
            return devices[handle][key]

        return answer

    made.amdsmi_init, made.amdsmi_shut_down = init, shut_down
    made.amdsmi_get_processor_handles = lambda: list(range(len(devices)))
    made.amdsmi_get_energy_count = asked("energy")
    made.amdsmi_get_power_info = asked("power")
    made.amdsmi_get_gpu_device_uuid = asked("uuid")
    made.amdsmi_get_gpu_asic_info = asked("asic")
    result: ModuleType = made
    return result
