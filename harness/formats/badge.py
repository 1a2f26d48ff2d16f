"""Writes shields.io endpoint badges: joules and seconds of each entry, with what they are worth."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.formats.format import Export, ExportRequest, Format
from harness.formats.text import slug

PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
DIGITS = 3


def amount(value: float, unit: str) -> str:
    """Three digits and a prefix: `26.0 kJ`."""
    scale, prefix = next((item for item in PREFIXES if abs(value) >= item[0]), PREFIXES[-1])
    text = f"{value / scale:#.{DIGITS}g}".rstrip(".")
    return f"{text} {prefix}{unit}"


def _message(figure: Mapping[str, Any] | None, unit: str) -> tuple[str, str]:
    """What the badge says, and its colour."""
    if figure is None:
        return ("not measured" if unit == "J" else "no result"), "lightgrey"
    text = amount(figure["value"], unit)
    if figure["low"] is not None and figure["high"] is not None:
        half = (figure["high"] - figure["low"]) / 2 / figure["value"]
        text += f" ±{half:.0%}" if half >= 0.01 else f" ±{half:.1%}"  # noqa: PLR2004 - two digits
    if unit == "J" and figure.get("method") == "modelled":
        return f"{text} (modelled)", "orange"
    return text, "brightgreen"


def _badges(entry: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for label, key, unit in (
        ("energy", "energy_to_target_j", "J"),
        ("time", "time_to_target_s", "s"),
    ):
        message, colour = _message(entry["costs"][key], unit)
        badge = {"schemaVersion": 1, "label": label, "message": message, "color": colour}
        folder = "/".join(
            slug(entry["entry"][name]) for name in ("workload", "submission", "machine")
        )
        yield f"{folder}/{label}.json", (json.dumps(badge, ensure_ascii=False) + "\n").encode()


def write(request: ExportRequest) -> Export:
    """Two badges for each entry."""
    entries = request.scores()["scores"]
    return Export({name: data for entry in entries for name, data in _badges(entry)}, [])


FORMAT = Format(name="badge", title="shields.io endpoint badges", write=write)
