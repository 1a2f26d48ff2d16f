"""Makes results folders without running anything: sealed bundles and ledgers from a few figures."""

import dataclasses
import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from harness.bundle import manifest_files, seal
from harness.clock import NS_PER_S
from harness.ledger import Ledger
from harness.records import (
    Domain,
    Evaluation,
    Finding,
    Isolation,
    Machine,
    Manifest,
    MetricValue,
    Ruleset,
    Run,
    RunRules,
    RunWindow,
    SamplerReport,
    ScoreRules,
    SeedPair,
    Snapshot,
    Status,
    Submission,
    Usage,
    Workload,
    dump,
)
from harness.records.base import Record
from harness.records.measure import Method
from harness.rules.load import as_toml, load_ruleset
from harness.score.stats.sample import RunMoment

AnyRecord = TypeVar("AnyRecord", bound=Record)

GUN_S = 2.0
"""From the origin to the start signal."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run as it shall appear: snapshots as (seconds after the start signal, metric)."""

    snapshots: tuple[tuple[float, float | None], ...] = ((10.0, 0.95),)
    seed: int = 1
    name: str = "adam"
    source: str = "adam source"
    """Text whose digest is the submission's."""
    division: Literal["closed", "open", "hardware"] = "closed"
    workload: str = "toy"
    version: str = "v1"
    machine: str = "desk"
    status: Status = "ok"
    target: float = 0.9
    better: Literal["higher", "lower"] = "higher"
    unit: str = ""
    examples: int = 1000
    budget_s: float = 60.0
    end_s: float | None = None
    """Of the window after the start signal; None: just after the last snapshot."""
    watts: float | None = 100.0
    """Constant power; None: no meter."""
    method: Method = "counter"
    simulated: bool = False
    ruleset: str = "default"
    refused: tuple[int, ...] = ()
    gun: bool = True
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields of `run.json` to set otherwise."""
    started_s: int = 0
    """Of the run, after midnight."""
    secret: str = ""
    """What its seeds were drawn from; runs of one pair share it."""
    facts: dict[str, float] = field(default_factory=dict)
    rules: Ruleset | None = None
    """In place of the named ruleset."""

    def but(self, **changes: Any) -> "Plan":
        """The same with other figures."""
        return dataclasses.replace(self, **changes)


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _ns(after_gun_s: float) -> int:
    return round((GUN_S + after_gun_s) * NS_PER_S)


def _end_s(plan: Plan) -> float:
    last = max((at for at, _ in plan.snapshots), default=plan.budget_s)
    return plan.end_s if plan.end_s is not None else last


def workload_of(plan: Plan) -> Workload:
    """The workload of a plan."""
    return Workload(
        name=plan.workload, version=plan.version, domain="image", secrecy="seeded",
        metric="accuracy", better=plan.better, metric_unit=plan.unit, target=plan.target,
        target_version="t1", budget_s=plan.budget_s, threads=1, test_examples=plan.examples,
    )  # fmt: skip


def submission_of(plan: Plan) -> Submission:
    """The submission of a plan."""
    return Submission(
        name=plan.name, title=plan.name.title(), team="team", division=plan.division,
        entry="python", sha256=digest(plan.source), size_bytes=100, files_count=2,
        compressed_bytes=100,
    )  # fmt: skip


def seeds_of(plan: Plan) -> SeedPair:
    """The seeds of a plan."""
    secret = digest(f"secret {plan.secret}{plan.seed}")
    return SeedPair(
        session=plan.seed, instance=plan.seed + 1000, source="harness", index=0,
        commitment=digest(secret), secret=secret,
    )  # fmt: skip


def domains_of(plan: Plan) -> tuple[Domain, ...]:
    """One domain, or none."""
    if plan.watts is None:
        return ()
    return (
        Domain(
            name="cpu-package-0", kind="cpu", method=plan.method, meter="rapl", source="/sys/test",
            simulated=plan.simulated, gain_error_ratio=0.02, power_low_w=0.0, power_high_w=400.0,
        ),
    )  # fmt: skip


def snapshots_of(plan: Plan) -> tuple[Snapshot, ...]:
    """The snapshots of a plan; those refused are not accepted."""
    return tuple(
        Snapshot(
            index=index, step=round(at * 10), stamp_ns=_ns(at), size_bytes=1000,
            sha256=digest(f"{plan.seed} {index}"), accepted=index not in plan.refused,
            refused="too soon" if index in plan.refused else "",
        )
        for index, (at, _) in enumerate(plan.snapshots)
    )  # fmt: skip


def utc_of(plan: Plan) -> str:
    """Wall time of the run's origin."""
    days, rest_s = divmod(plan.started_s, 86400)
    minutes, seconds = divmod(rest_s, 60)
    hours, minutes = divmod(minutes, 60)
    return f"2026-01-{1 + days:02d}T{hours:02d}:{minutes:02d}:{seconds:02d}.000000000Z"


def run_record(plan: Plan, run_id: str) -> Run:
    """`run.json` of a plan."""
    end_s = _end_s(plan)
    metered = plan.watts is not None
    fields: dict[str, Any] = {
        "id": run_id,
        "harness_version": "0",
        "status": plan.status,
        "reason": "as planned",
        "workload": workload_of(plan),
        "submission": submission_of(plan),
        "machine": plan.machine,
        "ruleset": plan.ruleset,
        "snapshot_rule": rules_of(plan).run.snapshot_rule,
        "mode": rules_of(plan).run.mode,
        "seeds": seeds_of(plan),
        "window": RunWindow(
            origin_utc=utc_of(plan), origin_monotonic_ns="1", launch_ns=0,
            gun_ns=_ns(0.0) if plan.gun else None, end_ns=_ns(end_s) if plan.gun else None,
            ended_by="done",
        ),
        "isolation": Isolation(
            launcher="bubblewrap", level="bubblewrap", reason="default", uid=1000
        ),
        "snapshots": snapshots_of(plan),
        "usage": Usage(cpu_s=end_s, peak_rss_bytes=1 << 20, exit_code=0),
        "domains": domains_of(plan),
        "sampler": sampler_of(end_s) if metered else None,
    }  # fmt: skip
    return Run(**(fields | plan.changes))


def sampler_of(end_s: float) -> SamplerReport:
    """A sampler that kept up."""
    duration_s = GUN_S + end_s + 1
    reads = round(duration_s / 0.1) + 1
    return SamplerReport(
        period_s=0.1, reads_count=reads, readings_count=reads, cpu_s=0.1, import_cpu_s=0.05,
        duration_s=duration_s, peak_rss_bytes=1 << 24, gap_max_s=0.11,
    )  # fmt: skip


def evaluation_of(plan: Plan) -> Evaluation:
    """`eval.json` of a plan: a metric for each accepted snapshot."""
    values = tuple(
        MetricValue(snapshot=index, value=value, wall_s=0.1, cpu_s=0.1)
        for index, (_, value) in enumerate(plan.snapshots)
        if index not in plan.refused
    )
    return Evaluation(
        metric="accuracy", examples=plan.examples, values=values, predictor=None, facts=plan.facts
    )


def machine_of(plan: Plan) -> Machine:
    """`machine.json` of a plan."""
    return Machine(
        name=plan.machine, cpu_model="test", cpu_count=2, memory_bytes=1 << 30, gpus=(),
        kernel="6", python="3.11", packages={}, virtualised=None,
    )  # fmt: skip


def trace_of(plan: Plan, watts: float) -> bytes:
    """A trace of constant power after one idle reading, read ten times a second."""
    lines = ["t_ns,domain,energy_j,power_w,u_ns"]
    counted = plan.method != "sampled"
    for tick in range(round((GUN_S + _end_s(plan) + 1) * 10) + 1):
        energy = f"{watts * tick / 10:.9g}" if counted else ""
        power = "" if counted else f"{watts if tick else watts / 2:.9g}"
        lines.append(f"{tick * NS_PER_S // 10},cpu-package-0,{energy},{power},1000")
    return ("\n".join(lines) + "\n").encode()


def rules_of(plan: Plan) -> Ruleset:
    """The ruleset in force."""
    return plan.rules or load_ruleset(plan.ruleset)


def write_run(results: Path, plan: Plan, *, ledger: bool = True, bundle: bool = True) -> Path:
    """Write a sealed bundle and its ledger rows; returns the bundle's folder.

    Args:
        results: Results folder.
        plan: What shall be in it.
        ledger: Whether rows are written.
        bundle: Whether there is a bundle: without one only `started` is in the ledger.
    """
    identity = digest(repr(plan))
    below = results / plan.workload / plan.name / plan.machine
    count = len(list(below.glob("*"))) if below.exists() else 0
    run_id = f"20260101T{count:06d}Z-{identity[:4]}"
    folder = below / run_id
    row = {
        "run_id": run_id, "workload": plan.workload, "submission": plan.name,
        "submission_sha256": digest(plan.source), "seed_commitment": seeds_of(plan).commitment,
        "bundle": folder.relative_to(results).as_posix(),
    }  # fmt: skip
    book = Ledger(results, plan.machine)
    if ledger:
        book.append("started", **row)
    if not bundle:
        return folder
    sha256 = write_bundle(folder, plan, run_id)
    if ledger:
        book.append("finished", status=plan.status, manifest_sha256=sha256, **row)
    return folder


def write_bundle(folder: Path, plan: Plan, run_id: str) -> str:
    """Write and seal the folder; returns the manifest's SHA-256."""
    folder.mkdir(parents=True)
    files = {
        "run.json": dump(run_record(plan, run_id)),
        "machine.json": dump(machine_of(plan)),
        "eval.json": dump(evaluation_of(plan)),
        "ruleset.toml": as_toml(rules_of(plan)).encode(),
        "events.jsonl": b"",
    }
    if plan.watts is not None:
        files["trace.csv.gz"] = gzip.compress(trace_of(plan, plan.watts), mtime=0)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return reseal(folder, plan.status, run_id)


def reseal(folder: Path, status: Status, run_id: str) -> str:
    """Write a manifest over what lies in the folder now; returns its SHA-256."""
    manifest = Manifest(
        run_id=run_id, status=status, files=manifest_files(folder), harness_version="0",
        harness_sha256=digest(""), ledger_seq=0, previous_manifest_sha256=None,
    )  # fmt: skip
    return seal(folder, manifest)


def rules(name: str = "test", *, checks: tuple[str, ...] = (), **run: Any) -> Ruleset:
    """A ruleset made on the spot from the defaults of the record."""
    return Ruleset(name=name, title=name, run=RunRules(**run), score=ScoreRules(), checks=checks)


def changed(record: AnyRecord, **changes: Any) -> AnyRecord:
    """The record with other fields, which may be those of the records inside it."""
    update: dict[str, Any] = {}
    for name, value in changes.items():
        inside = [key for key, part in vars(record).items() if name in vars_of(part)]
        if name in vars(record):
            update[name] = value
        else:
            (key,) = inside
            part = update.get(key, getattr(record, key))
            update[key] = part.model_copy(update={name: value})
    return record.model_copy(update=update)


def vars_of(value: object) -> dict[str, Any]:
    """The fields of a record; nothing for other values."""
    return vars(value) if isinstance(value, Record) else {}


def finding(rule: str, level: Literal["info", "warn", "fail"] = "fail") -> Finding:
    """A finding of that rule."""
    return Finding(rule=rule, level=level, message=f"{rule} found")


def series(results: Path, plan: Plan, times_s: list[float], metric: float = 0.95) -> list[Path]:
    """One run for each time, with seeds 1, 2 ...; one snapshot each, of almost that metric.

    One every ten minutes, each entry at a second of its own: the series of several entries are
    interleaved on the same instances. Another `started_s` or `secret` leaves an entry unpaired.
    """
    second = zlib.crc32(f"{plan.name} {plan.source}".encode()) % 600
    return [
        write_run(
            results,
            plan.but(
                seed=seed,
                snapshots=((time_s, metric + 0.001 * (seed % 3)),),
                started_s=plan.started_s + 600 * seed + second,
            ),
        )
        for seed, time_s in enumerate(times_s, 1)
    ]


def alternating(
    results: Path,
    one: tuple[Plan, list[float]],
    other: tuple[Plan, list[float]],
    *,
    first_seed: int = 1,
) -> None:
    """Two series on the same seeds and instances, turn by turn, the order swapped in each pair."""
    for index, times in enumerate(zip(one[1], other[1], strict=True)):
        for place, (plan, time_s) in enumerate(zip((one[0], other[0]), times, strict=True)):
            start_s = plan.started_s + 600 * index + 300 * ((index + place) % 2)
            metric = 0.95 + 0.001 * (index % 3)
            seed, halves = first_seed + index, ((time_s, metric),)
            run = plan.but(seed=seed, started_s=start_s, snapshots=halves)
            write_run(results, run)


def moments(seeds: Iterable[int], place: int, count: int = 2) -> dict[int, RunMoment]:
    """Moments of an entry whose runs are interleaved with those of the other `count` places."""
    return {
        seed: RunMoment(f"block {seed}", f"{count * number + (place + number) % count:06d}")
        for number, seed in enumerate(seeds)
    }
