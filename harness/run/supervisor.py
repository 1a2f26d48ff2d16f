"""Supervises a submission from `ready` to the death of its last process."""

import os
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.bundle import EventLog
from harness.clock import NS_PER_S, anchor, now_ns
from harness.plugins import Sandbox
from harness.records import Finding, Snapshot
from harness.run import protocol
from harness.run.memory import Unsealed, check_sealed
from harness.run.protocol import Message, Received, Violation
from harness.run.snapshots import HeldSnapshot, RunLimits, SnapshotStore

EndedBy = Literal[
    "done", "exit", "budget", "violation", "interrupt", "start_cap", "setup_cap", "fault"
]
LATE_NS = 10_000_000
"""Receipt was up to 6 ms after the kernel's stamp under load (measured); more is a finding."""
HANDED_OVER_MAX = 10_000
"""Snapshots of one run, accepted or not: each is written to disk, so a flood would fill it."""
DEATH_CAP_S = 30.0
"""A killed namespace is dead within milliseconds; if it takes longer, the machine is at fault."""


@dataclass
class Observation:
    """What was observed of one submission."""

    ended_by: EndedBy = "fault"
    reason: str = ""
    gun_ns: int | None = None
    end_ns: int | None = None
    setup_ns: tuple[int, int] | None = None
    runtime: str = ""
    held: list[HeldSnapshot] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    claims_count: int = 0
    dropped_count: int = 0


class RateLimiter:
    """A token bucket for log and span messages."""

    def __init__(self, rate_hz: float, burst: int) -> None:
        """Allow `rate_hz` messages per second on average and `burst` at once."""
        self._rate_hz = rate_hz
        self._burst = float(burst)
        self._tokens = float(burst)
        self._last_ns: int | None = None

    def take(self, stamp_ns: int) -> bool:
        """Whether one more message is within the rate."""
        if self._last_ns is not None:
            gained = (stamp_ns - self._last_ns) / NS_PER_S * self._rate_hz
            self._tokens = min(self._burst, self._tokens + gained)
        self._last_ns = stamp_ns
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Supervisor:
    """The conductor's loop for one submission: stamps messages, checks them, kills in time."""

    def __init__(
        self,
        sandbox: Sandbox,
        channel: socket.socket,
        limits: RunLimits,
        events: EventLog,
        tick: Callable[[], bool],
        mark: Callable[[], None] = lambda: None,
    ) -> None:
        """Supervise a launched sandbox.

        Args:
            sandbox: The launched sandbox.
            channel: The conductor's end of the socket.
            limits: Ruleset and budget.
            events: Log of all events.
            tick: Called a few times per second; a return value of True aborts the run.
            mark: Called at each snapshot, where a score window may end; reads the meters.
        """
        self._sandbox = sandbox
        self._channel = channel
        self._limits = limits
        self._events = events
        self._tick = tick
        self._mark = mark
        self._silent_ns = now_ns()
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(sandbox.pidfd, select.POLLIN)
        self._open = True
        self._claims = RateLimiter(limits.rules.log_rate_hz, int(limits.rules.log_rate_hz))
        self._excess = RateLimiter(limits.rules.log_rate_hz, limits.rules.messages_burst)
        self._latest_s = 0.0
        self._killed = False
        self.observation = Observation()
        self._snapshots = SnapshotStore(limits, self.observation.held)

    # --- phases ---------------------------------------------------------------------------------

    def until_ready(self) -> bool:
        """Wait for `ready`; False if the submission died, hung or broke the protocol first."""
        cap_ns = now_ns() + int(self._limits.rules.start_cap_s * NS_PER_S)
        return self._until("ready", cap_ns, "start_cap")

    def setup(self, fields: Mapping[str, Any]) -> bool:
        """Run the submission's `setup` within its cap; False if it did not finish."""
        begin_ns = now_ns()
        protocol.send(self._channel, "setup", fields)
        cap_ns = begin_ns + int(self._limits.rules.setup_s * NS_PER_S)
        finished = self._until("setup_done", cap_ns, "setup_cap")
        self.observation.setup_ns = (begin_ns, now_ns())
        return finished

    def start(self, fields: Mapping[str, Any], fds: Sequence[int]) -> None:
        """Give the start signal: stamp it, then send the training data; the run window is open."""
        self.observation.gun_ns = now_ns()
        try:
            protocol.send(self._channel, "go", fields, fds)
        except ConnectionError:
            pass  # it died or closed the socket, which `until_end` distinguishes
        except OSError as error:
            self.stop("fault", f"the training data could not be sent: {error.strerror}")
        self._events.append(self.observation.gun_ns, "gun", budget_s=self._limits.budget_s)

    def until_end(self) -> None:
        """Take messages until `done`, the budget, a violation, or death."""
        assert self.observation.gun_ns is not None
        deadline_ns = self.observation.gun_ns + int(self._limits.budget_s * NS_PER_S)
        if self._until("done", deadline_ns, "budget"):
            self.stop("done")

    def await_exit(self) -> None:
        """Wait until the last process is dead, stamp that, and empty the socket.

        Raises:
            TimeoutError: a process survived SIGKILL; the organizer has to look at the machine.
        """
        try:
            self._await_death()
            self.observation.end_ns = now_ns()
            # Before the socket is emptied, which gives later stamps: events are in order of time.
            self._events.append(self.observation.end_ns, "end", ended_by=self.observation.ended_by)
            while self._open:
                self._serve()
        finally:
            # Also after an error: every descriptor that was handed over has an owner.
            self._snapshots.accept_last()

    def _await_death(self) -> None:
        poll = select.poll()
        poll.register(self._sandbox.pidfd, select.POLLIN)
        if not poll.poll(DEATH_CAP_S * 1000):
            raise TimeoutError(
                f"a process of the submission is alive {DEATH_CAP_S} s after SIGKILL"
            )

    def stop(self, ended_by: EndedBy, reason: str = "") -> None:
        """Record the reason and kill all processes; only the first call has an effect."""
        if not self._killed:
            self._killed = True
            self.observation.ended_by = ended_by
            self.observation.reason = reason
            stamp_ns = now_ns()
            self._sandbox.kill()  # before the event, since the disk may be full
            self._events.append(stamp_ns, "kill", why=ended_by)

    # --- the loop -------------------------------------------------------------------------------

    def _until(self, kind: str, deadline_ns: int, on_time: EndedBy) -> bool:
        """Take messages until one of the given kind; False if it ends in another way."""
        while not self._killed:
            if self._tick():
                self.stop("interrupt", "stopped by the operator")
                return False
            left_ns = deadline_ns - now_ns()
            if left_ns <= 0:
                self.stop(on_time)
                return False
            polled_ns = now_ns()
            ready = dict(self._poll.poll(min(left_ns / 1e6 + 1, 250)))
            if self._channel.fileno() not in ready:
                self._silent_ns = polled_ns
            if self._channel.fileno() in ready and self._serve() == kind:
                return True
            if self._sandbox.pidfd in ready and self._channel.fileno() not in ready:
                self.observation.ended_by = "exit"
                self._killed = True
                return False
        return False

    def _serve(self) -> str:
        """Handle one waiting message; returns its kind, empty if there was none."""
        try:
            received = protocol.receive(self._channel, wait=False)
        except ConnectionResetError:
            return ""  # raised once if it died with `go` unread; its own messages come next
        except BlockingIOError:
            self._hang_up()
            return ""
        if not received.data and not received.fds:
            self._hang_up()
            return ""
        return self._handle(received)

    def _hang_up(self) -> None:
        """Stop listening; an end of file can come before death, so only the pidfd decides."""
        if self._open:
            self._open = False
            self._poll.unregister(self._channel)

    def _handle(self, received: Received) -> str:
        try:
            message = protocol.checked(received)
            self._dispatch(message, received)
        except Violation as violation:
            self._events.append(received.stamp_ns, "violation", text=str(violation))
            self.stop("violation", f"broke the protocol: {violation}")
            return ""
        return message.kind

    def _dispatch(self, message: Message, received: Received) -> None:
        if message.kind not in self._expected():
            protocol.close_all(received.fds)
            raise Violation(f"message '{message.kind}' out of turn")
        if message.kind == "snapshot":
            self._take_snapshot(message, received)
        elif message.kind in ("log", "span"):
            self._record_claim(message, received.stamp_ns)
        else:
            self._events.append(received.stamp_ns, message.kind)
        if message.kind == "ready":
            self.observation.runtime = message.fields["runtime"]

    def _expected(self) -> tuple[str, ...]:
        if self.observation.gun_ns is not None:
            return ("snapshot", "log", "span", "done")
        return ("setup_done", "log", "span") if self.observation.runtime else ("ready",)

    def _record_claim(self, message: Message, stamp_ns: int) -> None:
        """Record what the submission reports about itself, within the rate."""
        if not self._excess.take(stamp_ns):
            raise Violation("more log and span messages than the ruleset allows")
        if not self._claims.take(stamp_ns):
            self.observation.dropped_count += 1
            return
        self.observation.claims_count += 1
        fields = dict(message.fields)
        scalars, nonfinite = fields.pop("scalars", {}), fields.pop("nonfinite", {})
        self._events.append(stamp_ns, message.kind, **{**scalars, **nonfinite, **fields})
        if nonfinite:
            self._report_nonfinite(nonfinite, fields["step"])

    def _report_nonfinite(self, nonfinite: Mapping[str, str], step: int | None) -> None:
        """Report the first NaN or infinity that was logged as a finding."""
        rule = "claimed-not-finite"
        if any(finding.rule == rule for finding in self.observation.findings):
            return
        name, value = next(iter(nonfinite.items()))
        when = "" if step is None else f" at step {step}"
        finding = Finding(
            rule=rule,
            level="info",
            message=f"the submission logged {name!a} as {value}{when}",
            advice="it may have diverged; the metric of its snapshots decides",
        )
        self.observation.findings.append(finding)

    # --- snapshots ------------------------------------------------------------------------------

    def _take_snapshot(self, message: Message, received: Received) -> None:
        """Check the seals, take the descriptor, then stamp."""
        (descriptor,), index = received.fds, len(self.observation.held)
        if index >= HANDED_OVER_MAX:
            os.close(descriptor)
            raise Violation(f"more than {HANDED_OVER_MAX} snapshots handed over")
        try:
            size_bytes = check_sealed(descriptor, self._limits.rules.snapshot_bytes_max)
            stamp_ns = now_ns()
            self._mark()
            kernel_ns = self._kernel_ns(received)
            late = self._late(stamp_ns if kernel_ns is None else kernel_ns)
            refused = late or self._snapshots.refusal(stamp_ns, size_bytes)
            record = Snapshot(
                index=index,
                step=message.fields["step"],
                note=message.fields["note"],
                stamp_ns=stamp_ns,
                kernel_ns=kernel_ns,
                size_bytes=size_bytes,
                sha256=None,
                accepted=not refused,
                refused=refused,
            )
            # Before it is held: every held snapshot has an event.
            data = {"index": index, "step": record.step, "refused": refused}
            self._events.append(stamp_ns, "snapshot", **data)
        except Unsealed as error:
            os.close(descriptor)
            raise Violation(f"snapshot {index}: {error}") from error
        except BaseException:
            os.close(descriptor)
            raise
        self._snapshots.add(record, descriptor)
        if record.accepted:
            self._report_late(record)
        # The launcher reads the size of every process, which is gone after the end.
        self._sandbox.cpu_s()

    def _kernel_ns(self, received: Received) -> int | None:
        """The kernel's wall stamp on the monotonic clock, by an offset taken at receipt.

        None if it lies after the receipt, or in a time when no message waited: then the wall clock
        was set in between, and the stamp proves nothing.
        """
        if received.kernel_wall_ns is None:
            return None
        here = anchor()
        kernel_ns = received.kernel_wall_ns - (here.wall_ns - here.monotonic_ns)
        return kernel_ns if self._silent_ns <= kernel_ns <= received.stamp_ns else None

    def _late(self, sent_ns: int) -> str:
        """Why a snapshot came too late; empty if it did not."""
        gun_ns, end_ns = self.observation.gun_ns, self.observation.end_ns
        assert gun_ns is not None
        if sent_ns > gun_ns + self._limits.budget_s * NS_PER_S:
            return "sent after the budget"
        if end_ns is not None and sent_ns > end_ns:
            return "received after the end, without proof that it was sent before"
        return ""

    def _report_late(self, record: Snapshot) -> None:
        """Report the longest delay between the kernel's stamp and the receipt as a finding."""
        if record.kernel_ns is None or record.stamp_ns - record.kernel_ns <= LATE_NS:
            return
        late_s = (record.stamp_ns - record.kernel_ns) / NS_PER_S
        if late_s <= self._latest_s:
            return
        self._latest_s = late_s
        finding = Finding(
            rule="stamp-late",
            level="info",
            message=f"snapshot {record.index} was stamped {late_s:.3f} s after it was sent",
            advice="the receipt counts; keep the machine free of other load",
        )
        others = [item for item in self.observation.findings if item.rule != "stamp-late"]
        self.observation.findings[:] = [*others, finding]
