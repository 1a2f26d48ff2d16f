"""`nvidia-smi --query-gpu=timestamp,...,power.draw --format=csv`: power readings of each GPU.

The time is local and names no zone. `power.draw` is averaged over a second on some generations, so
the column that was read is a fact of the run. Where no column identifies the GPU, the position of
a line in its burst of lines does.
"""

import re
from collections.abc import Sequence
from typing import Any

from harness.meters.nvml import gain_ratio
from harness.plugins import Reading
from harness.powerlogs.log import power_log
from harness.powerlogs.table import GpuTableParser

AVERAGED = re.compile(r"\b(RTX 30|RTX 40|RTX 50|A10|A16|A2|A40|A[456]000|L4|L40S?|H\d00|B\d00)")
"""Cards whose `power.draw` is the mean of a second (NVML manual: Ampere but for A100, or newer)."""

GPUS_MAX = 16
"""Most GPUs of one machine that are looked for where no column names them."""

BURST_RATIO_MAX = 0.2
"""Longest burst of lines, one for each GPU, as a part of the time to the next burst."""

BURSTS_MIN = 3


class NvidiaSmiParser(GpuTableParser):
    """Lines of nvidia-smi's CSV; domains are `gpu-0` or `gpu-<uuid>`."""

    expected = "the output of nvidia-smi --query-gpu=timestamp,index,power.draw --format=csv"
    powers = ("power.draw", "power.draw.instant", "power.draw.average")

    def runs(self, readings: Sequence[Reading]) -> dict[str, Sequence[Reading]]:
        """Readings by GPU, also where no column identifies it."""
        count = 1
        if self.identity_column is None:
            count = gpus_in_bursts([reading.t_ns for reading in readings])
        if count == 1:
            return super().runs(readings)
        model = self.models.get("0")
        self.models = {} if model is None else {str(index): model for index in range(count)}
        text = (
            f"no column identifies the GPU; by their bursts the lines are of {count} GPUs in turn"
        )
        self.notes.append(("index", f"{text}; record with index"))
        return {"": [r._replace(domain=f"gpu-{i % count}") for i, r in enumerate(readings)]}

    def sensor(self, domain: str) -> dict[str, Any]:
        """Gain class and averaging window of the card."""
        model = self.models.get(domain.removeprefix("gpu-"), "")
        averaged = self.power_column.endswith("average") or (
            self.power_column == "power.draw" and AVERAGED.search(model)
        )
        window_s = 1.0 if averaged else None
        return {"gain_error_ratio": gain_ratio(model), "update_period_s": 0.1,
                "averaging_window_s": window_s}  # fmt: skip


def gpus_in_bursts(times: Sequence[float]) -> int:
    """How many GPUs wrote lines in turn at these times: the size of a burst, 1 without bursts."""
    for count in range(2, GPUS_MAX + 1):
        starts = times[::count]
        ends = times[count - 1 :: count]
        if len(starts) < BURSTS_MIN:
            break
        spans = zip(starts, ends, starts[1:], strict=False)
        if all(end - start < BURST_RATIO_MAX * (after - start) for start, end, after in spans):
            return count
    return 1


FORMAT = power_log("nvidia-smi-csv", "nvidia-smi's power readings", ("*.csv",), NvidiaSmiParser)
