"""Joules and watts of AMD GPUs through AMD's management library (the package `amdsmi`).

The energy accumulator counts in steps of `counter_resolution` (15.3 µJ); power comes as a number
or as the text "N/A". The accumulator is known to freeze or to run backwards on some drivers,
which the audit looks for. An MI250 shows the power of both of its dies on the even index and 0 on
the odd one (ROCm's own tools do the same): the card is then read once.
"""

import importlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.clock import now_ns
from harness.meters._sensing import check_options
from harness.plugins import Availability, Domain, Reader, Reading

_GAIN = 0.1
"""No published study against a meter is known to us: a cautious class."""

_HEADROOM = 1.5
_MOST_W = 2000.0
_UPDATE_S = 0.1
_COUNTER_BITS = 64
_MICRO = 1e-6


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
    """A number, or None for the text that stands where there is none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def joules(count: Mapping[str, Any]) -> tuple[float, float] | None:
    """Joules and joules a step, from what `amdsmi_get_energy_count` gives; None without both."""
    # Older releases call the accumulator `power`.
    ticks = number(count.get("energy_accumulator", count.get("power")))
    step_uj = number(count.get("counter_resolution"))
    if ticks is None or step_uj is None:
        return None
    return ticks * step_uj * _MICRO, step_uj * _MICRO


def watts(power: Mapping[str, Any]) -> float | None:
    """Socket power, current or else average."""
    for key in ("current_socket_power", "average_socket_power"):
        found = number(power.get(key))
        if found is not None:
            return found
    return None


@dataclass
class Device:
    """One GPU."""

    smi: Any
    handle: Any
    index: int
    uuid: str
    limit_w: float | None
    step_j: float | None
    has_power: bool
    power_w: float | None = None
    """At the start."""
    name: str = ""
    note: str = ""

    @property
    def label(self) -> str:
        """Domain of the counter."""
        return f"gpu-{self.index}"

    def domains(self) -> list[Domain]:
        """The counter, and the power beside it, as far as the device has them."""
        made = []
        if self.step_j is not None:
            made.append(self._spec(self.label, counts=True))
        if self.has_power:
            made.append(self._spec(f"{self.label}-power", counts=False))
        return made

    def _spec(self, name: str, *, counts: bool) -> Domain:
        return Domain(
            name=name,
            kind="gpu",
            method="counter" if counts else "sampled",
            meter="amdsmi",
            source=f"{self.name or 'AMD'} {self.uuid}, "
            f"{'energy accumulator' if counts else 'socket power'}{self.note}",
            parents=() if counts else (self.label,),
            wrap_j=2.0**_COUNTER_BITS * self.step_j if counts and self.step_j else None,
            resolution_j=self.step_j if counts else None,
            resolution_w=None if counts else 1.0,
            update_period_s=_UPDATE_S,
            averaging_window_s=None if counts else _UPDATE_S,
            power_low_w=0.0,
            power_high_w=_HEADROOM * self.limit_w if self.limit_w else _MOST_W,
            gain_error_ratio=_GAIN,
        )


def _asked(smi: Any, call: str, handle: Any) -> Any:
    """An answer, or None where the device or the release cannot give one."""
    try:
        return getattr(smi, call)(handle)
    except (AttributeError, smi.AmdSmiException):
        return None


def device(smi: Any, index: int, handle: Any) -> Device:
    """One device with what it truly answers."""
    counted = joules(_asked(smi, "amdsmi_get_energy_count", handle) or {})
    power = _asked(smi, "amdsmi_get_power_info", handle) or {}
    return Device(
        smi=smi,
        handle=handle,
        index=index,
        uuid=str(_asked(smi, "amdsmi_get_gpu_device_uuid", handle) or "unknown"),
        limit_w=_limit_w(power),
        step_j=counted[1] if counted else None,
        has_power=watts(power) is not None,
        power_w=watts(power),
        name=str((_asked(smi, "amdsmi_get_gpu_asic_info", handle) or {}).get("market_name", "")),
    )


def visible(devices: Sequence[Device], wanted: str | None) -> list[Device]:
    """Devices that a list names: positions or UUIDs with commas, as ROCm's variables have them.

    None stands for all. An entry that fits no device ends the list, as ROCm does it.
    """
    if wanted is None or wanted == "all":
        return list(devices)
    chosen: list[Device] = []
    for part in wanted.replace("+", ",").split(","):
        entry = part.strip().removeprefix("GPU-").lower()
        if entry.isdigit() and int(entry) < len(devices):
            found = [devices[int(entry)]]
        else:
            found = [device for device in devices if entry and _bare(device.uuid).startswith(entry)]
        if len(found) != 1:
            break
        chosen += [item for item in found if item not in chosen]
    return chosen


def _bare(uuid: str) -> str:
    return uuid.lower().removeprefix("gpu-")


def _of_the_job(devices: Sequence[Device], option: str | None) -> list[Device]:
    """By the option, else by the environment: HIP's list counts what ROCR's has left."""
    if option:
        return visible(devices, option)
    seen = visible(devices, os.environ.get("ROCR_VISIBLE_DEVICES"))
    hip = os.environ.get("HIP_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES"))
    return visible(seen, hip)


def whole_cards(devices: Sequence[Device], chosen: Sequence[Device]) -> list[Device]:
    """The chosen devices, a silent second die replaced by the die that shows the whole card."""
    silent = {
        second.index
        for first, second in zip(devices[::2], devices[1::2], strict=False)
        if "MI250" in second.name and first.power_w and not second.power_w
    }
    cards: dict[int, Device] = {}
    for item in chosen:
        index = item.index - (item.index in silent)
        note = ", both dies of its card" if index + 1 in silent else ""
        cards.setdefault(index, replace(devices[index], note=note))
    return list(cards.values())


def _limit_w(power: Mapping[str, Any]) -> float | None:
    """The limit is in watts, in some releases in microwatts."""
    limit = number(power.get("power_limit"))
    if not limit:
        return None
    return limit * _MICRO if limit > 1e5 else limit  # noqa: PLR2004 - no card takes 100 kW


class AmdReader(Reader):
    """The devices that answer."""

    def __init__(self, smi: Any, devices: Sequence[Device]) -> None:
        self._smi = smi
        self._devices = devices
        self.errors: dict[str, str] = {}
        self.domains: Sequence[Domain] = tuple(
            spec for device in devices for spec in device.domains()
        )

    def read(self) -> Sequence[Reading]:
        """Look at every device; what fails is told in `errors`."""
        self.errors = {}
        return [reading for device in self._devices for reading in self._of_device(device)]

    def _of_device(self, made: Device) -> list[Reading]:
        readings = []
        for spec in made.domains():
            counts = spec.method == "counter"
            call = "amdsmi_get_energy_count" if counts else "amdsmi_get_power_info"
            begin_ns = now_ns()
            try:
                answer = getattr(self._smi, call)(made.handle)
            except self._smi.AmdSmiException as error:
                self.errors[spec.name] = str(error)
                continue
            end_ns = now_ns()
            counted, power_w = joules(answer), watts(answer)
            if (counted if counts else power_w) is None:
                self.errors[spec.name] = f"{call} gave no number"
                continue
            energy_j = counted[0] if counts and counted else None
            t_ns, u_ns = (begin_ns + end_ns) // 2, (end_ns - begin_ns + 1) // 2
            readings.append(Reading(t_ns, spec.name, energy_j, None if counts else power_w, u_ns))
        return readings

    def close(self) -> Mapping[str, float]:
        """Let the driver go."""
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
        devices = [device(smi, index, item) for index, item in enumerate(handles)]
        chosen = whole_cards(devices, _of_the_job(devices, options.get("devices")))
        if not chosen:
            raise OSError("no GPU is visible to this job; look at ROCR_VISIBLE_DEVICES")
        return AmdReader(smi, chosen)


METER = AmdMeter()
