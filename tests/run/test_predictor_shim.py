"""The predictor's shim: the closed model with exactly its own weights, and lockstep by prefix."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from harness.api import Outputs
from harness.run import protocol
from harness.run.memory import read_array, sealed, sealed_array
from harness.run.predictor_shim import (
    ROWS_AT_ONCE,
    PredictorServer,
    WeightsRefused,
    _closed,
    _read_weights,
)
from harness.run.weights import pack
from harness.storage import write_all
from tests.run.test_judge import spec


class Net(nn.Module):
    """Two linear layers with dropout and a running mean, so that modes matter."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(self.norm(self.first(x))))


class Causal(nn.Module):
    """Logits of each position from the sum of what came before."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.table(tokens).cumsum(1)


WORKLOAD = replace(spec(), model=Net)
LOCKSTEP = replace(
    spec(Outputs(kind="log_probabilities", shape=(6, 5))), model=Causal, evaluation="lockstep"
)


def state(model: nn.Module, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {
        name: torch.randn_like(tensor).abs() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }


# --- the closed division -------------------------------------------------------------------------


def test_outputs_are_those_of_the_model_in_evaluation_mode() -> None:
    weights = state(Net())
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    model = Net()
    model.load_state_dict(weights)
    expected = model.eval()(torch.from_numpy(x)).detach().numpy()
    outputs = _closed(weights, WORKLOAD)({"x": x})
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1])
def test_rows_are_answered_alike_however_many_there_are(rows: int) -> None:
    predict = _closed(state(Net()), WORKLOAD)
    x = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    outputs = predict({"x": x})
    assert outputs.shape == (rows, 3)
    np.testing.assert_allclose(outputs[-1:], predict({"x": x[-1:]}), rtol=1e-4, atol=1e-5)


def test_half_precision_outputs_are_widened_for_the_judge() -> None:
    weights = {name: tensor.bfloat16() for name, tensor in state(nn.Linear(4, 3)).items()}
    workload = replace(spec(), model=lambda: nn.Linear(4, 3).bfloat16())
    predict = _closed(weights, replace(workload, predict=lambda m, x: m(x["x"].bfloat16())))
    assert predict({"x": np.ones((2, 4), np.float32)}).dtype == np.float32


def test_log_probabilities_are_normalised_here() -> None:
    workload = replace(WORKLOAD, outputs=Outputs(kind="log_probabilities", shape=(3,)))
    outputs = _closed(state(Net()), workload)({"x": np.ones((5, 4), np.float32)})
    np.testing.assert_allclose(np.exp(outputs).sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"last.bias": None}, "'last.bias'"),
        ({"extra": torch.zeros(1)}, "'extra'"),
        ({"first.weight": torch.zeros(4, 8)}, r"'first.weight' is torch.float32\[4, 8\]"),
        ({"first.weight": torch.zeros(8, 4).half()}, "torch.float16"),
        ({"first.weight": torch.zeros(8, 4).double()}, "torch.float64"),
        ({"norm.num_batches_tracked": torch.tensor(1.0)}, "norm.num_batches_tracked"),
    ],
)
def test_other_weights_are_refused_by_name(change: dict[str, Any], said: str) -> None:
    weights = {**state(Net()), **change}
    with pytest.raises(WeightsRefused, match=said):
        _closed({name: item for name, item in weights.items() if item is not None}, WORKLOAD)


@pytest.mark.parametrize(
    "data", [b"", b"x" * 100, b"\x80\x04N.", b"\xff" * 8 + b"{}", b"PK\x03\x04"]
)
def test_what_is_no_safetensors_is_refused_and_closed(data: bytes) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(WeightsRefused, match="no valid safetensors"):
        _read_weights(sealed("w", lambda descriptor: write_all(descriptor, data)))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- the server ----------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = protocol.pair()
    with here, there:
        yield here, there


def server(ends: Any, workload: Any, monkeypatch: pytest.MonkeyPatch) -> PredictorServer:
    monkeypatch.setattr("harness.run.predictor_shim.load_target", lambda *_: workload)
    config = {
        "workload": {},
        "division": "closed",
        "imports": ["torch"],
        "threads": torch.get_num_threads(),
    }
    return PredictorServer(ends[1], config)


def answered(made: PredictorServer, **inputs: np.ndarray) -> np.ndarray:
    fds = [sealed_array(name, array) for name, array in inputs.items()]
    named = [{"name": name, "index": index} for index, name in enumerate(inputs)]
    descriptor = made.answer({"inputs": named}, fds)
    try:
        return read_array(descriptor, 1 << 20)
    finally:
        os.close(descriptor)


def test_lockstep_gives_what_the_whole_sequence_gives(ends, monkeypatch) -> None:
    made = server(ends, LOCKSTEP, monkeypatch)
    weights = state(Causal())
    made.load(pack(weights))
    tokens = np.random.default_rng(0).integers(0, 5, (3, 6))
    steps = [answered(made, tokens=tokens[:, t]) for t in range(6)]
    model = Causal()
    model.load_state_dict(weights)
    whole = torch.log_softmax(model(torch.from_numpy(tokens)), -1).detach().numpy()
    np.testing.assert_allclose(np.stack(steps, 1), whole, rtol=1e-4, atol=1e-5)


def test_nothing_of_one_snapshot_reaches_the_next(ends, monkeypatch) -> None:
    made = server(ends, LOCKSTEP, monkeypatch)
    weights = state(Causal())
    token = np.array([1, 2, 3])
    made.load(pack(weights))
    first = answered(made, tokens=token)
    answered(made, tokens=token)
    made.load(pack(weights))
    np.testing.assert_array_equal(answered(made, tokens=token), first)


def test_a_snapshot_that_does_not_fit_leaves_no_model_behind(ends, monkeypatch) -> None:
    made = server(ends, WORKLOAD, monkeypatch)
    made.load(pack(state(Net())))
    with pytest.raises(WeightsRefused):
        made.load(pack({"w": np.zeros(1)}))
    with pytest.raises(AssertionError):
        answered(made, x=np.ones((2, 4), np.float32))


def test_server_answers_in_turn_tells_faults_and_ends_with_the_conductor(ends, monkeypatch) -> None:
    here, _ = ends
    made = server(ends, WORKLOAD, monkeypatch)
    weights = pack(state(Net()))
    inputs = sealed_array("x", np.ones((2, 4), np.float32))
    predict = {"id": 0, "inputs": [{"name": "x", "index": 0}]}
    protocol.send(here, "predict", predict, [inputs])  # before any weights
    protocol.send(here, "weights", {"id": 0}, [weights])
    protocol.send(here, "predict", predict, [inputs])
    here.shutdown(socket.SHUT_WR)
    made.serve()
    kinds = []
    for _ in range(3):
        received = protocol.receive(here)
        kinds.append(protocol.checked(received).kind)
        protocol.close_all(received.fds)
    assert kinds == ["failed", "loaded", "outputs"]
    protocol.close_all([weights, inputs])
