"""`rocm-smi --showpower`, with `--csv` or `--json`: power of each card.

rocm-smi writes no time: a loop around it has to, in a column of the table or in an entry
`timestamp` of the document. Without it an import has mean watts and no joules.
"""

import re
from collections.abc import Sequence
from typing import Any

from harness.plugins import Reading
from harness.powerlogs.amd_smi import CLASS
from harness.powerlogs.log import Documents, LogParser, power_log, quantity
from harness.powerlogs.table import GpuTableParser

POWERS = ("average graphics package power", "current socket graphics package power")
CARD = re.compile(r"card(\d+)")


class RocmSmiParser(GpuTableParser):
    """Lines of rocm-smi's CSV; blocks of other quantities may follow each other."""

    expected = "the output of rocm-smi --showpower --csv (or --json) with a column timestamp"
    powers = POWERS

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of a card that was never compared with a meter."""
        del domain
        return CLASS


class RocmJsonParser(LogParser):
    """JSON documents of rocm-smi; domains are `gpu-0`, `gpu-1` ..."""

    expected = RocmSmiParser.expected
    scope = "gpu"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._documents = Documents()

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether it is JSON with the power of a card."""
        head = "\n".join(lines[:400]).lower()
        return lines[0].lstrip()[:1] in ("[", "{") and any(f'"{name}' in head for name in POWERS)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: readings come with the last one of a document."""
        readings = []
        for document in self._documents.add(line):
            stamp = str(document.get("timestamp", ""))
            cards = {
                match[1]: watts
                for key, card in document.items()
                if (match := CARD.fullmatch(key)) and (watts := _watts(card)) is not None
            }
            t_ns = self.time_ns(stamp)
            readings += [Reading(t_ns, f"gpu-{card}", None, w) for card, w in cards.items()]
        return readings

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of a card that was never compared with a meter."""
        del domain
        return CLASS


def _watts(card: dict[str, Any]) -> float | None:
    """Power of a card: of several entries the first that is a number."""
    figures = (quantity(value) for key, value in card.items() if key.lower().startswith(POWERS))
    return next((value for value in figures if value is not None), None)


FORMAT = power_log(
    "rocm-smi", "rocm-smi's power readings", ("*.csv", "*.json"), RocmJsonParser, RocmSmiParser
)
