"""A dry run: some seconds of a submission in its sandbox, without meters, kept nowhere."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.api import WorkloadSpec
from harness.bundle import Bundle
from harness.records import Ruleset, Run
from harness.registry import find
from harness.run.inspection import InspectionStep
from harness.run.order import Watcher
from harness.run.series import SeriesRequest, run_series

OVERTIME_S = 5.0
"""A loop that ends with the budget it was told has so long to hand over its last weights."""

LOG_BYTES = 4096
"""Of what it printed, so much is shown where it failed."""

ADVICE = {
    "crashed": "mend it; what it printed is below",
    "oom": "it needs less memory, or a ruleset that allows more",
    "diverged": "outputs became NaN or infinite: lower the learning rate, or check the inputs",
    "killed": "it hung or was ended from outside; what it printed is below",
    "invalid": "hand weights over with session.snapshot(model), in the division's own shapes",
    "aborted": "run it again; if that does not help, see joulemark doctor",
}


def shortened(ruleset: Ruleset, workload: WorkloadSpec, seconds: float) -> Ruleset:
    """The same rules with a budget of at most so many seconds, and no idle baseline."""
    ratio = min(seconds / workload.budget_s, ruleset.run.budget_ratio)
    change = {"budget_ratio": ratio, "idle_s": 0.0, "seeds_count": 1}
    return ruleset.model_copy(update={"run": ruleset.run.model_copy(update=change)})


@contextmanager
def dry_run(request: SeriesRequest, seconds: float, watcher: Watcher) -> Iterator[Bundle]:
    """The bundle of a dry run, there while entered.

    Args:
        request: Workload, submission, ruleset and launcher; the rest is set here.
        seconds: Budget that the submission is told, unless its own is shorter.
        watcher: Who looks on.

    Raises:
        MachineBusy: another run uses this machine.
        (and what `orders` raises)
    """
    workload: WorkloadSpec = find("workloads", request.workload).value
    with tempfile.TemporaryDirectory(prefix="joulemark-check-") as scratch:
        dry = replace(
            request,
            ruleset=shortened(request.ruleset, workload, seconds),
            seeds_count=1,
            declared_seeds=(),
            meters=("none",),
            results=Path(scratch),
            interleave=False,
            overtime_s=OVERTIME_S,
        )
        (outcome,) = run_series(dry, watcher)
        yield Bundle(outcome.bundle)


def last_words(bundle: Bundle) -> list[str]:
    """The end of what the submission and its predictor printed."""
    text = bundle.read("log.txt")[-LOG_BYTES:].decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()]


def _told(bundle: Bundle) -> str:
    """How many snapshots, after how long, and what the last one is worth."""
    run, values = bundle.run, bundle.evaluation.values if bundle.evaluation else ()
    gun_ns, end_ns = run.window.gun_ns, run.window.end_ns
    seconds = "" if gun_ns is None or end_ns is None else f" in {(end_ns - gun_ns) / 1e9:.2f} s"
    known = [value.value for value in values if value.value is not None]
    worth = f"; the last one has {run.workload.metric} {known[-1]:.4g}" if known else ""
    noun = "snapshot" if len(run.snapshots) == 1 else "snapshots"
    return f"handed over {len(run.snapshots)} {noun}{seconds}{worth}"


def _out_of_time(bundle: Bundle, run: Run) -> InspectionStep:
    if bundle.evaluation and any(value.value is not None for value in bundle.evaluation.values):
        return InspectionStep("dry-run", "pass", f"{_told(bundle)}; it was stopped as planned")
    return InspectionStep(
        "dry-run",
        "warn",
        f"trained until it was stopped after {run.workload.budget_s + OVERTIME_S:g} s and handed "
        "nothing over, so that its weights and predictor could not be tried",
        "try --seconds with more, or let it stop at session.time_left_s()",
    )


def dry_run_step(bundle: Bundle) -> InspectionStep:
    """What the dry run showed; missing the target in so short a time is no fault."""
    run = bundle.run
    if run.status in ("ok", "target_missed", "degraded"):
        return InspectionStep("dry-run", "pass", f"{_told(bundle)}; nothing was measured")
    if run.status == "budget_exceeded":
        return _out_of_time(bundle, run)
    return InspectionStep("dry-run", "fail", f"{run.status}: {run.reason}", ADVICE[run.status])
