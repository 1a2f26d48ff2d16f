"""Seeds that one commitment covers, and data that are sealed before the start signal."""

import hashlib
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.api import Metric, Outputs, Splits, Target, WorkloadSpec
from harness.run.memory import check_sealed, map_array
from harness.run.prepared_data import prepare_data
from harness.run.seeds import declared_seeds, draw_seeds, new_secret


def spec(data: Any) -> WorkloadSpec:
    return WorkloadSpec(
        name="w",
        title="W",
        domain="image",
        size="smoke",
        secrecy="seeded",
        metric=Metric(name="accuracy", better="higher"),
        target=Target(value=0.5, version="1", derivation="for tests"),
        budget_s=1.0,
        outputs=Outputs(kind="scores", shape=(2,)),
        data=data,
        model=nn.Identity,
        score=lambda *_: 0.0,
        predict_cpu_s=0.1,
    )


def draw(seed: int) -> Splits:
    rng = np.random.default_rng(seed)
    return Splits(
        train={"x": rng.normal(size=(6, 2)).astype(np.float32), "y": rng.integers(0, 2, 6)},
        validation={"x": rng.normal(size=(3, 2))},
        test_inputs={"x": rng.normal(size=(4, 2))},
        test_labels={"y": rng.integers(0, 2, 4)},
    )


def open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# --- seeds ---------------------------------------------------------------------------------------


@given(st.binary(min_size=16, max_size=16), st.integers(0, 1000))
def test_seeds_can_be_recomputed_from_the_revealed_secret(secret: bytes, index: int) -> None:
    pair = draw_seeds(secret, index)
    assert pair == draw_seeds(bytes.fromhex(pair.secret), pair.index)
    assert pair.commitment == hashlib.sha256(secret).hexdigest()
    assert pair.source == "harness"
    assert 0 <= pair.session < 1 << 31, "torch and numpy take it as it is"
    assert 0 <= pair.instance < 1 << 53, "exact in JSON"


def test_seeds_of_a_series_are_distinct_and_share_a_commitment() -> None:
    # Not a drawn secret: 200 session seeds of 31 bits meet by chance once in 100,000 times.
    secret = bytes(range(16))
    pairs = [draw_seeds(secret, index) for index in range(200)]
    assert len({pair.session for pair in pairs}) == 200
    assert len({pair.instance for pair in pairs}) == 200
    assert len({pair.commitment for pair in pairs}) == 1


def test_instance_seed_is_not_reported_by_the_session_seed() -> None:
    pairs = [draw_seeds(new_secret(), 0) for _ in range(50)]
    assert not any(pair.instance >> 22 == pair.session for pair in pairs)


def test_secrets_are_fresh() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) == 16


def test_declared_seeds_repeat_and_say_so() -> None:
    assert declared_seeds(7) == declared_seeds(7)
    assert declared_seeds(7).session == 7
    assert declared_seeds(7).source == "declared"
    assert declared_seeds(7).instance != declared_seeds(8).instance
    assert declared_seeds(7).commitment != declared_seeds(8).commitment


# --- data ----------------------------------------------------------------------------------------


def test_training_data_are_sealed_and_the_test_split_stays() -> None:
    splits = draw(3)
    with closing(prepare_data(spec(draw), 3)) as prepared:
        assert prepared.names == ("train/x", "train/y", "validation/x")
        wanted = [splits.train["x"], splits.train["y"], splits.validation["x"]]
        for descriptor, array in zip(prepared.descriptors, wanted, strict=True):
            assert check_sealed(descriptor, 1 << 20) > array.nbytes
            np.testing.assert_array_equal(map_array(descriptor), array)
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(descriptor, b"x")
        np.testing.assert_array_equal(prepared.splits.test_inputs["x"], splits.test_inputs["x"])


def test_shapes_tell_no_value() -> None:
    with closing(prepare_data(spec(draw), 0)) as prepared:
        assert prepared.shapes() == [
            {"name": "train/x", "shape": [6, 2], "dtype": "<f4"},
            {"name": "train/y", "shape": [6], "dtype": "<i8"},
            {"name": "validation/x", "shape": [3, 2], "dtype": "<f8"},
        ]


def test_descriptors_are_closed_at_the_end() -> None:
    before = open_fds()
    with closing(prepare_data(spec(draw), 0)):
        assert open_fds() == before + 3
    assert open_fds() == before


def test_descriptors_are_closed_where_an_array_cannot_be_handed_over() -> None:
    def odd(seed: int) -> Splits:
        splits = draw(seed)
        objects = {"x": np.array([{}], dtype=object)}
        return Splits(
            train=splits.train,
            validation=objects,
            test_inputs=splits.test_inputs,
            test_labels=splits.test_labels,
        )

    before = open_fds()
    with pytest.raises(ValueError, match="Python objects"):
        prepare_data(spec(odd), 0)
    assert open_fds() == before


def test_a_full_memory_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_fds()
    real = os.open
    calls = []

    def failing(path: Any, *rest: Any, **more: Any) -> int:
        if str(path).startswith("/proc/self/fd/"):
            calls.append(path)
            if len(calls) == 2:
                raise OSError(24, "Too many open files")
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(OSError, match="Too many"):
        prepare_data(spec(draw), 0)
    monkeypatch.undo()
    assert open_fds() == before
