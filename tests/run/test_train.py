"""The timed part: what the display is told, the idle baseline, and another interpreter."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.bundle import Bundle
from harness.measure.metering import Status
from harness.records import Domain
from harness.run import protocol
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.supervisor import Observation
from harness.run.train import LiveProgress
from tests.run.made import AskedAfter, Folder, Perform, Silent


class Metering:
    """A sampler's conductor end with figures of a test's choice."""

    def __init__(self, *domains: Domain) -> None:
        self.domains = domains
        self.latest: Status | None = None
        self.pumped = 0

    def pump(self) -> None:
        self.pumped += 1

    def tell(self, **figures: tuple[float, float]) -> None:
        watts = {name: pair[0] for name, pair in figures.items()}
        self.latest = Status(0, watts, {name: pair[1] for name, pair in figures.items()})


def domain(name: str, method: Any = "counter", parents: tuple[str, ...] = ()) -> Domain:
    return Domain(
        name=name, kind="cpu", method=method, meter="fake", source="test", parents=parents
    )


class Stage:
    """A display with its scene, and a clock that a test moves."""

    def __init__(self, *domains: Domain, asked: bool = False) -> None:
        self.metering = Metering(*domains)
        self.watcher = Silent()
        self.observation = Observation()
        order = SimpleNamespace(index=1, count=3, budget_s=5.0)
        interrupt = SimpleNamespace(asked=asked)
        state: Any = SimpleNamespace(
            order=order,
            watcher=self.watcher,
            interrupt=interrupt,
            observation=self.observation,
        )
        metering: Any = self.metering
        self.display = LiveProgress(state, metering)

    def tick(self) -> Any:
        """One look, a second later."""
        self.display._next_ns = 0
        self.display.tick()
        return self.watcher.seen[-1]


def test_watcher_is_reported_at_most_once_a_second_but_the_sampler_is_heard_always() -> None:
    stage = Stage()
    for _ in range(50):
        stage.display.tick()
    assert len(stage.watcher.seen) == 1
    assert stage.metering.pumped == 50


@pytest.mark.parametrize("asked", [True, False])
def test_tick_passes_the_operator_s_wish_on(asked: bool) -> None:
    assert Stage(asked=asked).display.tick() == asked


def test_without_a_meter_there_are_no_figures_not_zeros() -> None:
    seen = Stage().tick()
    assert (seen.watts, seen.joules, seen.method) == (None, None, None)
    assert (seen.run_index, seen.run_count, seen.t_s) == (1, 3, 0.0)


def test_a_domain_and_its_parent_are_never_added() -> None:
    stage = Stage(domain("node"), domain("cpu", parents=("node",)), domain("gpu"))
    stage.metering.tell(node=(100.0, 0.0), cpu=(60.0, 0.0), gpu=(200.0, 0.0))
    assert stage.tick().watts == 300.0


def test_a_child_whose_parent_is_not_read_counts() -> None:
    stage = Stage(domain("cpu", parents=("node",)), domain("gpu"))
    stage.metering.tell(cpu=(60.0, 0.0), gpu=(200.0, 0.0))
    assert stage.tick().watts == 260.0


def test_joules_begin_at_the_start_signal() -> None:
    stage = Stage(domain("cpu"))
    stage.metering.tell(cpu=(50.0, 70.0))
    assert stage.tick().joules is None
    stage.observation.gun_ns = 1
    assert stage.tick().joules == 0.0
    stage.metering.tell(cpu=(50.0, 95.0))
    assert stage.tick().joules == 25.0


@pytest.mark.parametrize(
    ("methods", "weakest"),
    [
        (("counter", "sampled"), "sampled"),
        (("counter", "modelled"), "modelled"),
        (("declared", "counter"), "declared"),
        (("counter",), "counter"),
    ],
)
def test_weakest_method_is_the_one_that_is_reported(methods: tuple, weakest: str) -> None:
    stage = Stage(*(domain(f"d{i}", method) for i, method in enumerate(methods)))
    assert stage.tick().method == weakest


# --- runs ----------------------------------------------------------------------------------------


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The conductor takes itself for another Python than the one inside."""
    with monkeypatch.context() as patch:
        patch.setattr(protocol, "runtime", lambda: "python 2.7 prefix /opt")
        yield


def test_another_python_inside_never_gets_the_data(runtime: None, folder: Folder) -> None:
    run = run_one(folder.order(), Silent(), Interrupt()).run
    assert (run.status, run.window.gun_ns) == ("aborted", None)
    assert "another Python ran inside" in run.reason


def test_idle_baseline_is_outside_of_the_window(perform: Perform) -> None:
    train = "def train(session): session.snapshot({'w': fitted(session)})"
    outcome = perform(train, "run.idle_s=0.2")
    events = list(Bundle(outcome.bundle).events())
    stamps = {(event.kind, event.data.get("edge")): event.t_ns for event in events}
    window = outcome.run.window
    assert stamps["idle_before", "end"] - stamps["idle_before", "begin"] >= 0.2e9
    assert stamps["idle_before", "end"] <= window.launch_ns
    assert stamps["idle_after", "begin"] >= window.end_ns
    assert stamps["idle_after", "end"] - stamps["idle_after", "begin"] >= 0.2e9


def test_idle_baseline_ends_with_the_operator_s_patience(perform: Perform) -> None:
    run = perform("", "run.idle_s=60.0", interrupt=AskedAfter("measuring the idle")).run
    assert run.status == "aborted"


def test_cpu_of_the_window_leaves_the_imports_out(perform: Perform) -> None:
    train = """
    import time

    def train(session):
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        session.snapshot({"w": fitted(session)})
    """
    usage = perform(train).run.usage
    assert 0.15 <= usage.window_cpu_s <= usage.cpu_s
    assert usage.peak_rss_bytes is None or usage.peak_rss_bytes > 5e6
