"""The input of a check: one run with its evaluation and machine, and the ruleset."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.records import Evaluation, Finding, Machine, Ruleset, Run


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One run and what belongs to it; the machine is read only if a check needs it."""

    run: Run
    evaluation: Evaluation | None
    ruleset: Ruleset
    """The rules that the run is scored by."""
    enforced: Ruleset
    """The rules that were in force during the run."""
    read_machine: Callable[[], Machine]

    @property
    def machine(self) -> Machine:
        """The machine before and after the run."""
        return self.read_machine()


Check = Callable[[Evidence], Iterator[Finding]]
"""A check plug-in: `CHECK` in `rules/checks/<name>.py`."""
