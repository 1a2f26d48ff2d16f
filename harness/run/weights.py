"""Weights as safetensors, written straight into a sealed memory file (runs in the sandbox)."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.run.memory import sealed
from harness.storage import write_all

_NUMPY_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
_TORCH_NAMES = {
    **{f"torch.{name}": short for name, short in _NUMPY_NAMES.items()},
    "torch.bfloat16": "BF16",
    "torch.float8_e4m3fn": "F8_E4M3",
    "torch.float8_e5m2": "F8_E5M2",
}
_METADATA = "__metadata__"
"""The format's own key in the header."""


def _numpy_bytes(array: Any) -> Any:
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8).data if flat.size else memoryview(b"")


def _torch_bytes(tensor: Any) -> Any:
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


def _entry(name: str, tensor: Any) -> tuple[str, list[int], Any]:
    """The format's name of the dtype, the shape, and the bytes (without a copy if possible)."""
    kind = str(getattr(tensor, "dtype", type(tensor).__name__))
    if not isinstance(name, str) or name == _METADATA:
        raise TypeError(f"snapshot entry {name!a}: the name must be text other than '{_METADATA}'")
    if kind in _TORCH_NAMES:
        return _TORCH_NAMES[kind], list(tensor.shape), _torch_bytes(tensor)
    if kind in _NUMPY_NAMES:
        return _NUMPY_NAMES[kind], list(np.shape(tensor)), _numpy_bytes(tensor)
    raise TypeError(
        f"snapshot entry '{name}' is of type {kind}; hand over tensors or arrays of numbers"
    )


def pack(tensors: Mapping[str, Any]) -> int:
    """Write tensors to a sealed memory file in the safetensors format; returns its descriptor.

    Layout (https://github.com/huggingface/safetensors#format): 8 bytes little-endian length of the
    header, the header as JSON padded with spaces, then the tensors one after the other.

    Raises:
        TypeError: an entry is neither a tensor nor an array of numbers.
        OSError: there is no memory for it.
    """
    header: dict[str, Any] = {}
    parts: list[Any] = []
    offset = 0
    for name, tensor in tensors.items():
        dtype, shape, data = _entry(name, tensor)
        end = offset + data.nbytes
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        parts.append(data)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def fill(descriptor: int) -> None:
        for part in (len(text).to_bytes(8, "little"), text, *parts):
            write_all(descriptor, part)

    return sealed("weights", fill)
