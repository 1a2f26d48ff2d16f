"""A running sandbox: its CPU time and memory, its end, and its exit status."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from harness.clock import NS_PER_S, now_ns
from harness.launchers import _subreaper
from harness.launchers._cgroup import Cgroup
from harness.launchers._status import StatusPipe
from harness.launchers._tree import TreeMeter
from harness.plugins import Exit
from harness.storage import write_all

_SIGNALLED = 128
# From the death of the last process to that of the child that waited for it.
_CHILD_GRACE_S = 2.0
_INSIST_EVERY_S = 0.25
_PEAKS_EVERY_NS = 50_000_000


def own_peak_bytes() -> int:
    """Largest resident set that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def wait_readable(descriptor: int, timeout_s: float) -> bool:
    """Wait until a descriptor is readable, as a pidfd is when its process is dead."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


def memory_file(stack: ExitStack, name: str, content: bytes) -> int:
    """Descriptor of a memory file with some content, closed with the stack."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    stack.callback(os.close, descriptor)
    write_all(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@dataclass(kw_only=True)
class RunningSandbox:
    """The `Sandbox` of all launchers of this package.

    The process `root` ends only after all others. `child` is our child process that waits for
    `root`, or `root` itself.
    """

    root: int
    pidfd: int
    child: subprocess.Popen[bytes]
    status: StatusPipe
    group: Cgroup
    uid: int | None
    inside_source: str
    unmet: tuple[str, ...]
    end: Callable[[], None]
    """Make `root` end all processes, without waiting."""
    insist: Callable[[], None] = lambda: None
    """What to do repeatedly while `root` has not ended."""
    clean: Callable[[], None] = lambda: None
    """Remove what was made for this sandbox."""
    base_s: float = 0.0
    """CPU seconds that `root` used before the command started."""
    floor_bytes: int = field(default_factory=own_peak_bytes)

    def __post_init__(self) -> None:
        """Start accounting."""
        self._meter = TreeMeter(self.root, ours=self.root == self.child.pid)
        # Popen's own methods could reap the child, and its resource usage would be lost.
        self._child_pidfd = os.pidfd_open(self.child.pid)
        self._lock = threading.Lock()
        self._next_peaks_ns = 0
        self._exit: Exit | None = None
        self._asked_to_end = False
        self._ended_first = False

    def cpu_s(self) -> float | None:
        """CPU seconds so far of all processes, living and reaped; never falls.

        The control group counts every process. Without one, the processes themselves are summed
        (`TreeMeter` says what this misses).
        """
        if self._exit is not None:
            return self._exit.cpu_s
        with self._lock:
            # The peak of a process that ends between two updates is lost.
            if now_ns() >= self._next_peaks_ns:
                self._meter.update_peaks()
                self._next_peaks_ns = now_ns() + _PEAKS_EVERY_NS
            group_s = self.group.cpu_s()
            total_s = self._meter.cpu_s() if group_s is None else group_s
            return max(0.0, total_s - self.base_s)

    def kill(self) -> None:
        """SIGKILL all processes, without waiting."""
        if self._exit is None:
            self.status.read()
            if not self._asked_to_end:
                self._ended_first = "exit-code" in self.status.values
                # The kernel drops the figures of processes that die with their namespace.
                self._next_peaks_ns = 0
                self.cpu_s()
            self._asked_to_end = True
            self.group.kill()
            # It may have ended by itself meanwhile.
            with contextlib.suppress(ProcessLookupError):
                self.end()

    def reap(self, timeout_s: float) -> Exit:
        """Wait until no process is left, close `pidfd`, and return how the sandbox ended.

        Raises:
            TimeoutError: a process is still alive.
        """
        if self._exit is None:
            self._wait_until_empty(timeout_s)
            usages = self._reap_processes()
            self.status.read()
            self.status.close()
            cpu_s, lossy = self._final_cpu_s(usages)
            oom = self.group.oom_kills() > 0
            peak_bytes = self._peak_bytes(usages)
            self._exit = Exit(*self._exit_status(), cpu_s, peak_bytes, oom, lossy)
            self.group.remove()
            self.clean()
            os.close(self.pidfd)
        return self._exit

    def _wait_until_empty(self, timeout_s: float) -> None:
        deadline_ns = now_ns() + int(timeout_s * NS_PER_S)
        while True:
            left_s = (deadline_ns - now_ns()) / NS_PER_S
            wait_s = min(left_s, _INSIST_EVERY_S) if self._asked_to_end else left_s
            if wait_readable(self.pidfd, wait_s):
                return
            if self._asked_to_end:
                self.insist()
            if now_ns() >= deadline_ns:
                raise TimeoutError(
                    f"process {self.root} or one below it is still alive after {timeout_s:g} s"
                )

    def _final_cpu_s(self, usages: list[resource.struct_rusage]) -> tuple[float, bool]:
        """CPU seconds of all processes, and whether the time of some may be missing."""
        group_s = self.group.cpu_s()
        lossy = group_s is None and self._meter.lossy
        used_s = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        total_s = used_s if group_s is None else group_s
        own_s = float(self.status.values.get("own-cpu-s", self.base_s))
        return max(total_s - own_s, self._meter.total_s - self.base_s, 0.0), lossy

    def _reap_processes(self) -> list[resource.struct_rusage]:
        """Reap our child, then `root` if it became our child; returns their resource usage.

        Only these two are waited for, so that no other exit status of this process is lost.
        """
        if not wait_readable(self._child_pidfd, _CHILD_GRACE_S):
            signal.pidfd_send_signal(self._child_pidfd, signal.SIGKILL)
        os.close(self._child_pidfd)
        _, status, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        usages = [usage]
        if self.root != self.child.pid and (
            usage_of_root := _subreaper.reap(self.root, self.pidfd)
        ):
            usages.append(usage_of_root)
        return usages

    def _exit_status(self) -> tuple[int | None, int | None]:
        """Exit code or signal of the first process.

        Bubblewrap reports a signal as 128 + its number. A program may exit with that code itself,
        so both are returned.
        """
        code = self.status.values.get("exit-code")
        if self._asked_to_end and not self._ended_first:
            return None, int(signal.SIGKILL)
        if "signal" in self.status.values:
            number = self.status.values["signal"]
            return (code, None) if number is None else (None, number)
        if not isinstance(code, int):
            return None, None
        if code > _SIGNALLED and code - _SIGNALLED < signal.NSIG:
            return code, code - _SIGNALLED
        return code, None

    def _peak_bytes(self, usages: list[resource.struct_rusage]) -> int | None:
        """Largest resident set of a single process.

        The kernel's figure for our child starts at our own size at the time of the fork, so it
        counts only where it exceeds our own peak. The peaks of living processes always count.
        """
        child_bytes, *other_bytes = (usage.ru_maxrss * 1024 for usage in usages)
        if child_bytes > self.floor_bytes:
            other_bytes.append(child_bytes)
        return max(self._meter.peak_rss_bytes, *other_bytes, 0) or None
