"""A started tree of processes: told apart from others, accounted for, ended and waited for."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.clock import NS_PER_S, now_ns
from harness.launchers import _subreaper
from harness.launchers._cgroup import Cgroup
from harness.launchers._status import StatusPipe
from harness.launchers._tree import TreeMeter
from harness.plugins import Exit

_SIGNALLED = 128
# From the death of the last process to that of the child that waited for it.
_CHILD_GRACE_S = 2.0
_INSIST_EVERY_S = 0.25
_PEAKS_EVERY_NS = 50_000_000


def own_peak_bytes() -> int:
    """Largest resident set that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def wait_readable(descriptor: int, timeout_s: float) -> bool:
    """Whether a descriptor (a pidfd: its process's death) became readable in time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


@dataclass(kw_only=True)
class RunningSandbox:
    """The `Sandbox` of every launcher here.

    One process, `root`, is dead only when all are dead; `child` is the process of ours that
    waited for it, and is `root` itself where no other stands between.
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
    """Tell `root` to end everything, at once."""
    insist: Callable[[], None] = lambda: None
    """What else can be done where it does not."""
    clean: Callable[[], None] = lambda: None
    """Remove what was made for this sandbox."""
    base_s: float = 0.0
    """CPU seconds that `root` used before the command began."""
    floor_bytes: int = field(default_factory=own_peak_bytes)

    def __post_init__(self) -> None:
        """Start accounting."""
        self._meter = TreeMeter(self.root, ours=self.root == self.child.pid)
        # By pidfd throughout: the methods of Popen may wait for it, and its account is then lost.
        self._child_pidfd = os.pidfd_open(self.child.pid)
        self._lock = threading.Lock()
        self._next_peaks_ns = 0
        self._exit: Exit | None = None
        self._asked_to_end = False
        self._ended_first = False
        self._lossy = False

    def cpu_s(self) -> float | None:
        """CPU seconds so far of all processes, living and reaped; never falls.

        From the control group where there is one, which forgets nobody; else from the processes
        themselves (see `TreeMeter` for what that misses).
        """
        if self._exit is not None:
            return self._exit.cpu_s
        with self._lock:
            self._look_at_peaks()
            grouped_s = self.group.cpu_s()
            return self._net_s(self._meter.cpu_s() if grouped_s is None else grouped_s)

    def _look_at_peaks(self) -> None:
        """Note who is how large, from time to time: who ends unseen leaves no peak behind."""
        if now_ns() >= self._next_peaks_ns:
            self._meter.look_at_peaks()
            self._next_peaks_ns = now_ns() + _PEAKS_EVERY_NS

    def _net_s(self, gross_s: float) -> float:
        return max(0.0, gross_s - self.base_s)

    def kill(self) -> None:
        """SIGKILL the whole tree; returns at once."""
        if self._exit is None:
            self.status.read()
            if not self._asked_to_end:
                self._ended_first = "exit-code" in self.status.values
                # The kernel's account drops processes that die with their namespace.
                self._next_peaks_ns = 0
                self.cpu_s()
            self._asked_to_end = True
            self.group.kill()
            # It may have ended by itself in this moment.
            with contextlib.suppress(ProcessLookupError):
                self.end()

    def reap(self, timeout_s: float) -> Exit:
        """Wait until no process is left, account for them, and let go of `pidfd`.

        Raises:
            TimeoutError: something is still alive.
        """
        if self._exit is None:
            self._wait(now_ns() + int(timeout_s * NS_PER_S), timeout_s)
            self._exit = self._account()
        return self._exit

    def _wait(self, deadline_ns: int, timeout_s: float) -> None:
        while not wait_readable(self.pidfd, self._patience_s(deadline_ns)):
            if self._asked_to_end:
                self.insist()
            if now_ns() >= deadline_ns:
                raise TimeoutError(
                    f"process {self.root} or one below it is still alive after {timeout_s:g} s"
                )

    def _patience_s(self, deadline_ns: int) -> float:
        left_s = (deadline_ns - now_ns()) / NS_PER_S
        return min(left_s, _INSIST_EVERY_S) if self._asked_to_end else left_s

    def _account(self) -> Exit:
        usages = self._usages()
        self.status.read()
        self.status.close()
        cpu_s = self._final_cpu_s(usages)
        oom = self.group.oom_kills() > 0
        found = Exit(*self._outcome(), cpu_s, self._peak_bytes(usages), oom, self._lossy)
        self.group.remove()
        self.clean()
        os.close(self.pidfd)
        return found

    def _final_cpu_s(self, usages: list[resource.struct_rusage]) -> float:
        grouped_s = self.group.cpu_s()
        self._lossy = grouped_s is None and self._meter.lossy
        used_s = sum(usage.ru_utime + usage.ru_stime for usage in usages)
        gross_s = used_s if grouped_s is None else grouped_s
        own_s = float(self.status.values.get("own-cpu-s", self.base_s))
        return max(gross_s - own_s, self._net_s(self._meter.total_s))

    def _usages(self) -> list[resource.struct_rusage]:
        """The kernel's account: of our own child, then of `root` where that outlived it."""
        found = [self._reap_child()]
        if self.root != self.child.pid and (usage := _subreaper.collect(self.root, self.pidfd)):
            found.append(usage)
        return found

    def _reap_child(self) -> resource.struct_rusage:
        """Wait for our own child and no other, so that nobody else's exit is taken."""
        if not wait_readable(self._child_pidfd, _CHILD_GRACE_S):
            signal.pidfd_send_signal(self._child_pidfd, signal.SIGKILL)
        os.close(self._child_pidfd)
        _, status, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        return usage

    def _outcome(self) -> tuple[int | None, int | None]:
        """Exit code or signal of the first process.

        Bubblewrap reports a signal as 128 + its number, as a program may exit by itself: then both
        are given, since nothing tells which it was.
        """
        code = self.status.values.get("exit-code")
        if self._asked_to_end and not self._ended_first:
            return None, int(signal.SIGKILL)
        if "signal" in self.status.values:
            sign = self.status.values["signal"]
            return (code, None) if sign is None else (None, sign)
        if not isinstance(code, int):
            return None, None
        if code > _SIGNALLED and code - _SIGNALLED < signal.NSIG:
            return code, code - _SIGNALLED
        return code, None

    def _peak_bytes(self, usages: list[resource.struct_rusage]) -> int | None:
        """Largest resident set of a single process.

        The kernel's figure for our own child starts at what we had when it was forked, so it says
        something only where it exceeds our own peak; what was seen of the living ones always does.
        """
        ours_bytes, *theirs_bytes = (usage.ru_maxrss * 1024 for usage in usages)
        if ours_bytes > self.floor_bytes:
            theirs_bytes.append(ours_bytes)
        return max(self._meter.peak_rss_bytes, *theirs_bytes, 0) or None
