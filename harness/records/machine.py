"""Records of the machine: facts with their source, meters with their availability."""

from typing import Literal

from harness.records.base import FORMAT, Record

Verdict = Literal["ok", "warn", "fail", "unknown", "recorded"]


class MachineFact(Record):
    """One fact about the machine; `unknown` is a verdict of its own and never a pass."""

    id: str
    """Stable name, such as `cpu-governor` or `load-average`."""
    value: str | int | float | bool | None
    """The value; None if it could not be read."""
    verdict: Verdict
    """`recorded` for facts that are not judged."""
    source: str
    """File or API that was read."""
    advice: str = ""
    """What to do about it; may be empty."""


class MeterStatus(Record):
    """Whether one meter plug-in is available on a machine."""

    name: str
    """Name of the plug-in."""
    available: bool
    """Whether it can be read."""
    reason: str
    """Why, or why not."""
    advice: str = ""
    """What would make it available."""
    chosen: bool = False
    """Whether the run read it."""


class Machine(Record):
    """The machine before and after a run."""

    format: int = FORMAT
    name: str
    """Short stable name, of the model and a hash; the name of a folder in the results tree."""
    cpu_model: str
    """Name of the processor, from the kernel."""
    cpu_count: int
    """Logical processors available to the run."""
    memory_bytes: int
    """Installed memory."""
    gpus: tuple[str, ...]
    """Name of each visible GPU."""
    kernel: str
    """Operating system kernel."""
    python: str
    """Interpreter of the submission."""
    packages: dict[str, str]
    """Versions of the packages that training depends on."""
    virtualised: bool | None
    """Whether it is a virtual machine; None if unknown."""
    price_usd_per_h: float | None = None
    """Declared price in US dollars per hour, for cost scores."""
    before: tuple[MachineFact, ...] = ()
    """Facts before the run."""
    during: tuple[MachineFact, ...] = ()
    """Facts monitored during the run, with their worst verdict."""
    after: tuple[MachineFact, ...] = ()
    """Facts after the run."""
