"""The timed part of a run: launch, ready, the gun, the watch, the death of the last process."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from harness.clock import NS_PER_S, SystemClock, now_ns
from harness.measure.energy import disjoint
from harness.measure.metering import Metering
from harness.plugins import Exit
from harness.records import Finding, Isolation
from harness.records.measure import weakest_method
from harness.run import protocol
from harness.run.bundle_writer import BundleWriter
from harness.run.interrupt import Interrupt
from harness.run.order import Order, Progress, Watcher
from harness.run.output_capture import OutputCapture
from harness.run.prepared_data import PreparedData
from harness.run.sandboxes import LaunchedSandbox, launch_submission, mask_folders
from harness.run.supervisor import Observation, RunLimits, Supervisor

_TICK_NS = NS_PER_S
_REAP_S = 10.0
CPU_LOST = Finding(
    rule="cpu-lost",
    level="warn",
    message="a process let its children end unseen, so that their CPU seconds are missing",
    advice="wait for every child, or run where there is a control group",
)


@dataclass
class Trained:
    """What the timed part brought; whatever is missing stays None."""

    observation: Observation = field(default_factory=Observation)
    launch_ns: int | None = None
    exit: Exit | None = None
    window_cpu_s: float | None = None
    isolation: Isolation | None = None
    captures: list[OutputCapture] = field(default_factory=list)


@dataclass(frozen=True)
class RunContext:
    """Everybody who takes part."""

    order: Order
    bench: BundleWriter
    metering: Metering
    watcher: Watcher
    interrupt: Interrupt


class LiveProgress:
    """Tells the watcher, at most once a second, from the sampler's own status lines."""

    def __init__(self, scene: RunContext, observation: Callable[[], Observation]) -> None:
        """Tell of a scene whose observation grows."""
        self._scene = scene
        self._story = observation
        self._next_ns = 0
        self._joules_at_gun: float | None = None

    def tick(self) -> bool:
        """Look at the sampler, tell the watcher, and say whether to abort."""
        self._scene.metering.pump()
        if now_ns() >= self._next_ns:
            self._next_ns = now_ns() + _TICK_NS
            self._scene.watcher.progress(self._progress())
        return self._scene.interrupt.asked

    def _progress(self) -> Progress:
        order = self._scene.order
        gun_ns = self._story().gun_ns
        watts, joules = self._power()
        if gun_ns is not None and self._joules_at_gun is None:
            self._joules_at_gun = joules
        since = None if joules is None or self._joules_at_gun is None else joules
        return Progress(
            run_index=order.index,
            run_count=order.count,
            t_s=0.0 if gun_ns is None else (now_ns() - gun_ns) / NS_PER_S,
            budget_s=order.budget_s,
            watts=watts,
            joules=None if since is None else since - (self._joules_at_gun or 0.0),
            method=self._method(),
            snapshots=len(self._story().held),
        )

    def _tops(self) -> set[str]:
        """Domains that no other one contains: their sum counts nothing twice."""
        return {domain.name for domain in disjoint(self._scene.metering.domains)}

    def _power(self) -> tuple[float | None, float | None]:
        latest = self._scene.metering.latest
        if latest is None:
            return None, None
        tops = self._tops()
        watts = [value for name, value in latest.watts.items() if name in tops]
        joules = [value for name, value in latest.joules.items() if name in tops]
        return (sum(watts) if watts else None, sum(joules) if joules else None)

    def _method(self) -> str | None:
        return weakest_method(domain.method for domain in self._scene.metering.domains)


def train(scene: RunContext, ammunition: PreparedData, trained: Trained) -> None:
    """Run the submission from launch to the death of its last process.

    `trained` is filled as things happen, so that an exception loses nothing.

    Raises:
        OSError: the sandbox could not be started.
    """
    order = scene.order
    limits = RunLimits(rules=order.ruleset.run, budget_s=order.window_s)
    _idle(scene, "idle_before")
    scene.watcher.phase("starting the sandbox")
    trained.launch_ns = now_ns()
    launched = launch_submission(order, scene.bench.source, limits.spacing_s)
    trained.captures.extend(launched.captures)
    display = LiveProgress(scene, lambda: trained.observation)
    watch = Supervisor(launched.sandbox, launched.channel, limits, scene.bench.events, display.tick)
    trained.observation = watch.observation
    gun_cpu_s = None
    try:
        scene.bench.events.append(trained.launch_ns, "launch", launcher=order.launcher_name)
        trained.isolation = _isolation(order, launched)
        if watch.until_ready() and _same_python(watch) and _setup(watch, order, ammunition):
            gun_cpu_s = _fire(scene, watch, launched, ammunition)
            watch.until_end()
    finally:
        _end(scene, watch, launched, trained)
        if trained.exit and trained.exit.cpu_s is not None and gun_cpu_s is not None:
            trained.window_cpu_s = max(0.0, trained.exit.cpu_s - gun_cpu_s)
    _idle(scene, "idle_after")


def _idle(scene: RunContext, name: str) -> None:
    """Measure the machine at rest, where the ruleset asks for it; reported, never subtracted."""
    idle_s = scene.order.ruleset.run.idle_s
    if idle_s <= 0:
        return
    scene.watcher.phase(f"measuring the idle machine for {idle_s:g} s")
    scene.bench.events.append(now_ns(), name, edge="begin")
    end_ns = now_ns() + int(idle_s * NS_PER_S)
    while now_ns() < end_ns and not scene.interrupt.asked:
        SystemClock().sleep_until(min(end_ns, now_ns() + NS_PER_S // 4))
        scene.metering.pump()
    scene.bench.events.append(now_ns(), name, edge="end")


def _isolation(order: Order, launched: LaunchedSandbox) -> Isolation:
    """The wall as it stands."""
    sandbox = launched.sandbox
    masked = () if order.launcher.level == "none" else mask_folders(order.workload.mask)
    return Isolation(
        launcher=order.launcher_name,
        level=order.launcher.level,
        reason=order.launcher_reason,
        uid=sandbox.uid,
        unmet=sandbox.unmet,
        masked=tuple(f"{path.parts[-3]}/{path.parts[-2]}/{path.name}" for path in masked),
    )


def _same_python(watch: Supervisor) -> bool:
    """An interpreter that found another library path is another interpreter: stop."""
    if watch.observation.runtime == protocol.runtime():
        return True
    text = f"another Python ran inside: {watch.observation.runtime!a}, not {protocol.runtime()}"
    watch.stop("fault", text)
    return False


def _setup(watch: Supervisor, order: Order, ammunition: PreparedData) -> bool:
    """Where the ruleset allows it, let the submission compile and warm up on noise."""
    if order.ruleset.run.setup_s <= 0 or order.source.file.command:
        return True
    fields = {
        "shapes": ammunition.shapes(),
        "seed": 0,
        "budget_s": order.ruleset.run.setup_s,
    }
    return watch.setup(fields)


def _fire(
    scene: RunContext, watch: Supervisor, launched: LaunchedSandbox, ammunition: PreparedData
) -> float | None:
    """Send the training data; returns the CPU seconds used before."""
    order = scene.order
    splits: list[dict[str, Any]] = [
        {"name": name, "index": index} for index, name in enumerate(ammunition.names)
    ]
    fields = {
        "budget_s": order.budget_s,
        "seed": order.seeds.session,
        "splits": splits,
        "snapshot_rule": order.ruleset.run.snapshot_rule,
        "hyperparameters": {**order.source.file.hyperparameters, **order.hyperparameters},
        "threads": order.threads,
    }
    scene.watcher.phase("training")
    gun_cpu_s = launched.sandbox.cpu_s()
    scene.metering.mark()
    watch.fire(fields, ammunition.descriptors)
    return gun_cpu_s


def _end(scene: RunContext, watch: Supervisor, launched: LaunchedSandbox, trained: Trained) -> None:
    """Kill what is left, wait for the last death, account for everything: each whatever fails."""

    def account() -> None:
        trained.exit = launched.sandbox.reap(_REAP_S)
        if trained.exit.cpu_lost:
            trained.observation.findings.append(CPU_LOST)

    with ExitStack() as steps:  # the last one pushed is the first to be done
        for capture in launched.captures:
            steps.callback(capture.finish)
        steps.callback(launched.channel.close)
        steps.callback(account)
        steps.callback(scene.metering.mark)
        steps.callback(watch.await_exit)
        steps.callback(watch.stop, "fault", "the harness could not go on")
