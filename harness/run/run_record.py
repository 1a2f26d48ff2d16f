"""Builds `run.json` from the state of a run."""

import harness
from harness.clock import utc_text
from harness.measure.events import idle_power
from harness.records import (
    Finding,
    Output,
    Run,
    RunWindow,
    SelfReported,
    Snapshot,
    Usage,
)
from harness.run.state import RunState
from harness.run.verdict import StatusReason
from harness.run.workload_record import workload_record


def _window(state: RunState) -> RunWindow:
    """The stamps of the run, relative to its origin."""
    observation, bundle = state.observation, state.bundle
    setup, origin_ns = observation.setup_ns, bundle.origin.monotonic_ns
    return RunWindow(
        origin_utc=utc_text(bundle.origin.wall_ns),
        origin_monotonic_ns=str(origin_ns),
        launch_ns=bundle.relative_ns(state.launch_ns),
        setup_ns=None if setup is None else (setup[0] - origin_ns, setup[1] - origin_ns),
        gun_ns=bundle.relative_ns(observation.gun_ns),
        end_ns=bundle.relative_ns(observation.end_ns),
        ended_by=observation.ended_by,
    )


def _snapshots(state: RunState) -> tuple[Snapshot, ...]:
    """All snapshots, with stamps relative to the run's origin."""
    relative_ns = state.bundle.relative_ns
    records = state.snapshots or [snapshot.record for snapshot in state.observation.held]
    return tuple(
        record.model_copy(
            update={
                "stamp_ns": relative_ns(record.stamp_ns),
                "kernel_ns": relative_ns(record.kernel_ns),
            }
        )
        for record in records
    )


def _usage(state: RunState) -> Usage | None:
    if state.exit is None:
        return None
    return Usage(
        cpu_s=state.exit.cpu_s,
        window_cpu_s=state.window_cpu_s,
        peak_rss_bytes=state.exit.peak_rss_bytes,
        exit_code=state.exit.code,
        signal=state.exit.signal,
    )


def _output(state: RunState) -> Output | None:
    if not state.captures:
        return None
    out, err = state.captures
    kept = len(out.kept) + len(err.kept)
    return Output(stdout_bytes=out.total_bytes, stderr_bytes=err.total_bytes, kept_bytes=kept)


def run_record(state: RunState, verdict: StatusReason, findings: list[Finding]) -> Run:
    """The record of a run that is over."""
    order, metering, observation = state.order, state.metering, state.observation
    entry, rules = order.entry, order.ruleset
    chosen = {choice.name for choice in order.rig.choice}
    return Run(
        id=state.bundle.run_id,
        harness_version=harness.__version__,
        status=verdict.status,
        reason=verdict.reason,
        workload=workload_record(order, state.data.splits),
        submission=entry.source.submission,
        machine=state.machine.name,
        ruleset=rules.name,
        snapshot_rule=rules.run.snapshot_rule,
        mode=rules.run.mode,
        provenance=order.provenance,
        interleaved_with=order.interleaved_with,
        seeds=order.seeds,
        hyperparameters=entry.hyperparameters,
        tuning=entry.tuning,
        window=_window(state),
        isolation=state.isolation,
        snapshots=_snapshots(state),
        usage=_usage(state),
        output=_output(state),
        claimed=SelfReported(messages=observation.claims_count, dropped=observation.dropped_count),
        meters=tuple(
            meter.model_copy(update={"chosen": meter.name in chosen}) for meter in order.rig.meters
        ),
        domains=metering.domains,
        idle=idle_power(state.bundle.folder, metering.domains),
        sampler=state.report,
        findings=tuple(findings),
    )
