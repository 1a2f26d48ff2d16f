"""Writes runs as MLPerf logs with benchmark names of our own, and the rules to check them by.

`joulemark.yaml` is for mlperf-logging's engine: `python -m mlperf_logging.compliance_checker
--config /abs/joulemark.yaml --ruleset 4.0.0 LOG`. Fields that MLPerf asks for and that have no
meaning here (batch size, samples) are 1.
"""

from harness.archives.mlperf.writer import (
    RunToWrite,
    power_log,
    power_readings,
    result_log,
    runs_to_write,
)
from harness.bundle import BundleError
from harness.formats.format import Export, ExportRequest, Format, FormatError, make_finding
from harness.formats.text import slug
from harness.records import Finding

RULES = """\
# Rules for logs that joulemark exported; see its format `mllog`.
- BEGIN:
    CODE: " s.update({'started': 0, 'stopped': 0, 'seen': 0}) "

- KEY:
    NAME:  submission_benchmark
    REQ:   EXACTLY_ONE
    CHECK: " v['value'] != '' "

- KEY:
    NAME:  submission_org
    REQ:   EXACTLY_ONE
    CHECK: " v['value'] != '' "

- KEY:
    NAME:  submission_platform
    REQ:   EXACTLY_ONE
    CHECK: " v['value'] != '' "

- KEY:
    NAME:  submission_division
    REQ:   EXACTLY_ONE
    CHECK: " v['value'] in ['closed', 'open', 'hardware'] "

- KEY:
    NAME:  seed
    REQ:   EXACTLY_ONE
    CHECK: " isinstance(v['value'], int) "

- KEY:
    NAME:  joulemark_run
    REQ:   EXACTLY_ONE
    CHECK: " v['value'] != '' "

- KEY:
    NAME:  joulemark_manifest_sha256
    REQ:   EXACTLY_ONE
    CHECK: " len(v['value']) == 64 "

- KEY:
    NAME:  init_start
    REQ:   AT_LEAST_ONE
    CHECK: " not s['started'] "

- KEY:
    NAME:  init_stop
    REQ:   EXACTLY_ONE
    CHECK: " not s['started'] "

- KEY:
    NAME:  run_start
    REQ:   EXACTLY_ONE
    CHECK: " not s['stopped'] "
    POST:  " s['started'] = ll.timestamp "

- KEY:
    NAME:  eval_accuracy
    REQ:   AT_LEAST_ONE
    CHECK:
        - "s['started'] > 0"
        - "ll.timestamp >= s['started']"
        - "'epoch_num' in v['metadata']"

- KEY:
    NAME:  run_stop
    REQ:   EXACTLY_ONE
    CHECK:
        - "s['started'] > 0"
        - "ll.timestamp > s['started']"
        - "v['metadata']['status'] in ['success', 'aborted']"
    POST:  " s['stopped'] = ll.timestamp "

- END:
    CHECK: " s['stopped'] > s['started'] "
"""


def _place(run: RunToWrite, index: int) -> tuple[str, str]:
    """Path of the log and of its power log."""
    entry = run.entry
    folder = "/".join(slug(entry[name]) for name in ("submission", "machine", "workload"))
    return f"{folder}/result_{index}.txt", f"{folder}/power/result_{index}/node_0.txt"


def write(request: ExportRequest) -> Export:
    """All runs of all scores.

    Raises:
        FormatError: there is no run.
    """
    files: dict[str, bytes] = {"joulemark.yaml": RULES.encode()}
    findings: list[Finding] = []
    counts: dict[str, int] = {}
    for run in runs_to_write(request.results, request.scores()):
        key = _place(run, 0)[0]
        index = counts[key] = counts.get(key, -1) + 1
        log, power = _place(run, index)
        try:
            files[log] = result_log(run, run.entry["workload"], run.entry["team"] or "unnamed")
            if readings := power_readings(run):
                files[power] = power_log(run, readings)
        except BundleError as error:
            findings.append(make_finding("mllog-bundle", f"left out: {error}", "fail"))
    if not counts:
        raise FormatError(f"{request.results}: no scored run to write")
    return Export(files, findings)


FORMAT = Format(name="mllog", title="MLPerf log lines with rules of our own", write=write)
