"""Check that the submission was isolated as the ruleset requires."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`isolation-level`: the level is not allowed; `isolation-none`: there was no isolation."""
    run, ruleset = evidence.run, evidence.ruleset
    level = run.isolation.level
    allowed = ruleset.score.isolation
    if level not in allowed:
        yield Finding(
            rule="isolation-level",
            level="fail",
            message=f"ran with isolation {level}; {ruleset.name} requires {' or '.join(allowed)}",
            advice="run it where `joulemark doctor` reports that bubblewrap or Landlock works",
        )
    elif level == "none":
        message = "ran without isolation: it could read and write the files of the harness"
        yield Finding(rule="isolation-none", level="warn", message=message)


CHECK = check
