"""The conductor: runs one submission once and leaves a sealed bundle, whatever happens."""

from contextlib import ExitStack

from harness.errors import JouleMarkError
from harness.measure.audit import audit_run
from harness.measure.metering import Metering, MeteringError
from harness.records import Finding, Isolation
from harness.run.bundle_writer import open_bundle
from harness.run.evaluate import evaluate
from harness.run.interrupt import Interrupt
from harness.run.machine_facts import machine_after, machine_before
from harness.run.order import Order, RunResult, Watcher
from harness.run.output_capture import log_text
from harness.run.prepared_data import prepare_data
from harness.run.run_record import run_record
from harness.run.state import RunState
from harness.run.train import train
from harness.run.verdict import decide, degrade
from harness.storage import write_file


def run_one(order: Order, watcher: Watcher, interrupt: Interrupt) -> RunResult:
    """Prepare, train, evaluate, seal: leaves one complete bundle, however the submission ends.

    Raises:
        SubmissionError: the frozen source was changed; nothing was started.
        MeterUnavailable: a meter that was asked for by name did not open; the run is sealed.
        OSError: the results folder cannot be written, or the data are missing.
    """
    state = prepare(order, watcher, interrupt)
    try:
        train(state)
        evaluate(state)
    except (MeteringError, OSError) as error:
        state.fail(str(error))
    except BaseException as error:
        state.fail(str(error) if isinstance(error, JouleMarkError) else type(error).__name__)
        raise
    finally:
        result = seal(state)
    return result


def prepare(order: Order, watcher: Watcher, interrupt: Interrupt) -> RunState:
    """Let the sampler open its meters; meanwhile look up facts, draw data, open the bundle."""
    rig = order.rig
    with ExitStack() as unless_prepared:
        metering = Metering.prepare(rig.choice, order.ruleset.run.sample_period_s)
        unless_prepared.callback(metering.kill)
        watcher.phase("reading the machine's facts")
        machine = machine_before(order)
        watcher.phase("drawing the data")
        data = prepare_data(order.entry.workload, order.seeds.instance)
        unless_prepared.callback(data.close)
        bundle = open_bundle(order, machine.name)
        unless_prepared.pop_all()
    isolation = Isolation(
        launcher=rig.launcher_name, level=rig.launcher.level, reason=rig.launcher_reason, uid=None
    )
    return RunState(order, watcher, interrupt, machine, data, bundle, isolation, metering)


def seal(state: RunState) -> RunResult:
    """Write all files, decide the status, seal the bundle and close everything."""
    bundle, order = state.bundle, state.order
    try:
        if state.report is None:
            state.metering.kill()
        captures = [*state.captures, *state.predictor_captures]
        write_file(bundle.folder / "log.txt", log_text(captures))
        if state.evaluation is not None:
            bundle.write("eval.json", state.evaluation)
        bundle.write("machine.json", machine_after(state.machine, bundle.folder))
        source_findings = order.entry.source.findings
        findings = [*source_findings, *state.observation.findings, *_audit(state)]
        last_words = state.captures[1].last_line() if state.captures else ""
        verdict = decide(order, state.observation, state.exit, state.evaluation, last_words)
        verdict = degrade(verdict, findings)
        run = run_record(state, verdict, findings)
        bundle.seal(run)
    finally:
        state.close()
    return RunResult(run, bundle.folder, is_reference=order.is_reference)


def _audit(state: RunState) -> list[Finding]:
    """Findings on the measurement."""
    metering, observation, bundle = state.metering, state.observation, state.bundle
    window = (bundle.relative_ns(observation.gun_ns), bundle.relative_ns(observation.end_ns))
    rules = state.order.ruleset.measure
    return audit_run(bundle.folder, metering.domains, window, metering, rules)
