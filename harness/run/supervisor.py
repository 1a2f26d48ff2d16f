"""Watches a submission from ready to the death of its last process, and takes its snapshots."""

import os
import select
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from harness.bundle import EventLog
from harness.clock import NS_PER_S, anchor, now_ns
from harness.plugins import Sandbox
from harness.records import Finding, RunRules, Snapshot
from harness.run import protocol
from harness.run.memory import Unsealed, check_sealed
from harness.run.protocol import Message, Received, Violation

EndedBy = Literal[
    "done", "exit", "budget", "violation", "interrupt", "start_cap", "setup_cap", "fault"
]
LATE_NS = 10_000_000
"""Receipt may lag the kernel's stamp by 6 ms under load (measured); more is a finding."""
EARLY = "sooner after the one before than the ruleset allows"
"""Why a snapshot inside the spacing is refused, unless it turns out to be the last of the run."""
HANDED_OVER_MAX = 10_000
"""Snapshots of one run, counted or not: each is written down, so a flood would fill the disk."""
DEATH_CAP_S = 30.0
"""A killed namespace is dead within milliseconds; beyond this the machine is at fault."""


class HeldSnapshot(NamedTuple):
    """A snapshot in the conductor's possession."""

    record: Snapshot
    descriptor: int | None
    """None where the bytes were refused or dropped."""


@dataclass
class Observation:
    """What was seen of one submission; filled by the watch, read by the conductor."""

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


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """The bounds that a submission is watched against."""

    rules: RunRules
    budget_s: float

    @property
    def spacing_s(self) -> float:
        """Least time between two snapshots that count."""
        if self.rules.snapshot_rule == "final":
            return 0.0
        return self.budget_s / self.rules.snapshots_max


class RateLimiter:
    """A token bucket for log and span messages."""

    def __init__(self, rate_hz: float, burst: int) -> None:
        """Allow `rate_hz` messages a second on average and `burst` at once."""
        self._rate_hz = rate_hz
        self._burst = float(burst)
        self._tokens = float(burst)
        self._seen_ns: int | None = None

    def take(self, stamp_ns: int) -> bool:
        """Whether one more message is within the rate."""
        if self._seen_ns is not None:
            gained = (stamp_ns - self._seen_ns) / NS_PER_S * self._rate_hz
            self._tokens = min(self._burst, self._tokens + gained)
        self._seen_ns = stamp_ns
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Supervisor:
    """One submission's conductor-side loop: it stamps, checks, keeps, and kills in time."""

    def __init__(
        self,
        sandbox: Sandbox,
        channel: socket.socket,
        limits: RunLimits,
        events: EventLog,
        tick: Callable[[], bool],
    ) -> None:
        """Watch a launched sandbox.

        Args:
            sandbox: What was launched.
            channel: The conductor's end of the socket.
            limits: Ruleset and budget.
            events: Where everything is written down.
            tick: Called a few times a second; true asks to abort.
        """
        self._sandbox = sandbox
        self._channel = channel
        self._limits = limits
        self._events = events
        self._tick = tick
        self._silent_ns = now_ns()
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(sandbox.pidfd, select.POLLIN)
        self._open = True
        self._claims = RateLimiter(limits.rules.log_rate_hz, int(limits.rules.log_rate_hz))
        self._excess = RateLimiter(limits.rules.log_rate_hz, limits.rules.messages_burst)
        self._next_ns = 0
        self._bytes_held = 0
        self._accepted_count = 0
        self._kept: deque[int] = deque()
        self._latest_s = 0.0
        self._killed = False
        self._early: int | None = None
        self.observation = Observation()

    # --- phases ---------------------------------------------------------------------------------

    def until_ready(self) -> bool:
        """Wait for `ready`; false where the submission died, hung or broke the protocol first."""
        cap_ns = now_ns() + int(self._limits.rules.start_cap_s * NS_PER_S)
        return self._until("ready", cap_ns, "start_cap")

    def setup(self, fields: Mapping[str, Any]) -> bool:
        """Let the submission's `setup` run, capped; false where it did not finish."""
        begin_ns = now_ns()
        protocol.send(self._channel, "setup", fields)
        cap_ns = begin_ns + int(self._limits.rules.setup_s * NS_PER_S)
        finished = self._until("setup_done", cap_ns, "setup_cap")
        self.observation.setup_ns = (begin_ns, now_ns())
        return finished

    def fire(self, fields: Mapping[str, Any], fds: Sequence[int]) -> None:
        """The gun: stamp, then send the training data; the run window is open."""
        self.observation.gun_ns = now_ns()
        try:
            protocol.send(self._channel, "go", fields, fds)
        except ConnectionError:
            pass  # it is dead or hung up, which the loop tells apart
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
            TimeoutError: something survives SIGKILL; the machine needs its organizer.
        """
        try:
            self._await_death()
            self.observation.end_ns = now_ns()
            # Before what is drained, which gets later stamps: events never go back in time.
            self._events.append(self.observation.end_ns, "end", ended_by=self.observation.ended_by)
            while self._open and self._take_one():
                pass
        finally:
            # Whatever cut this short: nothing that was handed over is left without an owner.
            self._promote_last()

    def _await_death(self) -> None:
        poll = select.poll()
        poll.register(self._sandbox.pidfd, select.POLLIN)
        if not poll.poll(DEATH_CAP_S * 1000):
            raise TimeoutError(
                f"a process of the submission is alive {DEATH_CAP_S} s after SIGKILL"
            )

    def stop(self, ended_by: EndedBy, reason: str = "") -> None:
        """Note why, once, and kill the whole tree."""
        if not self._killed:
            self._killed = True
            self.observation.ended_by = ended_by
            self.observation.reason = reason
            stamp_ns = now_ns()
            self._sandbox.kill()  # first, since the disk may be full
            self._events.append(stamp_ns, "kill", why=ended_by)

    # --- the loop -------------------------------------------------------------------------------

    def _until(self, kind: str, deadline_ns: int, on_time: EndedBy) -> bool:
        """Take messages until one of the given kind; false when it ends in another way."""
        while not self._killed:
            if self._tick():
                self.stop("interrupt", "stopped by the operator")
                return False
            left_ns = deadline_ns - now_ns()
            if left_ns <= 0:
                self.stop(on_time)
                return False
            asked_ns = now_ns()
            ready = dict(self._poll.poll(min(left_ns / 1e6 + 1, 250)))
            if self._channel.fileno() not in ready:
                self._silent_ns = asked_ns
            if self._channel.fileno() in ready and self._serve() == kind:
                return True
            if self._sandbox.pidfd in ready and self._channel.fileno() not in ready:
                self.observation.ended_by = "exit"
                self._killed = True
                return False
        return False

    def _serve(self) -> str:
        """Handle one waiting message; returns its kind, empty where it was none."""
        try:
            received = protocol.receive(self._channel, wait=False)
        except ConnectionResetError:
            return ""  # told once, where it died with `go` unread; what it had sent comes next
        except BlockingIOError:
            self._hang_up()
            return ""
        if not received.data and not received.fds:
            self._hang_up()
            return ""
        return self._handle(received)

    def _hang_up(self) -> None:
        """Stop listening; the end of file may be early, so only the pidfd tells of death."""
        if self._open:
            self._open = False
            self._poll.unregister(self._channel)

    def _take_one(self) -> bool:
        """Drain one message that was queued before death."""
        return self._serve() != "" or self._open

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
        expected = self._expected()
        if message.kind not in expected:
            protocol.close_all(received.fds)
            raise Violation(f"message '{message.kind}' out of turn")
        if message.kind == "snapshot":
            self._take(message, received)
        elif message.kind in ("log", "span"):
            self._claim(message, received.stamp_ns)
        else:
            self._events.append(received.stamp_ns, message.kind)
        if message.kind == "ready":
            self.observation.runtime = message.fields["runtime"]

    def _expected(self) -> tuple[str, ...]:
        if self.observation.gun_ns is not None:
            return ("snapshot", "log", "span", "done")
        return ("setup_done", "log", "span") if self.observation.runtime else ("ready",)

    def _claim(self, message: Message, stamp_ns: int) -> None:
        """Write down what the submission says of itself, within the rate."""
        if not self._excess.take(stamp_ns):
            raise Violation("more log and span messages than the ruleset allows")
        if not self._claims.take(stamp_ns):
            self.observation.dropped_count += 1
            return
        self.observation.claims_count += 1
        fields = dict(message.fields)
        scalars, odd = fields.pop("scalars", {}), fields.pop("nonfinite", {})
        self._events.append(stamp_ns, message.kind, **{**scalars, **odd, **fields})
        if odd:
            self._tell_nonfinite(odd, fields["step"])

    def _tell_nonfinite(self, odd: Mapping[str, str], step: int | None) -> None:
        """The first NaN or infinity that was logged is a finding; more would say no more."""
        rule = "claimed-not-finite"
        if any(finding.rule == rule for finding in self.observation.findings):
            return
        name, value = next(iter(odd.items()))
        when = "" if step is None else f" at step {step}"
        message = f"the submission logged {name!a} as {value}{when}"
        advice = "it may have diverged; what counts is its snapshots' metric"
        self.observation.findings.append(
            Finding(rule=rule, level="info", message=message, advice=advice)
        )

    # --- snapshots ------------------------------------------------------------------------------

    def _take(self, message: Message, received: Received) -> None:
        """Check the seals, take possession, then stamp."""
        descriptor = received.fds[0]
        if len(self.observation.held) >= HANDED_OVER_MAX:
            os.close(descriptor)
            raise Violation(f"more than {HANDED_OVER_MAX} snapshots handed over")
        try:
            size_bytes = check_sealed(descriptor, self._limits.rules.snapshot_bytes_max)
        except Unsealed as error:
            os.close(descriptor)
            raise Violation(f"snapshot {len(self.observation.held)}: {error}") from error
        stamp_ns = now_ns()
        kernel_ns = self._kernel_ns(received)
        refused = self._refusal(stamp_ns, kernel_ns, size_bytes)
        record = Snapshot(
            index=len(self.observation.held),
            step=message.fields["step"],
            note=message.fields["note"],
            stamp_ns=stamp_ns,
            kernel_ns=kernel_ns,
            size_bytes=size_bytes,
            sha256=None,
            accepted=not refused,
            refused=refused,
        )
        self._tell(record, descriptor)
        self._keep(record, descriptor)
        # The launcher sees how large everybody is; after the end nobody is left to be seen.
        self._sandbox.cpu_s()

    def _tell(self, record: Snapshot, descriptor: int) -> None:
        """Write it down before it is held: a run never has a snapshot that its events lack."""
        data = {"index": record.index, "step": record.step, "refused": record.refused}
        try:
            self._events.append(record.stamp_ns, "snapshot", **data)
        except BaseException:
            os.close(descriptor)
            raise

    def _kernel_ns(self, received: Received) -> int | None:
        """The kernel's wall stamp on the monotonic clock, by an offset taken at receipt.

        None where it says that the message was sent after its receipt, or while nothing waited:
        then the wall clock was set in between, and the stamp witnesses nothing.
        """
        if received.kernel_wall_ns is None:
            return None
        here = anchor()
        kernel_ns = received.kernel_wall_ns - (here.wall_ns - here.monotonic_ns)
        return kernel_ns if self._silent_ns <= kernel_ns <= received.stamp_ns else None

    def _late(self, sent_ns: int, gun_ns: int) -> str:
        """Why a snapshot came too late, or nothing."""
        if sent_ns > gun_ns + self._limits.budget_s * NS_PER_S:
            return "sent after the budget"
        if self.observation.end_ns is not None and sent_ns > self.observation.end_ns:
            return "received after the end, and nothing witnesses that it was sent before"
        return ""

    def _refusal(self, stamp_ns: int, kernel_ns: int | None, size_bytes: int) -> str:
        """Why a snapshot does not count, or nothing."""
        assert self.observation.gun_ns is not None
        rules = self._limits.rules
        sent_ns = kernel_ns if kernel_ns is not None else stamp_ns
        if late := self._late(sent_ns, self.observation.gun_ns):
            return late
        if self._bytes_held + size_bytes > rules.snapshots_bytes_max:
            return f"all snapshots together exceed {rules.snapshots_bytes_max} bytes"
        if rules.snapshot_rule == "final":
            return ""
        if stamp_ns < self._next_ns:
            return EARLY
        if self._accepted_count >= rules.snapshots_max:
            return f"more than {rules.snapshots_max} snapshots"
        return ""

    def _keep(self, record: Snapshot, descriptor: int) -> None:
        """Hold on to the descriptor of a snapshot that may count; under `final` to so many."""
        self._forget_early()
        if not record.accepted:
            self._hold_refused(record, descriptor)
            return
        # The shim starts its own spacing after the send, so a tenth is forgiven for the way.
        self._next_ns = record.stamp_ns + int(0.9 * self._limits.spacing_s * NS_PER_S)
        self._bytes_held += record.size_bytes
        self._accepted_count += 1
        self._kept.append(len(self.observation.held))
        self.observation.held.append(HeldSnapshot(record, descriptor))
        if self._limits.rules.snapshot_rule == "final":
            self._drop_surplus()
        self._witness(record)

    def _hold_refused(self, record: Snapshot, descriptor: int) -> None:
        """Close what does not count; an early one is held until it is known not to be the last."""
        if record.refused == EARLY:
            self._early = descriptor
        else:
            os.close(descriptor)
        self.observation.held.append(HeldSnapshot(record, None))

    def _forget_early(self) -> None:
        if self._early is not None:
            os.close(self._early)
            self._early = None

    def _promote_last(self) -> None:
        """The last snapshot of a run counts however soon it came: one more look, no more."""
        if self._early is None:
            return
        last = self.observation.held[-1]
        accepted = last.record.model_copy(update={"accepted": True, "refused": ""})
        self.observation.held[-1] = HeldSnapshot(accepted, self._early)
        self._early = None

    def _drop_surplus(self) -> None:
        """Under `final` keep the newest `snapshots_max`: only the last one counts anyway."""
        while len(self._kept) > self._limits.rules.snapshots_max:
            position = self._kept.popleft()
            held = self.observation.held[position]
            assert held.descriptor is not None
            os.close(held.descriptor)
            self._bytes_held -= held.record.size_bytes
            dropped = held.record.model_copy(
                update={"accepted": False, "refused": "superseded by later snapshots"}
            )
            self.observation.held[position] = HeldSnapshot(dropped, None)

    def _witness(self, record: Snapshot) -> None:
        """A receipt that lags the kernel's stamp is scored all the same, and the worst one told."""
        if record.kernel_ns is None or record.stamp_ns - record.kernel_ns <= LATE_NS:
            return
        late_s = (record.stamp_ns - record.kernel_ns) / NS_PER_S
        if late_s <= self._latest_s:
            return
        self._latest_s = late_s
        told = [item for item in self.observation.findings if item.rule != "stamp-late"]
        message = f"snapshot {record.index} was stamped {late_s:.3f} s after its send"
        advice = "the receipt counts; keep the machine free of other load"
        finding = Finding(rule="stamp-late", level="info", message=message, advice=advice)
        self.observation.findings[:] = [*told, finding]
