"""Writes runs as MLPerf logs with benchmark names of our own, and the rules to check them by.

`joulemark.yaml` is for mlperf-logging's engine: `python -m mlperf_logging.compliance_checker
--config /abs/joulemark.yaml --ruleset 4.0.0 LOG`. Fields that MLPerf requires and that have no
meaning here (batch size, samples) are 1.
"""

from collections import Counter
from pathlib import Path

from harness.archives.mlperf.writer import power_log, power_readings, result_log
from harness.bundle import BundleError
from harness.formats.exports import runs_to_write
from harness.formats.format import Export, ExportRequest, Format, make_finding
from harness.formats.text import slug
from harness.records import Finding

RULES = Path(__file__).parents[1] / "mlperf" / "joulemark.yaml"


def write(request: ExportRequest) -> Export:
    """Write all runs of all scores.

    Raises:
        FormatError: there is no run.
    """
    files = {RULES.name: RULES.read_bytes()}
    findings: list[Finding] = []
    counts: Counter[str] = Counter()
    for run in runs_to_write(request):
        names = (run.entry[name] for name in ("submission", "machine", "workload"))
        folder = "/".join(map(slug, names))
        result = f"result_{counts[folder]}"
        counts[folder] += 1
        try:
            log = result_log(run, run.entry["workload"], run.entry["team"] or "unnamed")
            files[f"{folder}/{result}.txt"] = log
            if readings := power_readings(run):
                files[f"{folder}/power/{result}/node_0.txt"] = power_log(run, readings)
        except BundleError as error:
            findings.append(make_finding("mllog-bundle", f"left out: {error}", "fail"))
    return Export(files, findings)


FORMAT = Format(name="mllog", title="MLPerf log lines with rules of our own", write=write)
