"""Our runs as AlgoPerf logs: one study for each seed, with one trial, an evaluation a snapshot."""

from collections import Counter

from harness.formats.exports import RunToWrite, runs_to_write
from harness.formats.format import Export, ExportRequest
from harness.formats.text import slug

FRAMEWORK = "pytorch"
NS_PER_S = 1e9


def _table(run: RunToWrite) -> bytes:
    metric = run.bundle.run.workload.metric
    rows = [f"accumulated_submission_time,global_step,preemption_count,score,validation/{metric}"]
    for after_ns, snapshot, value in run.evaluations():
        time_s, step = after_ns / NS_PER_S, "" if snapshot.step is None else snapshot.step
        rows.append(f"{time_s!r},{step},0,{time_s!r},{value!r}")
    return ("\n".join(rows) + "\n").encode()


def write(request: ExportRequest) -> Export:
    """Write a tree of logs; a run without an evaluated snapshot leaves an empty trial.

    Raises:
        FormatError: there is no run.
    """
    files: dict[str, bytes] = {}
    studies: Counter[tuple[str, str]] = Counter()
    for run in runs_to_write(request):
        entry = (slug(run.entry["submission"]), slug(run.entry["workload"]))
        table = _table(run)
        name = "eval_measurements.csv" if table.count(b"\n") > 1 else "no_evaluation.txt"
        place = f"{entry[0]}/study_{studies[entry]}/{entry[1]}_{FRAMEWORK}/trial_1"
        files[f"{place}/{name}"] = table
        studies[entry] += 1
    return Export(files, [])
