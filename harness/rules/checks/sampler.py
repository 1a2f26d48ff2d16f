"""Check that the sampler read the meters regularly during the whole run."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def check(evidence: Evidence) -> Iterator[Finding]:
    """`energy-sampler-missing`, `energy-sampler-gap`, `energy-sampler-few`.

    This check uses the report of the sampler on the whole run. Gaps in the score window are
    checked when its energy is computed.
    """
    run, ruleset = evidence.run, evidence.ruleset
    if not run.domains:
        return
    report = run.sampler
    if report is None:
        message = "meters were read, but the report of the sampler is missing"
        yield Finding(rule="energy-sampler-missing", level="fail", message=message)
        return
    slowest_s = max([report.period_s, *(domain.update_period_s or 0.0 for domain in run.domains)])
    allowed_s = ruleset.measure.gap_periods_max * slowest_s
    if report.gap_max_s is not None and report.gap_max_s > allowed_s:
        message = f"the sampler paused for {report.gap_max_s:.3g} s; {allowed_s:.3g} s are allowed"
        yield Finding(rule="energy-sampler-gap", level="warn", message=message)
    # Meters are read every period, but not faster than their values change.
    fastest_s = min((domain.update_period_s or 0.0 for domain in run.domains), default=0.0)
    expected = report.duration_s / max(report.period_s, fastest_s)
    if report.reads_count < ruleset.measure.coverage_ratio_min * expected - 1:
        message = f"the sampler read {report.reads_count} times, expected were {expected:.0f}"
        yield Finding(rule="energy-sampler-few", level="warn", message=message)


CHECK = check
