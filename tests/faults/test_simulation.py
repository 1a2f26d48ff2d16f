"""A thousand seeded schedules of faults, ten thousand by `make faults`; the same seed is the same.

JOULEMARK_SCHEDULES says how many. A failure names its seed and the command that repeats it.
"""

import json
import os
import random
import tempfile
from pathlib import Path

import pytest

from tests.faults import checker, simulation
from tests.faults.disk import Disk, Strike
from tests.faults.players import Act, Script
from tests.faults.simulation import Schedule, draw, examine, perform, repeat

pytestmark = pytest.mark.faults

COUNT = int(os.environ.get("JOULEMARK_SCHEDULES", "1000"))
PIECES = 20
RULES = {"snapshot_rule": "first_passing", "snapshots_max": 20}


@pytest.mark.parametrize("piece", range(PIECES))
def test_whatever_breaks_the_disk_tells_no_lie(piece: int) -> None:
    reported = [said for seed in range(piece, COUNT, PIECES) if (said := repeat(seed))]
    assert not reported, "\n".join(reported)


def test_schedules_reach_every_kind_of_fault() -> None:
    """A thousand draws are enough that none of the ways to break is left out."""
    drawn = [draw(seed) for seed in range(1000)]
    assert {item.strike.kind for item in drawn if item.strike} == {
        "error",
        "full",
        "short",
        "torn",
        "kill",
        "power",
    }
    assert {item.strike.call for item in drawn if item.strike} == {*simulation.CALLS_OF, ""}
    for blows in ("waits", "answers"):
        fallen = {what for item in drawn for what, _ in getattr(item, blows).values()}
        assert fallen == {"stall", "step", "suspend", "interrupt", "raise", "kill"}
    assert {item.meter for item in drawn} >= {*simulation.meters.BROKEN, "ok", "none"}
    assert {item.manner for item in drawn} == {*simulation.MANNERS, "honest"}
    acts = {act.kind for item in drawn for act in (*item.script.before, *item.script.after)}
    assert {"snapshot", "unsealed", "large", "pipe", "junk", "burst", "hang_up", "oom"} <= acts
    assert sum(item.honest and item.faithful for item in drawn) > 50


def test_schedules_reach_what_can_become_of_a_run() -> None:
    """Verdicts of several kinds, and both ways out without one: an error of the disk, a death."""
    result = set()
    for seed in range(150):
        with tempfile.TemporaryDirectory(dir=simulation._memory()) as folder:
            after = examine(draw(seed), Path(folder))
        result.add(after.outcome.run.status if after.outcome else f"raised {after.error}")
    assert {"ok", "target_missed", "aborted", "degraded", "invalid", "killed"} <= result
    assert {"raised Killed", "raised OSError"} <= result


def disk_of(root: Path) -> dict[str, bytes]:
    """All files but what the machine's own name or load has a say in."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("seed", [2, 7, 28, 51])
def test_the_same_seed_leaves_the_same_bytes(seed: int, tmp_path: Path) -> None:
    trees = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        simulation._prepared(folder)
        trees.append(disk_of(perform(draw(seed), folder).results))
    assert trees[0] == trees[1]
    assert trees[0], "and there are some"


# --- the checker and the world are checked as well ------------------------------------------------


def honest(**changes: object) -> Schedule:
    acts = [Act(10**9, "snapshot", 0.9), Act(2 * 10**9, "done")]
    return Schedule(0, Script([Act(10**7, "ready")], acts), rules=RULES, **changes)  # type: ignore[arg-type]


def run_of(after: simulation.Aftermath) -> dict[str, object]:
    assert after.outcome is not None
    tree: dict[str, object] = json.loads((after.outcome.bundle / "run.json").read_bytes())
    return tree


def test_an_honest_run_is_ok_and_takes_no_time(tmp_path: Path) -> None:
    after = examine(honest(), tmp_path)
    assert run_of(after)["status"] == "ok"
    assert after.disk.count > 50, "its system calls were counted"
    assert after.world.waits > 8, "and its waits"


LIES = {
    "an accepted snapshot after the budget": ("sent", "t_ns", 10**12 * 2),
    "a worse snapshot than was told": ("sent", "quality", 0.1),
    "a size of its own": ("sent", "size", 1),
}


@pytest.mark.parametrize("lie", LIES)
def test_the_checker_finds(lie: str, tmp_path: Path) -> None:
    """Each kind of lie, by changing what really happened instead of what was written."""
    after = examine(honest(), tmp_path)
    _, key, value = LIES[lie]
    after.world.history.sent[0][key] = value
    assert after.outcome is not None
    with pytest.raises(AssertionError):
        checker.check_sequence(after.outcome.bundle, after.truth)


def test_the_checker_finds_a_lost_row(tmp_path: Path) -> None:
    after = examine(honest(), tmp_path)
    after.world.history.acknowledged.append("f" * 64)
    with pytest.raises(AssertionError, match="gone that were promised"):
        checker.check(after.results, after.truth)


@pytest.mark.parametrize("name", ["run.json", "submission.tar.gz", "events.jsonl"])
def test_the_checker_finds_a_changed_file(name: str, tmp_path: Path) -> None:
    after = examine(honest(), tmp_path)
    assert after.outcome is not None
    (after.outcome.bundle / name).write_bytes(b"")
    with pytest.raises(AssertionError, match="not as sealed"):
        checker.check(after.results, after.truth)


def test_a_power_cut_takes_what_was_not_synced(tmp_path: Path) -> None:
    """Over all chances: synced bytes stay, others may go, and both do happen."""
    contents = set()
    for seed in range(40):
        root = tmp_path / str(seed)
        root.mkdir()
        disk = Disk(root, None, random.Random(seed))
        calls = disk.patched()
        descriptor = calls["open"](root / "a", os.O_RDWR | os.O_CREAT)
        calls["write"](descriptor, b"safe")
        calls["fsync"](descriptor)
        folder = calls["open"](root, os.O_RDONLY)
        calls["fsync"](folder)
        calls["write"](descriptor, b"lost")
        (root / "b").write_bytes(b"never synced")
        os.close(descriptor)
        os.close(folder)
        disk.cut_power()
        assert (root / "a").read_bytes().startswith(b"safe")
        contents.add(((root / "a").read_bytes() == b"safelost", (root / "b").exists()))
    assert contents == {(True, True), (True, False), (False, True), (False, False)}


def test_a_killed_conductor_writes_no_more(tmp_path: Path) -> None:
    simulation._prepared(tmp_path)
    after = perform(honest(strike=Strike(40, "kill")), tmp_path)
    assert after.error == "Killed"
    assert after.disk.count == 40, "the struck call was the last"
    assert not list(after.results.rglob("manifest.json"))
