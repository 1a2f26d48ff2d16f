"""Facts about cards, through the real pynvml in a process that loads the stand-in library."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harness
from tests.lab.nvml import knobs

pytestmark = pytest.mark.needs("compiler")

PROGRAM = """
import json
from harness.measure.preflight import gpu_facts
from harness.measure.machine import describe
facts = {each.id: [each.value, each.verdict, each.advice] for each in gpu_facts()}
print(json.dumps({"facts": facts, "gpus": describe().gpus, "name": describe().name}))
"""


def seen(**settings: Any) -> Any:
    root = Path(harness.__file__).parent.parent
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), **knobs(**settings)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_quiet_card_fails_nothing():
    result = seen(gpus=2)
    facts = result["facts"]
    assert facts["gpu-0-other-processes-count"][:2] == [0, "ok"]
    assert facts["gpu-1-persistence"][:2] == [True, "ok"]
    assert facts["gpu-0-power-limit-w"][:2] == [400.0, "recorded"]
    assert facts["gpu-0-application-clock-hz"][:2] == [1410e6, "recorded"]
    assert result["gpus"] == ["NVIDIA Lab 100"] * 2
    assert result["name"].startswith("nvidia-lab-100-x2-")


def test_a_question_that_the_driver_cannot_answer_is_unknown():
    assert seen()["facts"]["gpu-0-ecc"][:2] == [None, "unknown"]


@pytest.mark.parametrize(
    ("settings", "fact", "value"),
    [
        ({"processes": 3}, "gpu-0-other-processes-count", 3),
        ({"graphics": 2}, "gpu-0-other-processes-count", 2),
        # 1 and 2 compute, 2 and 3 draw.
        ({"processes": 2, "graphics": 2}, "gpu-0-other-processes-count", 3),
        ({"mig": 1}, "gpu-0-mig", True),
        ({"throttle": 0x40}, "gpu-0-throttled", 0x40),
    ],
)
def test_what_disturbs_a_measurement_fails_with_advice(settings, fact, value):
    result = seen(**settings)["facts"][fact]
    assert result[:2] == [value, "fail"]
    assert result[2]


def test_a_power_cap_is_no_throttling():
    assert seen(throttle=0x04)["facts"]["gpu-0-throttled"][:2] == [4, "ok"]
