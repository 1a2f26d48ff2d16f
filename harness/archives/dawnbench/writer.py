"""Our runs as DAWNBench entries: a description and a table of hours and accuracy for each run."""

import json
from collections.abc import Iterator

from harness.archives.mlperf.writer import RunToWrite, runs_to_write
from harness.formats.format import Export, ExportRequest, FormatError, make_finding
from harness.formats.text import slug
from harness.records import Finding

NS_PER_HOUR = 3.6e12
COLUMNS = {"accuracy": ("top1Accuracy", 100.0), "f1": ("f1Score", 1.0)}
"""Metric of ours to their column and its scale against a ratio."""


def _column(run: RunToWrite) -> tuple[str, float] | None:
    """Name and factor of the column that can hold a run's metric."""
    found = COLUMNS.get(run.bundle.run.workload.metric)
    if found is None:
        return None
    percent = run.bundle.run.workload.metric_unit == "%"
    return found[0], found[1] / (100.0 if percent else 1.0)


def _rows(run: RunToWrite, factor: float) -> Iterator[str]:
    evaluation = run.bundle.evaluation
    stamps = {snapshot.index: snapshot.stamp_ns for snapshot in run.bundle.run.snapshots}
    gun_ns = run.bundle.run.window.gun_ns or 0
    for number, found in enumerate(evaluation.values if evaluation else (), 1):
        if found.value is not None and found.snapshot in stamps:
            hours = (stamps[found.snapshot] - gun_ns) / NS_PER_HOUR
            yield f"{number}\t{hours!r}\t{found.value * factor!r}"


def _description(run: RunToWrite, price: float | None) -> dict[str, object]:
    record = run.bundle.run
    said: dict[str, object] = {
        "version": "v1.0",
        "author": record.submission.team or "unnamed",
        "authorEmail": "",
        "framework": f"joulemark {record.harness_version}",
        "model": record.submission.title,
        "hardware": record.machine,
        "timestamp": record.window.origin_utc[:10],
        "misc": {
            "energy_j": run.score["energy_j"],
            "energy_method": run.score["energy_method"],
            "seed": run.score["seed"],
            "status": run.score["status"],
            "manifest_sha256": run.score["manifest_sha256"],
        },
    }
    return said if price is None else said | {"costPerHour": price}


def _price(request: ExportRequest) -> float | None:
    text = request.options.get("price_usd_per_h")
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise FormatError(f"--option price_usd_per_h={text}: write a number, as 3.06") from error


def write(request: ExportRequest) -> Export:
    """An entry for each run whose metric DAWNBench has a column for.

    Raises:
        FormatError: there is no such run, or the price is no number.
    """
    price = _price(request)
    files: dict[str, bytes] = {}
    findings: list[Finding] = []
    for run in runs_to_write(request.results, request.scores()):
        column = _column(run)
        task, entry = slug(run.entry["workload"]), slug(run.entry["submission"])
        if column is None:
            message = f"{entry} on {task}: DAWNBench has no column for {run.entry['metric_name']}"
            findings.append(make_finding("dawnbench-metric", message, "info"))
            continue
        stem = f"{task}/train/{entry}_{slug(run.entry['machine'])}_{run.score['seed']}"
        table = "\n".join([f"epoch\thours\t{column[0]}", *_rows(run, column[1])])
        files[f"{stem}.tsv"] = f"{table}\n".encode()
        described = json.dumps(_description(run, price), indent=1, sort_keys=True)
        files[f"{stem}.json"] = f"{described}\n".encode()
    if not files:
        raise FormatError(f"{request.results}: no scored run with an accuracy or F1")
    return Export(files, findings)
