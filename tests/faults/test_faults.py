"""Single faults and the status that each must lead to.

Elsewhere: the n-th call fails, short writes, a sampler that dies (tests/run/test_faults.py);
suspends and meters that stick, wrap or run backwards (tests/measure/test_audit.py); floods, forks
without end and frozen trees under every launcher (tests/exploits: flood, fork-bomb, frozen).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.verify import verify
from tests.faults import checker, meters
from tests.faults.players import Act, Script
from tests.faults.simulation import Aftermath, Schedule, examine
from tests.run.made import HONEST, Folder
from tests.run.test_faults import attempt, check, check_disk

pytestmark = pytest.mark.faults

RULES = {"snapshot_rule": "final", "snapshots_max": 20}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    made = Folder(tmp_path)
    made.entry(HONEST)
    monkeypatch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
    monkeypatch.setenv("JOULEMARK_LOCK", str(tmp_path / "joulemark.lock"))
    return made


# --- a disk that is really full -------------------------------------------------------------------


@pytest.fixture
def small_disk(folder: Folder) -> Iterator[Path]:
    """A file system of 4 MiB where results go; only root may mount one."""
    if os.geteuid():
        pytest.skip("needs root, to mount a small file system")
    folder.results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "joulemark", str(folder.results)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder.results
    subprocess.run(["umount", str(folder.results)], check=True)


@pytest.mark.parametrize("free_kib", [0, 16, 40])
def test_full_disk(free_kib: int, folder: Folder, small_disk: Path) -> None:
    """Nothing half-written is left as if it were whole, and the next run goes well."""
    ballast = small_disk / "ballast"
    space = os.statvfs(small_disk)
    ballast.write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - free_kib * 1024)))
    outcome = attempt(folder)
    check(outcome)
    assert outcome is None or outcome.run.status == "aborted", "there was no room for a run"
    check_disk(folder.results)
    ballast.unlink()
    after = attempt(folder)
    assert after is not None
    assert after.run.status == "ok", after.run.reason
    assert verify(folder.results).ok


LIMITED = """
import resource, sys
from pathlib import Path
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from tests.run.made import Folder, Silent

folder = object.__new__(Folder)
folder.root, folder.results = Path(sys.argv[1]), Path(sys.argv[1]) / "results"
order = folder.order("entry", meters=("fake:watts=50",))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
print(run_one(order, Silent(), Interrupt()).run.status)
"""
"""A run in which no file may grow beyond a size: what a quota does, and no rights are needed."""


@pytest.mark.parametrize("limit_bytes", [100, 1500, 6000])
def test_a_file_that_may_not_grow(limit_bytes: int, folder: Folder) -> None:
    """Writes beyond the limit fail with EFBIG, or are short at first: as on a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder.root), str(limit_bytes)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout.strip()
    assert said in ("", "aborted", "killed", "crashed"), "there was no room for a run"
    assert said or "File too large" in done.stderr, done.stderr
    check_disk(folder.results)
    after = attempt(folder)
    assert after is not None
    assert after.run.status == "ok", after.run.reason
    assert verify(folder.results).ok


# --- clocks ---------------------------------------------------------------------------------------


def simulated(root: Path, **changes: object) -> Aftermath:
    """Two snapshots and `done`, with whatever goes wrong."""
    acts = [
        Act(1 * NS_PER_S, "snapshot", 0.6),
        Act(3 * NS_PER_S, "snapshot", 0.9),
        Act(4 * NS_PER_S, "done"),
    ]
    script = Script([Act(NS_PER_S // 10, "ready")], acts)
    root.mkdir()
    return examine(Schedule(5, script, rules=RULES, **changes), root)  # type: ignore[arg-type]


def stamps(after: Aftermath) -> list[tuple[int, bool]]:
    assert after.outcome is not None
    return [(snapshot.stamp_ns, snapshot.accepted) for snapshot in after.outcome.run.snapshots]


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, 0.6, -0.6])
def test_a_stepped_wall_clock_changes_no_score(step_s: float, tmp_path: Path) -> None:
    """Whenever it is set: before the start signal, between snapshots, at the end."""
    plain = simulated(tmp_path / "plain")
    assert plain.outcome is not None
    for nth in range(2, plain.world.waits, 3):
        after = simulated(tmp_path / str(nth), waits={nth: ("step", step_s)})
        assert after.outcome is not None
        assert after.outcome.run.status == "ok"
        assert stamps(after) == stamps(plain), "the score is of the monotonic clock alone"


def test_a_stamp_that_the_wall_clock_spoiled_is_no_witness(tmp_path: Path) -> None:
    """Set while a message waits, the kernel's stamp lies by as much; the receipt counts alone."""
    acts = [Act(NS_PER_S, "snapshot", 0.9), Act(2 * NS_PER_S, "done")]
    for back_s in (3600.0, -3600.0):
        script = Script([Act(NS_PER_S // 10, "ready")], acts)
        schedule = Schedule(6, script, rules=RULES)
        schedule.waits = dict.fromkeys(range(1, 9), ("stall", 0.5))
        schedule.waits |= dict.fromkeys(range(2, 9, 2), ("step", back_s))
        root = tmp_path / f"{back_s}"
        root.mkdir()
        after = examine(schedule, root)
        assert after.outcome is not None
        assert after.outcome.run.status == "ok", after.outcome.run.reason
        for reported, sent in zip(
            after.outcome.run.snapshots, after.world.history.sent, strict=True
        ):
            begin_ns = int(after.outcome.run.window.origin_monotonic_ns)
            assert reported.stamp_ns >= sent["t_ns"] - begin_ns
            assert reported.kernel_ns is None or reported.kernel_ns <= reported.stamp_ns


# --- meters and submissions -----------------------------------------------------------------------

EXPECTED = {
    "absent": "aborted",
    "unopened": "degraded",
    "dies": "degraded",
    "torn": "degraded",
    "full": "aborted",
    "vanishes": "degraded",
    "stuck": "degraded",
    "backwards": "degraded",
}


@pytest.mark.parametrize("manner", meters.BROKEN)
def test_a_meter_that_breaks_never_leaves_ok(manner: str, tmp_path: Path) -> None:
    after = simulated(tmp_path / manner, meter=manner)
    assert after.outcome is not None
    assert after.outcome.run.status == EXPECTED[manner], after.outcome.run.reason


def test_a_submission_that_hangs_is_killed_at_its_budget(tmp_path: Path) -> None:
    script = Script([Act(NS_PER_S // 10, "ready")], [], honest=False)
    after = examine(Schedule(7, script, rules=RULES), tmp_path)
    assert after.outcome is not None
    run = after.outcome.run
    assert (run.status, run.window.ended_by) == ("budget_exceeded", "budget")
    assert run.window.gun_ns is not None
    assert run.window.end_ns is not None
    over_s = (run.window.end_ns - run.window.gun_ns) / NS_PER_S - checker.BUDGET_S
    assert 0 <= over_s < 0.1


def test_a_gigabyte_of_output(folder: Folder) -> None:
    """Without a newline, no text, with escapes: counted, capped, and none of it in the way."""
    flood = """
    def train(session):
        import os

        piece = b"\\xff\\x1b[2J<script>" * 5000
        for _ in range(16_000):
            os.write(1, piece)
        session.snapshot({"w": fitted(session)}, step=1)
    """
    folder.entry(flood)
    # A second or two; but ten, the budget, where others want the processors as well.
    text = folder.workload.read_text()
    folder.workload.write_text(text.replace("budget_s=10.0", "budget_s=150.0"))
    outcome = attempt(folder)
    assert outcome is not None
    assert outcome.run.status == "ok", outcome.run.reason
    assert outcome.run.output is not None
    assert outcome.run.output.stdout_bytes == 1_040_000_000
    log = (outcome.bundle / "log.txt").read_bytes()
    assert len(log) < 4 * (1 << 20)
    assert log.decode().isascii(), "bytes that are no text are written as escapes"
