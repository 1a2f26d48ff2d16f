"""The state of one run, filled in by its phases."""

from dataclasses import dataclass, field

from harness.measure.metering import Metering
from harness.plugins import Exit
from harness.records import Evaluation, Isolation, Machine, SamplerReport, Snapshot
from harness.run.bundle_writer import BundleWriter
from harness.run.interrupt import Interrupt
from harness.run.order import Order, Watcher
from harness.run.output_capture import OutputCapture
from harness.run.prepared_data import PreparedData
from harness.run.snapshots import release
from harness.run.supervisor import Observation


@dataclass
class RunState:
    """All that is known about a run; a phase that was not reached leaves its fields empty."""

    order: Order
    watcher: Watcher
    interrupt: Interrupt
    # from prepare
    machine: Machine
    data: PreparedData
    bundle: BundleWriter
    isolation: Isolation
    """The intended one, until the sandbox is started."""
    metering: Metering
    # from train
    observation: Observation = field(default_factory=Observation)
    launch_ns: int | None = None
    exit: Exit | None = None
    window_cpu_s: float | None = None
    captures: list[OutputCapture] = field(default_factory=list)
    report: SamplerReport | None = None
    """The sampler's own account; None if it ended early."""
    # from evaluate
    snapshots: list[Snapshot] = field(default_factory=list)
    evaluation: Evaluation | None = None
    predictor_captures: list[OutputCapture] = field(default_factory=list)

    def fail(self, reason: str) -> None:
        """Record a failure of the harness itself, which is not the submission's fault."""
        self.observation.ended_by = "fault"
        self.observation.reason = f"the harness could not continue: {reason}"

    def close(self) -> None:
        """Close the data, the bundle and the snapshots."""
        self.bundle.close()
        release(self.observation.held)
        self.data.close()
