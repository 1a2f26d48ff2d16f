"""Weights: what is packed here, the format's own library reads, and the other way round."""

import json
import os
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.run.memory import check_sealed, read_bytes
from harness.run.weights import _NUMPY_NAMES, _TORCH_NAMES, pack


def packed(tensors: dict[Any, Any]) -> bytes:
    descriptor = pack(tensors)
    try:
        check_sealed(descriptor, 1 << 30)
        return read_bytes(descriptor)
    finally:
        os.close(descriptor)


arrays = st.sampled_from(sorted(_NUMPY_NAMES)).flatmap(
    lambda name: hnp.arrays(
        np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    )
)
names = st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda n: n != "__metadata__")


@given(st.dictionaries(names, arrays, max_size=5))
def test_numpy_round_trip(tensors: dict[str, np.ndarray]) -> None:
    back = safetensors.numpy.load(packed(tensors))
    assert set(back) == set(tensors)
    for name, array in tensors.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("layout", ["fortran", "reversed", "transposed", "broadcast"])
def test_layout_of_an_array_does_not_matter(layout: str) -> None:
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    array = {
        "fortran": np.asfortranarray(base),
        "reversed": base[::-1, ::-1],
        "transposed": base.T,
        "broadcast": np.broadcast_to(base[:1], (3, 4)),
    }[layout]
    back = safetensors.numpy.load(packed({"w": array}))["w"]
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("kind", sorted(_TORCH_NAMES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_torch_round_trip_of_every_type(kind: str, shape: tuple[int, ...]) -> None:
    dtype = getattr(torch, kind.removeprefix("torch."))
    tensor = (torch.arange(6).reshape(2, 3)[: shape[0] if shape else 1]).float()
    tensor = tensor.flatten()[: int(np.prod(shape))].reshape(shape).to(dtype)
    back = safetensors.torch.load(packed({"w": tensor}))["w"]
    assert back.dtype == dtype
    assert back.shape == tensor.shape
    assert torch.equal(back.float(), tensor.float())


def test_the_bytes_are_those_of_the_library_up_to_order() -> None:
    tensors = {"b": torch.randn(3, 5), "a": torch.ones(2, dtype=torch.bfloat16)}
    ours = safetensors.deserialize(packed(tensors))
    theirs = safetensors.deserialize(safetensors.torch.save(tensors))
    assert dict(ours) == dict(theirs)


def test_state_dict_with_tied_weights_and_views() -> None:
    layer = torch.nn.Linear(4, 4)
    layer.register_buffer("step", torch.tensor(7))
    state = {**layer.state_dict(), "tied": layer.weight, "view": layer.weight.detach().t()[1:]}
    back = safetensors.torch.load(packed(state))
    assert torch.equal(back["tied"], layer.weight)
    assert torch.equal(back["weight"], layer.weight)
    assert torch.equal(back["view"], layer.weight.t()[1:])
    assert back["step"].item() == 7
    assert back["step"].shape == ()


def test_later_training_does_not_reach_what_was_packed() -> None:
    weight = torch.zeros(1000)
    array = np.zeros(1000, np.float32)
    data = pack({"w": weight, "a": array})
    weight += 1
    array += 1
    back = safetensors.numpy.load(read_bytes(data))
    os.close(data)
    assert not back["w"].any()
    assert not back["a"].any()


def test_no_tensors_are_a_valid_file() -> None:
    assert safetensors.numpy.load(packed({})) == {}


@given(st.dictionaries(names, arrays, max_size=3))
def test_header_is_aligned_and_gapless(tensors: dict[str, np.ndarray]) -> None:
    data = packed(tensors)
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    header = json.loads(data[8 : 8 + length])
    ends = [0]
    for entry in header.values():
        begin, end = entry["data_offsets"]
        assert begin == ends[-1]
        ends.append(end)
    assert 8 + length + ends[-1] == len(data)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (1.5, "float"),
        ([1, 2], "list"),
        (None, "NoneType"),
        ("text", "str"),
        (b"pickle", "bytes"),
        (np.array([1 + 2j]), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([{}], dtype=object), "object"),
        (np.array([1], dtype=">f4"), ">f4"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), r"datetime64\[D\]"),
        (torch.zeros(2, dtype=torch.complex64), r"torch\.complex64"),
    ],
)
def test_wrong_type_is_refused_by_name(value: Any, named: str) -> None:
    with pytest.raises(TypeError, match=f"'layer.weight' is of type {named}"):
        packed({"layer.weight": value})


@pytest.mark.parametrize("name", [7, None, ("a", "b"), "__metadata__"])
def test_odd_name_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match="the name must be text"):
        packed({name: np.zeros(1)})


def test_numpy_scalars_are_zero_dimensional() -> None:
    back = safetensors.numpy.load(packed({"s": np.float32(2.5)}))["s"]
    assert back.shape == ()
    assert back == np.float32(2.5)
