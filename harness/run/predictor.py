"""Drives the predictor process: sends weights and inputs, receives outputs, limits the CPU."""

import select
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from harness.api import Arrays, Ask
from harness.clock import NS_PER_S, now_ns
from harness.plugins import Exit, Sandbox
from harness.run import protocol
from harness.run.memory import Unsealed, read_array, reopened, sealed_array
from harness.run.protocol import Message, Violation, close_all

Array = npt.NDArray[Any]

_POLL_MS = 50
"""Milliseconds between two readings of the predictor's CPU seconds."""
WALL_PER_CPU = 10.0
"""Wall seconds per allowed CPU second that all answers for a snapshot may take beyond the first
cap; otherwise a predictor that sleeps before each of a thousand answers blocks the evaluation."""


class PredictorFault(RuntimeError):
    """No outputs for this snapshot; `fatal` if the process is of no further use."""

    def __init__(self, text: str, *, fatal: bool = True) -> None:
        """Store the reason."""
        super().__init__(text)
        self.fatal = fatal


@dataclass(frozen=True, kw_only=True)
class PredictorCaps:
    """What one snapshot's evaluation may cost."""

    cpu_s: float
    answer_wall_s: float
    start_wall_s: float
    output_bytes: int


class PredictorAnswer(NamedTuple):
    """Outputs and their cost, including the loading of the weights."""

    outputs: Array
    wall_s: float
    cpu_s: float | None


def all_at_once(inputs: Arrays) -> Callable[[Ask], Array]:
    """Ask one question: all inputs."""
    return lambda ask: ask(inputs)


def in_lockstep(inputs: Arrays) -> Callable[[Ask], Array]:
    """Ask one question per position: t+1 only after the outputs for t were received.

    Args:
        inputs: Arrays of shape (examples, length).
    """

    def drive(ask: Ask) -> Array:
        length = next(iter(inputs.values())).shape[1]
        steps = [ask({name: array[:, t] for name, array in inputs.items()}) for t in range(length)]
        try:
            return np.stack(steps, axis=1)
        except (ValueError, TypeError) as error:
            raise PredictorFault(
                "outputs of different positions differ in shape or type", fatal=False
            ) from error

    return drive


class Predictor:
    """One predictor process; it evaluates all snapshots of a run unless it breaks a cap."""

    def __init__(
        self,
        sandbox: Sandbox,
        channel: socket.socket,
        caps: PredictorCaps,
        *,
        is_program: bool = False,
    ) -> None:
        """Take over a launched predictor.

        Args:
            sandbox: Its sandbox.
            channel: Our end of its socket.
            caps: Its limits.
            is_program: Whether it turns into a program of the submission before it is ready. The
                CPU seconds of that program's start count for the first snapshot, where they exceed
                those that the harness needed to start Python with the declared imports.
        """
        self._is_program = is_program
        self._start_cpu_s = 0.0
        self._sandbox = sandbox
        self._channel = channel
        self._caps = caps
        self._count = 0
        self._begin_cpu_s: float | None = 0.0
        self._metered = False
        self._cap_cpu_s = caps.cpu_s
        self._waited_ns = 0
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)
        self._poll.register(sandbox.pidfd, select.POLLIN)

    def __enter__(self) -> Self:
        if self._is_program:
            self._expect("starting", self._caps.start_wall_s)
            self._begin_cpu_s = self._sandbox.cpu_s()
            self._start_cpu_s = self._begin_cpu_s or 0.0
            self._cap_cpu_s += self._start_cpu_s
            self._metered = True
        self._expect("ready", self._caps.start_wall_s)
        self._metered = False
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.kill()
        self._channel.close()

    def end(self) -> Exit:
        """Kill what is left and return how it ended."""
        self._sandbox.kill()
        self._channel.close()
        return self._sandbox.reap(10.0)

    def evaluate(
        self, weights: int, drive: Callable[[Ask], Array], cap_cpu_s: float | None = None
    ) -> PredictorAnswer:
        """Outputs of one snapshot.

        Args:
            weights: Descriptor of the sealed safetensors.
            drive: Asks the questions, one after the other, and makes one array of the answers.
            cap_cpu_s: CPU seconds for this snapshot; None takes the cap for all snapshots.

        Raises:
            PredictorFault: no outputs, with the reason.
        """
        begin_ns = now_ns()
        self._cap_cpu_s = self._caps.cpu_s if cap_cpu_s is None else cap_cpu_s
        if self._is_program and not self._count:
            self._cap_cpu_s += self._start_cpu_s
        else:
            self._begin_cpu_s = self._sandbox.cpu_s()
        self._metered = True
        self._waited_ns = 0
        self._send("weights", {"id": self._count}, [weights])
        self._expect("loaded", self._caps.answer_wall_s)
        outputs = drive(self._ask)
        self._metered = False
        self._count += 1
        return PredictorAnswer(outputs, (now_ns() - begin_ns) / NS_PER_S, self._spent_s())

    def _ask(self, inputs: Arrays) -> Array:
        named = [{"name": name, "index": index} for index, name in enumerate(inputs)]
        fds: list[int] = []
        try:
            fds.extend(sealed_array(name, array) for name, array in inputs.items())
            self._send("predict", {"id": self._count, "inputs": named}, fds)
        finally:
            close_all(fds)
        _, received = self._expect("outputs", self._caps.answer_wall_s)
        try:
            return read_array(received[0], self._caps.output_bytes)
        except (Unsealed, ValueError, EOFError) as error:
            raise PredictorFault(
                f"outputs are no plain array in a sealed memory file: {error}", fatal=False
            ) from error
        finally:
            close_all(received)

    def _send(self, kind: str, fields: Mapping[str, Any], fds: list[int]) -> None:
        self._check_silent()
        fresh: list[int] = []
        try:
            fresh.extend(reopened(descriptor) for descriptor in fds)
            protocol.send(self._channel, kind, fields, fresh)
        except ConnectionError as error:
            raise PredictorFault("the predictor is gone") from error
        finally:
            close_all(fresh)

    def _check_silent(self) -> None:
        """Refuse a message that was sent before its question."""
        try:
            waiting = self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return  # no message waits
        if waiting:
            raise PredictorFault("the predictor sent a message without a question")

    def _expect(self, kind: str, wall_s: float) -> tuple[Message, list[int]]:
        """The next message, which must have this kind and arrive within the caps."""
        begin_ns = now_ns()
        try:
            self._wait(kind, begin_ns, wall_s)
        finally:
            self._waited_ns += now_ns() - begin_ns
        return self._take(kind)

    def _wait(self, kind: str, begin_ns: int, wall_s: float) -> None:
        """Wait for a message; all answers for one snapshot also have a common limit."""
        limit_s = self._caps.answer_wall_s + WALL_PER_CPU * self._cap_cpu_s
        while True:
            ready = dict(self._poll.poll(_POLL_MS))
            self._check_cpu()
            if self._channel.fileno() in ready:
                return
            if ready:
                raise PredictorFault(
                    f"the predictor ended before '{kind}'; its last output is in log.txt"
                )
            waited_ns = now_ns() - begin_ns
            if self._metered and self._waited_ns + waited_ns > limit_s * NS_PER_S:
                raise PredictorFault(
                    f"the predictor's answers took more than {limit_s:.3g} s together"
                )
            if waited_ns > wall_s * NS_PER_S:
                raise PredictorFault(f"the predictor gave no '{kind}' within {wall_s:g} s")

    def _take(self, kind: str) -> tuple[Message, list[int]]:
        try:
            received = protocol.receive(self._channel)
        except ConnectionResetError:
            received = None  # it died with a question unread
        if received is None or not (received.data or received.fds):
            raise PredictorFault(
                f"the predictor hung up before '{kind}'; its last output is in log.txt"
            )
        try:
            message = protocol.checked(received)
        except Violation as violation:
            raise PredictorFault(f"the predictor broke the protocol: {violation}") from violation
        if message.kind == "failed":
            raise PredictorFault(message.fields["reason"], fatal=False)
        if message.kind != kind:
            close_all(received.fds)
            raise PredictorFault(f"the predictor sent '{message.kind}' where '{kind}' was due")
        return message, received.fds

    def _spent_s(self) -> float | None:
        now_s = self._sandbox.cpu_s()
        if now_s is None or self._begin_cpu_s is None:
            return None
        return now_s - self._begin_cpu_s

    def _check_cpu(self) -> None:
        """End training at prediction time, and any other large computation."""
        if not self._metered:
            return
        spent_s = self._spent_s()
        if spent_s is not None and spent_s > self._cap_cpu_s:
            raise PredictorFault(
                f"the predictor used more than {self._cap_cpu_s:.3g} CPU s for a snapshot"
            )
