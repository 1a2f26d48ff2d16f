"""Joules and watts of NVIDIA GPUs through the driver's management library (nvidia-ml-py).

The energy counter, the instant and the average power are separate domains: the counter is
primary, the others check it. Each field has a return code of its own. On a superchip the module
scope covers processor and memory too and is a domain of its own.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from harness.clock import now_ns
from harness.meters._nvml_fields import Batch
from harness.meters._sensing import check_options, update_periods_s
from harness.plugins import Availability, Domain, Reader, Reading

_ENERGY, _AVERAGE, _INSTANT = 83, 185, 186
_SCOPE_GPU, _SCOPE_MODULE, _SCOPE_MEMORY = 0, 1, 2
_GPU_IS_LOST = 15

_GAIN = 0.06
"""Largest common deviation of data-centre cards against an external meter is 5 to 6 %."""

_UPDATE_S = 0.1
"""Where an idle sensor does not move; most cards update ten times a second."""

_LEAST_WINDOW = 0.17
"""Least part of its update period that any published card looks at (A100: 17.6 of 101 ms)."""

_AVERAGE_S = 1.0
"""The average power is over one second (NVML manual)."""

_HEADROOM = 1.5
"""Short peaks go beyond the power limit."""

_WATCH_S = 0.6
"""How long the sensors are watched for their update period at the start."""

_CHANGES = 3
"""So many changes of a value in that time, and one more, tell its update period."""

_SHORT_WINDOW = frozenset({"A100", "A30", "A800", "H100", "H200", "H800", "H20", "GH200"})
"""Cards whose instant sensor looks at 25 ms in each 100 ms (arXiv 2312.02741)."""


_COUNTS_MODULE = frozenset({"GH200"})
"""Superchips whose energy counter is of the whole module (ml-energy/zeus, pull request 172)."""


@dataclass(frozen=True)
class Field:
    """One field value that a device answers."""

    domain: str
    field_id: int
    scope: int

    @property
    def is_energy(self) -> bool:
        """Whether it is the counter."""
        return self.field_id == _ENERGY


@dataclass
class Device:
    """One GPU."""

    nvml: Any
    handle: Any
    index: int
    name: str
    uuid: str
    limit_w: float | None
    mig: bool
    fields: list[Field] = field(default_factory=list)
    batch: Batch | None = None

    @property
    def label(self) -> str:
        """Domain name of the counter, as `gpu-0`."""
        return f"gpu-{self.index}"

    def raw(self, wanted: Field) -> int | None:
        """The field's value in mJ or mW; None where this device does not have it."""
        batch = Batch(self.nvml, self.handle, [(wanted.field_id, wanted.scope)])
        code, value = batch.values(batch.fetch())[0]
        return None if code else value

    def fetcher(self) -> Callable[[], Any]:
        """The call for all of its fields at once; of an old device for its power alone.

        It raises NVMLError where the device as a whole did not answer.
        """
        if not self.fields:
            return partial(self.nvml.nvmlDeviceGetPowerUsage, self.handle)
        self.batch = Batch(self.nvml, self.handle, [(e.field_id, e.scope) for e in self.fields])
        return self.batch.fetch

    def values(self, fetched: Any) -> list[tuple[int, int]]:
        """Return code and value, in mJ or mW, of each field of what was fetched."""
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
        wanted: as in CUDA_VISIBLE_DEVICES: indices or beginnings of UUIDs with commas; MIG
            instances count as their whole card; None for all. An entry that fits no device ends
            the list, as CUDA does it.
    """
    count = nvml.nvmlDeviceGetCount()
    if wanted is None or wanted == "all":
        return list(range(count))
    uuids = {index: _uuid(nvml, nvml.nvmlDeviceGetHandleByIndex(index)) for index in range(count)}
    chosen: list[int] = []
    for part in wanted.replace("+", ",").split(","):
        entry = part.strip()
        found = _index_of(entry, uuids)
        if found is None:
            break
        if found not in chosen:
            chosen.append(found)
    return chosen


def _index_of(entry: str, uuids: Mapping[int, str]) -> int | None:
    if entry.isdigit():
        return int(entry) if int(entry) in uuids else None
    # MIG-GPU-<uuid>/<gpu instance>/<compute instance>, the older form, names its card.
    stem = entry.removeprefix("MIG-").partition("/")[0]
    fits = [index for index, uuid in uuids.items() if stem and uuid.startswith(stem)]
    return fits[0] if len(fits) == 1 else None


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _uuid(nvml: Any, handle: Any) -> str:
    return _text(_asked(nvml, lambda: nvml.nvmlDeviceGetUUID(handle), ""))


def _asked(nvml: Any, ask: Callable[[], Any], otherwise: Any) -> Any:
    """An answer, or the stand-in where the device or the driver cannot give one."""
    try:
        return ask()
    except nvml.NVMLError:
        return otherwise


def device(nvml: Any, index: int) -> Device:
    """One device with the fields that it truly answers."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    limits = _asked(nvml, lambda: nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle), None)
    mode = _asked(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle), (0, 0))
    name = _text(_asked(nvml, lambda: nvml.nvmlDeviceGetName(handle), "unknown GPU"))
    uuid = _uuid(nvml, handle)
    limit_w = limits[1] / 1000 if limits else None
    made = Device(nvml, handle, index, name, uuid, limit_w, bool(mode[0]))
    made.fields = [candidate for candidate in _candidates(made) if _answers(made, candidate)]
    return made


def _candidates(made: Device) -> tuple[Field, ...]:
    label = made.label
    counter = Field(label, _ENERGY, _SCOPE_GPU)
    module = Field(f"{label}-module", _INSTANT, _SCOPE_MODULE)
    if _words(made) & _COUNTS_MODULE:
        counter = Field(f"{label}-module", _ENERGY, _SCOPE_GPU)
        module = Field(f"{label}-module-instant", _INSTANT, _SCOPE_MODULE)
    return (
        counter,
        Field(f"{label}-instant", _INSTANT, _SCOPE_GPU),
        Field(f"{label}-average", _AVERAGE, _SCOPE_GPU),
        module,
        Field(f"{label}-memory", _INSTANT, _SCOPE_MEMORY),
    )


def _words(made: Device) -> set[str]:
    return set(made.name.replace("-", " ").split())


def _answers(made: Device, wanted: Field) -> bool:
    return bool(_asked(made.nvml, lambda: made.raw(wanted) is not None, otherwise=False))


class NvmlReader(Reader):
    """The devices and what each of them answers."""

    def __init__(self, nvml: Any, devices: Sequence[Device]) -> None:
        self._nvml = nvml
        self._devices = devices
        self._fetchers = [made.fetcher() for made in devices]
        self.errors: dict[str, str] = {}
        self._names = {
            made.index: [(item.domain, item.is_energy) for item in _all(made)] for made in devices
        }
        driver = _text(_asked(nvml, nvml.nvmlSystemGetDriverVersion, "unknown"))
        periods = self._periods()
        self.domains: Sequence[Domain] = tuple(
            self._spec(made, item, periods, driver) for made in devices for item in _all(made)
        )

    def _periods(self) -> dict[str, float | None]:
        """Update periods of the first device's sensors, watched all at once."""
        first = self._devices[0]
        names = [item.domain.removeprefix(first.label) for item in _all(first)]
        silent = [None] * len(names)
        look = partial(_asked, self._nvml, partial(_look, first, self._fetchers[0]), silent)
        periods = update_periods_s(look, len(names), _WATCH_S, 0.002, _CHANGES)
        return dict(zip(names, periods, strict=True))

    def _spec(
        self, made: Device, wanted: Field, periods: Mapping[str, float | None], driver: str
    ) -> Domain:
        suffix = wanted.domain.removeprefix(made.label)
        sees = f"{made.name} {made.uuid}, driver {driver}, {_source(wanted)}"
        period_s = periods.get(suffix) or _UPDATE_S
        if not periods.get(suffix):
            sees += ", update period assumed: it did not move"
        method: Literal["counter", "sampled"] = "counter" if wanted.is_energy else "sampled"
        return Domain(
            name=wanted.domain,
            kind="gpu",
            method=method,
            meter="nvml",
            source=sees + (", MIG on: figures are of the whole card" if made.mig else ""),
            parents=_parents(made, suffix),
            resolution_j=0.001 if wanted.is_energy else None,
            resolution_w=None if wanted.is_energy else 0.001,
            update_period_s=period_s,
            averaging_window_s=None if wanted.is_energy else _window_s(made, wanted),
            averaging_window_low_s=None if wanted.is_energy else _LEAST_WINDOW * period_s,
            power_low_w=0.0,
            power_high_w=_HEADROOM * made.limit_w if made.limit_w else None,
            gain_error_ratio=_GAIN,
        )

    def read(self) -> Sequence[Reading]:
        """One call a device for all of its fields; a field that fails is told in `errors`."""
        readings, self.errors = self.decode(self.poll())
        return readings

    def poll(self) -> list[tuple[int, Any, int]]:
        """Start, answer or error, and end of each device's call."""
        seen = []
        for fetch in self._fetchers:
            begin_ns = now_ns()
            try:
                fetched = fetch()
            except self._nvml.NVMLError as error:
                fetched = str(error)
            seen.append((begin_ns, fetched, now_ns()))
        return seen

    def decode(self, seen: Sequence[tuple[int, Any, int]]) -> tuple[list[Reading], dict[str, str]]:
        """Readings in an answer of `poll`, and what is wrong with the domains that gave none."""
        readings: list[Reading] = []
        errors: dict[str, str] = {}
        for made, (begin_ns, fetched, end_ns) in zip(self._devices, seen, strict=True):
            names = self._names[made.index]
            if isinstance(fetched, str):
                errors |= {name: fetched for name, _ in names}
                continue
            t_ns, u_ns = (begin_ns + end_ns) // 2, (end_ns - begin_ns + 1) // 2
            for (name, counts), (code, value) in zip(names, made.values(fetched), strict=True):
                if code:
                    errors[name] = _said(self._nvml, code)
                elif counts:
                    readings.append(Reading(t_ns, name, value / 1000, None, u_ns))
                else:
                    readings.append(Reading(t_ns, name, None, value / 1000, u_ns))
        return readings, errors

    def vitals(self) -> dict[str, float]:
        """Clocks, throttle reasons, limits, temperature and processes of each device."""
        return {
            f"{made.label}-{name}": float(value)
            for made in self._devices
            for name, value in _vitals(self._nvml, made).items()
            if value is not None
        }

    def close(self) -> Mapping[str, float]:
        """Let the driver go."""
        _asked(self._nvml, self._nvml.nvmlShutdown, None)
        return {}


def _look(made: Device, fetch: Callable[[], Any]) -> list[int | None]:
    """All of the device's values at once; None for one that it does not give just now."""
    return [None if code else value for code, value in made.values(fetch())]


def _all(made: Device) -> list[Field]:
    """The device's fields; an old one has the plain power reading alone."""
    return made.fields or [Field(f"{made.label}-power", 0, _SCOPE_GPU)]


def _said(nvml: Any, code: int) -> str:
    return str(nvml.NVMLError(code))


def _source(wanted: Field) -> str:
    scope = ("GPU", "module", "memory")[wanted.scope]
    what = {
        _ENERGY: "energy counter",
        _AVERAGE: "average power",
        _INSTANT: "instant power",
    }.get(wanted.field_id, "nvmlDeviceGetPowerUsage")
    window = "" if wanted.is_energy else ", averaging window as published, not measured"
    if wanted.is_energy and wanted.domain.endswith("-module"):
        return f"{what}, which is of the whole module on this card"
    return f"{what}, scope {scope}{window}"


def _parents(made: Device, suffix: str) -> tuple[str, ...]:
    """What contains a domain: the counter all of its card, the module everything."""
    there = {field.domain for field in made.fields}
    module = f"{made.label}-module"
    if suffix == "-module":
        return ()
    if suffix == "-module-instant":
        return (module,)
    above = tuple(item for item in (module, f"{module}-instant") if item in there)
    if suffix == "":
        return above
    chain = {"-average": ("", "-instant"), "-memory": ("", "-instant")}.get(suffix, ("",))
    return (*(f"{made.label}{item}" for item in chain), *above)


def _window_s(made: Device, wanted: Field) -> float:
    """Averaging window as published for this kind of card, which is not measured here.

    The table has exceptions (an RTX 8000 looks at 20 of 100 ms): the domain's source says so.
    """
    if wanted.field_id == _AVERAGE:
        return _AVERAGE_S
    return 0.025 if _words(made) & _SHORT_WINDOW else _UPDATE_S


def _vitals(nvml: Any, made: Device) -> dict[str, float | None]:
    handle = made.handle

    def scaled(ask: Callable[[], Any], factor: float = 1.0) -> float | None:
        value = _asked(nvml, ask, None)
        return None if value is None else value * factor

    def processes() -> int:
        drawing = nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)
        computing = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return len({item.pid for item in (*computing, *drawing)})

    return {
        "clock-sm-hz": scaled(lambda: nvml.nvmlDeviceGetClockInfo(handle, 1), 1e6),
        "clock-memory-hz": scaled(lambda: nvml.nvmlDeviceGetClockInfo(handle, 2), 1e6),
        "throttle-reasons": scaled(lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)),
        "power-limit-w": scaled(lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle), 1e-3),
        "temperature-c": scaled(lambda: nvml.nvmlDeviceGetTemperature(handle, 0)),
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
        indices = _asked(nvml, lambda: visible(nvml, _from_environment()), [])
        names = [_text(nvml.nvmlDeviceGetName(nvml.nvmlDeviceGetHandleByIndex(i))) for i in indices]
        _asked(nvml, nvml.nvmlShutdown, None)
        if not names:
            reason = "the driver shows no GPU to this job"
            return Availability(ok=False, reason=reason, advice="look at CUDA_VISIBLE_DEVICES")
        return Availability(ok=True, reason=", ".join(names))

    def open(self, options: Mapping[str, str]) -> NvmlReader:
        """Open visible devices; option `devices`: `all`, or indices and UUIDs joined by `+`."""
        check_options("nvml", options, ("devices",))
        nvml = library()
        indices = visible(nvml, options.get("devices") or _from_environment())
        if not indices:
            raise OSError("no GPU is visible to this job; look at CUDA_VISIBLE_DEVICES")
        return NvmlReader(nvml, [device(nvml, index) for index in indices])


def _from_environment() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


METER = NvmlMeter()
