"""`amd-smi metric --power --energy --watch 1` and `amd-smi monitor -p`, with `--csv` or `--json`.

Stamps are seconds since 1970. `total_energy_consumption` is in joules. In JSON a figure is a
number, text, or an object with `value` and `unit`; the GPUs are a list, or below `gpu_data`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from harness.meters._sensing import UNKNOWN_GPU_GAIN
from harness.plugins import Reading
from harness.powerlogs.log import Documents, LogParser, power_log, quantity
from harness.powerlogs.table import GpuTableParser

POWERS = ("socket_power", "power_usage", "current_socket_power", "average_socket_power")
ENERGY = "total_energy_consumption"
CLASS = {"gain_error_ratio": UNKNOWN_GPU_GAIN, "update_period_s": 0.1, "resolution_w": 1.0}


class AmdSmiParser(GpuTableParser):
    """Lines of amd-smi's CSV."""

    expected = "the output of amd-smi metric --power --watch 1 --csv (or --json)"
    powers = POWERS
    energies = (ENERGY,)

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of a card that was never compared with a meter."""
        return CLASS if domain not in self.counted else {"gain_error_ratio": UNKNOWN_GPU_GAIN}


class AmdJsonParser(LogParser):
    """JSON documents of amd-smi; domains are `gpu-0` and, beside a counter, `gpu-0-power`."""

    expected = AmdSmiParser.expected
    scope = "gpu"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._documents = Documents()

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether it is JSON with a socket's power."""
        head = "\n".join(lines[:400])
        return lines[0].lstrip()[:1] in ("[", "{") and any(f'"{name}"' in head for name in POWERS)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: readings come with the last one of a document."""
        return [
            reading
            for document in self._documents.add(line)
            for reading in self._read(document, _stamp(document))
        ]

    def _read(self, document: Any, stamp: str) -> Iterator[Reading]:
        cards = document.get("gpu_data", [document]) if isinstance(document, dict) else document
        for card in cards:
            if not isinstance(card, dict) or "gpu" not in card:
                continue
            t_ns, name = self.time_ns(_stamp(card) or stamp), f"gpu-{card['gpu']}"
            power, energy = card.get("power") or {}, card.get("energy") or {}
            joules = quantity(energy.get(ENERGY)) if isinstance(energy, dict) else None
            if joules is not None:
                self.counted.add(name)
                yield Reading(t_ns, name, joules, None)
            figures = (
                [quantity(power.get(key)) for key in POWERS] if isinstance(power, dict) else []
            )
            watts = next((value for value in figures if value is not None), None)
            if watts is not None:
                yield Reading(t_ns, name if joules is None else f"{name}-power", None, watts)

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of a card that was never compared with a meter."""
        own = {"gain_error_ratio": UNKNOWN_GPU_GAIN} if domain in self.counted else CLASS
        is_power = domain.endswith("-power")
        return own | ({"parents": (domain.removesuffix("-power"),)} if is_power else {})


def _stamp(item: Any) -> str:
    return str(item.get("timestamp", "")) if isinstance(item, dict) else ""


FORMAT = power_log(
    "amd-smi", "amd-smi's power and energy", ("*.csv", "*.json"), AmdJsonParser, AmdSmiParser
)
