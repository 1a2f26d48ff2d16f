"""Writes the emissions of Hugging Face model cards: grams, from joules and a stated intensity.

`--option intensity_g_per_kwh=N` is needed: the source of the power is not guessed. The
joules are those of the run's measured domains until the target; their method is in `source`.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from harness.formats.format import Export, ExportRequest, Format, FormatError, make_finding
from harness.formats.text import slug
from harness.records import Finding

JOULES_PER_KWH = 3.6e6
TRAINING_TYPES = ("pre-training", "fine-tuning")


def _intensity(request: ExportRequest) -> float:
    """Grams of CO2 equivalent a kilowatt-hour.

    Raises:
        FormatError: it is not given or no number above zero.
    """
    text = request.options.get("intensity_g_per_kwh", "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise FormatError("say how clean the power was: --option intensity_g_per_kwh=380")
    return value


def _card(entry: Mapping[str, Any], intensity: float, options: Mapping[str, str]) -> bytes:
    joules = entry["costs"]["energy_to_target_j"]
    source = (
        f"joulemark: {joules['value']:.6g} J ({joules['method']}: {', '.join(joules['domains'])}), "
        f"mean of {joules['n']} runs, at {intensity:g} g/kWh"
    )
    emissions = {
        "emissions": joules["value"] / JOULES_PER_KWH * intensity,
        "source": source,
        "training_type": options.get("training_type", TRAINING_TYPES[0]),
        "geographical_location": options.get("location", ""),
        "hardware_used": entry["entry"]["machine"],
    }
    # A JSON string is a YAML one too, with any characters.
    lines = [f"  {key}: {json.dumps(value)}" for key, value in emissions.items() if value != ""]
    return "\n".join(["---", "co2_eq_emissions:", *lines, "---", ""]).encode()


def write(request: ExportRequest) -> Export:
    """A card's front matter for each entry with joules.

    Raises:
        FormatError: the intensity is missing, the training type unknown, or no entry has joules.
    """
    intensity = _intensity(request)
    kind = request.options.get("training_type", TRAINING_TYPES[0])
    if kind not in TRAINING_TYPES:
        raise FormatError(f"--option training_type={kind}: one of {', '.join(TRAINING_TYPES)}")
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    for entry in request.scores()["scores"]:
        name = "/".join(slug(entry["entry"][key]) for key in ("workload", "submission", "machine"))
        if entry["costs"]["energy_to_target_j"] is None:
            message = f"{name}: no joules, so no emissions"
            findings.append(make_finding("card-energy", message, "info"))
        else:
            files[f"{name}/README.md"] = _card(entry, intensity, request.options)
    if not files:
        raise FormatError(f"{request.results}: no entry has joules")
    return Export(files, findings)


FORMAT = Format(name="model-card", title="emissions for model cards", write=write)
