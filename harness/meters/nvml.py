"""Energy and power of NVIDIA GPUs through the driver's management library (nvidia-ml-py).

The energy counter, the instant and the average power are separate domains: the counter is primary,
the others check it. Each field has a return code of its own. On a superchip the module scope covers
processor and memory too and is a domain of its own.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from harness.clock import now_ns
from harness.meters._nvml_fields import Batch
from harness.meters._sensing import UNKNOWN_GPU_GAIN, check_options, midpoint
from harness.plugins import Availability, Decoded, Domain, Reader, Reading

_ENERGY, _AVERAGE, _INSTANT = 83, 185, 186
_SCOPE_GPU, _SCOPE_MODULE, _SCOPE_MEMORY = 0, 1, 2

_GAIN = {
    **dict.fromkeys(("A100", "3070", "3090", "4090"), 0.10),
    **dict.fromkeys(("2080", "A5000"), 0.11),
    **dict.fromkeys(("P100", "1080"), 0.06),
    "K80": 0.13,
    "2060": 0.15,
    "K620": 0.45,
}
"""Gain class of cards that were compared with an external meter: the deviation that was found
(GPU_Power_Benchmark beside arXiv 2312.02741), and 4 points by which two cards of one model differ.
"""

_UPDATE_S = 0.1
"""Usual time between two updates; the trace shows where a card updates more or less often."""

_WINDOW_RATIO_MIN = 0.17
"""Least part of its update period that any published card averages over (A100: 17.6 of 101 ms)."""

_AVERAGE_S = 1.0
"""The average power is over one second (NVML manual)."""

_HEADROOM = 1.5
"""Short peaks exceed the power limit."""

_GUEST_OF_VGPU = 2
"""`NVML_GPU_VIRTUALIZATION_MODE_VGPU`: a share of a card, without power of its own."""

_SHORT_WINDOW = frozenset({"A100", "A30", "A800", "H100", "H200", "H800", "H20", "GH200"})
"""Cards whose instant sensor averages over 25 ms of each 100 ms (arXiv 2312.02741)."""

_COUNTS_MODULE = frozenset({"GH200"})
"""Superchips whose energy counter is of the whole module (ml-energy/zeus, pull request 172)."""


def gain_ratio(model: str) -> float:
    """Gain class of a card by the name of its model."""
    words = re.split(r"[\s-]+", model)
    return max((_GAIN[word] for word in words if word in _GAIN), default=UNKNOWN_GPU_GAIN)


@dataclass(frozen=True)
class NvmlField:
    """One field that a device answers."""

    domain: str
    field_id: int
    scope: int

    @property
    def is_energy(self) -> bool:
        """Whether it is the counter."""
        return self.field_id == _ENERGY


@dataclass
class NvmlDevice:
    """One GPU."""

    nvml: Any
    handle: Any
    index: int
    name: str
    uuid: str
    limit_w: float | None
    mig: bool
    fields: list[NvmlField] = field(default_factory=list)
    """What it answers; an old device only the plain power reading, field 0."""
    batch: Batch | None = None

    @property
    def label(self) -> str:
        """Domain name of the counter, as `gpu-0`."""
        return f"gpu-{self.index}"

    @property
    def words(self) -> set[str]:
        """The parts of its model name."""
        return set(self.name.replace("-", " ").split())

    def fetch(self) -> Any:
        """Query all of its fields at once; of an old device its power alone.

        Raises:
            NVMLError: the device as a whole did not answer.
        """
        if self.batch is None:
            return self.nvml.nvmlDeviceGetPowerUsage(self.handle)
        return self.batch.fetch()

    def values(self, fetched: Any) -> list[tuple[int, int]]:
        """Return code and value, in mJ or mW, of each field in an answer of `fetch`."""
        return [(0, int(fetched))] if self.batch is None else self.batch.values(fetched)


def library() -> Any:
    """The vendor's module, initialised.

    Raises:
        OSError: there is no driver; the message says what was missing.
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise OSError(str(error)) from error
    return pynvml


def visible(nvml: Any, wanted: str | None) -> list[int]:
    """Indices of the devices that a job sees.

    Args:
        nvml: the initialised library.
        wanted: as in CUDA_VISIBLE_DEVICES: indices or prefixes of UUIDs with commas; MIG
            instances count as their whole card; None for all. An entry that matches no device
            ends the list, as in CUDA.
    """
    count = nvml.nvmlDeviceGetCount()
    if wanted is None or wanted == "all":
        return list(range(count))
    uuids = {index: _uuid(nvml, nvml.nvmlDeviceGetHandleByIndex(index)) for index in range(count)}
    chosen: list[int] = []
    for part in wanted.replace("+", ",").split(","):
        entry = part.strip()
        index = _index_of(entry, uuids)
        if index is None:
            break
        if index not in chosen:
            chosen.append(index)
    return chosen


def _index_of(entry: str, uuids: Mapping[int, str]) -> int | None:
    if entry.isdigit():
        return int(entry) if int(entry) in uuids else None
    # MIG-GPU-<uuid>/<gpu instance>/<compute instance>, the older form, names its card.
    stem = entry.removeprefix("MIG-").partition("/")[0]
    matches = [index for index, uuid in uuids.items() if stem and uuid.startswith(stem)]
    return matches[0] if len(matches) == 1 else None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _uuid(nvml: Any, handle: Any) -> str:
    return _text(_query(nvml, lambda: nvml.nvmlDeviceGetUUID(handle), ""))


def _query(nvml: Any, call: Callable[[], Any], default: Any) -> Any:
    """An answer, or a default where the device or the driver cannot give one."""
    try:
        return call()
    except nvml.NVMLError:
        return default


def device(nvml: Any, index: int) -> NvmlDevice:
    """One device with the fields that it does answer."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    limits = _query(nvml, lambda: nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle), None)
    mode = _query(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle), (0, 0))
    name = _text(_query(nvml, lambda: nvml.nvmlDeviceGetName(handle), "unknown GPU"))
    limit_w = limits[1] / 1000 if limits else None
    made = NvmlDevice(nvml, handle, index, name, _uuid(nvml, handle), limit_w, bool(mode[0]))
    candidates = _candidates(made)
    batch = Batch(nvml, handle, [(item.field_id, item.scope) for item in candidates])
    answers = _query(nvml, lambda: batch.values(batch.fetch()), [(1, 0)] * len(candidates))
    made.fields = [item for item, (code, _) in zip(candidates, answers, strict=True) if not code]
    if made.fields:
        made.batch = Batch(nvml, handle, [(item.field_id, item.scope) for item in made.fields])
    elif _query(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle), None) is not None:
        made.fields = [NvmlField(f"{made.label}-power", 0, _SCOPE_GPU)]
    return made


def _candidates(made: NvmlDevice) -> tuple[NvmlField, ...]:
    label = made.label
    counter = NvmlField(label, _ENERGY, _SCOPE_GPU)
    module = NvmlField(f"{label}-module", _INSTANT, _SCOPE_MODULE)
    if made.words & _COUNTS_MODULE:
        counter = NvmlField(f"{label}-module", _ENERGY, _SCOPE_GPU)
        module = NvmlField(f"{label}-module-instant", _INSTANT, _SCOPE_MODULE)
    return (
        counter,
        NvmlField(f"{label}-instant", _INSTANT, _SCOPE_GPU),
        NvmlField(f"{label}-average", _AVERAGE, _SCOPE_GPU),
        module,
        NvmlField(f"{label}-memory", _INSTANT, _SCOPE_MEMORY),
    )


class NvmlReader(Reader):
    """The devices and the fields that each of them answers."""

    def __init__(self, nvml: Any, devices: Sequence[NvmlDevice]) -> None:
        self._nvml = nvml
        self._devices = devices
        driver = _text(_query(nvml, nvml.nvmlSystemGetDriverVersion, "unknown"))
        self.domains = tuple(
            _domain(made, item, driver) for made in devices for item in made.fields
        )

    def read(self) -> Sequence[Reading]:
        """One call per device for all of its fields."""
        readings, self.errors = self.decode(self.poll())
        return readings

    def poll(self) -> list[tuple[int, Any, int]]:
        """Start, answer or error, and end of each device's call."""
        polls = []
        for made in self._devices:
            begin_ns = now_ns()
            try:
                fetched = made.fetch()
            except self._nvml.NVMLError as error:
                fetched = str(error)
            polls.append((begin_ns, fetched, now_ns()))
        return polls

    def decode(self, answer: Sequence[tuple[int, Any, int]]) -> Decoded:
        """Readings in what `poll` returned, and errors by domain."""
        readings: list[Reading] = []
        errors: dict[str, str] = {}
        for made, (begin_ns, fetched, end_ns) in zip(self._devices, answer, strict=True):
            if isinstance(fetched, str):
                errors |= {item.domain: fetched for item in made.fields}
                continue
            t_ns, u_ns = midpoint(begin_ns, end_ns)
            for item, (code, value) in zip(made.fields, made.values(fetched), strict=True):
                if code:
                    errors[item.domain] = str(self._nvml.NVMLError(code))
                elif item.is_energy:
                    readings.append(Reading(t_ns, item.domain, value / 1000, None, u_ns))
                else:
                    readings.append(Reading(t_ns, item.domain, None, value / 1000, u_ns))
        return readings, errors

    def vitals(self) -> dict[str, float]:
        """Clocks, throttle reasons, limits, temperature and processes of each device."""
        return {
            f"{made.label}-{name}": float(value)
            for made in self._devices
            for name, value in _vitals(self._nvml, made.handle).items()
            if value is not None
        }

    def close(self) -> Mapping[str, float]:
        """Close the driver."""
        _query(self._nvml, self._nvml.nvmlShutdown, None)
        return {}


def _domain(made: NvmlDevice, item: NvmlField, driver: str) -> Domain:
    counts, window_s = item.is_energy, _window_s(made, item)
    source = f"{made.name} {made.uuid}, driver {driver}, {_source(item)}"
    if made.mig:
        source += ", MIG on: figures are of the whole card"
    return Domain(
        name=item.domain,
        kind="gpu",
        method="counter" if counts else "sampled",
        meter="nvml",
        source=source,
        parents=_parents(made, item.domain.removeprefix(made.label)),
        resolution_j=0.001 if counts else None,
        resolution_w=None if counts else 0.001,
        update_period_s=_UPDATE_S,
        averaging_window_s=None if counts else window_s,
        averaging_window_low_s=(
            None if counts or window_s == _AVERAGE_S else _WINDOW_RATIO_MIN * _UPDATE_S
        ),
        power_low_w=0.0,
        power_high_w=_HEADROOM * made.limit_w if made.limit_w else None,
        gain_error_ratio=gain_ratio(made.name),
    )


def _source(item: NvmlField) -> str:
    scope = ("GPU", "module", "memory")[item.scope]
    what = {
        _ENERGY: "energy counter",
        _AVERAGE: "average power",
        _INSTANT: "instant power",
    }.get(item.field_id, "nvmlDeviceGetPowerUsage")
    if item.is_energy and item.domain.endswith("-module"):
        return f"{what}, which is of the whole module on this card"
    window = "" if item.is_energy else ", averaging window as published, not measured"
    return f"{what}, scope {scope}{window}"


def _parents(made: NvmlDevice, suffix: str) -> tuple[str, ...]:
    """The domains that contain one: the counter covers all of its card, the module everything."""
    module = f"{made.label}-module"
    if suffix == "-module":
        return ()
    if suffix == "-module-instant":
        return (module,)
    names = {item.domain for item in made.fields}
    above = tuple(name for name in (module, f"{module}-instant") if name in names)
    if suffix == "":
        return above
    chain = ("", "-instant") if suffix in ("-average", "-memory") else ("",)
    return (*(f"{made.label}{part}" for part in chain), *above)


def _window_s(made: NvmlDevice, item: NvmlField) -> float:
    """Averaging window as published for this kind of card, which is not measured here.

    The table has exceptions (an RTX 8000 averages over 20 of 100 ms), so the source names it.
    """
    if item.field_id == _AVERAGE:
        return _AVERAGE_S
    return 0.025 if made.words & _SHORT_WINDOW else _UPDATE_S


def _vitals(nvml: Any, handle: Any) -> dict[str, float | None]:
    def scaled(call: Callable[[], Any], factor: float = 1.0) -> float | None:
        value = _query(nvml, call, None)
        return None if value is None else value * factor

    def processes() -> int:
        drawing = nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)
        computing = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return len({item.pid for item in (*computing, *drawing)})

    return {
        "clock-sm-hz": scaled(partial(nvml.nvmlDeviceGetClockInfo, handle, 1), 1e6),
        "clock-memory-hz": scaled(partial(nvml.nvmlDeviceGetClockInfo, handle, 2), 1e6),
        "throttle-reasons": scaled(partial(nvml.nvmlDeviceGetCurrentClocksEventReasons, handle)),
        "power-limit-w": scaled(partial(nvml.nvmlDeviceGetEnforcedPowerLimit, handle), 1e-3),
        "temperature-c": scaled(partial(nvml.nvmlDeviceGetTemperature, handle, 0)),
        "processes-count": scaled(processes),
    }


class NvmlMeter:
    """The plug-in."""

    origin = "hardware"
    kinds = ("gpu",)

    def probe(self) -> Availability:
        """Load the library and count devices."""
        try:
            nvml = library()
        except ImportError:
            return Availability(
                ok=False, reason="pynvml is not installed", advice="pip install nvidia-ml-py"
            )
        except OSError as error:
            reason = f"the driver's library did not start: {error}"
            advice = "install the NVIDIA driver, and pass the GPU into the container if this is one"
            return Availability(ok=False, reason=reason, advice=advice)
        wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
        indices = _query(nvml, lambda: visible(nvml, wanted), [])
        devices = _query(nvml, lambda: [device(nvml, index) for index in indices], [])
        silent = _silence(nvml, devices)
        _query(nvml, nvml.nvmlShutdown, None)
        if not devices:
            reason = "the driver shows no GPU to this job"
            return Availability(ok=False, reason=reason, advice="look at CUDA_VISIBLE_DEVICES")
        names = ", ".join(f"{made.name}{', MIG on' * made.mig}" for made in devices if made.fields)
        reason = "; ".join(filter(None, (names, silent)))
        return Availability(ok=bool(names), reason=reason)

    def open(self, options: Mapping[str, str]) -> NvmlReader:
        """Open visible devices; option `devices`: `all`, or indices and UUIDs joined by `+`."""
        check_options("nvml", options, ("devices",))
        nvml = library()
        wanted = options.get("devices") or os.environ.get("CUDA_VISIBLE_DEVICES")
        indices = visible(nvml, wanted)
        if not indices:
            raise OSError("no GPU is visible to this job; look at CUDA_VISIBLE_DEVICES")
        devices = [device(nvml, index) for index in indices]
        if not any(made.fields for made in devices):
            raise OSError(_silence(nvml, devices))
        return NvmlReader(nvml, [made for made in devices if made.fields])


def _silence(nvml: Any, devices: Sequence[NvmlDevice]) -> str:
    """The devices that give neither energy nor power, with the reason; empty where all do."""
    silent = [made for made in devices if not made.fields]
    if not silent:
        return ""
    text = f"the driver gives no power of {', '.join(made.name for made in silent)}"
    modes = [
        _query(nvml, partial(nvml.nvmlDeviceGetVirtualizationMode, made.handle), 0)
        for made in silent
    ]
    if _GUEST_OF_VGPU in modes:
        return f"{text}: it is a vGPU, a share of a card whose power only the host knows"
    return f"{text}; on a Jetson board the meter hwmon reads the board's rails"


METER = NvmlMeter()
