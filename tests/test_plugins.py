"""The shapes of plug-ins agree with the records, and stay light."""

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from harness.plugins import Availability, DomainSpec, Exit, Limits, Reading, domain_fields
from harness.records import Domain

SPEC = DomainSpec(
    name="gpu-0",
    kind="gpu",
    method="counter",
    meter="nvml",
    source="nvml energy counter",
    parents=("node",),
    power_high_w=400.0,
)


CONDUCTORS = {"read_period_s"}
"""What no meter knows: how often the conductor wants it to be read."""


def test_a_domain_as_meters_say_it_is_a_domain_as_records_keep_it() -> None:
    spec = {field.name for field in dataclasses.fields(DomainSpec)}
    assert spec | CONDUCTORS == set(Domain.model_fields)


def test_a_domain_survives_the_way_through_json() -> None:
    text = json.dumps(domain_fields(SPEC))
    kept = Domain.model_validate_json(text)
    assert kept.parents == ("node",)
    assert kept.power_high_w == 400.0
    assert kept.wrap_j is None
    assert kept.model_dump(exclude=CONDUCTORS) == dataclasses.asdict(SPEC)


def test_defaults_of_both_are_the_same() -> None:
    least: dict[str, Any] = {
        "name": "x",
        "kind": "cpu",
        "method": "modelled",
        "meter": "m",
        "source": "s",
    }
    kept = Domain(**least).model_dump(exclude=CONDUCTORS)
    assert kept == dataclasses.asdict(DomainSpec(**least))


def test_a_missing_figure_is_none_and_not_zero() -> None:
    reading = Reading(1, "gpu-0", None, None)
    assert reading.energy_j is None
    assert reading.power_w is None
    assert Exit(None, 9, None, None).cpu_s is None


def test_limits_and_availability_cannot_be_changed() -> None:
    for value in (Limits(), Availability(ok=True, reason="here")):
        field = dataclasses.fields(value)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, None)


def test_meters_can_be_written_without_a_heavy_import() -> None:
    code = "import sys, harness.plugins; print([m for m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = ("numpy", "pydantic", "torch", "click", "rich")
    assert not [name for name in heavy if f"'{name}'" in done.stdout]
