"""Prometheus: the text that exporters give, and the range vectors of its API (`query_range`).

A line of text is `name{label="value"} figure`, and a time in milliseconds where the exporter or the
recorder wrote one. Without times the energy counters still give joules. A range vector is the JSON
of `/api/v1/query_range`. Known names are those of DCGM's exporter, of node_exporter, of AMD's, of
Kepler and of others in `METRICS`.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from harness.clock import NS_PER_S
from harness.meters._sensing import DRAM_GAIN, PACKAGE_GAIN, UNKNOWN_GPU_GAIN
from harness.meters.nvml import gain_ratio
from harness.plugins import Reading
from harness.powerlogs.log import Documents, LineError, LogParser, power_log

LINE = re.compile(r"\s*([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+(-?\d+))?\s*$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class PrometheusMetric(NamedTuple):
    """What a metric is of."""

    domain: str
    """The beginning of the domain's name."""
    unit: float
    """Joules or watts for one of its units."""
    quantity: Literal["energy", "power"]
    labels: tuple[str, ...] = ()
    """Labels that name the device; the first that is present is taken."""


_GPU = ("gpu", "gpu_id", "gpu_index", "minor_number", "uuid", "UUID", "device")
METRICS = {
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": PrometheusMetric("gpu", 1e-3, "energy", _GPU),
    "DCGM_FI_DEV_POWER_USAGE": PrometheusMetric("gpu", 1.0, "power", _GPU),
    "DCGM_FI_DEV_POWER_USAGE_INSTANT": PrometheusMetric("gpu", 1.0, "power", _GPU),
    "nvidia_smi_power_draw_watts": PrometheusMetric("gpu", 1.0, "power", _GPU),
    "nvidia_gpu_power_usage_milliwatts": PrometheusMetric("gpu", 1e-3, "power", _GPU),
    "gpu_package_power": PrometheusMetric("gpu", 1.0, "power", _GPU),
    "gpu_average_package_power": PrometheusMetric("gpu", 1.0, "power", _GPU),
    "gpu_energy_consumed": PrometheusMetric("gpu", 1e-6, "energy", _GPU),
    "habanalabs_power_mW": PrometheusMetric("gpu", 1e-3, "power", _GPU),
    "node_rapl_package_joules_total": PrometheusMetric("cpu-package", 1.0, "energy", ("index",)),
    "node_rapl_core_joules_total": PrometheusMetric("cpu-cores", 1.0, "energy", ("index",)),
    "node_rapl_uncore_joules_total": PrometheusMetric("igpu", 1.0, "energy", ("index",)),
    "node_rapl_dram_joules_total": PrometheusMetric("dram", 1.0, "energy", ("index",)),
    "kepler_node_cpu_joules_total": PrometheusMetric("cpu", 1.0, "energy", ("zone",)),
    "node_hwmon_power_average_watt": PrometheusMetric("node-hwmon", 1.0, "power", ("chip",)),
    "ipmi_dcmi_power_consumption_watts": PrometheusMetric("node", 1.0, "power"),
    "scaph_host_power_microwatts": PrometheusMetric("node", 1e-6, "power"),
}  # fmt: skip
BLANK_MIN = 2.0**62
"""DCGM's numbers for "no value" (0x7ffffffffffffff0 and more)."""


class PrometheusParser(LogParser):
    """Lines of an exporter; domains are `gpu-0`, `cpu-package-S0` ...

    Counters and power of one GPU are two domains, `gpu-0` and `gpu-0-power`.
    """

    expected = "the text of a Prometheus exporter, or the JSON of query_range"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._documents = Documents()
        self._scrapes: dict[str, int] = {}
        self.models: dict[str, str] = {}
        self.shared: set[str] = set()
        """GPUs of which instances (MIG) are listed: their figures are of the whole card."""

    @classmethod
    def recognizes(cls, lines: Sequence[str]) -> bool:
        """Whether a line has a known metric."""
        return any(name in line for line in lines for name in METRICS)

    def feed(self, line: str) -> list[Reading]:
        """Parse a line: a sample, a comment, or a part of a JSON document."""
        if line.lstrip().startswith(("{", "[", "}", "]")) or self._documents.open:
            documents = self._documents.add(line)
            return [r for document in documents for r in self._read_vectors(document)]
        match = None if line.lstrip().startswith("#") else LINE.match(line)
        if match is None or match[1] not in METRICS:
            return []
        labels = dict(LABEL.findall(match[2] or ""))
        reading = self._reading(match[1], labels, match[3], match[4])
        return [] if reading is None else [reading]

    def _read_vectors(self, document: Any) -> Iterator[Reading]:
        data = document.get("data", document) if isinstance(document, dict) else {}
        for vector in data.get("result", ()):
            labels = vector.get("metric", {})
            name = labels.get("__name__", "")
            if name not in METRICS:
                continue
            for stamp, value in vector.get("values", ()):
                reading = self._reading(name, labels, value, str(round(float(stamp) * 1e3)))
                if reading is not None:
                    yield reading

    def _reading(
        self, name: str, labels: Mapping[str, str], text: str, stamp: str | None
    ) -> Reading | None:
        metric = METRICS[name]
        try:
            value = float(text)
        except ValueError as error:
            raise LineError(f"{name}: '{text[:40]}' is no figure") from error
        if not 0 <= value < BLANK_MIN or not math.isfinite(value):
            return None
        device = next((labels[label] for label in metric.labels if labels.get(label)), "")
        joint = "-S" if metric.domain.startswith(("cpu-", "dram", "igpu")) else "-"
        domain = f"{metric.domain}{joint}{device}" if device else metric.domain
        self.models[domain] = labels.get("modelName", "")
        if labels.get("GPU_I_ID"):
            self.shared.add(domain)
        if metric.quantity == "energy":
            self.counted.add(domain)
        elif metric.domain == "gpu":
            domain += "-power"
        t_ns = self._time(f"{name}{sorted(labels.items())}", domain, stamp)
        if t_ns is None:
            return None
        figure = value * metric.unit
        joules, watts = (figure, None) if metric.quantity == "energy" else (None, figure)
        return Reading(t_ns, domain, joules, watts)

    def _time(self, series: str, domain: str, stamp: str | None) -> int | None:
        """When a sample was taken; None for one of several series of one device in a scrape."""
        owner = self._scrapes.setdefault(domain, hash(series))
        if owner != hash(series):
            return None
        if stamp is not None:
            return int(stamp) * (NS_PER_S // 1000)
        if self.near_ns is not None:
            return self.near_ns
        self.untimed_count += 1
        count = self._scrapes[f"{domain}\0"] = self._scrapes.get(f"{domain}\0", 0) + 1
        return count * NS_PER_S

    def finish(self) -> list[Reading]:
        """Name the cards that are divided."""
        if self.shared:
            text = f"{', '.join(sorted(self.shared))}: divided by MIG, figures are of whole cards"
            self.notes.append(("shared", text))
        return []

    def sensor(self, domain: str) -> dict[str, Any]:
        """The class of the device; an exporter refreshes its figures as it was told to."""
        stem = domain.removesuffix("-power")
        if domain.startswith("gpu"):
            model = self.models.get(stem, "")
            ratio = gain_ratio(model) if model else UNKNOWN_GPU_GAIN
            parents = (stem,) if stem != domain and stem in self.counted else ()
            return {"gain_error_ratio": ratio, "parents": parents}
        kinds = {"cpu": PACKAGE_GAIN, "dram": DRAM_GAIN, "igpu": PACKAGE_GAIN}
        return {"gain_error_ratio": kinds.get(domain.partition("-")[0])}


FORMAT = power_log(
    "prometheus", "samples of Prometheus exporters", ("*.prom", "*.txt", "*.json"), PrometheusParser
)
