"""The predictor's keeper: answers in turn, within the caps, as plain sealed arrays, or none."""

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import Ask
from harness.clock import NS_PER_S, now_ns
from harness.run.memory import sealed
from harness.run.predictor import Predictor, PredictorCaps, PredictorFault, all_at_once, in_lockstep
from harness.storage import write_all
from tests.run.stand_in import StandIn

SERVER = """
import struct

def npy(values, shape, descr="<f4"):
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\\n"
    body = struct.pack(f"<{len(values)}f", *values)
    return b"\\x93NUMPY\\x01\\x00" + struct.pack("<H", len(head)) + head + body

def load(word): send("loaded", id=word["id"])

def column(fd):
    data = os.pread(fd, 1 << 16, 0)
    begin = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - begin) // 4}f", data[begin:])

def outputs(word, data=None, seals=15, count=1):
    fds = [memfd(npy([1.0] * 6, (3, 2)) if data is None else data, seals) for _ in range(count)]
    send("outputs", fds, id=word["id"])
    for fd in fds: os.close(fd)

def predict(word, fds): outputs(word)

def serve():
    ready()
    while True:
        message, fds = word()
        if message is None: return
        load(message) if message["type"] == "weights" else predict(message, fds)
        for fd in fds: os.close(fd)

"""
CAPS = PredictorCaps(cpu_s=5.0, answer_wall_s=20.0, start_wall_s=20.0, output_bytes=4096)
INPUTS = {"x": np.arange(12, dtype=np.float32).reshape(3, 4)}
WHOLE = all_at_once(INPUTS)

Begin = Callable[..., tuple[Predictor, StandIn]]


def own_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def weights() -> Iterator[int]:
    descriptor = sealed("w", lambda d: write_all(d, b"weights"))
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Start a predictor's program; at the end it is dead and no descriptor is left."""
    before = own_fds()
    made: list[StandIn] = []

    def start(program: str, **caps: Any) -> tuple[Predictor, StandIn]:
        sandbox = StandIn(SERVER + program + "\nserve()\n")
        made.append(sandbox)
        values = {name: getattr(CAPS, name) for name in CAPS.__dataclass_fields__}
        return Predictor(sandbox, sandbox.channel, PredictorCaps(**{**values, **caps})), sandbox

    yield start
    for sandbox in made:
        sandbox.close()
    assert own_fds() == before, "a descriptor leaked"


def ask(begin: Begin, weights: int, program: str, *, lockstep: bool = False, **caps: Any) -> Any:
    predictor, _ = begin(program, **caps)
    try:
        with predictor:
            return predictor.evaluate(weights, in_lockstep(INPUTS) if lockstep else WHOLE)
    finally:
        predictor.end()


def fault(begin: Begin, weights: int, program: str, **more: Any) -> PredictorFault:
    with pytest.raises(PredictorFault) as caught:
        ask(begin, weights, program, **more)
    return caught.value


def test_one_snapshot_after_the_other(begin: Begin, weights: int) -> None:
    predictor, sandbox = begin("")
    with predictor:
        for _ in range(5):
            answer = predictor.evaluate(weights, WHOLE)
            assert answer.outputs.tolist() == [[1, 1]] * 3
            assert answer.wall_s > 0
            assert answer.cpu_s is not None
    assert predictor.end().signal == 9
    assert sandbox.dead()


def test_every_snapshot_has_an_id_of_its_own(begin: Begin, weights: int) -> None:
    program = """
ids = []
def load(word):
    ids.append(word["id"])
    send("loaded", id=word["id"]) if ids == list(range(len(ids))) else sys.exit(1)
"""
    predictor, _ = begin(program)
    with predictor:
        for _ in range(3):
            predictor.evaluate(weights, WHOLE)
    predictor.end()


def test_weights_arrive_read_only_and_at_their_beginning(begin: Begin, weights: int) -> None:
    program = """
def serve():
    ready()
    message, fds = word()
    assert os.read(fds[0], 100) == b"weights"
    try:
        os.write(fds[0], b"x")
    except OSError:
        send("failed", id=0, reason="held")
    word()
"""
    assert str(fault(begin, weights, program)) == "held"
    assert os.pread(weights, 10, 0) == b"weights"


# --- lockstep ------------------------------------------------------------------------------------

LOCKSTEP = """
def predict(word, fds):
    (entry,) = word["inputs"]
    assert entry == {"name": "x", "index": 0}
    values = column(fds[0])
    send("log", scalars={}) if len(values) != 3 else None
    # Nothing more may be there before this answer: look for what was sent too early.
    s.setblocking(False)
    try:
        s.recv(1, socket.MSG_PEEK)
        sys.exit(9)
    except BlockingIOError:
        pass
    s.setblocking(True)
    time.sleep(0.01)
    outputs(word, npy([v for value in values for v in (value, -value)], (3, 2)))
"""


def test_lockstep_sends_position_after_position(begin: Begin, weights: int) -> None:
    answer = ask(begin, weights, LOCKSTEP, lockstep=True)
    assert answer.outputs.shape == (3, 4, 2)
    np.testing.assert_array_equal(answer.outputs[..., 0], INPUTS["x"])
    np.testing.assert_array_equal(answer.outputs[..., 1], -INPUTS["x"])


def test_position_is_never_sent_before_the_answer_to_the_one_before(
    begin: Begin, weights: int
) -> None:
    """A predictor that keeps its answer back waits in vain for the next token."""
    program = """
def predict(word, fds):
    s.settimeout(0.3)
    try:
        s.recv(1, socket.MSG_PEEK)
        send("failed", id=0, reason="the future came")
    except TimeoutError:
        send("failed", id=0, reason="nothing came")
"""
    assert str(fault(begin, weights, program, lockstep=True)) == "nothing came"


@pytest.mark.parametrize(
    "change",
    [
        "npy([0.0] * turns, (turns,))",
        "npy([0.0], (1,)) if turns == 1 else npy([0.0] * 2, (1,), '|V8')",
    ],
    ids=["shape", "type"],
)
def test_positions_that_do_not_fit_together_are_refused(
    begin: Begin, weights: int, change: str
) -> None:
    program = f"""
turns = 0
def predict(word, fds):
    global turns
    turns += 1
    outputs(word, {change})
"""
    result = fault(begin, weights, program, lockstep=True)
    assert "differ in shape or type" in str(result)
    assert not result.fatal


# --- caps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "caps", "said"),
    [
        ("def serve(): time.sleep(60)", {"start_wall_s": 0.15}, "gave no 'ready' within 0.15 s"),
        ("def load(word): time.sleep(60)", {"answer_wall_s": 0.15}, "no 'loaded' within 0.15 s"),
        # Long enough for the weights, which are taken in first, on a machine that is held up.
        ("def predict(*_): time.sleep(60)", {"answer_wall_s": 2.5}, "no 'outputs' within 2.5 s"),
    ],
)
def test_hang(begin: Begin, weights: int, program: str, caps: Any, said: str) -> None:
    begin_ns = now_ns()
    result = fault(begin, weights, program, **caps)
    assert said in str(result)
    assert result.fatal
    assert now_ns() - begin_ns < 30 * NS_PER_S, "no one waited for its end"


def test_many_answers_that_every_come_in_time_do_not_add_up_for_ever(
    begin: Begin, weights: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand positions, each answered after a minute's sleep, would be a day."""
    monkeypatch.setattr("harness.run.predictor.WALL_PER_CPU", 0.0)
    program = """
def predict(word, fds):
    time.sleep(0.4)
    outputs(word)
"""
    asked = 0

    def drive(put: Ask) -> Any:
        nonlocal asked
        while True:
            put(INPUTS)
            asked += 1

    predictor, _ = begin(program, answer_wall_s=3.0)
    with pytest.raises(PredictorFault, match="took more than 3 s together") as caught, predictor:
        predictor.evaluate(weights, drive)
    predictor.end()
    assert caught.value.fatal
    assert asked <= 8


def test_patience_is_for_every_snapshot_again(begin: Begin, weights: int) -> None:
    predictor, _ = begin("")
    with predictor:
        for _ in range(2):
            predictor._waited_ns = 10**18
            assert predictor.evaluate(weights, WHOLE).outputs.shape == (3, 2)
    predictor.end()


@pytest.mark.parametrize("where", ["def load(word)", "def predict(word, fds)"])
def test_work_beyond_the_cpu_cap(begin: Begin, weights: int, where: str) -> None:
    result = fault(begin, weights, f"{where}:\n    while True: pass", cpu_s=0.2)
    assert "used more than 0.2 CPU s" in str(result)
    assert result.fatal


def test_answer_that_cost_too_much_does_not_count(begin: Begin, weights: int) -> None:
    """Fitted in time by the wall's clock, on many processors at once."""
    predictor, sandbox = begin("")
    spent = iter([0.0, 0.1])
    sandbox.cpu_s = lambda: next(spent, 9.0)  # type: ignore[method-assign]
    with pytest.raises(PredictorFault, match="CPU s"), predictor:
        predictor.evaluate(weights, WHOLE)
    predictor.end()


def test_imports_are_not_on_the_snapshot_s_account(begin: Begin, weights: int) -> None:
    burn = "end = time.process_time() + 0.4\nwhile time.process_time() < end: pass\n"
    answer = ask(begin, weights, burn, cpu_s=0.3)
    assert answer.cpu_s < 0.3


def test_cap_is_for_every_snapshot_again(begin: Begin, weights: int) -> None:
    program = """
def load(word):
    end = time.process_time() + 0.12
    while time.process_time() < end: pass
    send("loaded", id=word["id"])
"""
    predictor, _ = begin(program, cpu_s=0.4)
    with predictor:
        for _ in range(4):
            predictor.evaluate(weights, WHOLE)
    predictor.end()


def test_unknown_cpu_time_stays_unknown(begin: Begin, weights: int) -> None:
    predictor, sandbox = begin("")
    sandbox.cpu_s = lambda: None  # type: ignore[method-assign]
    with predictor:
        assert predictor.evaluate(weights, WHOLE).cpu_s is None
    predictor.end()


# --- answers that are none -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "said", "fatal"),
    [
        ("def serve(): sys.exit(1)", "before 'ready'", True),
        ("def serve(): send('done')", "sent 'done' where 'ready' was due", True),
        ("def serve(): raw(b'?')", "broke the protocol", True),
        ("def load(word): sys.exit(1)", "before 'loaded'", True),
        ("def load(word): s.shutdown(socket.SHUT_WR); time.sleep(60)", "hung up", True),
        ("def load(word): raw(b''); time.sleep(60)", "hung up", True),
        ("def load(word): outputs(word)", "sent 'outputs' where 'loaded' was due", True),
        ("def load(word): send('ready', protocol=1)", "sent 'ready' where 'loaded'", True),
        ("def load(word): send('failed', id=0, reason='no such key')", "no such key", False),
        ("def predict(word, fds): load(word)", "sent 'loaded' where 'outputs' was due", True),
        ("def predict(word, fds): os.kill(os.getpid(), 11)", "before 'outputs'", True),
        ("def predict(word, fds): send('failed', id=0, reason='shape')", "shape", False),
        ("def predict(word, fds): send('outputs')", "carries 0 descriptors", True),
        ("def predict(word, fds): outputs(word, count=2)", "too many descriptors", True),
        ("def predict(word, fds): outputs(word, seals=0)", "not sealed", False),
        ("def predict(word, fds): send('outputs', [0])", "sealed memory file", False),
        ("def predict(word, fds): send('outputs', [os.pipe()[0]])", "no memory file", False),
        ("def predict(word, fds): outputs(word, b'x' * 5000)", "at most 4096", False),
        ("def predict(word, fds): outputs(word, b'')", "no plain array", False),
        ("def predict(word, fds): outputs(word, b'PK\\x03\\x04' + b'0' * 90)", "no .npy", False),
        ("def predict(word, fds): outputs(word, b'\\x80\\x04N.')", "no .npy", False),
        ("def predict(word, fds): outputs(word, npy([], (10**14,)))", "does not fit", False),
        ("def predict(word, fds): outputs(word, npy([0, 0], (1,), '|O'))", "objects", False),
    ],
)
def test_no_answer(begin: Begin, weights: int, program: str, said: str, fatal: bool) -> None:
    result = fault(begin, weights, program)
    assert said in str(result)
    assert result.fatal == fatal


def test_a_failed_snapshot_leaves_the_process_for_the_next(begin: Begin, weights: int) -> None:
    program = """
def load(word):
    if word["id"] == 0 and not os.environ.pop("told", ""):
        os.environ["told"] = "x"
        send("failed", id=0, reason="not this one")
    else:
        send("loaded", id=word["id"])
"""
    predictor, _ = begin(program)
    with predictor:
        with pytest.raises(PredictorFault, match="not this one") as caught:
            predictor.evaluate(weights, WHOLE)
        assert not caught.value.fatal
        assert predictor.evaluate(weights, WHOLE).outputs.shape == (3, 2)
    predictor.end()


def test_two_answers_to_one_question_are_one_too_many(begin: Begin, weights: int) -> None:
    program = """
def predict(word, fds):
    outputs(word)
    outputs(word)
"""
    predictor, _ = begin(program)
    with predictor:
        predictor.evaluate(weights, WHOLE)
        with pytest.raises(PredictorFault, match=r"without a question|where 'loaded' was due"):
            predictor.evaluate(weights, WHOLE)
    predictor.end()


def test_answers_ahead_of_the_questions_are_refused(begin: Begin, weights: int) -> None:
    program = """
def predict(word, fds):
    for _ in range(4):
        outputs(word)
    time.sleep(60)
"""

    def patient(question: Any) -> Any:
        question(INPUTS)
        assert select.select([sandbox.channel], [], [], 60)[0], "the second answer is there"
        return question(INPUTS)

    predictor, sandbox = begin(program)
    with predictor, pytest.raises(PredictorFault, match="without a question") as caught:
        predictor.evaluate(weights, patient)
    assert caught.value.fatal
    predictor.end()


def test_one_that_died_between_two_snapshots_is_gone(begin: Begin, weights: int) -> None:
    predictor, sandbox = begin("")
    with predictor:
        predictor.evaluate(weights, WHOLE)
        sandbox.kill()
        sandbox.process.wait()
        with pytest.raises(PredictorFault, match="is gone"):
            predictor.evaluate(weights, WHOLE)
    predictor.end()


def test_one_that_dies_with_a_question_unread_is_reported(begin: Begin, weights: int) -> None:
    program = """
import select
def serve():
    ready()
    select.select([s], [], [])
    os._exit(0)
"""
    result = fault(begin, weights, program)
    assert "before 'loaded'" in str(result)
    assert result.fatal
