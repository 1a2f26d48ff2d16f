"""Energy and power of AMD GPUs through AMD's management library (the package `amdsmi`).

The energy accumulator counts in steps of `counter_resolution`, which is 15.3 µJ on every card; some
releases state another one (ROCm/amdsmi, issue 38), and then the power decides which is right. Power
is a number or the text "N/A". Domains are named `gpu-amd-N`, since a machine may have cards of
NVIDIA too. The accumulator is known to freeze or to run backwards on some drivers, which the audit
checks. An MI250 shows the power of both of its dies at the even index and 0 at the odd one (ROCm's
own tools do the same): the card is then read once.
"""

import importlib
import importlib.util
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from harness.clock import NS_PER_S, now_ns
from harness.meters._sensing import UNKNOWN_GPU_GAIN, check_options, timed
from harness.plugins import Availability, Domain, Reader, Reading

_HEADROOM = 1.5
_POWER_MAX_W = 2000.0
_UPDATE_S = 0.1
_COUNTER_BITS = 64
_MICRO = 1e-6

_STEP_J = 15.3e-6
"""Step of the accumulator (ROCm's documentation of `amdsmi_get_energy_count`)."""

_STEP_ERROR = 0.01
_WATCH_S = 0.25
_RATIO_MAX = 3.0
"""Counter and power are of one device where neither shows so many times the other in that time."""


def library() -> Any:
    """The vendor's module, initialised.

    Raises:
        OSError: there is no driver or no device; the message says what was missing.
    """
    smi = importlib.import_module("amdsmi")
    try:
        smi.amdsmi_init()
    except Exception as error:
        raise OSError(f"amdsmi_init failed: {error}") from error
    return smi


def number(value: object) -> float | None:
    """A number; None for the text that is returned where there is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def joules(count: Mapping[str, Any]) -> tuple[float, float] | None:
    """Joules, and joules per step, from `amdsmi_get_energy_count`; None without both."""
    # Older releases call the accumulator `power`.
    ticks = number(count.get("energy_accumulator", count.get("power")))
    step_uj = number(count.get("counter_resolution"))
    if ticks is None or step_uj is None:
        return None
    return ticks * step_uj * _MICRO, step_uj * _MICRO


def watts(power: Mapping[str, Any]) -> float | None:
    """Socket power: the current value, else the average."""
    values = (number(power.get(f"{kind}_socket_power")) for kind in ("current", "average"))
    return next((value for value in values if value is not None), None)


@dataclass
class AmdDevice:
    """One GPU."""

    handle: Any
    index: int
    uuid: str
    limit_w: float | None
    step_j: float | None
    power_w: float | None
    """At the start; None where it has no power reading."""
    name: str = ""
    note: str = ""
    scale: float = 1.0
    """Corrects a step that the driver states wrongly."""

    def domains(self) -> list[Domain]:
        """The counter and the power reading, where the device has them."""
        domains, label = [], f"gpu-amd-{self.index}"
        common = Domain(
            name=label,
            kind="gpu",
            method="counter",
            meter="amdsmi",
            source=f"{self.name or 'AMD'} {self.uuid}, energy accumulator{self.note}",
            resolution_j=self.step_j,
            wrap_j=2.0**_COUNTER_BITS * self.step_j if self.step_j else None,
            update_period_s=_UPDATE_S,
            power_low_w=0.0,
            power_high_w=_HEADROOM * self.limit_w if self.limit_w else _POWER_MAX_W,
            gain_error_ratio=UNKNOWN_GPU_GAIN,
        )
        if self.step_j is not None:
            domains.append(common)
        if self.power_w is not None:
            power = replace(
                common,
                name=f"{label}-power",
                method="sampled",
                source=f"{self.name or 'AMD'} {self.uuid}, socket power{self.note}",
                parents=(label,),
                resolution_j=None,
                wrap_j=None,
                resolution_w=1.0,
                averaging_window_s=_UPDATE_S,
            )
            domains.append(power)
        return domains


def _query(smi: Any, call: str, handle: Any) -> Any:
    """An answer; empty where the device or the release cannot give one."""
    try:
        return getattr(smi, call)(handle)
    except (AttributeError, smi.AmdSmiException):
        return {}


def device(smi: Any, index: int, handle: Any) -> AmdDevice:
    """One device with what it does answer."""
    counted = joules(_query(smi, "amdsmi_get_energy_count", handle))
    power = _query(smi, "amdsmi_get_power_info", handle)
    limit = number(power.get("power_limit")) or None
    # The limit is in watts, in some releases in microwatts.
    if limit is not None and limit > 1e5:  # noqa: PLR2004 - no card uses 100 kW
        limit *= _MICRO
    return AmdDevice(
        handle=handle,
        index=index,
        uuid=str(_query(smi, "amdsmi_get_gpu_device_uuid", handle) or "unknown"),
        limit_w=limit,
        step_j=counted[1] if counted else None,
        power_w=watts(power),
        name=str(_query(smi, "amdsmi_get_gpu_asic_info", handle).get("market_name", "")),
    )


def visible(devices: Sequence[AmdDevice], wanted: str | None) -> list[AmdDevice]:
    """Devices in a list of positions or UUIDs with commas, as in ROCm's variables.

    None means all. An entry that matches no device ends the list, as in ROCm.
    """
    if wanted is None or wanted == "all":
        return list(devices)
    chosen: list[AmdDevice] = []
    for part in wanted.replace("+", ",").split(","):
        entry = part.strip().removeprefix("GPU-").lower()
        if entry.isdigit() and int(entry) < len(devices):
            matches = [devices[int(entry)]]
        else:
            uuids = [(device.uuid.lower().removeprefix("gpu-"), device) for device in devices]
            matches = [device for uuid, device in uuids if entry and uuid.startswith(entry)]
        if len(matches) != 1:
            break
        chosen += [device for device in matches if device not in chosen]
    return chosen


def _of_the_job(devices: Sequence[AmdDevice], option: str | None) -> list[AmdDevice]:
    """By the option, else by the environment: HIP's list counts the devices in ROCR's."""
    if option:
        return visible(devices, option)
    rocr = visible(devices, os.environ.get("ROCR_VISIBLE_DEVICES"))
    hip = os.environ.get("HIP_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES"))
    return visible(rocr, hip)


def whole_cards(devices: Sequence[AmdDevice], chosen: Sequence[AmdDevice]) -> list[AmdDevice]:
    """The chosen devices; a silent second die is replaced by the die that shows the whole card."""
    silent = {
        second.index
        for first, second in zip(devices[::2], devices[1::2], strict=False)
        if "MI250" in second.name and first.power_w and not second.power_w
    }
    cards: dict[int, AmdDevice] = {}
    for item in chosen:
        index = item.index - (item.index in silent)
        note = ", both dies of its card" if index + 1 in silent else ""
        cards.setdefault(index, replace(devices[index], note=note))
    return list(cards.values())


def check_steps(smi: Any, devices: Sequence[AmdDevice]) -> list[AmdDevice]:
    """The devices with a step that their power confirms; without one, they have no counter."""
    doubtful = [
        item for item in devices if item.step_j and abs(item.step_j / _STEP_J - 1) > _STEP_ERROR
    ]
    if not doubtful:
        return list(devices)
    before = [(now_ns(), _joules_of(smi, item)) for item in doubtful]
    time.sleep(_WATCH_S)
    checked = list(devices)
    for item, (begin_ns, first_j) in zip(doubtful, before, strict=True):
        gained_j, passed_s = _joules_of(smi, item) - first_j, (now_ns() - begin_ns) / NS_PER_S
        shown_w = watts(_query(smi, "amdsmi_get_power_info", item.handle)) or 0.0
        checked[devices.index(item)] = _corrected(item, gained_j / passed_s, shown_w)
    return checked


def _joules_of(smi: Any, item: AmdDevice) -> float:
    counted = joules(_query(smi, "amdsmi_get_energy_count", item.handle))
    return counted[0] if counted else 0.0


def _corrected(item: AmdDevice, counted_w: float, shown_w: float) -> AmdDevice:
    scale = _STEP_J / (item.step_j or _STEP_J)
    stated = f"the driver states a step of {(item.step_j or 0.0) / _MICRO:g} µJ"
    if counted_w > 0 and 1 / _RATIO_MAX < shown_w / counted_w < _RATIO_MAX:
        return item
    if counted_w > 0 and 1 / _RATIO_MAX < shown_w / (scale * counted_w) < _RATIO_MAX:
        note = f"{item.note}, {stated}, and the power shows that it is {_STEP_J / _MICRO:g} µJ"
        return replace(item, note=note, scale=scale, step_j=_STEP_J)
    note = (
        f"{item.note}, its energy counter is not read: {stated}, which its power does not confirm"
    )
    return replace(item, note=note, step_j=None)


class AmdReader(Reader):
    """The devices that answer."""

    def __init__(self, smi: Any, devices: Sequence[AmdDevice]) -> None:
        self._smi = smi
        self.errors: dict[str, str] = {}
        self._domains = [(device, domain) for device in devices for domain in device.domains()]
        self.domains = tuple(domain for _, domain in self._domains)

    def read(self) -> Sequence[Reading]:
        """Read every domain."""
        self.errors = {}
        readings = []
        for device, domain in self._domains:
            counts = domain.method == "counter"
            call = "amdsmi_get_energy_count" if counts else "amdsmi_get_power_info"
            try:
                answer, t_ns, u_ns = timed(partial(getattr(self._smi, call), device.handle))
            except self._smi.AmdSmiException as error:
                self.errors[domain.name] = str(error)
                continue
            counted, power_w = joules(answer), watts(answer)
            if counts and counted is not None:
                energy_j = counted[0] * device.scale
                readings.append(Reading(t_ns, domain.name, energy_j, None, u_ns))
            elif not counts and power_w is not None:
                readings.append(Reading(t_ns, domain.name, None, power_w, u_ns))
            else:
                self.errors[domain.name] = f"{call} gave no number"
        return readings

    def close(self) -> Mapping[str, float]:
        """Close the driver."""
        self._smi.amdsmi_shut_down()
        return {}


class AmdMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("gpu",)

    def probe(self) -> Availability:
        """Load the library and count devices."""
        if importlib.util.find_spec("amdsmi") is None:
            reason = "the package amdsmi is not installed"
            return Availability(ok=False, reason=reason, advice="pip install amdsmi (with ROCm)")
        try:
            smi = library()
        except (OSError, ImportError, KeyError, AttributeError) as error:
            reason = f"AMD's library did not start: {error}"
            advice = "install the amdgpu driver, and pass /dev/kfd and /dev/dri into the container"
            return Availability(ok=False, reason=reason, advice=advice)
        count = len(smi.amdsmi_get_processor_handles())
        smi.amdsmi_shut_down()
        if not count:
            return Availability(ok=False, reason="AMD's library shows no GPU")
        return Availability(ok=True, reason=f"{count} AMD GPUs")

    def open(self, options: Mapping[str, str]) -> AmdReader:
        """Open visible devices; option `devices`: `all`, or positions and UUIDs joined by `+`.

        Raises:
            OSError: there is no driver, or the job sees no GPU.
        """
        check_options("amdsmi", options, ("devices",))
        smi = library()
        handles = smi.amdsmi_get_processor_handles()
        devices = [device(smi, index, handle) for index, handle in enumerate(handles)]
        chosen = whole_cards(devices, _of_the_job(devices, options.get("devices")))
        if not chosen:
            raise OSError("no GPU is visible to this job; look at ROCR_VISIBLE_DEVICES")
        reader = AmdReader(smi, check_steps(smi, chosen))
        if not reader.domains:
            raise OSError("no GPU of this job gives power, or energy in steps that are known")
        return reader


METER = AmdMeter()
