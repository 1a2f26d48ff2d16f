"""Check that the run used the data of the workload."""

from collections.abc import Iterator

from harness.records import DataState, Finding
from harness.rules.evidence import Evidence

MARKS = {
    "partial": (
        "were only a part of the published set",
        "pack the whole set with `joulemark data prepare`, without --partial, and run again",
    ),
    "synthetic": (
        "were generated instead of the real set",
        "use the real set; `joulemark list workloads` says how to get it",
    ),
}
"""Mark to its meaning and what to do."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """`data-partial`, `data-synthetic`: such runs are shown with a mark and are not ranked.

    Older bundles have the mark in the facts of the evaluation.
    """
    state = evidence.run.workload.data or DataState()
    facts = evidence.evaluation.facts if evidence.evaluation else {}
    for mark, (meaning, advice) in MARKS.items():
        if getattr(state, mark) or facts.get(mark, 0.0):
            message = (
                f"the data of {evidence.run.workload.name} {meaning}, so the run is not ranked"
            )
            yield Finding(rule=f"data-{mark}", level="fail", message=message, advice=advice)


CHECK = check
