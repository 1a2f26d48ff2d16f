"""Our runs as AlgoPerf logs: one study a seed, one trial a study, an evaluation a snapshot."""

from collections import Counter
from collections.abc import Iterator

from harness.archives.mlperf.writer import RunToWrite, runs_to_write
from harness.formats.format import Export, ExportRequest, FormatError
from harness.formats.text import slug

FRAMEWORK = "pytorch"
NS_PER_S = 1e9


def _rows(run: RunToWrite) -> Iterator[str]:
    evaluation = run.bundle.evaluation
    snapshots = {item.index: item for item in run.bundle.run.snapshots}
    gun_ns = run.bundle.run.window.gun_ns or 0
    for found in evaluation.values if evaluation else ():
        snapshot = snapshots.get(found.snapshot)
        if snapshot is not None and found.value is not None:
            time_s = (snapshot.stamp_ns - gun_ns) / NS_PER_S
            step = "" if snapshot.step is None else snapshot.step
            yield f"{time_s!r},{step},0,{time_s!r},{found.value!r}"


def _table(run: RunToWrite) -> bytes:
    metric = run.bundle.run.workload.metric
    header = f"accumulated_submission_time,global_step,preemption_count,score,validation/{metric}"
    return ("\n".join([header, *_rows(run)]) + "\n").encode()


def write(request: ExportRequest) -> Export:
    """A tree of logs; a run without an evaluated snapshot leaves an empty trial, as theirs do.

    Raises:
        FormatError: there is no run.
    """
    files: dict[str, bytes] = {}
    studies: Counter[tuple[str, str]] = Counter()
    for run in runs_to_write(request.results, request.scores()):
        who, task = slug(run.entry["submission"]), slug(run.entry["workload"])
        study = studies[who, task]
        studies[who, task] += 1
        place = f"{who}/study_{study}/{task}_{FRAMEWORK}/trial_1"
        table = _table(run)
        name = "eval_measurements.csv" if table.count(b"\n") > 1 else "no_evaluation.txt"
        files[f"{place}/{name}"] = table
    if not files:
        raise FormatError(f"{request.results}: no scored run to write")
    return Export(files, [])
