"""The submission's shim: snapshot spacing, mapped data, nothing before the start signal."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from harness.run import protocol
from harness.run.conductor import run_one
from harness.run.interrupt import Interrupt
from harness.run.memory import read_bytes, sealed_array
from harness.run.submission_shim import SocketChannel, _await_kill, _mapped, _receive, _setup
from tests.run.made import Folder, Perform, Silent, logs


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = protocol.pair()
    with here, there:
        yield here, there


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a test sets."""
    now = [0.0]
    monkeypatch.setattr("harness.run.submission_shim.now_ns", lambda: int(now[0] * 1e9))
    return now


def taken(here: socket.socket) -> tuple[protocol.Message, bytes]:
    received = protocol.receive(here)
    message = protocol.checked(received)
    data = read_bytes(received.fds[0]) if received.fds else b""
    protocol.close_all(received.fds)
    return message, data


def test_snapshot_arrives_sealed_and_its_descriptor_is_closed_here(ends) -> None:
    here, there = ends
    before = len(list(Path("/proc/self/fd").iterdir()))
    SocketChannel(there, 0.0).snapshot({"w": np.ones(3, np.float32)}, 7, "note")
    message, data = taken(here)
    assert message == ("snapshot", {"step": 7, "note": "note"})
    assert safetensors.numpy.load(data)["w"].tolist() == [1, 1, 1]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_scalars_of_numpy_and_torch_are_numbers(perform: Perform) -> None:
    train = """
    def train(session):
        session.log(step=np.int64(3), loss=np.float32(0.5), rows=np.array(2))
        session.snapshot({"w": fitted(session)}, step=np.int32(4))
    """
    outcome = perform(train)
    assert logs(outcome)[0].data == {"step": 3, "loss": 0.5, "rows": 2.0}
    assert outcome.run.snapshots[0].step == 4


def test_a_loss_that_diverges_is_reported_and_stops_nothing(perform: Perform) -> None:
    train = """
    def train(session):
        session.log(step=1, loss=0.5)
        session.log(step=2, loss=float("nan"), accuracy=0.1)
        session.log(step=3, loss=-np.inf, **{"<b>\\x1b[2J": np.inf})
        session.snapshot({"w": fitted(session)}, step=4)
    """
    outcome = perform(train)
    assert outcome.run.status == "ok", outcome.run.reason
    assert [event.data for event in logs(outcome)] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "accuracy": 0.1, "loss": "nan"},
        {"step": 3, "loss": "-inf", "<b>\x1b[2J": "inf"},
    ]
    (finding,) = [item for item in outcome.run.findings if item.rule == "claimed-not-finite"]
    assert (finding.level, finding.message) == (
        "info",
        "the submission logged 'loss' as nan at step 2",
    )


def test_long_note_is_cut_to_what_the_protocol_allows(ends) -> None:
    here, there = ends
    SocketChannel(there, 0.0).snapshot({}, None, "n" * 1000)
    assert taken(here)[0].fields["note"] == "n" * protocol.NOTE_CHARACTERS_MAX


def test_due_times_follow_the_spacing(ends, clock: list[float]) -> None:
    _, there = ends
    channel = SocketChannel(there, 2.0)
    assert channel.next_snapshot_s() == 0.0
    clock[0] = 0.5
    channel.snapshot({}, None, "")
    assert channel.next_snapshot_s() == 2.5
    clock[0] = 1.0
    channel.snapshot({}, None, "")
    assert channel.next_snapshot_s() == 2.5, "one that does not count moves nothing"
    clock[0] = 3.0
    channel.snapshot({}, None, "")
    assert channel.next_snapshot_s() == 5.0
    assert channel.now_s() == 3.0


def test_arrays_of_a_split_are_mapped_by_name() -> None:
    arrays = {"train/x": np.arange(3), "train/y": np.ones(2), "validation/x": np.zeros(1)}
    fds = [sealed_array("a", array) for array in arrays.values()]
    splits = [{"name": name, "index": index} for index, name in enumerate(arrays)]
    data = _mapped({"splits": splits}, fds)
    train = data["train"]
    assert sorted(train) == ["x", "y"]
    np.testing.assert_array_equal(train["x"], [0, 1, 2])
    assert list(data["validation"]) == ["x"]
    protocol.close_all(fds)


def test_a_conductor_that_is_gone_ends_the_submission(ends) -> None:
    here, there = ends
    here.close()
    with pytest.raises(SystemExit) as caught:
        _receive(there)
    assert caught.value.code == 3


def test_word_of_the_conductor_arrives_with_all_its_descriptors(ends) -> None:
    here, there = ends
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    protocol.send(here, "go", {"seed": 1}, fds)
    word, received = _receive(there)
    assert (word["type"], word["seed"], len(received)) == ("go", 1, 20)
    protocol.close_all([*fds, *received])


def test_entry_without_setup_says_at_once_that_it_is_done(ends, monkeypatch) -> None:
    here, there = ends
    monkeypatch.setattr("harness.run.submission_shim.import_train", lambda _config: object())
    shapes = [{"name": "train/x", "shape": [2, 3], "dtype": "<f4"}]
    config: dict[str, Any] = {}
    _setup(config, there, {"shapes": shapes})
    assert taken(here)[0].kind == "setup_done"


def test_shim_that_is_done_waits_for_its_death(ends) -> None:
    """Its memory can be read until it is killed; and it does not outlive the conductor."""
    here, there = ends
    waiting = threading.Thread(target=_await_kill, args=(there,), daemon=True)
    waiting.start()
    here.send(b"anything")
    waiting.join(0.2)
    assert waiting.is_alive()
    here.close()
    waiting.join(10.0)
    assert not waiting.is_alive()


# --- in a run ------------------------------------------------------------------------------------


def test_session_is_what_the_contract_says(perform: Perform) -> None:
    train = """
    def train(session):
        assert session.workload.name == "tiny"
        assert sorted(session.train) == ["x", "y"]
        assert session.train["x"].shape == (64, 2)
        assert session.validation["x"].shape == (16, 2)
        assert (session.rank, session.world_size, session.device) == (0, 1, "cpu")
        assert dict(session.hyperparameters) == {"lr": 0.5, "layers": 2}
        assert 0 < session.time_left_s() <= session.budget_s == 10.0
        assert session.snapshot_due()
        session.snapshot({"w": fitted(session)})
        assert not session.snapshot_due()
        session.log(step=1, seed=session.seed)
    """
    more = "hyperparameters = { lr = 0.1, layers = 2 }\n"
    outcome = perform(train, more=more, hyperparameters={"lr": 0.5})
    assert outcome.run.status == "ok", outcome.run.reason
    assert logs(outcome)[0].data["seed"] == outcome.run.seeds.session


def test_own_folder_can_be_imported_and_read(folder: Folder, perform: Perform) -> None:
    entry = folder.entry("")
    (entry / "helper.py").write_text("SCALE = 2.0\n")
    (entry / "table.json").write_text(json.dumps({"a": 1}))
    train = """
    import json, pathlib
    import helper

    def train(session):
        here = pathlib.Path(__file__).parent
        assert json.loads((here / "table.json").read_text()) == {"a": 1}
        session.snapshot({"w": fitted(session) * np.float32(helper.SCALE)})
    """
    assert perform(train).run.status == "ok"


def test_declared_imports_cannot_be_the_submission_s_own(folder: Folder, perform: Perform) -> None:
    """Else its code would run before the start signal."""
    (folder.entry("") / "helper.py").write_text("print('ran early')\n")
    text = "def train(session): session.snapshot({'w': fitted(session)})"
    outcome = perform(text, more="methods = []\n")
    toml = folder.plugins / "submissions" / "entry" / "submission.toml"
    assert outcome.run.status == "ok"
    changed = toml.read_text().replace('imports = ["numpy"]', 'imports = ["helper"]')
    folder.entry(text)
    toml.write_text(changed)
    run = run_one(folder.order(), Silent(), Interrupt()).run
    assert (run.status, run.window.gun_ns) == ("crashed", None)
    assert "No module named 'helper'" in run.reason
