"""Writes runs as an MLPerf package under a benchmark's name, for its checker and summarizer.

MLPerf's tools know MLPerf's benchmarks alone, so our runs travel under an alias (`--option
alias=resnet`, open division, ruleset 4.0.0): minutes and joules that its summarizer prints for the
alias are ours. Each submission becomes an organisation of its own; nothing here claims to be a
result of that benchmark, and `ALIAS.txt` says so.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from harness.archives.mlperf.writer import power_log, power_readings, result_log
from harness.formats.exports import RunToWrite, runs_to_write
from harness.formats.format import Export, ExportRequest, Format, make_finding
from harness.formats.text import slug
from harness.records import Finding

ALIAS = "resnet"
RUNS_DUE = {"resnet": 5, "ssd": 5, "maskrcnn": 5, "gpt3": 3, "unet3d": 40}
RUNS_DUE_OTHERS = 10
RATIO_MAX = 1.0

UNKNOWN = "not recorded"
SYSTEM_FIELDS = (
    "host_processor_core_count", "host_processor_vcpu_count", "host_processor_frequency",
    "host_processor_caches", "host_processor_interconnect", "host_memory_capacity",
    "host_storage_type", "host_storage_capacity", "host_networking", "host_networking_topology",
    "host_memory_configuration", "accelerator_host_interconnect", "accelerator_frequency",
    "accelerator_on-chip_memories", "accelerator_memory_configuration",
    "accelerator_memory_capacity", "accelerator_interconnect", "accelerator_interconnect_topology",
    "cooling", "hw_notes", "other_software_stack", "sw_notes",
)  # fmt: skip


def _system(run: RunToWrite, org: str) -> bytes:
    """The description of a machine, as far as it is known."""
    machine = run.bundle.machine
    gpus = machine.gpus
    known = {
        "submitter": org,
        "division": "open",
        "status": "Research, Development, or Internal (RDI)",
        "system_name": machine.name,
        "number_of_nodes": "1",
        "host_processors_per_node": "1",
        "host_processor_model_name": machine.cpu_model or UNKNOWN,
        "accelerators_per_node": str(len(gpus)),
        "accelerator_model_name": str(gpus[0]) if gpus else "none",
        "framework": f"joulemark {run.bundle.run.harness_version}",
        "operating_system": f"Linux {machine.kernel}",
    }
    return (json.dumps(dict.fromkeys(SYSTEM_FIELDS, UNKNOWN) | known, indent=1) + "\n").encode()


def _check(org: str, alias: str, runs: Sequence[RunToWrite], measured: int) -> Iterator[Finding]:
    due = RUNS_DUE.get(alias, RUNS_DUE_OTHERS)
    if len(runs) != due:
        message = f"{org}: {len(runs)} runs, MLPerf's checker wants {due} for {alias}"
        advice = "choose another alias by --option alias=NAME"
        yield make_finding("package-count", message, "info", advice)
    values = [run.score["metric"] for run in runs if run.score["metric"] is not None]
    if values and min(values) >= RATIO_MAX:
        message = f"{org}: no metric below 1, which MLPerf's checker wants of {alias}"
        yield make_finding("package-metric", message)
    if 0 < measured < len(runs):
        message = f"{org}: some runs have no joules, so none is written with any"
        yield make_finding("package-energy", message)


def _files(
    org: str, machine: str, alias: str, runs: Sequence[RunToWrite]
) -> Iterator[tuple[str, bytes]]:
    names = sorted({f"{run.entry['submission']} on {run.entry['workload']}" for run in runs})
    note = (
        f"{org}: runs of joulemark under the name {alias}, which they are not: {names}\n".encode()
    )
    yield f"{org}/systems/{machine}.json", _system(runs[0], org)
    yield f"{org}/ALIAS.txt", note
    yield f"{org}/benchmarks/{alias}/implementations/{machine}/README.md", note
    readings = [power_readings(run) for run in runs]
    folder = f"{org}/results/{machine}/{alias}"
    for index, run in enumerate(runs):
        yield f"{folder}/result_{index}.txt", result_log(run, alias, org)
        # The summarizer refuses a package in which one run has no power log.
        if all(readings):
            yield f"{folder}/power/result_{index}/node_0.txt", power_log(run, readings[index])


def write(request: ExportRequest) -> Export:
    """Write a package for each submission on each workload.

    Raises:
        FormatError: there is no run.
    """
    alias = request.options.get("alias", ALIAS)
    packages: dict[tuple[str, str], list[RunToWrite]] = defaultdict(list)
    for run in runs_to_write(request):
        org = slug(f"{run.entry['submission']}-{run.entry['workload']}")
        packages[org, slug(run.bundle.run.machine)].append(run)
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    for (org, machine), runs in sorted(packages.items()):
        files |= _files(org, machine, alias, runs)
        measured = sum(run.score["energy"]["energy_j"] is not None for run in runs)
        findings += _check(org, alias, runs, measured)
    return Export(files, findings)


FORMAT = Format(name="mlperf-package", title="MLPerf package under an alias", write=write)
