"""Makes MLPerf Training packages: result logs and power logs in every dialect."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

T0_MS = 1_700_000_000_000


def line(key: str, time_ms: float, value: Any = None, **metadata: Any) -> dict[str, Any]:
    """One event as an object."""
    kind = {"start": "INTERVAL_START", "stop": "INTERVAL_END"}.get(key.rpartition("_")[2])
    return {
        "namespace": "",
        "time_ms": time_ms,
        "event_type": kind or "POINT_IN_TIME",
        "key": key,
        "value": value,
        "metadata": {"file": "train.py", "lineno": 1, **metadata},
    }


def text_of(events: Sequence[dict[str, Any]], prefix: str = "", **dumps: Any) -> str:
    """Events as lines."""
    return "".join(f"{prefix}:::MLLOG {json.dumps(event, **dumps)}\n" for event in events)


@dataclass(frozen=True, kw_only=True)
class Power:
    """One power log."""

    watts: float | Callable[[float], float] = 1000.0
    """Constant, or a function of seconds after run_start."""
    before_s: float = 60.0
    after_s: float = 60.0
    every_s: float = 1.0
    conversion: float | None = None
    skip: Callable[[float], bool] = lambda _: False
    """Seconds after run_start at which no reading is taken."""
    shift_s: float = 0.0
    """Clock against the run's."""
    stop_is_start: bool = False
    stop: bool = True
    shuffle: bool = False
    key: str = "power_reading"
    as_text: bool = False
    metadata_text: bool = False


def power_events(run_s: float, power: Power) -> list[dict[str, Any]]:
    """Events of a node's log."""
    begin = T0_MS + round((power.shift_s - power.before_s) * 1000)
    count = round((run_s + power.before_s + power.after_s) / power.every_s)
    end = begin + round(count * power.every_s * 1000)
    events = [line("power_measurement_start", begin)]
    if power.conversion is not None:
        events.append(line("conversion_eff", begin, power.conversion, measurement_type="AC"))
    for i in range(1, count + 1):
        at_s = i * power.every_s - power.before_s
        if not power.skip(at_s):
            watts = power.watts(at_s) if callable(power.watts) else power.watts
            time_ms = begin + round(i * power.every_s * 1000)
            events.append(line(power.key, time_ms, str(watts) if power.as_text else watts))
    if power.shuffle:
        events[2:] = events[:1:-1]
    if power.stop:
        events.append(line("power_measurement_stop", begin if power.stop_is_start else end))
    if power.metadata_text:
        for event in events:
            event["metadata"] = ""
    return events


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run."""

    run_s: float = 120.0
    status: str | None = "success"
    division: str = "closed"
    benchmark: str = "resnet"
    accuracies: tuple[float, ...] = (0.5, 0.76)
    stop: bool = True
    nodes: tuple[Power, ...] = ()
    switches: tuple[float, ...] = ()
    """Estimated watts."""
    prefix: str = ""
    dumps: dict[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> "Run":
        """The same with other figures."""
        return dataclasses.replace(self, **changes)


def result_events(run: Run) -> list[dict[str, Any]]:
    """A complete log, as a closed submission writes it."""
    start, stop = T0_MS, T0_MS + round(run.run_s * 1000)
    head = [
        line("cache_clear", start - 9000, True),
        line("init_start", start - 8000),
        line("submission_benchmark", start - 7000, run.benchmark),
        line("submission_division", start - 7000, run.division),
        line("submission_org", start - 7000, "acme"),
        line("submission_platform", start - 7000, "one"),
        line("submission_status", start - 7000, "onprem"),
        line("seed", start - 7000, 1234),
        line("global_batch_size", start - 7000, 256),
        line("gradient_accumulation_steps", start - 7000, 1),
        line("train_samples", start - 7000, 1000),
        line("eval_samples", start - 7000, 100),
        line("init_stop", start - 1000),
        line("run_start", start),
    ]
    body = []
    for epoch, value in enumerate(run.accuracies, 1):
        at = start + round(run.run_s * 1000 * epoch / len(run.accuracies))
        body += [
            line("block_start", at - 40, first_epoch_num=epoch, epoch_count=1),
            line("block_stop", at - 30, first_epoch_num=epoch),
            line("eval_start", at - 20, epoch_num=epoch),
            line("eval_accuracy", at - 10, value, epoch_num=epoch),
            line("eval_stop", at - 5, epoch_num=epoch),
        ]
    status = {} if run.status is None else {"status": run.status}
    tail = [line("run_stop", stop, **status)] if run.stop else []
    return [*head, *body, *tail]


def write_run(folder: Path, name: str, run: Run) -> None:
    """A result log with its power logs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(text_of(result_events(run), run.prefix, **run.dumps))
    place = folder / "power" / name
    if run.nodes or run.switches:
        place.mkdir(parents=True)
    for index, node in enumerate(run.nodes):
        (place / f"node_{index}.txt").write_text(text_of(power_events(run.run_s, node)))
    for index, watts in enumerate(run.switches):
        (place / f"sw_{index}.txt").write_text(
            text_of([line("interconnect_power_est", T0_MS, watts)])
        )


SYSTEM = {
    "submitter": "acme", "division": "closed", "status": "onprem", "system_name": "one",
    "number_of_nodes": "1", "host_processors_per_node": "1", "accelerators_per_node": "1",
    "host_processor_model_name": "cpu", "accelerator_model_name": "gpu", "framework": "torch",
}  # fmt: skip


def write_package(
    root: Path, runs: Sequence[Run], system: str = "one", scaling: float | None = None
) -> Path:
    """One submitter's folder with one benchmark on one system; call again to add another."""
    (root / "systems").mkdir(parents=True, exist_ok=True)
    (root / "systems" / f"{system}.json").write_text(json.dumps(SYSTEM))
    folder = root / "results" / system / runs[0].benchmark
    for index, run in enumerate(runs):
        write_run(folder, f"result_{index}", run)
    if scaling is not None:
        (folder / "scaling.json").write_text(json.dumps({"scaling_factor": scaling}))
    return root
