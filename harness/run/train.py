"""The timed phase of a run: from the launch to the death of the last process."""

from contextlib import ExitStack
from typing import Any

from harness.clock import NS_PER_S, SystemClock, now_ns
from harness.measure.choice import require_opened
from harness.measure.energy import disjoint
from harness.measure.metering import Metering, MeteringError
from harness.records import Finding, Isolation, SamplerReport
from harness.records.measure import weakest_method
from harness.run import protocol
from harness.run.order import Order, Progress
from harness.run.sandboxes import LaunchedSandbox, launch_submission, mask_folders
from harness.run.snapshots import RunLimits
from harness.run.state import RunState
from harness.run.supervisor import Supervisor

_TICK_NS = NS_PER_S
_REAP_S = 10.0
CPU_LOST = Finding(
    rule="cpu-lost",
    level="warn",
    message="a process did not wait for its children, so their CPU seconds are missing",
    advice="wait for every child, or run on a machine with control groups",
)


class LiveProgress:
    """Sends live values to the watcher, at most once per second."""

    def __init__(self, state: RunState, metering: Metering) -> None:
        """Take the values from a run in progress and its meters."""
        self._state = state
        self._metering = metering
        self._next_ns = 0
        self._joules_at_start: float | None = None

    def tick(self) -> bool:
        """Read the sampler's status, inform the watcher, and return whether to abort."""
        self._metering.pump()
        if now_ns() >= self._next_ns:
            self._next_ns = now_ns() + _TICK_NS
            self._state.watcher.progress(self._progress())
        return self._state.interrupt.asked

    def _progress(self) -> Progress:
        order, gun_ns = self._state.order, self._state.observation.gun_ns
        watts, joules = self._power()
        if gun_ns is not None and self._joules_at_start is None:
            self._joules_at_start = joules
        start = self._joules_at_start
        return Progress(
            run_index=order.index,
            run_count=order.count,
            t_s=0.0 if gun_ns is None else (now_ns() - gun_ns) / NS_PER_S,
            budget_s=order.budget_s,
            watts=watts,
            joules=None if joules is None or start is None else joules - start,
            method=weakest_method(domain.method for domain in self._metering.domains),
            snapshots=len(self._state.observation.held),
        )

    def _power(self) -> tuple[float | None, float | None]:
        """Watts and joules of the domains that no other one contains, so none counts twice."""
        latest = self._metering.latest
        if latest is None:
            return None, None
        names = {domain.name for domain in disjoint(self._metering.domains)}
        watts = [value for name, value in latest.watts.items() if name in names]
        joules = [value for name, value in latest.joules.items() if name in names]
        return (sum(watts) if watts else None, sum(joules) if joules else None)


def train(state: RunState) -> None:
    """Start the meters, and run the submission until its last process is dead.

    The state is filled step by step, so that an exception loses nothing.

    Raises:
        MeterUnavailable: a meter that was asked for by name did not open.
        MeteringError: the sampler did not start.
        OSError: the sandbox could not be started.
    """
    order, bundle = state.order, state.bundle
    state.watcher.phase("starting the meters")
    metering = state.metering
    metering.begin(bundle.folder, bundle.origin.monotonic_ns)
    require_opened(order.rig.choice, metering.failed)
    _idle(state, metering, "idle_before")
    _run_submission(state, metering)
    _idle(state, metering, "idle_after")
    state.report = _stop_meters(state, metering)


def _run_submission(state: RunState, metering: Metering) -> None:
    order, events = state.order, state.bundle.events
    state.watcher.phase("starting the sandbox")
    state.launch_ns = now_ns()
    launched = launch_submission(order)
    state.captures.extend(launched.captures)
    limits = RunLimits(rules=order.ruleset.run, budget_s=order.window_s)
    tick = LiveProgress(state, metering).tick
    supervisor = Supervisor(launched.sandbox, launched.channel, limits, events, tick, metering.mark)
    state.observation = supervisor.observation
    session = _session_fields(order, limits)
    start_cpu_s = None
    try:
        events.append(state.launch_ns, "launch", launcher=order.rig.launcher_name)
        state.isolation = _achieved(state, launched)
        if (
            supervisor.until_ready()
            and _is_same_python(supervisor)
            and _setup(state, supervisor, session)
        ):
            state.watcher.phase("training")
            start_cpu_s = launched.sandbox.cpu_s()
            metering.mark()
            splits = [{"name": name, "index": i} for i, name in enumerate(state.data.names)]
            supervisor.start({**session, "splits": splits}, state.data.descriptors)
            supervisor.until_end()
    finally:
        _end(state, supervisor, launched, metering)
        if state.exit and state.exit.cpu_s is not None and start_cpu_s is not None:
            state.window_cpu_s = max(0.0, state.exit.cpu_s - start_cpu_s)


def _session_fields(order: Order, limits: RunLimits) -> dict[str, Any]:
    """What a session knows besides the data."""
    return {
        "budget_s": order.budget_s,
        "seed": order.seeds.session,
        "snapshot_rule": order.ruleset.run.snapshot_rule,
        "snapshot_spacing_s": limits.spacing_s,
        "hyperparameters": order.entry.hyperparameters,
        "threads": order.threads,
    }


def _idle(state: RunState, metering: Metering, name: str) -> None:
    """Measure the idle machine if the ruleset asks for it; reported, never subtracted."""
    idle_s = state.order.ruleset.run.idle_s
    if idle_s <= 0:
        return
    state.watcher.phase(f"measuring the idle machine for {idle_s:g} s")
    state.bundle.events.append(now_ns(), name, edge="begin")
    end_ns = now_ns() + int(idle_s * NS_PER_S)
    while now_ns() < end_ns and not state.interrupt.asked:
        SystemClock().sleep_until(min(end_ns, now_ns() + NS_PER_S // 4))
        metering.pump()
    state.bundle.events.append(now_ns(), name, edge="end")


def _stop_meters(state: RunState, metering: Metering) -> SamplerReport | None:
    """The sampler's account of itself; if it is gone, the training counts and its joules do not."""
    try:
        return metering.stop()
    except MeteringError as error:
        finding = Finding(
            rule="sampler-gone",
            level="fail",
            message=str(error),
            advice="the readings until then are kept; run again for joules that can be ranked",
        )
        state.observation.findings.append(finding)
        return None


def _achieved(state: RunState, launched: LaunchedSandbox) -> Isolation:
    """The isolation that the launcher achieved."""
    masks = state.order.entry.workload.mask
    masked = () if state.isolation.level == "none" else mask_folders(masks)
    change = {
        "uid": launched.sandbox.uid,
        "unmet": launched.sandbox.unmet,
        "masked": tuple(f"{path.parts[-3]}/{path.parts[-2]}/{path.name}" for path in masked),
    }
    return state.isolation.model_copy(update=change)


def _is_same_python(supervisor: Supervisor) -> bool:
    """Stop if the interpreter inside has another library path, since it is another one then."""
    inside, here = supervisor.observation.runtime, protocol.runtime()
    if inside != here:
        supervisor.stop("fault", f"another Python ran inside: {inside!a}, not {here}")
    return inside == here


def _setup(state: RunState, supervisor: Supervisor, session: dict[str, Any]) -> bool:
    """If the ruleset allows it, let the submission compile and warm up on noise."""
    setup_s = state.order.ruleset.run.setup_s
    if setup_s <= 0 or state.order.entry.source.file.command:
        return True
    change = {"shapes": state.data.shapes(), "seed": 0, "budget_s": setup_s}
    return supervisor.setup({**session, **change})


def _end(
    state: RunState, supervisor: Supervisor, launched: LaunchedSandbox, metering: Metering
) -> None:
    """Kill what is left, wait for the last death, account for everything; no step skips another."""

    def account() -> None:
        state.exit = launched.sandbox.reap(_REAP_S)
        if state.exit.cpu_lost:
            state.observation.findings.append(CPU_LOST)

    with ExitStack() as steps:  # the last one pushed is done first
        for capture in launched.captures:
            steps.callback(capture.finish)
        steps.callback(launched.channel.close)
        steps.callback(account)
        steps.callback(metering.mark)
        steps.callback(supervisor.await_exit)
        steps.callback(supervisor.stop, "fault", "the harness could not continue")
