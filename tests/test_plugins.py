"""The shapes of plug-ins agree with the records, and stay light."""

import dataclasses
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import pytest

from harness.plugins import Availability, Domain, Exit, Limits, Reading
from harness.records import RecordError, load

DOMAIN = Domain(
    name="gpu-0",
    kind="gpu",
    method="counter",
    meter="nvml",
    source="nvml energy counter",
    parents=("node",),
    power_high_w=400.0,
)


def test_a_domain_survives_the_way_through_json() -> None:
    assert load(Domain, json.dumps(asdict(DOMAIN)).encode(), "meter") == DOMAIN


@pytest.mark.parametrize("change", [{"extra": 1}, {"wrap_j": "1"}, {"wrap_j": float("nan")}])
def test_a_domain_is_read_as_strictly_as_a_record(change: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match=next(iter(change))):
        load(Domain, asdict(DOMAIN) | change, "meter")


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
