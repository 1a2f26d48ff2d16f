"""`hl-smi -Q timestamp,module_id,name,power.draw -f csv -l 1`: power of Intel Gaudi cards."""

from collections.abc import Sequence
from typing import Any

from harness.meters._sensing import UNKNOWN_GPU_GAIN
from harness.powerlogs.log import power_log
from harness.powerlogs.table import GpuTableParser


class HlSmiParser(GpuTableParser):
    """Lines of hl-smi's CSV."""

    expected = "the output of hl-smi -Q timestamp,index,power.draw -f csv"
    powers = ("power.draw",)

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether the columns are those of nvidia-smi with quantities that only Gaudi has."""
        return super().recognizes(lines) and any(".aip" in line or "HL-" in line for line in lines)

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of a card that was never compared with a meter."""
        del domain
        return {"gain_error_ratio": UNKNOWN_GPU_GAIN, "update_period_s": 0.1}


FORMAT = power_log("hl-smi", "hl-smi's power readings of Gaudi cards", ("*.csv",), HlSmiParser)
