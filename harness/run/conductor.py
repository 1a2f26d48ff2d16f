"""The conductor: runs one submission once and leaves a sealed bundle, whatever happens."""

from dataclasses import dataclass, field

import harness
from harness.clock import utc_text
from harness.measure.audit import audit_run
from harness.measure.choice import MeterUnavailable, require_opened
from harness.measure.idle import idle_power
from harness.measure.metering import Metering, MeteringError
from harness.records import (
    Evaluation,
    Finding,
    Isolation,
    Machine,
    Output,
    Run,
    RunWindow,
    SamplerReport,
    SelfReported,
    Snapshot,
    Usage,
)
from harness.run.bundle_writer import BundleWriter, open_bundle
from harness.run.evaluate import evaluate, release, take_custody
from harness.run.interrupt import Interrupt
from harness.run.order import Order, RunResult, Watcher, workload_record
from harness.run.output_capture import OutputCapture, log_text
from harness.run.prepared_data import PreparedData, prepare_data
from harness.run.survey import survey_after, survey_before
from harness.run.train import RunContext, Trained, train
from harness.run.verdict import StatusReason, decide, degrade
from harness.storage import write_file


@dataclass
class Judged:
    """What came after the death of the submission."""

    report: SamplerReport | None = None
    evaluation: Evaluation | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    captures: list[OutputCapture] = field(default_factory=list)


def run_one(order: Order, watcher: Watcher, interrupt: Interrupt) -> RunResult:
    """Run, evaluate, seal: one bundle, complete whatever became of the submission.

    Raises:
        SubmissionError: the source cannot be frozen; nothing was started.
        MeterUnavailable: a meter that was asked for by name did not open; the run is sealed.
        OSError: the results folder cannot be written, or the data are missing.
    """
    watcher.phase("looking at the machine")
    machine = survey_before(order)
    watcher.phase("drawing the data")
    with prepare_data(order.workload, order.seeds.instance) as ammunition:
        bench = open_bundle(order, machine.name)
        trained, judged = Trained(), Judged()
        metering: Metering | None = None
        try:
            watcher.phase("starting the meters")
            origin_ns, period_s = bench.origin.monotonic_ns, order.ruleset.run.sample_period_s
            metering = Metering.start(order.choice, bench.folder, origin_ns, period_s)
            require_opened(order.choice, metering.failed)
            train(RunContext(order, bench, metering, watcher, interrupt), ammunition, trained)
            judged.report = _last_report(metering, trained)
            _judge(bench, trained, judged, ammunition, (watcher, interrupt))
        except (MeteringError, OSError) as error:
            _fault(trained, str(error))
        except MeterUnavailable as error:
            _fault(trained, str(error))
            raise
        except BaseException as error:
            _fault(trained, type(error).__name__)
            raise
        finally:
            try:
                outcome = _seal(bench, trained, judged, (ammunition, machine, metering))
            finally:
                bench.close()
                release(trained.observation.held)
    return outcome


def _last_report(metering: Metering, trained: Trained) -> SamplerReport | None:
    """What the sampler says at its end; where it is gone, the training stands and no joule does."""
    try:
        return metering.stop()
    except MeteringError as error:
        finding = Finding(
            rule="sampler-gone",
            level="fail",
            message=str(error),
            advice="what was read until then is kept; run again for joules that can rank",
        )
        trained.observation.findings.append(finding)
        return None


def _fault(trained: Trained, reason: str) -> None:
    """What the harness itself could not do is never laid at the submission's door."""
    trained.observation.ended_by = "fault"
    trained.observation.reason = f"the harness could not go on: {reason}"


def _judge(
    bench: BundleWriter,
    trained: Trained,
    judged: Judged,
    ammunition: PreparedData,
    attending: tuple[Watcher, Interrupt],
) -> None:
    """Hash and keep the snapshots, then evaluate them: all of it off the clock."""
    watcher, interrupt = attending
    held = trained.observation.held
    keep_bytes = bench.order.ruleset.run.kept_snapshot_bytes
    judged.snapshots = take_custody(held, bench.folder / "snapshots", keep_bytes)
    if trained.observation.ended_by in ("violation", "interrupt", "fault") or not held:
        return
    watcher.phase(f"evaluating {len(held)} snapshots")
    judged.evaluation, judged.captures = evaluate(
        bench.order, bench.source, ammunition.splits, trained.observation, lambda: interrupt.asked
    )
    if interrupt.asked:
        trained.observation.ended_by = "interrupt"


def _seal(
    bench: BundleWriter,
    trained: Trained,
    judged: Judged,
    rest: tuple[PreparedData, Machine, Metering | None],
) -> RunResult:
    """Write down everything that there is, decide the status, and seal."""
    ammunition, machine, metering = rest
    if metering is not None and judged.report is None:
        metering.kill()
    captures = [*trained.captures, *judged.captures]
    write_file(bench.folder / "log.txt", log_text(captures))
    if judged.evaluation is not None:
        bench.write("eval.json", judged.evaluation)
    bench.write("machine.json", survey_after(machine, bench.folder))
    findings = [*bench.packing, *trained.observation.findings, *_measured(bench, trained, metering)]
    last_words = trained.captures[1].last_line() if trained.captures else ""
    verdict = decide(bench.order, trained.observation, trained.exit, judged.evaluation, last_words)
    verdict = degrade(verdict, findings)
    run = _run_record(bench, trained, judged, (ammunition, metering, verdict, tuple(findings)))
    bench.seal(run)
    return RunResult(run, bench.folder, is_reference=bench.order.is_reference)


def _measured(bench: BundleWriter, trained: Trained, metering: Metering | None) -> list[Finding]:
    """What the audit of the measurement has to say."""
    if metering is None:
        return []
    return audit_run(
        bench.folder,
        metering.domains,
        (
            bench.relative_ns(trained.observation.gun_ns),
            bench.relative_ns(trained.observation.end_ns),
        ),
        metering,
        bench.order.ruleset.measure,
    )


def _window(bench: BundleWriter, trained: Trained) -> RunWindow:
    """The stamps of the run, relative to its origin."""
    setup = trained.observation.setup_ns
    origin = bench.origin.monotonic_ns
    return RunWindow(
        origin_utc=utc_text(bench.origin.wall_ns),
        origin_monotonic_ns=str(origin),
        launch_ns=bench.relative_ns(trained.launch_ns),
        setup_ns=None if setup is None else (setup[0] - origin, setup[1] - origin),
        gun_ns=bench.relative_ns(trained.observation.gun_ns),
        end_ns=bench.relative_ns(trained.observation.end_ns),
        ended_by=trained.observation.ended_by,
    )


def _relative(bench: BundleWriter, snapshot: Snapshot) -> Snapshot:
    """A snapshot with its stamps relative to the run's origin."""
    kernel_ns = bench.relative_ns(snapshot.kernel_ns)
    change = {"stamp_ns": bench.relative_ns(snapshot.stamp_ns), "kernel_ns": kernel_ns}
    return snapshot.model_copy(update=change)


def _usage(trained: Trained) -> Usage | None:
    if trained.exit is None:
        return None
    return Usage(
        cpu_s=trained.exit.cpu_s,
        window_cpu_s=trained.window_cpu_s,
        peak_rss_bytes=trained.exit.peak_rss_bytes,
        exit_code=trained.exit.code,
        signal=trained.exit.signal,
    )


def _output(trained: Trained) -> Output | None:
    if not trained.captures:
        return None
    out, err = trained.captures
    kept = len(out.kept) + len(err.kept)
    return Output(stdout_bytes=out.total_bytes, stderr_bytes=err.total_bytes, kept_bytes=kept)


def _unisolated(order: Order) -> Isolation:
    """For runs that ended before a sandbox stood."""
    level = order.launcher.level
    reason = order.launcher_reason
    return Isolation(launcher=order.launcher_name, level=level, reason=reason, uid=None)


def _run_record(
    bench: BundleWriter,
    trained: Trained,
    judged: Judged,
    rest: tuple[PreparedData, Metering | None, StatusReason, tuple[Finding, ...]],
) -> Run:
    """`run.json`, whole."""
    ammunition, metering, verdict, findings = rest
    order = bench.order
    observation = trained.observation
    held = judged.snapshots or [item.record for item in observation.held]
    chosen = {item.name for item in order.choice}
    meters = [meter.model_copy(update={"chosen": meter.name in chosen}) for meter in order.meters]
    return Run(
        id=bench.run_id,
        harness_version=harness.__version__,
        status=verdict.status,
        reason=verdict.reason,
        workload=workload_record(order, ammunition.splits),
        submission=bench.submission,
        machine=bench.machine,
        ruleset=order.ruleset.name,
        snapshot_rule=order.ruleset.run.snapshot_rule,
        mode=order.ruleset.run.mode,
        provenance=order.provenance,
        interleaved_with=order.interleaved_with,
        seeds=order.seeds,
        hyperparameters={**order.source.file.hyperparameters, **order.hyperparameters},
        tuning=order.tuning,
        window=_window(bench, trained),
        isolation=trained.isolation or _unisolated(order),
        snapshots=tuple(_relative(bench, item) for item in held),
        usage=_usage(trained),
        output=_output(trained),
        claimed=SelfReported(messages=observation.claims_count, dropped=observation.dropped_count),
        meters=tuple(meters),
        domains=metering.domains if metering else (),
        idle=idle_power(bench.folder, metering.domains) if metering else (),
        sampler=judged.report,
        findings=findings,
    )
