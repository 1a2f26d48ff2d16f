"""Whether the sampler kept up over the whole run."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-sampler-missing`, `energy-sampler-gap`, `energy-sampler-few`.

    Gaps inside the window that counts are found when its joules are added up; this looks at the
    sampler's own account of the run.
    """
    run, ruleset = evidence.run, evidence.ruleset
    if not run.domains:
        return
    report = run.sampler
    if report is None:
        message = "there are meters but no report of the sampler that read them"
        yield Finding(rule="energy-sampler-missing", level="fail", message=message)
        return
    slowest_s = max([report.period_s, *(domain.update_period_s or 0.0 for domain in run.domains)])
    allowed_s = ruleset.measure.gap_periods_max * slowest_s
    if report.gap_max_s is not None and report.gap_max_s > allowed_s:
        message = f"the sampler paused for {report.gap_max_s:.3g} s; {allowed_s:.3g} s are allowed"
        yield Finding(rule="energy-sampler-gap", level="warn", message=message)
    # A meter that has nothing new sooner is read no faster; the rest are read every period.
    fastest_s = min((domain.update_period_s or 0.0 for domain in run.domains), default=0.0)
    due = report.duration_s / max(report.period_s, fastest_s)
    if report.reads_count < ruleset.measure.coverage_ratio_min * due - 1:
        message = f"the sampler read {report.reads_count} times where {due:.0f} were due"
        yield Finding(rule="energy-sampler-few", level="warn", message=message)


CHECK = check
