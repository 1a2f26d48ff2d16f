"""SIGKILL of conductor, sampler and submission at ten named points of a run under bubblewrap."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clock import NS_PER_S, SystemClock, now_ns
from harness.ledger import read_ledger
from harness.records import Run
from harness.verify import verify
from tests.faults import checker
from tests.faults.victim import POINTS, WHOM
from tests.run.made import Folder

pytestmark = [pytest.mark.faults, pytest.mark.needs("bubblewrap")]

SLOW = """
def train(session):
    import time

    w = fitted(session)
    session.snapshot({"w": w}, step=1)
    time.sleep(session.hyperparameters["wait_s"])
    session.snapshot({"w": w}, step=2)
    time.sleep(0.1)
"""
DEATH_S = 60.0
"""What lives longer was left over."""
SEALED = ("before ledger row",)
"""Points at which the bundle is complete."""


def perform(folder: Folder, point: str, whom: str) -> tuple[int, list[str]]:
    """Run the victim; returns its exit status and the statuses of its runs."""
    environment = {
        **os.environ,
        "JOULEMARK_PLUGINS": str(folder.plugins),
        "JOULEMARK_LOCK": str(folder.root / "joulemark.lock"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.victim", str(folder.root), point, whom],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, done.stdout.split()


def wait_for_death(pids: list[int]) -> None:
    """None of them lives on, as itself or under another parent."""
    deadline_ns = now_ns() + int(DEATH_S * NS_PER_S)
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists() and not _zombie(pid)]:
        assert now_ns() < deadline_ns, f"left over: {left}"
        SystemClock().sleep_until(now_ns() + NS_PER_S // 20)


def _zombie(pid: int) -> bool:
    """Whether only its entry is left, which the one who adopted it will remove."""
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def pids_at_the_blow(folder: Folder) -> list[int]:
    return [int(pid) for pid in (folder.root / "pids").read_text().split()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.entry(SLOW)
    return made


@pytest.mark.parametrize("point", POINTS)
def test_killed_conductor(point: str, folder: Folder) -> None:
    code, statuses = perform(folder, point, "conductor")
    assert (code, statuses) == (-9, []), "the blow fell"
    wait_for_death(pids_at_the_blow(folder))
    (ledger,) = folder.results.glob("ledgers/*.jsonl")
    assert [row.kind for row in read_ledger(ledger)] == ["started"], "the row is kept"
    (bundle,) = verify(folder.results).bundles
    if point not in SEALED:
        assert (bundle.state, bundle.status, bundle.ok) == ("incomplete", "aborted", True)
        assert "the run continues, or was cut off" in bundle.checks[0].message
    assert perform(folder, point, "-") == (0, ["ok"]), "the next run starts"
    report = verify(folder.results)
    assert report.ok, list(report.failures())
    checker.manifests(folder.results)
    kinds = [row.kind for row in read_ledger(ledger)]
    again = ["finished"] if point in SEALED else []
    assert kinds == ["started", *again, "started", "finished"], "sealed runs are finished late"


def run_of(folder: Folder) -> tuple[Run, Path]:
    """The record of the run that was struck: the first one."""
    (ledger,) = folder.results.glob("ledgers/*.jsonl")
    rows = read_ledger(ledger)
    assert [row.kind for row in rows] == ["started", "finished"] * 2
    place = folder.results / rows[0].bundle
    return Run.model_validate_json((place / "run.json").read_bytes()), place


ALIVE = POINTS[: POINTS.index("await exit") + 1]
"""Points at which sampler and submission both live."""


@pytest.mark.parametrize("point", POINTS)
def test_killed_sampler(point: str, folder: Folder) -> None:
    code, statuses = perform(folder, point, "sampler")
    struck = (folder.root / "struck").read_text()
    assert bool(struck) == (point in ALIVE)
    assert (code, statuses) == (0, ["degraded" if struck else "ok", "ok"])
    wait_for_death(pids_at_the_blow(folder))
    run, place = run_of(folder)
    if struck:
        assert "the sampler ended without its report" in run.reason
        assert "reached the target" in run.reason, "the training is judged all the same"
        assert run.sampler is None
    assert (place / "trace.csv.gz").is_file(), "what was read before is kept"
    assert verify(folder.results).ok


@pytest.mark.parametrize("point", POINTS)
def test_killed_submission(point: str, folder: Folder) -> None:
    code, statuses = perform(folder, point, "submission")
    struck = (folder.root / "struck").read_text()
    assert code == 0
    wait_for_death(pids_at_the_blow(folder))
    run, place = run_of(folder)
    said_done = point in ("done", "await exit") or point not in ALIVE
    assert statuses == ["ok" if said_done else "killed", "ok"], run.reason
    if not said_done:
        assert struck
        assert "was ended by signal 9, which the harness did not send" in run.reason
    assert (place / "trace.csv.gz").is_file(), "the energy until then is kept"
    assert run.sampler is not None
    report = verify(folder.results)
    assert report.ok, list(report.failures())


def test_every_point_is_tried_on_everybody() -> None:
    """Thirty blows, by the three tests above."""
    assert (len(POINTS), len(WHOM), len(set(POINTS))) == (10, 3, 10)


def test_a_torn_last_event_is_reported(folder: Folder) -> None:
    """What a kill in the middle of a write leaves: the whole lines count, the rest is named."""
    perform(folder, "gun", "conductor")
    (events,) = folder.results.glob("*/*/*/*/events.jsonl")
    events.write_bytes(events.read_bytes() + b'{"data":{')
    (bundle,) = verify(folder.results).bundles
    assert (bundle.state, bundle.status) == ("incomplete", "aborted")
    assert "the last line is torn" in bundle.checks[0].message
