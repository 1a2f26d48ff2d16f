"""Our runs as DAWNBench entries: a description and a table of hours and accuracy for each run."""

import json

from harness.formats.exports import RunToWrite, runs_to_write
from harness.formats.format import Export, ExportRequest, FormatError, make_finding
from harness.formats.text import slug
from harness.records import Finding

NS_PER_H = 3.6e12
COLUMNS = {"accuracy": ("top1Accuracy", 100.0), "f1": ("f1Score", 1.0)}
"""Column for each of our metrics, and its unit as a multiple of a ratio."""


def _description(run: RunToWrite, price: float | None) -> dict[str, object]:
    record = run.bundle.run
    description: dict[str, object] = {
        "version": "v1.0",
        "author": record.submission.team or "unnamed",
        "authorEmail": "",
        "framework": f"joulemark {record.harness_version}",
        "model": record.submission.title,
        "hardware": record.machine,
        "timestamp": record.window.origin_utc[:10],
        "misc": {
            "energy_j": run.score["energy"]["energy_j"],
            "energy_method": run.score["energy"]["method"],
            "seed": run.score["seed"],
            "status": run.score["status"],
            "manifest_sha256": run.score["manifest_sha256"],
        },
    }
    return description if price is None else description | {"costPerHour": price}


def _price(request: ExportRequest) -> float | None:
    text = request.options.get("price_usd_per_h")
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise FormatError(f"--option price_usd_per_h={text}: write a number, as 3.06") from error


def _table(run: RunToWrite, name: str, factor: float) -> bytes:
    lines = [f"epoch\thours\t{name}"]
    for number, (after_ns, _, value) in enumerate(run.evaluations(), 1):
        lines.append(f"{number}\t{after_ns / NS_PER_H!r}\t{value * factor!r}")
    return ("\n".join(lines) + "\n").encode()


def write(request: ExportRequest) -> Export:
    """Write an entry for each run whose metric DAWNBench has a column for.

    Raises:
        FormatError: there is no such run, or the price is no number.
    """
    price = _price(request)
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    for run in runs_to_write(request):
        workload = run.bundle.run.workload
        task, entry = slug(run.entry["workload"]), slug(run.entry["submission"])
        if workload.metric not in COLUMNS:
            message = f"{entry} on {task}: DAWNBench has no column for {run.entry['metric_name']}"
            findings.append(make_finding("dawnbench-metric", message, "info"))
            continue
        name, scale = COLUMNS[workload.metric]
        factor = scale / 100.0 if workload.metric_unit == "%" else scale
        stem = f"{task}/train/{entry}_{slug(run.entry['machine'])}_{run.score['seed']}"
        files[f"{stem}.tsv"] = _table(run, name, factor)
        description = json.dumps(_description(run, price), indent=1, sort_keys=True)
        files[f"{stem}.json"] = f"{description}\n".encode()
    if not files:
        raise FormatError(f"{request.results}: no scored run with an accuracy or F1")
    return Export(files, findings)
