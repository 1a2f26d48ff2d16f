"""A supervised program and everything that was recorded of it, for tests of the supervisor."""

from pathlib import Path
from typing import Any

from harness.bundle import EventLog
from harness.clock import NS_PER_S, now_ns
from harness.records import Event, RunRules, load
from harness.run.snapshots import RunLimits
from harness.run.supervisor import Observation, Supervisor
from tests.run.stand_in import StandIn


class Seen:
    """One supervised program and everything that was recorded."""

    def __init__(self, path: Path, program: str, budget_s: float, **rules: Any) -> None:
        self.path = path
        self.sandbox = StandIn(program)
        self.log = EventLog(path, 0)
        self.limits = RunLimits(rules=RunRules(**rules), budget_s=budget_s)
        self.ticks: list[int] = []
        self.supervisor = Supervisor(
            self.sandbox, self.sandbox.channel, self.limits, self.log, self.tick
        )
        self.exit: Any = None

    def tick(self) -> bool:
        """Never interrupt."""
        self.ticks.append(now_ns())
        return False

    @property
    def observation(self) -> Observation:
        return self.supervisor.observation

    def finish(self) -> None:
        """Wait for the end of the program and account for it."""
        self.supervisor.await_exit()
        self.exit = self.sandbox.reap(5)

    def run(self) -> "Seen":
        """From ready to the end, as `train` does it."""
        try:
            if self.supervisor.until_ready():
                self.supervisor.start({"budget_s": self.limits.budget_s}, [])
                self.supervisor.until_end()
        finally:
            self.supervisor.stop("fault", "the test could not continue")
            self.supervisor.await_exit()
        self.exit = self.sandbox.reap(5)
        return self

    def events(self) -> list[Event]:
        """The recorded events."""
        lines = self.path.read_bytes().splitlines()
        return [load(Event, line, "events") for line in lines]

    def kinds(self) -> list[str]:
        """The kinds of the events, in order."""
        return [event.kind for event in self.events()]

    @property
    def window_s(self) -> float:
        """Length of the run window."""
        assert self.observation.end_ns is not None
        assert self.observation.gun_ns is not None
        return (self.observation.end_ns - self.observation.gun_ns) / NS_PER_S
