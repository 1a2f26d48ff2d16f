"""Check that no metric is better than any predictor can expect."""

from collections.abc import Iterator

from harness.records import Finding
from harness.rules.evidence import Evidence


def _excess(value: float, optimum: float, better: str) -> float:
    """How much better than the optimum a metric is, in its unit; negative if it is worse."""
    return value - optimum if better == "higher" else optimum - value


def check(evidence: Evidence) -> Iterator[Finding]:
    """`too-good-to-be-true`: better than the known optimum by too many standard errors.

    The facts of the evaluation contain the metric that the ideal predictor expects on the drawn
    instance (`optimum`) and its standard error on the drawn test split (`optimum_error`).
    """
    run, evaluation, ruleset = evidence.run, evidence.evaluation, evidence.ruleset
    if evaluation is None or not {"optimum", "optimum_error"} <= evaluation.facts.keys():
        return
    optimum, error = evaluation.facts["optimum"], evaluation.facts["optimum_error"]
    sigmas = ruleset.evaluation.optimum_sigmas
    for value in evaluation.values:
        if value.value is None:
            continue
        excess = _excess(value.value, optimum, run.workload.better)
        if excess > sigmas * error:
            message = (
                f"snapshot {value.snapshot}: {evaluation.metric} {value.value:.6g} beats the "
                f"optimum {optimum:.6g} by more than {sigmas:g} standard errors of {error:.2g}"
            )
            advice = "look for test data in the submission or labels in its inputs"
            yield Finding(rule="too-good-to-be-true", level="fail", message=message, advice=advice)
            return


CHECK = check
