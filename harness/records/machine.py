"""Records of the machine that ran: facts with their source, meters with their reason."""

from typing import Literal

from harness.records.base import FORMAT, Record

Verdict = Literal["ok", "warn", "fail", "unknown", "recorded"]


class MachineFact(Record):
    """One thing looked up on the machine; unknown is a verdict of its own and never a pass."""

    id: str
    """Stable name, as `cpu-governor` or `load-average`."""
    value: str | int | float | bool | None
    """What was found; None where nothing could be read."""
    verdict: Verdict
    """`recorded` for facts that are neither good nor bad by themselves."""
    source: str
    """File or API that was asked."""
    advice: str = ""
    """What to do about it, where there is something to do."""


class MeterStatus(Record):
    """One meter plug-in as this machine found it."""

    name: str
    """Plug-in name."""
    available: bool
    """Whether it can be read here."""
    reason: str
    """Why, or why not."""
    advice: str = ""
    """What would make it available."""
    chosen: bool = False
    """Whether this run read it."""


class Machine(Record):
    """The machine before and after a run."""

    format: int = FORMAT
    name: str
    """Short stable name: model and fingerprint; a folder name of the results tree."""
    cpu_model: str
    """Processor as the kernel names it."""
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
    """True under a hypervisor; None where that could not be told."""
    price_usd_per_h: float | None = None
    """Declared price in US dollars an hour, for cost scores."""
    before: tuple[MachineFact, ...] = ()
    """Facts before the run."""
    during: tuple[MachineFact, ...] = ()
    """Facts watched during the run, with their worst verdict."""
    after: tuple[MachineFact, ...] = ()
    """Facts after the run."""
