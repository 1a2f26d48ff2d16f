"""The session that a submission gets: its batches, its snapshots, its claims, its clock."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Metric, Outputs, Session, Splits, Target, WorkloadSpec


class Recorded:
    """A channel that only remembers, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.handed: list[tuple[dict[str, Any], int | None, str]] = []
        self.seconds = 0.0
        self.next_s = 0.0

    def snapshot(self, tensors: Mapping[str, Any], step: int | None, note: str) -> None:
        self.handed.append((dict(tensors), step, note))

    def send(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.sent.append((kind, dict(fields)))

    def now_s(self) -> float:
        return self.seconds

    def next_snapshot_s(self) -> float:
        return self.next_s


def no_data(_seed: int) -> Splits:
    return Splits(train={}, validation={}, test_inputs={}, test_labels={})


def no_model() -> Any:
    return None


def workload(**changes: Any) -> WorkloadSpec:
    """A workload of nothing."""
    fields: dict[str, Any] = {
        "name": "nothing",
        "title": "Nothing",
        "domain": "test",
        "size": "smoke",
        "secrecy": "public",
        "metric": Metric(name="accuracy", better="higher"),
        "target": Target(value=0.5, version="1", derivation="by hand"),
        "budget_s": 10.0,
        "outputs": Outputs(kind="scores", shape=(2,)),
        "data": no_data,
        "model": no_model,
        "score": lambda outputs, labels, facts: 0.0,
        "predict_cpu_s": 0.01,
    }
    return WorkloadSpec(**{**fields, **changes})


def session(channel: Recorded, rows: int = 10, seed: int = 1, **changes: Any) -> Session:
    """A session over numbered rows."""
    fields: dict[str, Any] = {
        "workload": workload(),
        "seed": seed,
        "device": "cpu",
        "train": {"x": np.arange(rows), "y": np.arange(rows) * 10},
        "validation": {"x": np.arange(3), "y": np.arange(3)},
        "budget_s": 10.0,
        "snapshot_rule": "first_passing",
        "channel": channel,
    }
    return Session(**{**fields, **changes})


@given(rows=st.integers(1, 60), size=st.integers(1, 70), epochs=st.integers(1, 4))
def test_every_epoch_gives_every_row_once(rows: int, size: int, epochs: int) -> None:
    batches = list(session(Recorded(), rows).batches("train", size, epochs))
    per_epoch = -(-rows // size)
    assert len(batches) == epochs * per_epoch
    for epoch in range(epochs):
        seen = np.concatenate([b["x"] for b in batches[epoch * per_epoch :][:per_epoch]])
        assert sorted(seen) == list(range(rows))


@given(seed=st.integers(0, 2**31 - 1))
def test_batches_follow_the_seed_and_keep_rows_together(seed: int) -> None:
    first = list(session(Recorded(), 40, seed).batches("train", 7, 2))
    again = list(session(Recorded(), 40, seed).batches("train", 7, 2))
    assert all(np.array_equal(a["x"], b["x"]) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(batch["y"], batch["x"] * 10) for batch in first)


def test_two_epochs_and_two_seeds_differ_in_order() -> None:
    batches = [batch["x"] for batch in session(Recorded(), 50).batches("train", 50, 2)]
    assert not np.array_equal(batches[0], batches[1])
    other = next(iter(session(Recorded(), 50, seed=2).batches("train", 50, 1)))["x"]
    assert not np.array_equal(batches[0], other)


def test_batches_end_with_the_budget() -> None:
    channel = Recorded()
    given_out = 0
    for _ in session(channel).batches("train", 5):
        given_out += 1
        channel.seconds += 3.0
    assert given_out == 4, "the budget of 10 s is over after the fourth batch of 3 s"


def test_batches_are_copies() -> None:
    mine = session(Recorded())
    batch = next(iter(mine.batches("train", 4)))
    batch["x"][:] = -1
    assert mine.train["x"].min() == 0


def test_validation_can_be_drawn_from_too() -> None:
    drawn = [b["x"] for b in session(Recorded()).batches("validation", 2, 1)]
    assert sorted(np.concatenate(drawn)) == [0, 1, 2]
    with pytest.raises(KeyError):
        next(iter(session(Recorded()).batches("test", 2)))


def test_time_left_falls_with_the_clock() -> None:
    channel = Recorded()
    mine = session(channel)
    assert mine.time_left_s() == 10.0
    channel.seconds = 12.5
    assert mine.time_left_s() == -2.5


def test_a_snapshot_is_due_from_its_moment_on() -> None:
    channel = Recorded()
    mine = session(channel)
    assert mine.snapshot_due()
    channel.next_s = 0.5
    assert not mine.snapshot_due()
    channel.seconds = 0.5
    assert mine.snapshot_due()


class Module:
    """Something with a state dict, as torch's modules have."""

    def state_dict(self) -> dict[str, Any]:
        return {"w": np.ones(2)}


def test_snapshots_take_modules_and_mappings() -> None:
    channel = Recorded()
    mine = session(channel)
    mine.snapshot(Module(), step=3)
    mine.snapshot({"w": np.zeros(2)}, note="early")
    (state, step, note), (tensors, no_step, text) = channel.handed
    assert (step, note, no_step, text) == (3, "", None, "early")
    assert state["w"].sum() == 2
    assert tensors["w"].sum() == 0


def test_logs_and_spans_are_sent_as_claims() -> None:
    channel = Recorded()
    mine = session(channel)
    with mine.span("epoch"):
        mine.log(step=4, loss=0.25)
    kinds = [kind for kind, _ in channel.sent]
    assert kinds == ["span", "log", "span"]
    assert [fields.get("edge") for _, fields in channel.sent] == ["begin", None, "end"]
    assert channel.sent[1][1] == {"step": 4, "scalars": {"loss": 0.25}}


def test_a_span_ends_when_its_body_raises() -> None:
    channel = Recorded()
    with pytest.raises(ZeroDivisionError), session(channel).span("bad"):
        raise ZeroDivisionError
    assert channel.sent[-1] == ("span", {"name": "bad", "edge": "end"})


@pytest.mark.parametrize("field", ["workload", "seed", "train", "budget_s"])
def test_nothing_of_a_session_can_be_set(field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(session(Recorded()), field, None)


def test_a_session_knows_neither_labels_nor_score() -> None:
    names = set(Session.__dataclass_fields__)
    assert not {name for name in names if "test" in name or "label" in name or "score" in name}
