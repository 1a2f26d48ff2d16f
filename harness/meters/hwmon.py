"""Power from the kernel's hardware monitors: NVIDIA Grace sockets and modules, Jetson rails.

Grace's ACPI power meters have `power1_average` in µW and a name in `power1_oem_info`. Jetson's
INA3221 has millivolts and milliamperes for each rail; one rail, where it exists, is the whole
input of the board and contains the others.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.meters._sensing import check_options, timed
from harness.plugins import Availability, Domain, DomainKind, Reader, Reading

ROOT_VARIABLE = "JOULEMARK_HWMON_ROOT"
_ROOT = "/sys/class/hwmon"

_GAIN = 0.05
_MODULE_W, _SOCKET_W, _RAIL_W = 2000.0, 1000.0, 100.0
_UPDATE_S = 0.1
_AVERAGING_S = 0.05
"""Grace's meters average over an interval that the firmware sets, by default 50 ms."""

_WHOLE_BOARD = ("VDD_IN", "POM_5V_IN")
_SUM_CHANNEL = "7"
"""INA3221's channel for the sum of shunts, which is not a rail."""


@dataclass(frozen=True)
class HwmonSensor:
    """One power sensor: a file in µW, or a pair of files in mV and mA."""

    name: str
    kind: DomainKind
    files: tuple[Path, ...]
    label: str
    power_max_w: float
    parents: tuple[str, ...] = ()
    averaging_s: float | None = None
    fds: list[int] = field(default_factory=list, compare=False)

    def watts(self) -> float:
        """Read it once."""
        if not self.fds:
            self.fds.extend(os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in self.files)
        values = [int(os.pread(fd, 32, 0)) for fd in self.fds]
        # µW, or mV times mA, are both 1e-6 W.
        return (values[0] if len(values) == 1 else values[0] * values[1]) * 1e-6

    def close(self) -> None:
        """Close its files."""
        while self.fds:
            os.close(self.fds.pop())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def grace(root: Path) -> Iterator[HwmonSensor]:
    """Sensors of Grace and Grace Hopper: the module contains its socket, the socket its parts."""
    for info in sorted(root.glob("hwmon*/device/power1_oem_info")) + sorted(
        root.glob("hwmon*/power1_oem_info")
    ):
        label = _text(info)
        match = re.match(r"(Module|Grace|CPU|SysIO) Power Socket (\d+)", label)
        value = info.with_name("power1_average")
        if not match or not value.exists():
            continue
        part, socket = match[1], match[2]
        module, whole = f"node-module-{socket}", f"cpu-grace-{socket}"
        parents: dict[str, tuple[str, ...]] = {
            "Module": (),
            "Grace": (module,),
            "CPU": (whole, module),
            "SysIO": (whole, module),
        }
        name = {"Module": module, "Grace": whole}.get(part, f"{whole}-{_slug(part)}")
        power_max_w = _MODULE_W if part == "Module" else _SOCKET_W
        kind: DomainKind = "node" if part == "Module" else "cpu"
        yield HwmonSensor(name, kind, (value,), label, power_max_w, parents[part], _AVERAGING_S)


def jetson(root: Path) -> Iterator[HwmonSensor]:
    """Rails of a Jetson board; the input rail contains the others."""
    rails = []
    for chip in sorted(root.glob("hwmon*")):
        if not _text(chip / "name").startswith("ina3221"):
            continue
        for label in sorted(chip.glob("in*_label")):
            channel = label.name.removeprefix("in").removesuffix("_label")
            files = (chip / f"in{channel}_input", chip / f"curr{channel}_input")
            if channel != _SUM_CHANNEL and all(file.exists() for file in files):
                rails.append((_text(label), files))
    whole = next((name for name, _ in rails if name in _WHOLE_BOARD), "")
    for name, files in rails:
        parents = (f"node-{_slug(whole)}",) if whole and name != whole else ()
        kind = _rail_kind(name, whole)
        prefix = "node" if kind == "node" else kind
        yield HwmonSensor(f"{prefix}-{_slug(name)}", kind, files, name, _RAIL_W, parents)


def _rail_kind(name: str, whole: str) -> DomainKind:
    """What a rail supplies, by its label; one that supplies anything else counts as node."""
    if name == whole:
        return "node"
    if "DDR" in name or "MEM" in name:
        return "dram"
    if "GPU" in name and "CPU" not in name:
        return "gpu"
    return "cpu" if "CPU" in name else "node"


def sensors(root: Path) -> list[HwmonSensor]:
    """Every known sensor, once."""
    by_name: dict[str, HwmonSensor] = {}
    for sensor in (*grace(root), *jetson(root)):
        by_name.setdefault(sensor.name, sensor)
    return list(by_name.values())


class HwmonReader(Reader):
    """Open sensors."""

    def __init__(self, opened: Sequence[HwmonSensor]) -> None:
        self._sensors = opened
        self.errors: dict[str, str] = {}
        self.domains = tuple(map(_domain, opened))

    def read(self) -> Sequence[Reading]:
        """Read every sensor."""
        self.errors = {}
        readings = []
        for sensor in self._sensors:
            try:
                power_w, t_ns, u_ns = timed(sensor.watts)
            except (OSError, ValueError) as error:
                self.errors[sensor.name] = f"{sensor.files[0].name} cannot be read: {error}"
                continue
            readings.append(Reading(t_ns, sensor.name, None, power_w, u_ns))
        return readings

    def close(self) -> Mapping[str, float]:
        """Close the files."""
        for sensor in self._sensors:
            sensor.close()
        return {}


def _domain(sensor: HwmonSensor) -> Domain:
    return Domain(
        name=sensor.name,
        kind=sensor.kind,
        method="sampled",
        meter="hwmon",
        source=f"{sensor.files[0]}, {sensor.label}",
        parents=sensor.parents,
        resolution_w=1e-6 if len(sensor.files) == 1 else 0.005,
        update_period_s=_UPDATE_S,
        averaging_window_s=sensor.averaging_s,
        power_low_w=0.0,
        power_high_w=sensor.power_max_w,
        gain_error_ratio=_GAIN,
    )


def _root(options: Mapping[str, str]) -> Path:
    return Path(options.get("root") or os.environ.get(ROOT_VARIABLE) or _ROOT)


class HwmonMeter:
    """The plug-in."""

    origin = "hardware"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the sensors of this machine."""
        return tuple({sensor.kind for sensor in sensors(_root({}))})

    def probe(self) -> Availability:
        """Look for known sensors and read the first one."""
        root = _root({})
        there = sensors(root)
        if not there:
            reason = f"{root} has neither a Grace power meter nor a Jetson INA3221"
            return Availability(ok=False, reason=reason)
        try:
            there[0].watts()
        except (OSError, ValueError) as error:
            reason = f"{there[0].files[0]} cannot be read: {error}"
            advice = f"sudo chmod a+r {there[0].files[0].parent}/*"
            return Availability(ok=False, reason=reason, advice=advice)
        finally:
            there[0].close()
        return Availability(ok=True, reason=", ".join(sensor.name for sensor in there))

    def open(self, options: Mapping[str, str]) -> HwmonReader:
        """Open every known sensor; option `root`: folder that holds `hwmon0` and so on."""
        check_options("hwmon", options, ("root",))
        opened = sensors(_root(options))
        if not opened:
            raise OSError(f"{_root(options)} has neither a Grace power meter nor a Jetson INA3221")
        return HwmonReader(opened)


METER = HwmonMeter()
