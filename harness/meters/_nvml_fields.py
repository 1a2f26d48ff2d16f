"""Values of several fields of an NVIDIA device by one call, without building anything again."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

_LAYOUT = struct.Struct("@24xIIQ")
"""Type, return code and value of `nvmlFieldValue_t`, after field, scope, time and latency."""

_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
"""Members of `nvmlValue_t` by `nvmlValueType_t`."""

_UNSIGNED_INT = 1
_UNSIGNED_LONG = (2, 3)


def number(answer: Any) -> int:
    """The value of a field, in the member of the union that its type names."""
    return int(getattr(answer.value, _MEMBERS[answer.valueType]))


class Batch:
    """The fields of one device, queried many times.

    The vendor's module makes a new array for each call and finds its function by name; ten times
    a second on a thread that has just slept that costs more than the call itself. Where the
    module's structure or its function lookup differs, its public call is used.
    """

    def __init__(self, nvml: Any, handle: Any, wanted: Sequence[tuple[int, int]]) -> None:
        """Prepare the array.

        Args:
            nvml: the vendor's module, initialised.
            handle: the device.
            wanted: numbers and scopes of the fields.
        """
        self._nvml = nvml
        self._handle = handle
        self._wanted = list(wanted)
        self._array: Any = None
        self._call: Callable[..., int] | None = None
        structure = getattr(nvml, "c_nvmlFieldValue_t", None)
        find = getattr(nvml, "_nvmlGetFunctionPointer", None)
        if structure is None or find is None:
            return
        array = (structure * len(self._wanted))()
        if memoryview(array).nbytes != len(self._wanted) * _LAYOUT.size:
            return
        for item, (field, scope) in zip(array, self._wanted, strict=True):
            item.fieldId, item.scopeId = field, scope
        try:
            self._array, self._call = array, find("nvmlDeviceGetFieldValues")
        except nvml.NVMLError:
            return

    def fetch(self) -> Any:
        """Query once; returns the argument of `values`, valid beyond the next call.

        Raises:
            NVMLError: the device as a whole did not answer.
        """
        if self._call is None:
            return self._nvml.nvmlDeviceGetFieldValues(self._handle, self._wanted)
        code = self._call(self._handle, len(self._wanted), self._array)
        if code:
            raise self._nvml.NVMLError(code)
        return bytes(self._array)

    def values(self, fetched: Any) -> list[tuple[int, int]]:
        """Return code and value of each field; the value is void where the code is not 0."""
        if not isinstance(fetched, bytes):
            return [(item.nvmlReturn, 0 if item.nvmlReturn else number(item)) for item in fetched]
        values = []
        for kind, code, value in _LAYOUT.iter_unpack(fetched):
            if kind == _UNSIGNED_INT:
                # The other half of the union keeps its former content.
                values.append((code, value & 0xFFFFFFFF))
            elif kind in _UNSIGNED_LONG or code:
                values.append((code, value))
            else:
                answers = type(self._array).from_buffer_copy(fetched)
                values.append((0, number(answers[len(values)])))
        return values
