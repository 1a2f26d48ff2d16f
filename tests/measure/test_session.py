"""A session turns what its meter says into rows and faults, and never falls over it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from harness.clock import NS_PER_S
from harness.measure.session import MeterSession, reading_error
from harness.plugins import Reading
from tests.measure.test_sampling_thread import Scripted, session


@pytest.mark.parametrize(
    ("energy", "power", "reason"),
    [
        (1.0, None, ""),
        (None, 0.0, ""),
        (math.nan, None, "energy was not a finite number"),
        (1.0, math.inf, "power was not a finite number"),
        (-1.0, None, "energy was negative"),
        (None, -0.5, "power was negative"),
        (None, None, "neither energy nor power"),
    ],
)
def test_what_cannot_be_stored_has_a_reason(energy, power, reason):
    result = reading_error(Reading(0, "gpu-0", energy, power))
    assert result.startswith(reason)
    assert bool(result) == bool(reason)


def test_a_row_is_relative_to_the_origin_and_leaves_missing_fields_empty():
    rows = session([Reading(1500, "gpu-0", 2.5, None, 7)]).read(mark=False)
    assert rows == ["500,gpu-0,2.5,,7\n"]


def test_whole_numbers_become_decimal_ones():
    assert session([Reading(1001, "gpu-0", 3, 4, 7)]).read(mark=False) == ["1,gpu-0,3.0,4.0,7\n"]


def test_a_meter_that_raises_becomes_a_fault_and_is_tried_again():
    tried = session(OSError("gone"), [Reading(2000, "gpu-0", 1.0, None)])
    assert tried.read(mark=False) == []
    assert len(tried.read(mark=False)) == 1
    assert [fault.message for fault in tried.faults] == ["OSError: gone"]


def test_a_fault_that_goes_on_is_reported_once_in_ten_seconds_and_counted():
    tried = session(*[OSError("gone")] * 50)
    for _ in range(50):
        tried.read(mark=False)
    assert len(tried.faults) == 1
    assert tried.faults_count == 50


def test_a_reading_that_is_no_number_is_a_fault_of_its_domain():
    tried = session([Reading(2000, "gpu-0", math.nan, None)])
    assert tried.read(mark=False) == []
    assert tried.faults[0].domain == "gpu-0"


def test_a_domain_that_was_not_announced_is_a_fault():
    tried = session([Reading(2000, "gpu-9", 1.0, None)])
    assert tried.read(mark=False) == []
    assert "did not declare" in tried.faults[0].message


def test_errors_of_single_domains_become_faults():
    tried = session([])
    tried.reader.errors = {"gpu-0": "GPU is lost"}
    tried.read(mark=False)
    assert tried.faults[0][:3] == ("meter-gpu-0", "gpu-0", "GPU is lost")


def test_only_a_marked_reading_asks_for_a_fresh_value():
    tried = session()
    tried.read(mark=False)
    tried.read(mark=True)
    assert tried.reader.marks == 1  # type: ignore[attr-defined]


class Nonsense(Scripted):
    """A plug-in that gives something else than readings."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self._given = given

    def read(self) -> list[Reading]:
        return [self._given, Reading(3000, "gpu-0", 1.0, None)]


@pytest.mark.parametrize(
    "given",
    [
        Reading(2000, "gpu-0", "12", None),  # type: ignore[arg-type]
        Reading(2000.5, "gpu-0", 1.0, None),  # type: ignore[arg-type]
        Reading(None, "gpu-0", 1.0, None),  # type: ignore[arg-type]
        Reading(2000, ["gpu-0"], 1.0, None),  # type: ignore[arg-type]
        Reading(2000, "gpu-0", 1.0, None, None),  # type: ignore[arg-type]
        ("gpu-0", 1.0),
        7,
    ],
)
def test_what_is_no_reading_is_a_fault_and_the_next_one_counts(given):
    tried = MeterSession("odd", Nonsense(given), origin_ns=1000)
    assert tried.read(mark=False) == ["2000,gpu-0,1.0,,0\n"]
    assert len(tried.faults) == 1
    assert tried.faults[0].message
    assert (tried.first_ns, tried.last_ns, tried.readings_count) == (3000, 3000, 1)


class Polling(Scripted):
    """Decodes later: `decode` returns the prepared answer of a poll."""

    def __init__(self, *answers: tuple[Sequence[Reading], Mapping[str, str]] | Exception) -> None:
        super().__init__()
        self._later = list(answers)

    def poll(self) -> int:
        self.reads += 1
        return self.reads - 1

    def decode(self, answer: int) -> tuple[Sequence[Reading], Mapping[str, str]]:
        given = self._later[answer]
        if isinstance(given, Exception):
            raise given
        return given

    def read(self) -> list[Reading]:
        raise AssertionError


def test_an_answer_is_decoded_later_with_the_time_of_the_poll_in_its_faults():
    sound = [Reading(1500, "gpu-0", 2.5, None, 7)]
    tried = MeterSession("m", Polling((sound, {}), ([], {"gpu-0": "GPU is lost"})), origin_ns=1000)
    first, second = tried.poll(mark=False), tried.poll(mark=False)
    assert not tried.faults
    assert tried.rows(tried.decode(first, 1400)) == ["500,gpu-0,2.5,,7\n"]
    assert tried.rows(tried.decode(second, 1600)) == []
    assert [fault[1:] for fault in tried.faults] == [("gpu-0", "GPU is lost", 1600)]


def test_an_answer_that_cannot_be_decoded_is_a_fault():
    tried = MeterSession("m", Polling(ValueError("7 is no text")), origin_ns=0)
    assert tried.read(mark=True) == []
    assert [fault.message for fault in tried.faults] == ["ValueError: 7 is no text"]
    assert tried.reader.marks == 1  # type: ignore[attr-defined]


def test_a_look_that_failed_gives_nothing():
    tried = session(OSError("gone"))
    assert tried.decode(tried.poll(mark=False), 0) == ()


def test_the_longest_time_between_readings_is_kept():
    tried = session()
    for second in (1, 2, 5, 5, 6):
        tried.rows([Reading(second * NS_PER_S, "gpu-0", 1.0, None)])
    assert tried.gap_max_ns == 3 * NS_PER_S
