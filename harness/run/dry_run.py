"""A dry run: some seconds of a submission in its sandbox, without meters; nothing is kept."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harness.api import WorkloadSpec
from harness.bundle import Bundle
from harness.records import Ruleset
from harness.registry import find
from harness.run.inspection import InspectionStep
from harness.run.order import Watcher
from harness.run.series import SeriesRequest, run_series

OVERTIME_S = 5.0
"""Time after the budget for a loop that ends with its budget to hand over its last weights."""

LOG_BYTES = 4096
"""Bytes of the output that are shown after a failure."""

ADVICE = {
    "crashed": "correct it; its output is below",
    "oom": "reduce its memory, or use a ruleset that allows more",
    "diverged": "outputs became NaN or infinite: lower the learning rate, or check the inputs",
    "killed": "it hung or was ended from outside; its output is below",
    "invalid": "hand weights over with session.snapshot(model), in the shapes of the division",
    "aborted": "run it again; if that does not help, see joulemark doctor",
}


def shortened(ruleset: Ruleset, workload: WorkloadSpec, seconds: float) -> Ruleset:
    """The same rules with a budget of at most `seconds`, and without an idle measurement."""
    ratio = min(seconds / workload.budget_s, ruleset.run.budget_ratio)
    change = {"budget_ratio": ratio, "idle_s": 0.0, "seeds_count": 1}
    return ruleset.model_copy(update={"run": ruleset.run.model_copy(update=change)})


@contextmanager
def dry_run(request: SeriesRequest, seconds: float, watcher: Watcher) -> Iterator[Bundle]:
    """The bundle of a dry run, which is removed at exit.

    Args:
        request: Workload, submission, ruleset and launcher; the rest is set here.
        seconds: Budget that the submission is told, unless its own is shorter.
        watcher: Display.

    Raises:
        MachineBusy: another run is in progress on this machine.
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
        (result,) = run_series(dry, watcher)
        yield Bundle(result.bundle)


def last_words(bundle: Bundle) -> list[str]:
    """The end of what the submission and its predictor printed."""
    text = bundle.read("log.txt")[-LOG_BYTES:].decode(errors="replace")
    return [line for line in text.splitlines() if line.strip()]


def _summary(bundle: Bundle) -> str:
    """Number of snapshots, duration, and the last metric."""
    run, values = bundle.run, bundle.evaluation.values if bundle.evaluation else ()
    gun_ns, end_ns = run.window.gun_ns, run.window.end_ns
    seconds = "" if gun_ns is None or end_ns is None else f" in {(end_ns - gun_ns) / 1e9:.2f} s"
    known = [value.value for value in values if value.value is not None]
    metric = f"; the last one has {run.workload.metric} {known[-1]:.4g}" if known else ""
    noun = "snapshot" if len(run.snapshots) == 1 else "snapshots"
    return f"handed over {len(run.snapshots)} {noun}{seconds}{metric}"


def dry_run_step(bundle: Bundle) -> InspectionStep:
    """The result of the dry run; to miss the target in so short a time is no failure."""
    run, values = bundle.run, bundle.evaluation.values if bundle.evaluation else ()
    if run.status in ("ok", "target_missed", "degraded"):
        return InspectionStep("dry-run", "pass", f"{_summary(bundle)}; nothing was measured")
    if run.status != "budget_exceeded":
        return InspectionStep("dry-run", "fail", f"{run.status}: {run.reason}", ADVICE[run.status])
    if any(value.value is not None for value in values):
        return InspectionStep("dry-run", "pass", f"{_summary(bundle)}; it was stopped as planned")
    return InspectionStep(
        "dry-run",
        "warn",
        f"trained until it was stopped after {run.workload.budget_s + OVERTIME_S:g} s without a "
        "snapshot, so its weights and predictor could not be tried",
        "use a larger --seconds, or let it stop at session.time_left_s()",
    )
