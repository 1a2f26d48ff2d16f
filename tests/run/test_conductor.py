"""The conductor: whatever a submission does, a sealed bundle tells of it in one sentence."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy

from harness.bundle import Bundle
from harness.cli.failure import exit_code
from harness.errors import ExitCode
from harness.measure.choice import MeterUnavailable
from harness.records import Run
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.order import RunResult
from harness.run.submission import SubmissionError
from tests.run.made import AskedAfter, Folder, Perform, Silent, check_bundle, children, logs


def opened(outcome: Any) -> Any:
    """The bundle of a run."""
    return Bundle(outcome.bundle)


# --- an honest run -------------------------------------------------------------------------------

HONEST = """
def train(session):
    session.log(step=0, loss=1.0)
    with session.span("fit"):
        w = fitted(session)
    session.snapshot({"w": w}, step=1, note="fitted")
"""


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """One honest run with a fake meter, looked at by many tests."""
    with pytest.MonkeyPatch.context() as patch:
        made = Folder(tmp_path_factory.mktemp("honest"))
        made.entry(HONEST)
        patch.setenv("JOULEMARK_PLUGINS", str(made.plugins))
        order = made.order("entry", meters=("fake:watts=50",), hyperparameters={"lr": 0.5})
        outcome = run_one(order, Silent(), Interrupt())
        check_bundle(outcome, made.results)
        return outcome


def test_honest_run_reaches_the_target(honest: Any) -> None:
    run = honest.run
    assert run.status == "ok", run.reason
    assert run.reason.startswith("reached the target: accuracy ")
    assert run.workload.secrecy == "seeded"
    assert run.hyperparameters == {"lr": 0.5}
    assert run.submission.division == "open"
    assert run.claimed.messages == 3


def test_stamps_follow_every_other(honest: Any) -> None:
    window = honest.run.window
    stamps = [window.launch_ns, window.gun_ns, honest.run.snapshots[0].stamp_ns, window.end_ns]
    assert stamps == sorted(stamps)
    assert stamps[0] > 0
    assert window.ended_by == "done"
    assert window.setup_ns is None
    assert int(window.origin_monotonic_ns) > 0


def test_events_tell_the_sequence(honest: Any) -> None:
    events = {event.kind: event for event in Bundle(honest.bundle).events()}
    kinds = [event.kind for event in Bundle(honest.bundle).events()]
    assert kinds == [
        *("launch", "ready", "gun", "log", "span", "span", "snapshot", "done", "kill", "end"),
    ]
    assert events["gun"].t_ns == honest.run.window.gun_ns
    assert events["snapshot"].t_ns == honest.run.snapshots[0].stamp_ns
    assert events["end"].t_ns == honest.run.window.end_ns


def test_snapshot_is_kept_as_it_was_handed_over(honest: Any) -> None:
    (record,) = honest.run.snapshots
    data = (honest.bundle / "snapshots" / "0000.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() == record.sha256
    assert len(data) == record.size_bytes
    assert (record.step, record.note, record.kept) == (1, "fitted", True)
    assert safetensors.numpy.load(data)["w"].shape == (2,)


def test_evaluation_can_be_redone_from_the_bundle(honest: Any, monkeypatch) -> None:
    """Seed, snapshot and metric hang together."""
    import runpy

    import numpy as np

    (source,) = honest.bundle.parents[4].glob("plugins/workloads/tiny.py")
    workload = runpy.run_path(str(source))["WORKLOAD"]
    splits = workload.data(honest.run.seeds.instance)
    data = (honest.bundle / "snapshots" / "0000.safetensors").read_bytes()
    score = splits.test_inputs["x"] @ safetensors.numpy.load(data)["w"]
    outputs = np.stack([-score, score], 1)
    (value,) = opened(honest).evaluation.values
    assert value.value == workload.score(outputs, splits.test_labels, {})
    assert value.cpu_s is not None
    assert opened(honest).evaluation.examples == 40


def test_meter_is_recorded_as_simulated(honest: Any) -> None:
    assert opened(honest).trace_text().startswith(b"t_ns,")
    assert honest.run.domains
    assert all(domain.simulated for domain in honest.run.domains)
    assert [meter.name for meter in honest.run.meters if meter.chosen] == ["fake"]
    assert honest.run.sampler.reads_count >= 2


def test_isolation_tells_that_there_was_none(honest: Any) -> None:
    assert (honest.run.isolation.launcher, honest.run.isolation.level) == ("plain", "none")
    assert honest.run.isolation.masked == ()
    assert honest.run.usage.cpu_s > 0


def test_conductor_has_never_loaded_torch_or_pandas(folder: Folder) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from tests.run.made import *; from harness.run.series import run_series\n"
        "from pathlib import Path\n"
        f"f = Folder.__new__(Folder); f.root = Path({str(folder.root)!r})\n"
        "f.results = f.root / 'results'\n"
        "print(run_series(f.request(), Silent())[0].run.status)\n"
        "print([name for name in ('torch', 'pandas', 'matplotlib') if name in sys.modules])\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ["ok", "[]"]


# --- the operator --------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["starting the sandbox", "training", "evaluating"])
def test_ctrl_c_leaves_an_aborted_bundle(phase: str, perform: Perform) -> None:
    train = """
    import time

    def train(session):
        session.snapshot({"w": fitted(session)})
        time.sleep(60 * WAIT)
    """.replace("WAIT", str(int(phase == "training")))
    run = perform(train, interrupt=AskedAfter(phase)).run
    assert (run.status, run.window.ended_by) == ("aborted", "interrupt")
    assert "operator" in run.reason


def test_second_ctrl_c_still_seals(folder: Folder) -> None:
    class Impatient(Silent):
        def phase(self, text: str) -> None:
            if text == "training":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_one(folder.order(), Impatient(), Interrupt())
    (manifest,) = folder.results.rglob("manifest.json")
    run = Bundle(manifest.parent, checked=True).run
    check_bundle(RunResult(run, manifest.parent), folder.results)
    assert run.status == "aborted"
    assert children() == []


# --- setup ---------------------------------------------------------------------------------------

WITH_SETUP = """
import os

def setup(session):
    assert session.train["x"].shape == (64, 2)
    session.log(step=1, mean=float(abs(session.train["x"]).mean()), pid=os.getpid())
    assert session.time_left_s() > 0

def train(session):
    session.log(step=2, pid=os.getpid())
    session.snapshot({"w": fitted(session)})
"""


def test_setup_is_never_called_by_default(perform: Perform) -> None:
    outcome = perform(WITH_SETUP)
    assert outcome.run.status == "ok"
    assert outcome.run.window.setup_ns is None
    assert [event.data["step"] for event in logs(outcome)] == [2]


def test_setup_runs_before_the_start_signal_where_the_ruleset_allows_it(perform: Perform) -> None:
    outcome = perform(WITH_SETUP, "run.setup_s=20.0")
    run = outcome.run
    assert run.status == "ok", run.reason
    begin, end = run.window.setup_ns
    assert run.window.launch_ns < begin < end <= run.window.gun_ns
    first, second = logs(outcome)
    assert begin < first.t_ns < end
    assert second.t_ns > run.window.gun_ns
    assert first.data["pid"] == second.data["pid"]


def test_setup_sees_noise_that_is_no_data(perform: Perform) -> None:
    train = """
    seen = {}

    def setup(session):
        seen["x"] = np.array(session.train["x"])

    def train(session):
        session.log(same=float((seen["x"] == session.train["x"]).mean()))
        session.snapshot({"w": fitted(session)})
    """
    assert logs(perform(train, "run.setup_s=20.0"))[0].data["same"] == 0.0


def test_setup_beyond_its_cap_is_killed(perform: Perform) -> None:
    train = "import time\ndef setup(session): time.sleep(60)\ndef train(session): ..."
    run = perform(train, "run.setup_s=0.3").run
    assert (run.status, run.window.ended_by) == ("killed", "setup_cap")
    assert "setup() did not end" in run.reason
    assert run.window.gun_ns is None


def test_setup_may_hand_over_nothing(perform: Perform) -> None:
    train = """
    def setup(session): session.snapshot({"w": np.zeros(2, "f4")})
    def train(session): ...
    """
    run = perform(train, "run.setup_s=20.0").run
    assert run.status == "invalid"
    assert "'snapshot' out of turn" in run.reason


# --- withholding ---------------------------------------------------------------------------------


def test_own_first_line_runs_after_the_start_signal(perform: Perform) -> None:
    train = """
    import time

    imported_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)

    def train(session):
        session.log(imported_ms=imported_ns / 1e6)
        session.snapshot({"w": fitted(session)})
    """
    outcome = perform(train)
    imported_ms = logs(outcome)[0].data["imported_ms"]
    gun_ms = (outcome.run.window.gun_ns + int(outcome.run.window.origin_monotonic_ns)) / 1e6
    assert imported_ms >= gun_ms


def test_labels_of_the_test_split_are_in_no_sandbox(perform: Perform) -> None:
    train = """
    def train(session):
        session.log(arrays=len(session.train) + len(session.validation))
        session.snapshot({"w": fitted(session)})

    def predictor(weights, workload):
        def predict(inputs):
            assert sorted(inputs) == ["x"]
            score = inputs["x"] @ weights["w"]
            return np.stack([-score, score], 1).astype("f4")
        return predict
    """
    outcome = perform(train)
    assert outcome.run.status == "ok", outcome.run.reason
    assert logs(outcome)[0].data["arrays"] == 4


# --- before anything is started ------------------------------------------------------------------


def test_source_that_is_too_large_starts_nothing(folder: Folder) -> None:
    (folder.entry("def train(session): ...") / "weights.bin").write_bytes(b"x" * 5000)
    with pytest.raises(SubmissionError, match="4000 bytes are allowed"):
        run_one(folder.order("entry", "run.source_bytes_max=4000"), Silent(), Interrupt())
    assert list(folder.results.rglob("*-????")) == []
    assert not (folder.results / "ledgers").exists()


def test_data_that_cannot_be_drawn_start_nothing(folder: Folder) -> None:
    text = folder.workload.read_text()
    folder.workload.write_text(text.replace("line = rng", "raise OSError('no such archive')  #"))
    with pytest.raises(OSError, match="no such archive"):
        run_one(folder.order(), Silent(), Interrupt())
    assert not (folder.results / "ledgers").exists()


def test_launcher_that_fails_is_the_harness_s_fault(folder: Folder, monkeypatch) -> None:
    order = folder.order()

    def refuse(request: Any) -> None:
        raise OSError(28, "no user namespaces left")

    monkeypatch.setattr(order.rig.launcher, "launch", refuse)
    outcome = run_one(order, Silent(), Interrupt())
    check_bundle(outcome, folder.results)
    assert outcome.run.status == "aborted"
    assert "no user namespaces left" in outcome.run.reason


def test_command_without_the_python_api_runs(perform: Perform) -> None:
    """A program that only knows the protocol."""
    train = """
    import array, json, os, socket, sys

    def main():
        import fcntl
        s = socket.socket(fileno=int(sys.argv[-1]))
        assert int(os.environ["JOULEMARK_FD"]) == s.fileno()
        data, ancillary, *_ = s.recvmsg(65536, socket.CMSG_SPACE(64))
        word = json.loads(data)
        assert word["type"] == "go", word
        fds = array.array("i", ancillary[-1][2][: 4 * len(word["splits"])])
        x, y = (np.load(open(fds[i], "rb")) for i in (0, 1))
        w = np.linalg.lstsq(x, y * 2.0 - 1, rcond=None)[0].astype("<f4")
        head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        out = os.memfd_create("w", os.MFD_ALLOW_SEALING)
        os.write(out, len(head).to_bytes(8, "little") + head + w.tobytes())
        fcntl.fcntl(out, 1033, 15)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [out]))]
        s.sendmsg([b'{"type":"snapshot","step":1}'], rights)
        s.send(b'{"type":"done"}')

    if __name__ == "__main__":
        main()
    """
    import sys

    run = perform(train, more=f'command = ["{sys.executable}", "train.py"]\n').run
    assert run.status == "ok", run.reason
    assert run.submission.entry == "command"


def test_run_json_is_what_the_reader_of_the_readme_finds(honest: Any) -> None:
    tree = json.loads((honest.bundle / "run.json").read_text())
    assert Run.model_validate_json(json.dumps(tree)) == honest.run
    assert tree["window"]["ended_by"] == "done"


# --- meters that fail -----------------------------------------------------------------------------

SLOW = """
import time

def train(session):
    time.sleep(3.0)  # the meter vanishes at its eighth reading, after less than a second
    session.snapshot({"w": fitted(session)}, step=1)
"""


def test_a_meter_asked_for_by_name_that_does_not_open_ends_the_run(
    folder: Folder, tmp_path: Path
) -> None:
    meter = f"rapl:root={tmp_path / 'nothing'}"
    with pytest.raises(MeterUnavailable, match="'rapl' was requested and did not open"):
        run_one(folder.order("entry", meters=(meter,)), Silent(), Interrupt())
    (sealed,) = folder.results.rglob("manifest.json")
    run = Bundle(sealed.parent, checked=True).run
    assert run.status == "aborted"
    assert "'rapl' was requested" in run.reason
    assert exit_code(MeterUnavailable("x")) == ExitCode.MISSING
    assert children() == []


def test_a_meter_that_vanishes_during_the_run_degrades_it(perform: Perform) -> None:
    run = perform(SLOW, meters=("fake:counter=true,fault=vanish,fault_after=8",)).run
    assert run.status == "degraded"
    assert "meter-vanished" in {finding.rule for finding in run.findings if finding.level == "fail"}
    assert "meter-fault" in {finding.rule for finding in run.findings}
