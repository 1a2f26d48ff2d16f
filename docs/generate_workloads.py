"""Writes docs/workloads.md from the registry: `python -m docs.generate_workloads`."""

import sys
from collections.abc import Sequence

from harness.api import WorkloadSpec
from harness.registry import Plugin, discover
from harness.score.calibration import Calibration, committed_record

SIZES = {
    "smoke": "Seconds on one thread; data generated or packaged",
    "cpu": "Minutes on two cores; some need the extra `data` or a package named below",
    "official": "Hours on accelerators; data in a local folder",
}
SECRECY = {
    "public": "public: the data are known to everyone, so results are for practice",
    "varied": (
        "varied: drawn again for each run from a family that can be trained on before, so results "
        "are for practice"
    ),
    "seeded": "seeded: drawn again for each run, so widely that nothing can be trained on before",
    "secret": "secret: an organizer's folder",
}
HEAD = """# The standard workloads

Written from the registry by `python -m docs.generate_workloads > docs/workloads.md`.
A target is fixed for a version of its workload. It is computed from the final metrics of the
reference submission: the median, loosened by three standard deviations or to the worst run,
whichever is easier, and rounded towards the easier side. The runs are in `workloads/calibrations/`,
and a test checks each target against this rule. The spread is the standard deviation of the final
metric. Where data are drawn for each run, three runs on each of eight instances separate the spread
between runs from the spread between instances.

The record of a run states the SHA-256 of the manifest of packed data, and whether the data were a
part of the published set (`joulemark data prepare --partial`) or generated in its place. Runs on
such data are shown and marked but not ranked, and runs on different packings have no common score.
"""


def _number(value: float) -> str:
    return f"{value:.10g}"


def _target(spec: WorkloadSpec) -> str:
    sign = "≥" if spec.metric.better == "higher" else "≤"
    unit = f" {spec.metric.unit}" if spec.metric.unit else ""
    return f"{spec.metric.name} {sign} {_number(spec.target.value)}{unit}"


def _table(specs: Sequence[WorkloadSpec]) -> list[str]:
    lines = [
        "| workload | domain | target | spread | budget | data |",
        "| --- | --- | --- | ---: | ---: | --- |",
    ]
    for spec in specs:
        link = f"[{spec.name}](#{spec.name})"
        budget = f"{_number(spec.budget_s)} s"
        record = committed_record(spec.name)
        spread = f"{record.deviation:.2g}" if record else ""
        cells = (link, spec.domain, _target(spec), spread, budget, spec.secrecy)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _calibration(record: Calibration) -> list[str]:
    """Describe the committed calibration runs of the reference."""
    figures = [
        f"median {_number(float(f'{record.median:.5g}'))}",
        f"standard deviation {record.deviation:.2g}",
        f"worst {_number(float(f'{record.worst:.5g}'))}",
    ]
    if record.median_cpu_s is not None:
        figures.append(f"{record.median_cpu_s:.2g} CPU seconds each")
    if record.resolvable_ratio is not None:
        difference = f"{record.resolvable_ratio:.0%}"
        figures.append(
            f"minimum detectable difference {difference} in time to the first passing snapshot "
            "with eight seeds"
        )
    lines = [f"- Calibrated on {len(record.runs)} runs: {', '.join(figures)}"]
    if (spread := record.instances) is not None:
        lines.append(
            f"- Standard deviation between runs on one instance {spread.deviation_runs:.2g}, "
            f"between instances {spread.deviation_instances:.2g} ({spread.instances_count} "
            f"instances, {spread.runs_per_instance} runs each)"
        )
    return lines


def _section(spec: WorkloadSpec) -> list[str]:
    lines = [f"### {spec.name}", "", f"{spec.title}. {spec.about}".strip(), ""]
    lines.append(
        f"- Target, version {spec.target.version}: {_target(spec)}. {spec.target.derivation}"
    )
    lines += _calibration(record) if (record := committed_record(spec.name)) else []
    lines.append(f"- Budget: {_number(spec.budget_s)} s on {spec.threads} thread(s)")
    lines.append(f"- Data: {SECRECY[spec.secrecy]}")
    if spec.packed is not None:
        lines.append(f"- To get the data: {spec.packed.how}")
    if spec.optimum is not None:
        lines.append(f"- Best expected metric: {_number(spec.optimum)}")
    lines.append(f"- Divisions: {', '.join(spec.divisions)}")
    lines.append(f"- Versions recorded: {', '.join(spec.packages)}")
    if spec.tags:
        lines.append(f"- Tags: {', '.join(spec.tags)}")
    return [*lines, ""]


def workloads_markdown(specs: Sequence[WorkloadSpec]) -> str:
    """Return the page: a table for each size, then a section for each workload."""
    lines = [HEAD]
    for size, meaning in SIZES.items():
        chosen = sorted((spec for spec in specs if spec.size == size), key=lambda spec: spec.name)
        if chosen:
            lines += [f"## Size {size}", "", f"{meaning}.", "", *_table(chosen), ""]
            for spec in chosen:
                lines += _section(spec)
    return "\n".join(lines).rstrip() + "\n"


def built_in() -> list[WorkloadSpec]:
    """Return the workloads that come with the project."""
    plugins = discover("workloads")
    return [
        plugin.value
        for plugin in plugins
        if isinstance(plugin, Plugin) and plugin.source.origin == "built-in"
    ]


if __name__ == "__main__":
    sys.stdout.write(workloads_markdown(built_in()))
