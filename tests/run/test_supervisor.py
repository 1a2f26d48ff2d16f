"""The watch: whatever a submission does, it ends in time, and what it handed over is stamped."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_S
from harness.records import Snapshot
from harness.run.memory import read_bytes
from harness.run.snapshots import EARLY, release
from harness.run.supervisor import RateLimiter
from tests.run.seen import Seen

BUDGET_S = 0.3  # of programs that are killed before they do anything
LONG_S = 2.0  # of programs that do something and are killed then, on a busy machine
PATIENCE_S = 20.0  # an end that takes longer was waited for: programs sleep for a minute
FIRST = {"snapshot_rule": "first_passing", "snapshots_max": 20}


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Seen]]:
    """Start a program; at the end no descriptor may be left."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    made: list[Seen] = []

    def start(program: str, budget_s: float = BUDGET_S, **rules: Any) -> Seen:
        made.append(Seen(tmp_path / f"events{len(made)}", program, budget_s, **rules))
        return made[-1]

    yield start
    for seen in made:
        assert seen.sandbox.dead() or seen.exit is None
        release(seen.observation.held)
        seen.log.close()
        seen.sandbox.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before, "a descriptor leaked"


@pytest.fixture
def perform(begin: Callable[..., Seen]) -> Callable[..., Seen]:
    """Run a program to its end."""
    return lambda program, budget_s=BUDGET_S, **rules: begin(program, budget_s, **rules).run()


# --- the plain way -------------------------------------------------------------------------------


def test_done_is_the_end_and_kills_at_once(perform) -> None:
    seen = perform("start(); snapshot(step=3, note='n'); send('done'); time.sleep(60)", 30.0)
    assert seen.observation.ended_by == "done"
    assert seen.exit.signal == 9
    assert seen.window_s < PATIENCE_S
    assert seen.kinds() == ["ready", "gun", "snapshot", "done", "kill", "end"]
    (held,) = seen.observation.held
    assert (held.record.step, held.record.note, held.record.accepted) == (3, "n", True)
    assert read_bytes(held.descriptor) == b"weights"
    assert (
        seen.observation.gun_ns
        < held.record.kernel_ns
        <= held.record.stamp_ns
        < seen.observation.end_ns
    )


def test_the_first_number_that_is_none_is_a_finding(perform) -> None:
    program = """
        start()
        for step in (None, 7, 8):
            send("log", step=step, scalars={}, nonfinite={"<\\x1b>": "inf"})
        send("done")
        """
    seen = perform(program, 30.0)
    (finding,) = seen.observation.findings
    assert finding.rule == "claimed-not-finite"
    assert finding.message == "the submission logged '<\\x1b>' as inf"
    assert seen.observation.claims_count == 3


def test_events_are_ordered_and_numbered(perform) -> None:
    program = """
        start()
        send("span", name="epoch", edge="begin")
        send("log", step=1, scalars={"loss": 0.5, "step": 9})
        send("span", name="epoch", edge="end")
        send("done")
        """
    seen = perform(program, 30.0)
    assert [event.seq for event in seen.events()] == list(range(len(seen.events())))
    assert seen.kinds() == ["ready", "gun", "span", "log", "span", "done", "kill", "end"]
    logged = seen.events()[3]
    assert logged.data == {"loss": 0.5, "step": 1}, "the message's own step wins"
    assert seen.observation.claims_count == 3


def test_own_exit_is_reported_with_its_code(perform) -> None:
    seen = perform("start(); snapshot(); sys.exit(7)", 30.0)
    assert (seen.observation.ended_by, seen.exit.code, seen.sandbox.kills) == ("exit", 7, 0)
    assert len(seen.observation.held) == 1, "what was sent before the exit counts"


def test_budget_kills(perform) -> None:
    seen = perform("start(); time.sleep(60)")
    assert (seen.observation.ended_by, seen.exit.signal) == ("budget", 9)
    assert BUDGET_S <= seen.window_s < BUDGET_S + PATIENCE_S


def test_signals_of_its_own_do_not_help(perform) -> None:
    program = """
        import signal
        for number in (1, 2, 3, 15):
            signal.signal(number, signal.SIG_IGN)
        start()
        while True: pass
        """
    assert perform(program).observation.ended_by == "budget"


# --- before the start signal ----------------------------------------------------------------------


def test_ready_that_never_comes_meets_the_start_cap(perform) -> None:
    seen = perform("time.sleep(60)", start_cap_s=0.15)
    assert (seen.observation.ended_by, seen.observation.gun_ns) == ("start_cap", None)
    assert seen.exit.signal == 9


@pytest.mark.parametrize("program", ["sys.exit(3)", "os._exit(3)"])
def test_exit_before_ready_is_an_exit(perform, program: str) -> None:
    seen = perform(program)
    assert (seen.observation.ended_by, seen.observation.gun_ns, seen.exit.code) == ("exit", None, 3)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raw(b'hello')", "no JSON object"),
        ("raw(b'x' * 70000)", "too long"),
        ("ready(protocol=2)", "protocol is not 1"),
        ("send('log', scalars={})", "'log' out of turn"),
        ("send('done')", "'done' out of turn"),
        ("snapshot()", "'snapshot' out of turn"),
        ("ready(); ready()", "'ready' out of turn"),
        ("ready(); word(); ready()", "'ready' out of turn"),
        ("ready(); word(); send('setup_done')", "'setup_done' out of turn"),
        ("ready(); word(); send('outputs', [memfd()])", "'outputs' out of turn"),
        ("ready(); word(); send('go')", "unknown type"),
        ("ready(); word(); send('snapshot')", "carries 0 descriptors"),
        ("ready(); word(); send('done', [memfd()])", "carries 1 descriptors"),
        ("ready(); word(); send('snapshot', [memfd(), memfd()])", "too many descriptors"),
        ("ready(); word(); send('snapshot', [memfd()] * 253)", "too many descriptors"),
        ("ready(); word(); raw(b'', [memfd()])", "no JSON object"),
        ("ready(); word(); snapshot(seals=0)", "snapshot 0: the memory file is not sealed"),
        ("ready(); word(); snapshot(seals=7)", "not sealed"),
        ("ready(); word(); send('snapshot', [os.pipe()[0]])", "no memory file"),
        ("ready(); word(); send('snapshot', [0])", "no memory file"),
        ("ready(); word(); send('snapshot', [os.open('/', 0)])", "no memory file"),
        ("ready(); word(); snapshot(b'x' * 2000)", "2000 bytes; at most 1000"),
        ("ready(); word(); send('log', scalars={'a': '1'})", "a scalar is no number"),
        ('ready(); word(); raw(b\'{"type":"log","scalars":{"a":NaN}}\')', "not finite"),
    ],
)
def test_violation_ends_the_run(perform, program: str, said: str) -> None:
    seen = perform(f"{program}; time.sleep(60)", 30.0, snapshot_bytes_max=1000)
    assert seen.observation.ended_by == "violation"
    assert said in seen.observation.reason
    assert seen.observation.reason.startswith("broke the protocol: ")
    assert seen.exit.signal == 9
    assert "violation" in seen.kinds()


# --- setup ---------------------------------------------------------------------------------------


def _setup(seen: Seen) -> bool:
    try:
        return seen.supervisor.until_ready() and seen.supervisor.setup({"shapes": []})
    finally:
        seen.supervisor.stop("fault")
        seen.supervisor.await_exit()
        seen.exit = seen.sandbox.reap(5)


def test_setup_is_timed(begin) -> None:
    seen = begin("ready(); assert word()[0]['type'] == 'setup'; send('setup_done')", setup_s=20.0)
    assert _setup(seen)
    first, last = seen.observation.setup_ns
    assert 0 < last - first < 20 * NS_PER_S


def test_setup_is_capped(begin) -> None:
    seen = begin("start(); time.sleep(60)", setup_s=0.15)
    assert not _setup(seen)
    assert seen.observation.ended_by == "setup_cap"
    first, last = seen.observation.setup_ns
    assert last - first >= 0.15 * NS_PER_S


def test_snapshot_during_setup_is_out_of_turn(begin) -> None:
    seen = begin("start(); snapshot(); send('setup_done')", setup_s=20.0)
    assert not _setup(seen)
    assert "'snapshot' out of turn" in seen.observation.reason


# --- hanging up ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", ["s.shutdown(socket.SHUT_WR)", "s.close()", "raw(b'')", "s.shutdown(socket.SHUT_RDWR)"]
)
def test_end_of_file_is_no_death_and_no_one_spins(perform, how: str) -> None:
    """An early end of file may hide work that goes on: only the pidfd tells of death."""
    seen = perform(f"start(); snapshot(); {how}; time.sleep(60)", LONG_S)
    assert seen.observation.ended_by == "budget"
    assert seen.window_s >= LONG_S
    assert len(seen.observation.held) == 1
    assert seen.observation.held[0].record.accepted
    assert len(seen.ticks) < 40, "the loop waits"


def test_a_copy_of_the_socket_in_a_child_keeps_nothing_open(perform) -> None:
    program = """
        start()
        if os.fork() == 0:
            time.sleep(0.3)
            os._exit(0)
        snapshot()
        os._exit(0)
        """
    seen = perform(program, 30.0)
    assert seen.observation.ended_by == "exit"
    assert len(seen.observation.held) == 1


def test_snapshot_of_one_that_never_read_the_start_signal_is_not_lost(perform) -> None:
    """The kernel tells of the unread message by a reset, before what was sent."""
    program = """
        import select
        ready()
        select.select([s], [], [])
        snapshot(step=1)
        snapshot(step=2)
        os._exit(0)
        """
    seen = perform(program, 30.0)
    assert [held.record.step for held in seen.observation.held] == [1, 2]
    assert (seen.observation.ended_by, seen.exit.code) == ("exit", 0)


# --- floods --------------------------------------------------------------------------------------


def test_logs_above_the_rate_are_dropped_and_counted(perform) -> None:
    program = """
        start()
        for i in range(40): send("log", step=i, scalars={})
        send("done")
        time.sleep(60)
        """
    seen = perform(program, 30.0, log_rate_hz=1.0, messages_burst=1000)
    assert seen.observation.ended_by == "done"
    assert seen.observation.claims_count + seen.observation.dropped_count == 40
    assert seen.observation.claims_count == seen.kinds().count("log") < 35
    assert seen.observation.dropped_count > 0


@pytest.mark.parametrize("kind", ["'log', scalars={}", "'span', name='x', edge='begin'"])
def test_a_flood_is_ended(perform, kind: str) -> None:
    program = f"start()\nwhile True: send({kind})"
    seen = perform(program, 30.0, log_rate_hz=10.0, messages_burst=100)
    assert seen.observation.ended_by == "violation"
    assert "more log and span messages" in seen.observation.reason
    assert seen.kinds().count("log") <= 100


@given(st.lists(st.integers(0, 10**9), max_size=60), st.floats(0.5, 100), st.integers(1, 20))
def test_bucket_never_lets_more_through_than_burst_and_rate(
    gaps: list[int], rate_hz: float, burst: int
) -> None:
    bucket = RateLimiter(rate_hz, burst)
    stamps, t_ns = [], 0
    for gap in gaps:
        t_ns += gap
        if bucket.take(t_ns):
            stamps.append(t_ns)
    for i, first in enumerate(stamps):
        for j, last in enumerate(stamps[i:], i):
            assert j - i + 1 <= burst + (last - first) / NS_PER_S * rate_hz + 1e-6


def test_bucket_lets_everything_through_below_its_rate() -> None:
    bucket = RateLimiter(10.0, 1)
    assert all(bucket.take(i * NS_PER_S // 9) for i in range(100))


# --- which snapshots are accepted ----------------------------------------------------------------


def test_spacing_under_first_passing(perform) -> None:
    program = """
        start()
        for i in range(30):
            snapshot(step=i)
            time.sleep(0.02)
        send("done")
        """
    seen = perform(program, 4.0, **FIRST)
    records = [held.record for held in seen.observation.held]
    taken = [record for record in records if record.accepted]
    assert records[0].accepted
    assert records[-1].accepted, "the last of a run counts however soon it came"
    assert len(taken) < len(records)
    for one, other in pairwise(taken[:-1]):
        assert other.stamp_ns - one.stamp_ns >= 0.9 * 0.2 * NS_PER_S
    assert {record.refused for record in records if not record.accepted} == {EARLY}
    held = [item for item in seen.observation.held if item.descriptor is not None]
    assert [item.record.index for item in held] == [item.index for item in taken]


def test_a_second_interrupt_while_it_dies_leaks_no_snapshot(begin, monkeypatch) -> None:
    """The early one is held apart until it is known whether it is the last: not for ever."""
    seen = begin("start(); snapshot(); snapshot(); time.sleep(60)", 30.0, **FIRST)
    assert seen.supervisor.until_ready()
    seen.supervisor.start({}, [])
    seen.supervisor._tick = lambda: len(seen.observation.held) == 2
    seen.supervisor.until_end()
    assert seen.observation.held[-1].record.refused == EARLY

    def again() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(seen.supervisor, "_await_death", again)
    with pytest.raises(KeyboardInterrupt):
        seen.supervisor.await_exit()
    assert seen.supervisor._snapshots._early is None
    assert seen.observation.held[-1].descriptor is not None, (
        "the one who releases what is held closes it"
    )
    seen.exit = seen.sandbox.reap(5)


def test_final_keeps_the_newest(perform) -> None:
    program = "start()\nfor i in range(9): snapshot(str(i).encode())\nsend('done')"
    seen = perform(program, 30.0, snapshots_max=3)
    kept = [item for item in seen.observation.held if item.descriptor is not None]
    assert [read_bytes(item.descriptor) for item in kept] == [b"6", b"7", b"8"]
    assert [item.record.accepted for item in seen.observation.held] == [False] * 6 + [True] * 3
    assert seen.observation.held[0].record.refused == "superseded by later snapshots"


def test_ten_thousand_snapshots_leave_few_descriptors(perform) -> None:
    program = """
        start()
        fd = memfd()
        for i in range(2000): send("snapshot", [fd])
        send("done")
        """
    seen = perform(program, 60.0, snapshots_max=5)
    assert len(seen.observation.held) == 2000
    assert sum(item.descriptor is not None for item in seen.observation.held) == 5


@pytest.mark.parametrize("rules", [{"snapshots_max": 2}, {**FIRST, "snapshots_max": 2}])
def test_a_flood_of_snapshots_is_ended(perform, monkeypatch, rules: dict[str, Any]) -> None:
    monkeypatch.setattr("harness.run.supervisor.HANDED_OVER_MAX", 60)
    seen = perform("start()\nfd = memfd()\nwhile True: send('snapshot', [fd])", 30.0, **rules)
    assert seen.observation.ended_by == "violation"
    assert "more than 60 snapshots" in seen.observation.reason
    assert len(seen.observation.held) == seen.kinds().count("snapshot") == 60


def test_only_the_latest_receipt_is_reported(begin) -> None:
    seen = begin("start()", 30.0)
    for index, late_ns in enumerate((20_000_000, 50_000_000, 30_000_000, 1_000)):
        seen.supervisor._report_late(
            Snapshot(index=index, step=None, note="", stamp_ns=10**9 + late_ns, kernel_ns=10**9,
                     size_bytes=1, sha256=None, accepted=True, refused="")
        )  # fmt: skip
    (finding,) = seen.observation.findings
    assert finding.message == "snapshot 1 was stamped 0.050 s after it was sent"
    seen.supervisor.stop("fault", "the test is over")
    seen.finish()


def test_bytes_of_all_snapshots_together_are_limited(perform) -> None:
    program = "start()\nfor i in range(4): snapshot(b'x' * 400)\nsend('done')"
    seen = perform(program, 30.0, snapshots_bytes_max=1000)
    assert [item.record.accepted for item in seen.observation.held] == [True, True, False, False]
    assert "together exceed 1000 bytes" in seen.observation.held[2].record.refused


def test_what_is_sent_after_the_budget_does_not_count_however_late_it_is_read(begin) -> None:
    """A conductor that is held up reads the queue later; the kernel's stamp decides."""
    program = f"""
        start()
        snapshot(step=1)
        time.sleep({LONG_S} + 0.1)
        snapshot(step=2)
        os.write(2, b"sent")
        time.sleep(60)
        """
    seen = begin(program, LONG_S)

    def slow() -> bool:
        if seen.observation.gun_ns:
            assert seen.sandbox.process.stderr.read(4) == b"sent"
        return False

    seen.supervisor._tick = slow
    seen.run()
    assert seen.observation.ended_by == "budget"
    first, second = (item.record for item in seen.observation.held)
    assert first.accepted, "sent in time, read late"
    assert first.stamp_ns - first.kernel_ns > 0.3 * NS_PER_S
    assert (second.accepted, second.refused) == (False, "sent after the budget")
    assert {finding.rule for finding in seen.observation.findings} == {"stamp-late"}


def test_later_writes_to_a_snapshot_do_not_reach_what_is_held(perform) -> None:
    program = """
        start()
        fd = memfd(b"before")
        send("snapshot", [fd])
        try:
            os.pwrite(fd, b"after!", 0)
        except PermissionError:
            send("log", scalars={"refused": 1})
        send("done")
        """
    seen = perform(program, 30.0)
    assert read_bytes(seen.observation.held[0].descriptor) == b"before"
    assert "log" in seen.kinds()


# --- the operator, and the harness's own troubles ------------------------------------------------


def test_interrupt_ends_it(begin) -> None:
    seen = begin("start(); snapshot(); time.sleep(60)", 30.0)
    seen.supervisor._tick = lambda: bool(seen.observation.held)
    seen.run()
    assert (seen.observation.ended_by, seen.exit.signal) == ("interrupt", 9)
    assert seen.window_s < PATIENCE_S


def test_interrupt_before_ready_ends_it(begin) -> None:
    seen = begin("time.sleep(60)", 30.0)
    seen.supervisor._tick = lambda: True
    seen.run()
    assert (seen.observation.ended_by, seen.observation.gun_ns) == ("interrupt", None)


def test_first_reason_stays(perform) -> None:
    seen = perform("start(); send('done'); raw(b'rubbish'); time.sleep(60)", 30.0)
    assert seen.observation.ended_by == "done"


def test_a_full_disk_does_not_keep_anybody_alive(begin, monkeypatch) -> None:
    seen = begin("start(); time.sleep(60)", 30.0)
    assert seen.supervisor.until_ready()
    seen.supervisor.start({}, [])

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(seen.log, "append", full)
    with pytest.raises(OSError, match="No space"):
        seen.supervisor.stop("fault")
    with pytest.raises(OSError, match="No space"):
        seen.supervisor.await_exit()
    assert seen.sandbox.dead()
    assert seen.observation.end_ns is not None
    seen.exit = seen.sandbox.reap(5)


def test_death_between_ready_and_start_signal_is_its_own_exit(begin) -> None:
    seen = begin("ready(); os._exit(4)", 30.0)
    assert seen.supervisor.until_ready()
    while not seen.sandbox.dead():
        time.sleep(0.01)
    seen.supervisor.start({}, [])
    seen.supervisor.until_end()
    seen.finish()
    assert (seen.observation.ended_by, seen.exit.code) == ("exit", 4)


def test_data_that_cannot_be_sent_are_the_harness_s_fault(begin) -> None:
    seen = begin("start(); time.sleep(60)", 30.0)
    assert seen.supervisor.until_ready()
    seen.supervisor.start({}, [99_999])
    assert seen.observation.ended_by == "fault"
    assert "could not be sent: Bad file descriptor" in seen.observation.reason
    seen.finish()
