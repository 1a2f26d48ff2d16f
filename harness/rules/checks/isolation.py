"""Whether the submission was walled in as far as the ruleset asks."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`isolation-level`: a level that may not rank; `isolation-none`: no wall at all."""
    run, ruleset = evidence.run, evidence.ruleset
    level = run.isolation.level
    allowed = ruleset.score.isolation
    if level not in allowed:
        yield Finding(
            rule="isolation-level",
            level="fail",
            message=f"ran with isolation {level}; {ruleset.name} asks for {' or '.join(allowed)}",
            advice="run it where doctor finds bubblewrap or Landlock",
        )
    elif level == "none":
        message = "ran without isolation: nothing kept it from the harness's own files"
        yield Finding(rule="isolation-none", level="warn", message=message)


CHECK = check
