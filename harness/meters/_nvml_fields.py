"""Values of several fields of an NVIDIA device by one call, with nothing built anew each time."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

_LAYOUT = struct.Struct("@24xIIQ")
"""Type, return code and value of `nvmlFieldValue_t`, after field, scope, stamp and latency."""

_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
"""Members of `nvmlValue_t` by `nvmlValueType_t`."""

_UNSIGNED_INT = 1
_UNSIGNED_LONG = (2, 3)


def number(answer: Any) -> int:
    """The value of a field in the member of the union that its type names."""
    return int(getattr(answer.value, _MEMBERS[answer.valueType]))


class Batch:
    """The fields of one device, asked for again and again.

    The vendor's module makes a new array for each call and finds its function by name; ten times
    a second on a thread that has just slept that costs more than the call. Where the module's
    structure or its way to the function is another one, its public call is taken.
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
        self._count = len(wanted)
        self._array = self._prepared()
        self._call = self._function() if self._array is not None else None

    def _prepared(self) -> Any:
        kind = getattr(self._nvml, "c_nvmlFieldValue_t", None)
        array = (kind * len(self._wanted))() if kind is not None else None
        if array is None or memoryview(array).nbytes != self._count * _LAYOUT.size:
            return None
        for item, (field, scope) in zip(array, self._wanted, strict=True):
            item.fieldId, item.scopeId = field, scope
        return array

    def _function(self) -> Callable[..., int] | None:
        find = getattr(self._nvml, "_nvmlGetFunctionPointer", None)
        try:
            return None if find is None else find("nvmlDeviceGetFieldValues")
        except self._nvml.NVMLError:
            return None

    def fetch(self) -> Any:
        """Ask once; returns what `values` makes numbers of, valid beyond the next call.

        Raises:
            NVMLError: the device as a whole did not answer.
        """
        if self._call is None:
            return self._nvml.nvmlDeviceGetFieldValues(self._handle, self._wanted)
        code = self._call(self._handle, self._count, self._array)
        if code:
            raise self._nvml.NVMLError(code)
        return bytes(self._array)

    def values(self, fetched: Any) -> list[tuple[int, int]]:
        """Return code and value of each field; the value means nothing where the code is not 0."""
        if not isinstance(fetched, bytes):
            return [(item.nvmlReturn, 0 if item.nvmlReturn else number(item)) for item in fetched]
        found = []
        for kind, code, value in _LAYOUT.iter_unpack(fetched):
            if kind == _UNSIGNED_INT:
                # The other half of the union holds whatever stood there before.
                found.append((code, value & 0xFFFFFFFF))
            elif kind in _UNSIGNED_LONG or code:
                found.append((code, value))
            else:
                answers = type(self._array).from_buffer_copy(fetched)
                found.append((0, number(answers[len(found)])))
        return found
