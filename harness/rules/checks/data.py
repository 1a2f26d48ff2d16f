"""Whether the data were those that the workload names."""

from collections.abc import Iterator

from harness.records import DataState, Finding
from harness.rules.evidence import Evidence

MARKS = {
    "partial": (
        "were a part of the published set",
        "pack the whole set by `joulemark data prepare`, without --partial, and run again",
    ),
    "synthetic": (
        "were a generated stand-in",
        "give the real set; `joulemark list workloads` says how to get it",
    ),
}
"""Mark to what it means and what to do about it."""


def check(evidence: Evidence) -> Iterator[Finding]:
    """`data-partial`, `data-synthetic`: such runs are shown and marked, and rank nowhere.

    Bundles older than the record's own field carry the mark among the evaluation's facts.
    """
    state = evidence.run.workload.data or DataState()
    facts = evidence.evaluation.facts if evidence.evaluation else {}
    for mark, (meaning, advice) in MARKS.items():
        if getattr(state, mark) or facts.get(mark, 0.0):
            message = f"the data of {evidence.run.workload.name} {meaning}, which ranks nowhere"
            yield Finding(rule=f"data-{mark}", level="fail", message=message, advice=advice)


CHECK = check
