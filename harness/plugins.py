"""The interfaces of meters and launchers, without any heavy import."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple, Protocol


@dataclass(frozen=True)
class Availability:
    """Whether something can be used on this machine, why, and what would change that."""

    ok: bool
    reason: str
    """A sentence without capital and full stop."""
    advice: str = ""
    """What makes it available; empty if nothing does."""


# --- meters -------------------------------------------------------------------------------------


DomainKind = Literal["gpu", "cpu", "dram", "node", "wall"]
Method = Literal["counter", "sampled", "modelled", "declared"]


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One thing that a meter measures: a GPU, a CPU package, a memory rail, a node, a wall socket.

    Meters describe their domains with it, and it is stored in `run.json`. It is a plain dataclass
    because the sampler process must not import pydantic, which reads the options below.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {
        "strict": True,
        "extra": "forbid",
        "allow_inf_nan": False,
        "use_attribute_docstrings": True,
    }

    name: str
    """Unique in the run, as `gpu-0` or `cpu-package-0`; the `domain` column of the trace."""
    kind: DomainKind
    """What the figure covers."""
    method: Method
    """`counter` (energy counter), `sampled` (power readings), `modelled` (an estimate from load
    or a table), `declared` (a figure that somebody stated)."""
    meter: str
    """Plug-in that read it."""
    source: str
    """API, file or device that the meter read, for the provenance line."""
    parents: tuple[str, ...] = ()
    """Domains whose joules already contain these; a total never adds a domain and its parent."""
    simulated: bool = False
    """True for fake and replayed meters: such joules never count in a prize."""
    wrap_j: float | None = None
    """Joules after which the counter starts again at zero; None where it does not wrap."""
    resolution_j: float | None = None
    """Step of the counter, if known."""
    resolution_w: float | None = None
    """Step of the power reading, if known."""
    update_period_s: float | None = None
    """Measured time between two changes of the sensor's value."""
    read_period_s: float | None = None
    """Asked-for time between two readings, without those asked for at marks."""
    averaging_window_s: float | None = None
    """Span that one power reading averages over; shorter than the period on A100 and H100."""
    averaging_window_low_s: float | None = None
    """Least that this span may be where it was not measured; the hard bound uses it."""
    power_low_w: float | None = None
    """Least power that is physically possible; the hard bound uses it."""
    power_high_w: float | None = None
    """Greatest power that is physically possible (limit or rating); the hard bound uses it."""
    gain_error_ratio: float | None = None
    """Relative gain error of the meter's class at k = 2, as 0.05 for 5 %."""


class Reading(NamedTuple):
    """One reading of one domain."""

    t_ns: int
    """`CLOCK_MONOTONIC`, the middle of the read."""
    domain: str
    energy_j: float | None
    """Raw counter value in joules, not corrected for wraps; None without a counter."""
    power_w: float | None
    """Power in watts; None where the domain gives none. A failed read makes no reading."""
    u_ns: int = 0
    """Half of the time that the read took."""


class Reader:
    """An opened meter. A subclass sets `domains` and defines `read`; the rest has defaults.

    The sampler calls `poll` on a time grid and `decode` later, many results at a time: a thread
    that has just slept runs slowly, so that it should do no more than ask the device. A meter
    whose answers are costly to decode overrides both.
    """

    domains: Sequence[Domain] = ()
    """What it reads; fixed while it is open."""
    period_s: float = 0.0
    """Shortest useful time between two reads; 0 where the meter does not limit it."""
    errors: Mapping[str, str] = MappingProxyType({})
    """Domains that the last `read` could not read, with the reason."""

    def read(self) -> Sequence[Reading]:
        """Read every domain once; one that cannot be read is left out and named in `errors`.

        Raises:
            OSError: the meter as a whole cannot be read.
        """
        raise NotImplementedError

    def mark(self) -> None:
        """Prepare a fresh value, called before a reading at an edge of the run window."""

    def poll(self) -> Any:
        """Ask the device and return its answer for `decode`."""
        return self.read(), dict(self.errors)

    def decode(self, answer: Any) -> "Decoded":
        """Readings in an answer of `poll`, and errors by the name of the domain."""
        readings, errors = answer
        return readings, errors

    def vitals(self) -> Mapping[str, float]:
        """Further quantities that the meter watches, as clocks and throttle reasons, by name."""
        return {}

    def close(self) -> Mapping[str, float]:
        """Close the meter; returns the CPU seconds of helper processes by name."""
        return {}


Decoded = tuple[Sequence[Reading], Mapping[str, str]]
"""Readings, and errors by the name of the domain."""


class Meter(Protocol):
    """A meter plug-in: `METER` in `meters/<name>.py`."""

    def probe(self) -> Availability:
        """Try it, without side effects, in well under a second."""
        ...

    def open(self, options: Mapping[str, str]) -> Reader:
        """Start reading; options come from `--meter name:key=value`.

        Raises:
            ValueError: an option is unknown or out of range.
            OSError: the meter went away since the probe.
        """
        ...


# --- launchers ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a sandbox; a launcher lists those that it cannot set in `Sandbox.unmet`."""

    tmp_bytes: int = 1 << 30
    file_bytes: int = 1 << 30
    memory_bytes: int | None = None
    processes: int = 512
    open_files: int = 1024
    cpu_s: int | None = None


@dataclass(frozen=True, kw_only=True)
class SandboxRequest:
    """What to start in a sandbox, and what it may read."""

    command: tuple[str, ...]
    """Program and arguments, as paths inside; `{source}` becomes the submission's folder."""
    source: Path
    """The frozen submission, readable at `inside_source`."""
    readable: tuple[Path, ...] = ()
    """Further files and folders, readable under their own paths."""
    masks: tuple[Path, ...] = ()
    """Folders below a readable one that appear empty."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The environment; the launcher adds only what it needs itself."""
    pass_fds: tuple[int, ...] = ()
    """Descriptors that stay open under their numbers, such as the socket."""
    devices: tuple[Path, ...] = ()
    """Device nodes that it may use, such as `/dev/nvidia0`; there are no others."""
    stdout: int = 1
    stderr: int = 2
    limits: Limits = field(default_factory=Limits)


class Exit(NamedTuple):
    """How a sandbox ended, and the resource usage of all its processes.

    Both `code` and `signal` are set if the launcher cannot distinguish code 128 + n from signal n.
    """

    code: int | None
    signal: int | None
    cpu_s: float | None
    peak_rss_bytes: int | None
    """Largest resident set of any single process."""
    oom: bool = False
    """Whether the kernel killed a process because of the memory limit."""
    cpu_lost: bool = False
    """Whether the time of some processes is missing in `cpu_s`."""


class Sandbox(Protocol):
    """A running submission or predictor."""

    pidfd: int
    """Becomes readable when the last process is dead."""
    uid: int | None
    inside_source: str
    """Path of the submission's folder inside."""
    unmet: tuple[str, ...]
    """Names of the limits that could not be set."""

    def cpu_s(self) -> float | None:
        """CPU seconds so far of all processes, living and reaped."""
        ...

    def kill(self) -> None:
        """SIGKILL all processes, without waiting."""
        ...

    def reap(self, timeout_s: float) -> Exit:
        """Wait until no process is left, and return how the sandbox ended.

        Raises:
            TimeoutError: a process is still alive.
        """
        ...


class Launcher(Protocol):
    """A launcher plug-in: `LAUNCHER` in `launchers/<name>.py`."""

    level: Literal["none", "landlock", "bubblewrap"]
    """The isolation level."""

    def probe(self) -> Availability:
        """Try it by starting `true` in a sandbox."""
        ...

    def launch(self, request: SandboxRequest) -> Sandbox:
        """Start a sandbox; call from a thread that outlives it.

        Raises:
            OSError: it could not be started; the message says why.
        """
        ...
