"""Bad submissions: each ends as a recorded run with a status and one sentence why."""

from pathlib import Path

import pytest

from tests.run.made import Perform, logs

QUICK = "run.budget_ratio=0.05"
"""Half a second: for those that are killed whatever they have done by then."""
ENOUGH = "run.budget_ratio=0.3"
"""Three seconds: for those that print something first, on a machine that may be held up."""

# --- bad submissions -----------------------------------------------------------------------------

BAD: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "fails-to-import": ("import nothing_of_that_name", (), "crashed", "nothing_of_that_name"),
    "syntax-error": ("def train(session:", (), "crashed", "SyntaxError"),
    "no-train": ("x = 1", (), "crashed", "train.py defines no function train(session)"),
    "raises": ("def train(session): raise RuntimeError('oh no')", (), "crashed", "oh no"),
    "exits-non-zero": ("def train(session): raise SystemExit(3)", (), "crashed", "code 3"),
    "hard-exit": ("import os\ndef train(session): os._exit(9)", (), "crashed", "code 9"),
    "exits-zero": ("import os\ndef train(session): os._exit(0)", (), "invalid", "never handed"),
    "segfault": (
        "import os\ndef train(session): os.kill(os.getpid(), 11)",
        (),
        "killed",
        "signal 11",
    ),
    "never-hands-over": ("def train(session): pass", (), "invalid", "never handed over"),
    "hangs": (
        "import time\ndef train(session): time.sleep(60)",
        (QUICK,),
        "budget_exceeded",
        "no snapshot that counts within 0.5 s",
    ),
    "hangs-at-import": (
        "import time\ntime.sleep(60)\ndef train(session): ...",
        (QUICK,),
        "budget_exceeded",
        "no snapshot",
    ),
    "spins": ("def train(session):\n    while True: pass", (QUICK,), "budget_exceeded", "0.5 s"),
    "nan": (
        "def train(session): session.snapshot({'w': np.full(2, np.nan, 'f4')})",
        (),
        "diverged",
        "not finite",
    ),
    "infinite": (
        "def train(session): session.snapshot({'w': np.full(2, np.inf, 'f4')})",
        (),
        "diverged",
        "not finite",
    ),
    "misses": (
        "def train(session): session.snapshot({'w': -fitted(session)})",
        (),
        "target_missed",
        "missed the target: accuracy 0.",
    ),
    "wrong-weights": (
        "def train(session): session.snapshot({'v': np.zeros(2)})",
        (),
        "invalid",
        "KeyError",
    ),
    "wrong-shape": (
        "def train(session): session.snapshot({'w': np.zeros((2, 7), 'f4')})",
        (),
        "invalid",
        "not float32[40, 2]",
    ),
    "unpackable": (
        "def train(session): session.snapshot({'w': object()})",
        (),
        "crashed",
        "'w' is of type object",
    ),
    "corrupt": (
        """
        import os
        from harness.run import protocol
        from harness.run.memory import sealed

        def train(session):
            raw = session.channel._socket
            fd = sealed("weights", lambda d: os.write(d, b"no safetensors at all"))
            protocol.send(raw, "snapshot", {}, [fd])
        """,
        (),
        "invalid",
        "no valid safetensors",
    ),
    "empty-snapshot": (
        """
        import os
        from harness.run import protocol
        from harness.run.memory import sealed

        def train(session):
            fd = sealed("weights", lambda d: None)
            protocol.send(session.channel._socket, "snapshot", {}, [fd])
        """,
        (),
        "invalid",
        "no valid safetensors",
    ),
    "unsealed": (
        """
        import os
        from harness.run import protocol

        def train(session):
            protocol.send(session.channel._socket, "snapshot", {}, [os.memfd_create("m")])
        """,
        (),
        "invalid",
        "snapshot 0: the memory file is not sealed",
    ),
    "speaks-rubbish": (
        "def train(session): session.channel._socket.send(b'rubbish')",
        (),
        "invalid",
        "broke the protocol",
    ),
    "floods-the-log": (
        "def train(session):\n    while True: session.log(loss=1.0)",
        ("run.messages_burst=100",),
        "invalid",
        "more log and span messages",
    ),
    "floods-the-output": (
        "def train(session):\n    while True: print('x' * 4000)",
        (QUICK, "run.output_bytes_max=20000"),
        "budget_exceeded",
        "no snapshot",
    ),
    "ignores-signals": (
        """
        import signal, time

        def train(session):
            for number in (1, 2, 3, 15):
                signal.signal(number, signal.SIG_IGN)
            while True:
                time.sleep(1)
        """,
        (QUICK,),
        "budget_exceeded",
        "no snapshot",
    ),
    "bad-last-words": (
        r"""
        import sys

        def train(session):
            sys.stderr.buffer.write(b"\x1b[2J\xff\x00\n<script>\x07")
            sys.stderr.flush()
            import os
            os._exit(1)
        """,
        (),
        "crashed",
        "<script>?",
    ),
    "no-predictor": (
        "def train(session): session.snapshot({'w': fitted(session)})\ndel predictor",
        (),
        "invalid",
        "train.py defines no predictor(weights, workload)",
    ),
    "predictor-raises": (
        (
            "def train(session): session.snapshot({'w': fitted(session)})\n"
            "def predictor(weights, workload): raise ValueError('no such weights')"
        ),
        (),
        "invalid",
        "ValueError: no such weights",
    ),
    "predictor-hangs": (
        (
            "import time\ndef train(session): session.snapshot({'w': fitted(session)})\n"
            "def predictor(weights, workload): time.sleep(60)"
        ),
        ("evaluation.answer_wall_s=0.3",),
        "invalid",
        "gave no 'loaded' within 0.3 s",
    ),
    "predictor-works-too-much": (
        (
            "def train(session): session.snapshot({'w': fitted(session)})\n"
            "def predictor(weights, workload):\n    while True: pass"
        ),
        ("evaluation.predict_cpu_ratio=0.2",),
        "invalid",
        "used more than 0.2 CPU s",
    ),
    "predictor-exits": (
        (
            "import os\ndef train(session): session.snapshot({'w': fitted(session)})\n"
            "def predictor(weights, workload): os._exit(5)"
        ),
        (),
        "invalid",
        "before 'loaded'",
    ),
    "predictor-wrong-type": (
        (
            "def train(session): session.snapshot({'w': fitted(session)})\n"
            "def predictor(weights, workload): return lambda inputs: np.zeros((40, 2))"
        ),
        (),
        "invalid",
        "outputs are float64[40, 2]",
    ),
}


@pytest.mark.faults
@pytest.mark.parametrize("name", BAD)
def test_bad_submission_ends_as_a_recorded_run(name: str, perform: Perform) -> None:
    train, overrides, status, said = BAD[name]
    run = perform(train, *overrides).run
    assert (run.status, said in run.reason) == (status, True), f"{run.status}: {run.reason}"


@pytest.mark.faults
def test_output_without_end_is_counted_and_capped(perform: Perform) -> None:
    train = "def train(session):\n    while True: print('x' * 4000)"
    outcome = perform(train, ENOUGH, "run.output_bytes_max=20000")
    assert outcome.run.output.stdout_bytes > 20_000
    assert outcome.run.output.kept_bytes <= 20_000
    assert (outcome.bundle / "log.txt").stat().st_size < 25_000


@pytest.mark.faults
def test_daemon_does_not_outlive_the_run(perform: Perform) -> None:
    train = """
    import os, time

    def train(session):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writer, b"%d" % os.getpid())
                time.sleep(60)
            os._exit(0)
        session.log(daemon=int(os.read(reader, 20)))
        session.snapshot({"w": fitted(session)})
    """
    outcome = perform(train)
    assert outcome.run.status == "ok"
    assert not alive(int(logs(outcome)[0].data["daemon"]))


def alive(pid: int) -> bool:
    """Whether a process still does something: one that no one collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@pytest.mark.parametrize("ending", ["pass", "time.sleep(60)", "os._exit(3)"])
def test_what_was_printed_is_in_the_log_however_it_ended(ending: str, perform: Perform) -> None:
    train = f"import os, time\ndef train(session):\n    print('step 1')\n    {ending}"
    log = (perform(train, ENOUGH).bundle / "log.txt").read_text()
    assert "==== standard output: 7 bytes ====\nstep 1\n" in log
