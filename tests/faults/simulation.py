"""A deterministic simulation of the conductor: one seed, one schedule of faults, one verdict.

`python -m tests.faults.simulation SEED [SEED ...]` repeats schedules. Everything below `run_one` is
injected: clock and waits (`world`), system calls and power cuts (`disk`), submission and predictor
(`players`), sampler (`meters`). After each schedule an honest run must succeed in the same folder.
"""

import contextlib
import errno
import gc
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness import bundle
from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from harness.clock import NS_PER_S
from harness.ledger import Ledger
from harness.measure.machine import describe
from harness.plugins import Availability, SandboxRequest
from harness.records import Machine, Ruleset, SeedPair
from harness.registry import Plugin, PluginSource
from harness.rules.load import load_ruleset
from harness.run.conductor import run_one
from harness.run.freeze import freeze
from harness.run.interrupt import Interrupt
from harness.run.order import Order, Rig, RunEntry, RunResult
from harness.run.seeds import draw_seeds
from harness.run.submission import open_submission
from tests.faults import checker, meters
from tests.faults.disk import Disk, Killed, Kind, Strike
from tests.faults.players import MANNERS, Oracle, Player, Script, honest_script, wild_script
from tests.faults.world import Channel, Select, Thread, Time, World, pair

CALLS_AT_MOST = 140
CALLS_OF = {"write": 25, "fsync": 40, "mkdir": 19, "replace": 9, "ftruncate": 2, "unlink": 3}
"""Counted system calls of a run, about: all of them, and these."""
KINDS: tuple[Kind, ...] = ("error", "error", "full", "short", "torn") + ("kill", "power") * 2
WAITS_AT_MOST = 60
ANSWERS_AT_MOST = 12
"""Waits for a predictor until it is ready and has served a snapshot or two."""
CODES = (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EDQUOT, errno.EMFILE)

SUBMISSION = 'title = "simulated"\nteam = "tests"\ndivision = "open"\nworkloads = ["tiny"]\n'


def _data(seed: int) -> Splits:
    labels = np.random.default_rng(seed).integers(0, 2, 40)
    rows = {"x": np.zeros((4, 2), np.float32)}
    tests = {"x": np.zeros((40, 2), np.float32)}
    return Splits(train=rows, validation=rows, test_inputs=tests, test_labels={"y": labels})


WORKLOAD = WorkloadSpec(
    name="tiny",
    title="Tiny",
    domain="test",
    size="smoke",
    secrecy="seeded",
    metric=Metric(name="accuracy", better="higher"),
    target=Target(value=checker.TARGET, version="1", derivation="for tests"),
    budget_s=checker.BUDGET_S,
    outputs=Outputs(kind="scores", shape=(2,)),
    data=_data,
    model=lambda: None,  # type: ignore[arg-type, return-value]
    score=lambda outputs, labels, _facts: float(np.mean(outputs.argmax(1) == labels["y"])),
    threads=1,
    predict_cpu_s=1.0,
)


def _seeds(schedule: "Schedule") -> SeedPair:
    return draw_seeds(schedule.seed.to_bytes(8, "big"), 0)


class Silent:
    """No one looks on."""

    def phase(self, text: str) -> None:
        """Ignore it."""

    def progress(self, progress: Any) -> None:
        """Ignore it."""


# --- the schedule ---------------------------------------------------------------------------------


@dataclass
class Schedule:
    """What happens in one run, drawn from a seed."""

    seed: int
    script: Script
    manner: str = "honest"
    meter: str = "none"
    rules: dict[str, Any] = field(default_factory=dict)
    strike: Strike | None = None
    waits: dict[int, tuple[str, float]] = field(default_factory=dict)
    answers: dict[int, tuple[str, float]] = field(default_factory=dict)
    """What strikes at the n-th wait for the predictor; `waits` counts all of them."""
    signed: bool = False
    launch_fails: int = 0
    """Which launch fails: 1 the submission's, 2 the first predictor's, 0 none."""

    @property
    def honest(self) -> bool:
        return self.script.honest and self.manner == "honest"

    @property
    def late(self) -> bool:
        """Whether the conductor was held up so long that stamps may miss the budget."""
        return bool(self._kinds & {"stall", "step", "suspend"})

    @property
    def faithful(self) -> bool:
        return self.strike is None and not self.launch_fails and self._kinds <= {"step", "suspend"}

    @property
    def refuses(self) -> bool:
        """Whether a call of the harness may fail, so that a run is sealed without a signature."""
        return self.strike is not None and self.strike.kind in ("error", "full", "torn", "short")

    @property
    def _kinds(self) -> set[str]:
        return {what for what, _ in (*self.waits.values(), *self.answers.values())}


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    chance = random.Random(seed)
    script = honest_script(chance) if chance.random() < 0.5 else wild_script(chance)
    if chance.random() < 0.01:
        script.death_ns, script.honest = 45 * NS_PER_S, False
    drawn = Schedule(seed, script, rules=_rules(chance))
    if chance.random() < 0.25:
        drawn.manner = chance.choice(MANNERS)
    drawn.meter = _meter(chance)
    if chance.random() < 0.5:
        drawn.strike = _strike(chance)
    while chance.random() < 0.3:
        drawn.waits[chance.randrange(1, WAITS_AT_MOST)] = _blow(chance)
    if chance.random() < 0.05:
        drawn.launch_fails = chance.choice((1, 2))
    if chance.random() < 0.15:
        drawn.answers[chance.randrange(1, ANSWERS_AT_MOST)] = _blow(chance)
    drawn.signed = chance.random() < 0.2
    return drawn


def _meter(chance: random.Random) -> str:
    which = chance.random()
    if which < 0.15:
        return "ok"
    return chance.choice(meters.BROKEN) if which < 0.3 else "none"


def _rules(chance: random.Random) -> dict[str, Any]:
    return {
        "snapshot_rule": chance.choice(("final", "first_passing")),
        "snapshots_max": chance.choice((2, 3, 5, 20)),
        "setup_s": chance.choice((0.0, 0.0, 1.0)),
        "idle_s": chance.choice((0.0, 0.0, 0.5)),
        "snapshot_bytes_max": 4096,
        "snapshots_bytes_max": chance.choice((200, 4096)),
        "kept_snapshot_bytes": chance.choice((0, 100, 4096)),
        "start_cap_s": 5.0,
    }


def _strike(chance: random.Random) -> Strike:
    kind: Kind = chance.choice(KINDS)
    code = errno.ENOSPC if kind == "full" else chance.choice(CODES)
    if kind == "torn":  # only a write can be
        return Strike(chance.randrange(1, CALLS_OF["write"]), kind, code, "write")
    if chance.random() < 0.3:
        call = chance.choice(sorted(CALLS_OF))
        return Strike(chance.randrange(1, CALLS_OF[call]), kind, code, call)
    return Strike(chance.randrange(1, CALLS_AT_MOST), kind, code)


def _blow(chance: random.Random) -> tuple[str, float]:
    kind = chance.choice(
        ("stall", "stall", "step", "step", "suspend", "interrupt", "raise", "kill")
    )
    sizes = {"step": (3600.0, -3600.0, 0.6, -0.6), "stall": (0.02, 0.5, 3.0), "suspend": (5.0,)}
    return kind, chance.choice(sizes.get(kind, (0.0,)))


# --- the run --------------------------------------------------------------------------------------


class Stage:
    """A launcher whose sandboxes live in the world."""

    level: Any = "bubblewrap"

    def __init__(self, world: World, schedule: Schedule) -> None:
        self._world = world
        self._schedule = schedule
        self._labels = _data(_seeds(schedule).instance).test_labels["y"]
        self._launches = 0
        self.channel: Channel | None = None
        self.agents: list[Player | Oracle] = []

    def pair(self) -> Any:
        self.channel, there = pair(self._world)
        return self.channel, there

    def probe(self) -> Availability:
        return Availability(ok=True, reason="simulated")

    def launch(self, request: SandboxRequest) -> Player | Oracle:
        self._launches += 1
        if self._launches == self._schedule.launch_fails:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        self._world.clock.advance(8_000_000)
        assert self.channel is not None
        made = (self._world, request.pass_fds[0], request.stdout, self.channel)
        if "predict" in request.command:
            oracle = Oracle(*made)
            oracle.play(self._labels, self._schedule.manner)
            self.agents.append(oracle)
            return oracle
        player = Player(*made)
        player.play(self._schedule.script)
        self.agents.append(player)
        return player


@dataclass
class Aftermath:
    """What is left when the conductor is gone."""

    schedule: Schedule
    world: World
    disk: Disk
    results: Path
    outcome: RunResult | None = None
    error: str = ""
    leaked: int = 0

    @property
    def cut(self) -> bool:
        """Whether the conductor was killed."""
        return self.disk.dead

    @property
    def truth(self) -> checker.Truth:
        schedule = self.schedule
        return checker.Truth(
            history=self.world.history,
            honest=schedule.honest,
            faithful=schedule.faithful,
            late=schedule.late,
            metered=schedule.meter != "none",
            broken_meter=schedule.meter not in meters.SOUND,
            rule=schedule.rules["snapshot_rule"],
            signed=schedule.signed and (self.disk.struck == "" or not schedule.refuses),
            ended=self.error,
        )


@cache
def _machine() -> Machine:
    return describe()


@cache
def _sources() -> str:
    return bundle.harness_sha256()


@cache
def _base_rules() -> Ruleset:
    return load_ruleset("smoke")


def descriptors() -> set[int]:
    """Descriptors of this process, but for the one that lists them."""
    result = set()
    for name in [path.name for path in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):
            os.fstat(int(name))
            result.add(int(name))
    return result


def _order(root: Path, schedule: Schedule, stage: Stage) -> Order:
    base = _base_rules()
    rules = base.model_copy(
        update={
            "run": base.run.model_copy(update=schedule.rules),
            "evaluation": base.evaluation.model_copy(
                update={"answer_wall_s": 5.0, "start_cap_s": 5.0}
            ),
        }
    )
    source = PluginSource("tiny", root / "tiny.py", "tests", "")
    frozen = freeze(open_submission(str(root / "entry")), Path(tempfile.mkdtemp(dir=root)), 1 << 20)
    entry = RunEntry(
        workload=WORKLOAD,
        plugin=Plugin("tiny", WORKLOAD, source),
        source=frozen,
        hyperparameters={},
    )
    rig = Rig(
        choice=(),
        meters=(),
        launcher_name="simulated",
        launcher=stage,
        launcher_reason="for tests",
        results=root / "results",
        key=Ed25519PrivateKey.from_private_bytes(bytes(32)) if schedule.signed else None,
    )
    return Order(entry=entry, rig=rig, ruleset=rules, seeds=_seeds(schedule))


def _blows(schedule: Schedule, world: World, disk: Disk, interrupt: Interrupt) -> None:
    """Let the schedule's blows fall at the waits that it names."""
    who = (disk, interrupt)
    for nth, (kind, size_s) in schedule.waits.items():
        world.on_wait[nth] = partial(_fall, kind, size_s, world, who)
    for nth, (kind, size_s) in schedule.answers.items():
        world.on_wait["predictor", nth] = partial(_fall, kind, size_s, world, who)


def _fall(kind: str, size_s: float, world: World, who: tuple[Disk, Interrupt]) -> None:
    disk, interrupt = who
    size_ns = int(size_s * NS_PER_S)
    world.history.faults.append(f"{kind} {size_s:g}")
    if kind == "stall":
        world.let(size_ns)
    elif kind == "step":
        world.clock.step_wall(size_ns)
    elif kind == "suspend":
        world.clock.suspend(size_ns)
    elif kind == "interrupt":
        interrupt.asked = True
    elif kind == "raise":
        raise KeyboardInterrupt
    else:
        disk.dead = world.dead = True
        raise Killed


def _noting(world: World) -> Callable[..., Any]:
    """`Ledger.append` that tells the history which rows were promised."""
    real = Ledger.append

    def append(self: Ledger, kind: Any, **fields: Any) -> Any:
        row = real(self, kind, **fields)
        world.history.acknowledged.append(row.hash)
        return row

    return append


@contextlib.contextmanager
def _injected(world: World, disk: Disk, stage: Stage, schedule: Schedule) -> Iterator[None]:
    chance = random.Random(schedule.seed + (1 << 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.clock.time", Time(world))
        patch.setattr("harness.run.supervisor.select", Select(world, "submission"))
        patch.setattr("harness.run.predictor.select", Select(world, "predictor"))
        patch.setattr(
            "harness.run.output_capture.Thread", lambda target, **_: Thread(world, target)
        )
        patch.setattr("harness.run.protocol.pair", stage.pair)
        patch.setattr("harness.run.conductor.Metering", meters.starter(world, schedule.meter))
        patch.setattr("harness.run.conductor.machine_before", lambda _order: _machine())
        patch.setattr("harness.run.conductor.machine_after", lambda machine, _folder: machine)
        patch.setattr("harness.run.bundle_writer.harness_sha256", _sources)
        patch.setattr(
            "harness.run.bundle_writer.secrets.token_hex", lambda n: chance.randbytes(n).hex()
        )
        patch.setattr(Ledger, "append", _noting(world))
        for name, call in disk.patched().items():
            patch.setattr(os, name, call)
        yield


def perform(schedule: Schedule, root: Path, start_s: int = 1000) -> Aftermath:
    """Run it; whatever comes out of the conductor is kept."""
    results = root / "results"
    results.mkdir(exist_ok=True)
    world = World(start_s)
    disk = Disk(results, schedule.strike, random.Random(schedule.seed + (1 << 41)))
    stage = Stage(world, schedule)
    order = _order(root, schedule, stage)
    interrupt = Interrupt()
    _blows(schedule, world, disk, interrupt)
    after = Aftermath(schedule, world, disk, results)
    before = descriptors()
    with _injected(world, disk, stage, schedule):
        try:
            after.outcome = run_one(order, Silent(), interrupt)
        except (OSError, ValueError, KeyboardInterrupt, Killed) as error:
            after.error = type(error).__name__
        world.dead = world.dead or disk.dead
    _clean_up(after, stage, before)
    return after


def _clean_up(after: Aftermath, stage: Stage, before: set[int]) -> None:
    """End what a dead conductor left; a living one must have left nothing."""
    after.world.settle()
    undying = after.schedule.script.death_ns > 30 * NS_PER_S
    if not (after.cut or undying):
        after.leaked = len(descriptors() - before)
        return
    for agent in stage.agents:
        agent.die(agent._exit)
    stage.agents.clear()
    stage.channel = None
    after.world.forget()
    after.world.threads.clear()
    gc.collect()
    for descriptor in descriptors() - before:
        os.close(descriptor)
    if after.disk.struck and after.schedule.strike and after.schedule.strike.kind == "power":
        after.disk.cut_power()


# --- the verdict ----------------------------------------------------------------------------------


def _prepared(root: Path) -> None:
    (root / "entry").mkdir()
    (root / "entry" / "submission.toml").write_text(SUBMISSION)
    (root / "entry" / "train.py").write_text("def train(session): ...\n")
    (root / "tiny.py").write_text('"""Simulated."""\n')


def examine(schedule: Schedule, root: Path) -> Aftermath:
    """One schedule, an honest run after it, and the checks; AssertionError where one fails."""
    _prepared(root)
    after = perform(schedule, root)
    assert not after.leaked, f"{after.leaked} descriptors leaked"
    if after.outcome is not None:
        checker.check_sequence(after.outcome.bundle, after.truth)
    following = perform(_following(schedule), root, start_s=9000)
    assert following.outcome is not None, f"the next run did not start: {following.error}"
    assert following.outcome.run.status == "ok", following.outcome.run.reason
    assert not following.leaked
    checker.check(after.results, after.truth)
    for path in after.results.glob("*/*/*/*/manifest.json"):
        if path.parent != following.outcome.bundle:
            checker.check_sequence(path.parent, after.truth)
    return after


def _following(schedule: Schedule) -> Schedule:
    chance = random.Random(schedule.seed + (1 << 42))
    return Schedule(
        schedule.seed, honest_script(chance), rules=_rules(chance) | {"snapshots_max": 20}
    )


def _memory() -> str | None:
    """Where a file system in memory is mounted, since nothing here has to survive a real cut."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def repeat(seed: int) -> str:
    """Play one schedule; empty where all held, else what did not, and how to see it again."""
    root = Path(tempfile.mkdtemp(prefix="joulemark-schedule-", dir=_memory()))
    try:
        examine(draw(seed), root)
    except Exception as fault:  # noqa: BLE001 - whatever it is, its seed has to be told
        text = f"{type(fault).__name__}: {fault}".partition("\n")[0]
        return f"seed {seed}: {text}; again: python -m tests.faults.simulation {seed}"
    finally:
        shutil.rmtree(root)
    return ""


def main(seeds: list[int]) -> int:
    """Repeat schedules, each told with all that was drawn."""
    failed = 0
    for seed in seeds:
        said = repeat(seed)
        failed += bool(said)
        sys.stdout.write(f"{draw(seed)}\n{said or f'seed {seed}: held'}\n")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main([int(item) for item in sys.argv[1:]]))
