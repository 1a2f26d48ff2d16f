"""Power and energy from the kernel's hardware monitors.

NVIDIA Grace and other servers have ACPI power meters (`power1_average` in µW; on Grace with a name
in `power1_oem_info`). Intel's discrete GPUs have energy counters (`energy1_input` in µJ, drivers
xe and i915). Jetson boards have INA3221 chips with millivolts and milliamperes for each rail: one
rail, where it exists, is the input of the whole board and contains the others; AGX Orin and AGX
Xavier have none, so that the board is the sum of its rails (jetson_stats, issues 51 and 344).
Sources: the kernel's Documentation/hwmon/acpi_power_meter.rst and ina3221.rst, and
Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon and -i915-hwmon.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from harness.meters._files import (
    FileSource,
    FilesReader,
    microjoules,
    microwatts,
    millivolts_milliamperes,
    optional_number,
    optional_text,
    root_folder,
    try_sources,
)
from harness.meters._sensing import NODE_POWER_MAX_W, UNKNOWN_GPU_GAIN, check_options
from harness.plugins import Availability, Domain, DomainKind

ROOT_VARIABLE = "JOULEMARK_HWMON_ROOT"
_ROOT = "/sys/class/hwmon"

_GAIN = 0.05
_MODULE_W, _SOCKET_W, _BOARD_W, _CARD_W = 2000.0, 1000.0, 200.0, 1000.0
_UPDATE_S = 0.1
_GRACE_AVERAGE_S = 0.05
"""Grace's meters average over an interval that the firmware sets, by default 50 ms."""

_HEADROOM = 1.5
"""Short peaks exceed the power limit."""

_WHOLE_BOARD = ("VDD_IN", "POM_5V_IN")
_WITHIN = {"VDDQ_VDD2_1V8AO": "VIN_SYS_5V0"}
"""AGX Orin's memory rail branches off its 5 V input behind that rail's shunt."""

NO_RAILS = ("", "NC", "sum of shunt voltages")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _power(
    name: str,
    kind: DomainKind,
    label: str,
    paths: tuple[Path, ...],
    power_max_w: float,
    parents: tuple[str, ...] = (),
    averaging_s: float | None = None,
) -> FileSource:
    """A power reading: one file in µW, or pairs of files in mV and mA that are added."""
    domain = Domain(
        name=name,
        kind=kind,
        method="sampled",
        meter="hwmon",
        source=f"{paths[0]}, {label}",
        parents=parents,
        resolution_w=1e-6 if len(paths) == 1 else 0.005,
        update_period_s=max(_UPDATE_S, averaging_s or 0.0),
        averaging_window_s=averaging_s,
        power_low_w=0.0,
        power_high_w=power_max_w,
        gain_error_ratio=_GAIN,
    )
    return FileSource(domain, paths, microwatts if len(paths) == 1 else millivolts_milliamperes)


def grace(root: Path) -> Iterator[FileSource]:
    """Sensors of Grace and Grace Hopper: the module contains its socket, the socket its parts."""
    for info in sorted(root.glob("hwmon*/device/power1_oem_info")) + sorted(
        root.glob("hwmon*/power1_oem_info")
    ):
        label = optional_text(info)
        match = re.match(r"(Module|Grace|CPU|SysIO) Power Socket (\d+)", label)
        value = info.with_name("power1_average")
        if not match or not value.exists():
            continue
        part, socket = match[1], match[2]
        module, whole = f"node-module-{socket}", f"cpu-grace-{socket}"
        name = {"Module": module, "Grace": whole}.get(part, f"{whole}-{_slug(part)}")
        parents = {"Module": (), "Grace": (module,)}.get(part, (whole, module))
        power_max_w = _MODULE_W if part == "Module" else _SOCKET_W
        kind: DomainKind = "node" if part == "Module" else "cpu"
        yield _power(name, kind, label, (value,), power_max_w, parents, _GRACE_AVERAGE_S)


def acpi(root: Path) -> Iterator[FileSource]:
    """ACPI power meters of other machines: the input of the whole machine.

    Where there are several, each is a supply or a part; the sum of none of them is known to be
    the machine, so that they are domains of their own and only the first one is read as its node.
    """
    values = sorted(
        {*root.glob("hwmon*/device/power*_average"), *root.glob("hwmon*/power*_average")}
    )
    for value in values:
        chip = value.parent.parent if value.parent.name == "device" else value.parent
        info = optional_text(value.with_name("power1_oem_info"))
        chip_name = optional_text(chip / "name") or optional_text(chip / "device/name")
        if chip_name != "power_meter" or re.search(r"Power Socket \d", info):
            continue
        interval_s = optional_number(Path(f"{value}_interval"), 1e-3)
        label = optional_text(value.with_name("power1_model_number")) or "ACPI power meter"
        yield _power("node-acpi", "node", label, (value,), NODE_POWER_MAX_W, (), interval_s or None)


def intel(root: Path) -> Iterator[FileSource]:
    """Energy counters of Intel's discrete GPUs; the card contains its package."""
    for number, chip in enumerate(_chips(root, ("xe", "i915"))):
        card = f"gpu-intel-{number}"
        for path in sorted(chip.glob("energy*_input")):
            channel = path.name.removesuffix("_input").removeprefix("energy")
            label = optional_text(chip / f"energy{channel}_label")
            is_part = label == "pkg" or channel != "1"
            limit_w = optional_number(chip / f"power{channel}_max", 1e-6)
            domain = Domain(
                name=f"{card}-{_slug(label) or channel}" if is_part else card,
                kind="gpu",
                method="counter",
                meter="hwmon",
                source=f"{path}, {optional_text(chip / 'name')} {label}".strip(),
                parents=(card,) if is_part else (),
                resolution_j=1e-6,
                update_period_s=_UPDATE_S,
                power_low_w=0.0,
                power_high_w=_HEADROOM * limit_w if limit_w else _CARD_W,
                gain_error_ratio=UNKNOWN_GPU_GAIN,
            )
            yield FileSource(domain, (path,), microjoules)


def _chips(root: Path, names: tuple[str, ...]) -> list[Path]:
    """The folders of monitors with these names, in the order of their numbers."""
    folders = sorted(root.glob("hwmon*"), key=lambda path: (len(path.name), path.name))
    return [folder for folder in folders if optional_text(folder / "name") in names]


def jetson(root: Path) -> Iterator[FileSource]:
    """Rails of a Jetson board below the whole board.

    A rail that supplies neither processor, GPU nor memory is only read as a part of the sum: as a
    domain of its own it would seem to be a node that contains the other rails.
    """
    rails: dict[str, tuple[Path, Path]] = {}
    for chip in sorted(root.glob("hwmon*")):
        if not optional_text(chip / "name").startswith("ina3221"):
            continue
        for file in sorted(chip.glob("in*_label")):
            channel = file.name.removeprefix("in").removesuffix("_label")
            files = (chip / f"in{channel}_input", chip / f"curr{channel}_input")
            name = optional_text(file)
            if name not in NO_RAILS and all(path.exists() for path in files):
                rails.setdefault(name, files)
    board, added = board_rails(rails)
    if len(added) > 1:
        paths = tuple(path for name in added for path in rails[name])
        yield _power(board, "node", f"the sum of {len(added)} rails", paths, _BOARD_W)
    for name, files in rails.items():
        kind = "node" if name in _WHOLE_BOARD and [name] == added else rail_kind(name)
        parents = (board,) if [name] != added else ()
        if not parents or kind != "node":
            label = f"{kind}-{_slug(name)}"
            yield _power(label, kind, name, files, _BOARD_W, parents)


def board_rails(rails: Iterable[str]) -> tuple[str, list[str]]:
    """The name of the whole board's domain, and the rails that it is the sum of."""
    names = list(rails)
    whole = [name for name in _WHOLE_BOARD if name in names][:1]
    added = whole or [name for name in names if _WITHIN.get(name) not in names]
    return f"node-{_slug(whole[0])}" if whole else "node-rails", added


def rail_kind(name: str) -> DomainKind:
    """What a rail supplies, by its label; one that supplies anything else counts as node."""
    if any(part in name for part in ("DDR", "MEM", "VDDQ", "VDDRQ")):
        return "dram"
    if "GPU" in name and "CPU" not in name:
        return "gpu"
    return "cpu" if "CPU" in name else "node"


def sources(root: Path) -> list[FileSource]:
    """Every known sensor, once."""
    by_name: dict[str, FileSource] = {}
    for source in (*grace(root), *acpi(root), *intel(root), *jetson(root)):
        by_name.setdefault(source.domain.name, source)
    return list(by_name.values())


_MISSING = "no power meter of ACPI or Grace, no counter of an Intel GPU and no INA3221 of a Jetson"


class HwmonMeter:
    """The plug-in."""

    origin = "hardware"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the sensors of this machine."""
        there = sources(root_folder({}, ROOT_VARIABLE, _ROOT))
        return tuple({source.domain.kind for source in there})

    def probe(self) -> Availability:
        """Look for known sensors and read the first one."""
        root = root_folder({}, ROOT_VARIABLE, _ROOT)
        return try_sources(sources(root), f"{root} has {_MISSING}")

    def open(self, options: Mapping[str, str]) -> FilesReader:
        """Open every known sensor; option `root`: folder that holds `hwmon0` and so on."""
        check_options("hwmon", options, ("root",))
        root = root_folder(options, ROOT_VARIABLE, _ROOT)
        there = sources(root)
        if not there:
            raise OSError(f"{root} has {_MISSING}")
        return FilesReader(there)


METER = HwmonMeter()
