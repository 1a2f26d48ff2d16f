"""Check that the run was made under rules that are at least as strict as those that score it."""

import math
from collections.abc import Iterator

from harness.records import Finding
from harness.records.ruleset import LAXER
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`rules-laxer`: a constant was laxer during the run than the ruleset allows."""
    for section, constants in LAXER.items():
        for name, laxer in constants.items():
            ran, allowed = (
                getattr(getattr(ruleset, section), name)
                for ruleset in (evidence.enforced, evidence.ruleset)
            )
            if laxer == "scored" or ran == allowed:
                continue
            # None sets no limit.
            low, high = (math.inf if value is None else value for value in (allowed, ran))
            if (high > low) == (laxer == "higher"):
                yield Finding(
                    rule="rules-laxer",
                    level="fail",
                    message=f"the run was made with {section}.{name} = {ran}; "
                    f"{evidence.ruleset.name} requires {allowed}",
                    advice=f"run again with --ruleset {evidence.ruleset.name}",
                )


CHECK = check
