"""A watched program with everything that was noted of it, for tests of the watch."""

from pathlib import Path
from typing import Any

from harness.bundle import EventLog
from harness.clock import NS_PER_S, now_ns
from harness.records import Event, RunRules, load
from harness.run.supervisor import Observation, RunLimits, Supervisor
from tests.run.stand_in import StandIn


class Seen:
    """One watched program and everything that was noted."""

    def __init__(self, path: Path, program: str, budget_s: float, **rules: Any) -> None:
        self.path = path
        self.sandbox = StandIn(program)
        self.log = EventLog(path, 0)
        self.terms = RunLimits(rules=RunRules(**rules), budget_s=budget_s)
        self.ticks: list[int] = []
        self.watch = Supervisor(self.sandbox, self.sandbox.channel, self.terms, self.log, self.tick)
        self.exit: Any = None

    def tick(self) -> bool:
        """Nobody interrupts."""
        self.ticks.append(now_ns())
        return False

    @property
    def observation(self) -> Observation:
        return self.watch.observation

    def run(self) -> "Seen":
        """From ready to the end, as `train` does it."""
        try:
            if self.watch.until_ready():
                self.watch.fire({"budget_s": self.terms.budget_s}, [])
                self.watch.until_end()
        finally:
            self.watch.stop("fault", "the test could not go on")
            self.watch.await_exit()
        self.exit = self.sandbox.reap(5)
        return self

    def events(self) -> list[Event]:
        """What was written down."""
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
