"""Fields of a device read in one go: by the prepared array, or by the vendor's own call."""

import ctypes
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.meters._nvml_fields import Batch, number

Answer = Callable[[int, Any], None]
WANTED = [(83, 0), (186, 0), (185, 1)]
KINDS = {
    0: ("dVal", st.integers(-(2**50), 2**50)),
    1: ("uiVal", st.integers(0, 2**32 - 1)),
    2: ("ulVal", st.integers(0, 2**64 - 1)),
    3: ("ullVal", st.integers(0, 2**64 - 1)),
    4: ("sllVal", st.integers(-(2**63), 2**63 - 1)),
    5: ("siVal", st.integers(-(2**31), 2**31 - 1)),
    6: ("usVal", st.integers(0, 2**16 - 1)),
}


def module(answer: Answer, code: int = 0, **changes: Any) -> Any:
    """A stand-in for the vendor's module with its real structure; fills fields by `answer`."""

    def call(handle: object, count: int, array: Any) -> int:
        assert handle == "card"
        for index in range(count):
            answer(index, array[index])
        return code

    def public(handle: object, wanted: list[tuple[int, int]]) -> Any:
        array = (pynvml.c_nvmlFieldValue_t * len(wanted))()
        for item, (field, scope) in zip(array, wanted, strict=True):
            item.fieldId, item.scopeId = field, scope
        if call(handle, len(wanted), array):
            raise pynvml.NVMLError(code)
        return array

    parts = {
        "NVMLError": pynvml.NVMLError,
        "c_nvmlFieldValue_t": pynvml.c_nvmlFieldValue_t,
        "_nvmlGetFunctionPointer": lambda name: {"nvmlDeviceGetFieldValues": call}[name],
        "nvmlDeviceGetFieldValues": public,
    }
    return SimpleNamespace(**(parts | changes))


class Small(ctypes.Structure):
    """What another version of the module might have."""

    _fields_ = (("fieldId", ctypes.c_uint), ("scopeId", ctypes.c_uint))


def no_function(name: str) -> None:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)


CHANGES: list[dict[str, Any]] = [
    {},
    {"c_nvmlFieldValue_t": Small},
    {"c_nvmlFieldValue_t": None},
    {"_nvmlGetFunctionPointer": None},
    {"_nvmlGetFunctionPointer": no_function},
]


@pytest.mark.parametrize("changes", CHANGES)
@given(
    st.lists(
        st.sampled_from(sorted(KINDS)).flatmap(
            lambda kind: st.tuples(st.just(kind), KINDS[kind][1], st.sampled_from([0, 0, 3]))
        ),
        min_size=3,
        max_size=3,
    )
)
def test_every_type_is_read_from_its_member_with_its_own_return_code(changes, answers):
    def fill(index: int, field: Any) -> None:
        kind, value, code = answers[index]
        # What stood in the union before must not show through a shorter member.
        field.value.ullVal = 2**64 - 1
        setattr(field.value, KINDS[kind][0], value)
        field.valueType, field.nvmlReturn = kind, code

    batch = Batch(module(fill, **changes), "card", WANTED)
    for _ in range(2):
        result = batch.values(batch.fetch())
        assert [code for code, _ in result] == [code for _, _, code in answers]
        for (code, value), (_, true, _) in zip(result, answers, strict=True):
            assert code or value == true


@pytest.mark.parametrize("changes", CHANGES)
def test_every_call_asks_for_the_same_fields_and_scopes(changes):
    asked = []

    def fill(_: int, field: Any) -> None:
        asked.append((field.fieldId, field.scopeId))
        field.valueType = 3

    batch = Batch(module(fill, **changes), "card", WANTED)
    batch.fetch()
    batch.fetch()
    assert asked == WANTED * 2


@pytest.mark.parametrize("changes", CHANGES)
def test_what_was_fetched_stays_when_the_card_is_asked_again(changes):
    shown = iter(range(100))

    def fill(_: int, field: Any) -> None:
        field.value.dVal, field.valueType = float(next(shown)), 0

    batch = Batch(module(fill, **changes), "card", WANTED)
    first, second = batch.fetch(), batch.fetch()
    assert batch.values(first) == [(0, 0), (0, 1), (0, 2)]
    assert batch.values(second) == [(0, 3), (0, 4), (0, 5)]


@pytest.mark.parametrize("changes", CHANGES)
def test_a_card_that_is_lost_raises_the_vendors_error(changes):
    batch = Batch(module(lambda *_: None, code=15, **changes), "card", WANTED)
    with pytest.raises(pynvml.NVMLError) as caught:
        batch.fetch()
    assert caught.value.value == 15


@pytest.mark.parametrize(
    ("kind", "member", "value"), [(1, "uiVal", 7), (3, "ullVal", 2**40), (0, "dVal", 2.0)]
)
def test_a_field_is_read_from_the_member_that_its_type_names(kind, member, value):
    answer = SimpleNamespace(valueType=kind, value=SimpleNamespace(**{member: value}))
    assert number(answer) == value
