"""Made results: sealed bundles of several submissions, written by a formula, never measured."""

import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.bundle import manifest_files, seal
from harness.prizes import boards
from harness.records import (
    Domain,
    Evaluation,
    Finding,
    Isolation,
    Leaderboard,
    Machine,
    MachineFact,
    Manifest,
    MetricValue,
    Output,
    PredictorCost,
    Run,
    RunWindow,
    SamplerReport,
    Score,
    SeedPair,
    Snapshot,
    Status,
    Submission,
    Usage,
    Workload,
    dump,
)
from harness.rules.load import as_toml, load_ruleset
from harness.score.score import score_all

TARGET = 0.9
S = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one submission's runs shall look like."""

    submission: str
    title: str
    team: str = "Reference"
    speed: float = 1.0
    """Factor on how fast the metric climbs."""
    watts: float = 30.0
    meter: str = "codecarbon"
    """`codecarbon` (modelled), `fake` (simulated counters), `rapl` (counters), `none`."""
    seeds: int = 3
    failed: dict[int, Status] = field(default_factory=dict)
    """Status of the runs that fail, by position."""
    workload: str = "digits-mlp"
    machine: str = "epyc-7b13-4f2a"
    window_s: float = 6.0
    hz: float = 10.0


PLANS = (
    Plan(submission="digits-mlp-muon", title="Muon, momentum 0.95", speed=2.6, watts=33.0),
    Plan(submission="digits-mlp-adamw", title="AdamW, cosine", speed=1.9, watts=30.0),
    Plan(submission="digits-mlp-adamw-wide", title="AdamW, wide", team="Lab B", speed=1.85),
    Plan(submission="digits-mlp-sgd", title="SGD, plain", speed=0.8, watts=29.0),
    Plan(submission="digits-mlp-lion", title="Lion", team="Lab C", failed={1: "diverged"}),
    Plan(
        submission="digits-mlp-broken",
        title="Sophia",
        team="Lab D",
        failed={0: "crashed", 1: "crashed", 2: "oom"},
    ),
)

METERED = (
    Plan(submission="cnn-adamw", title="AdamW", workload="digits-cnn", meter="rapl", speed=1.4),
    Plan(submission="cnn-muon", title="Muon", workload="digits-cnn", meter="rapl", speed=2.8,
         watts=34.0),
    Plan(submission="cnn-sgd", title="SGD", workload="digits-cnn", meter="rapl", speed=0.7),
    Plan(submission="cnn-unmetered", title="AdamW, no meter", workload="digits-cnn", meter="none"),
    Plan(submission="cnn-fake", title="AdamW, fake meter", workload="digits-cnn", meter="fake"),
)  # fmt: skip

DOMAINS = {
    "codecarbon": (
        ("cpu-modelled", "cpu", "modelled", 0.85),
        ("dram-modelled", "dram", "modelled", 0.15),
    ),
    "rapl": (
        ("cpu-package-0", "cpu", "counter", 0.8),
        ("cpu-core-0", "cpu", "counter", 0.55),
        ("dram-0", "dram", "counter", 0.2),
    ),
    "fake": (("cpu-package-0", "cpu", "counter", 0.8), ("gpu-0", "gpu", "sampled", 1.6)),
    "none": (),
}


def domains_of(plan: Plan) -> tuple[Domain, ...]:
    """The domains of a plan's meter, as a run records them."""
    return tuple(
        Domain(
            name=name,
            kind=kind,  # type: ignore[arg-type]
            method=method,  # type: ignore[arg-type]
            meter=plan.meter,
            source="offline tracker" if method == "modelled" else "energy_uj",
            parents=("cpu-package-0",) if name == "cpu-core-0" else (),
            simulated=plan.meter == "fake",
            wrap_j=262143.0 if method == "counter" else None,
        )
        for name, kind, method, _ in DOMAINS[plan.meter]
    )


@dataclass(frozen=True)
class Timeline:
    """When things happened in a made run, seconds after the origin."""

    gun_s: float
    end_s: float
    stamps_s: tuple[float, ...]
    metrics: tuple[float, ...]

    @property
    def counted(self) -> int | None:
        """The first snapshot that passes."""
        return next((i for i, value in enumerate(self.metrics) if value >= TARGET), None)


def _random(plan: Plan, index: int) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{plan.submission}/{index}".encode()))


def timeline(plan: Plan, index: int) -> Timeline:
    """A learning curve that saturates, with one snapshot every 0.12 s."""
    random = _random(plan, index)
    failed = plan.failed.get(index)
    pace = plan.speed * random.lognormal(0, 0.05)
    gun_s, spacing_s = 1.9, plan.window_s / 50
    stamps, metrics = [], []
    for number in range(1, 50):
        t_s = number * spacing_s * 1.003
        value = 0.965 - 0.86 * np.exp(-t_s * pace) + random.normal(0, 0.004)
        if failed == "diverged":
            value = 0.1 + 0.5 * np.exp(-t_s)
        stamps.append(gun_s + t_s)
        metrics.append(round(float(value), 4))
        if value >= TARGET + 0.004 or (failed in ("crashed", "oom") and number > 3):
            break
    if failed in ("crashed", "oom"):
        metrics = [min(value, 0.6) for value in metrics]
    return Timeline(gun_s, stamps[-1] + 0.15, tuple(stamps), tuple(metrics))


def power_w(plan: Plan, line: Timeline, t_s: np.ndarray, index: int) -> np.ndarray:
    """Watts of the whole machine: idle, imports, training, evaluation dips."""
    random = _random(plan, index + 1000)
    inside = (t_s > line.gun_s) & (t_s < line.end_s)
    level = np.where(inside, plan.watts, np.where(t_s < 0.4, 9.0, 18.0))
    level = np.where(t_s > line.end_s + 0.1, 9.5, level)
    dips = inside & (np.mod(t_s - line.gun_s, plan.window_s / 50) < 0.02)
    level = np.where(dips, plan.watts * 0.7, level)
    return np.maximum(level + random.normal(0, 0.7, len(t_s)), 0.5)


def trace_csv(plan: Plan, line: Timeline, index: int) -> bytes:
    """Rows of the trace: counters for counter domains, watts for the others."""
    t_s = np.arange(0.0, line.end_s + 0.6, 1 / plan.hz)
    total_w = power_w(plan, line, t_s, index)
    rows = []
    for name, _, method, part in DOMAINS[plan.meter]:
        watts = total_w * part
        joules = 1200.0 + np.r_[0.0, np.cumsum((watts[1:] + watts[:-1]) / 2 * np.diff(t_s))]
        for moment, power, energy in zip(t_s, watts, joules, strict=True):
            columns = f"{energy:.6f}," if method == "counter" else f",{power:.3f}"
            rows.append((int(moment * S), f"{int(moment * S)},{name},{columns},21000\n"))
    return ("t_ns,domain,energy_j,power_w,u_ns\n" + "".join(r for _, r in sorted(rows))).encode()


def _events(line: Timeline) -> bytes:
    rows: list[tuple[float, str, dict[str, object]]] = [
        (0.05, "launch", {"launcher": "bubblewrap"}),
        (line.gun_s - 0.01, "ready", {"runtime": "python 3.11"}),
        (line.gun_s, "gun", {}),
    ]
    rows += [(line.gun_s + 0.01, "span", {"name": "load", "edge": "begin"})]
    rows += [(line.gun_s + 0.1, "span", {"name": "load", "edge": "end"})]
    begin = line.gun_s + 0.1
    for number, stamp in enumerate(line.stamps_s):
        rows.append((begin, "span", {"name": "epoch", "edge": "begin"}))
        rows.append((stamp - 0.02, "span", {"name": "epoch", "edge": "end"}))
        rows.append((stamp, "snapshot", {"index": number}))
        begin = stamp + 0.005
    rows.append((line.end_s, "end", {"by": "done"}))
    lines = [
        json.dumps({"seq": seq, "t_ns": int(t_s * S), "kind": kind, "data": data}, sort_keys=True)
        for seq, (t_s, kind, data) in enumerate(sorted(rows, key=lambda row: row[0]))
    ]
    return ("\n".join(lines) + "\n").encode()


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _submission(plan: Plan) -> Submission:
    return Submission(
        name=plan.submission,
        title=plan.title,
        team=plan.team,
        division="closed",
        entry="python",
        sha256=_sha(plan.submission),
        size_bytes=1840,
        files_count=2,
        methods=(),
    )


def _workload(plan: Plan) -> Workload:
    return Workload(
        name=plan.workload,
        version=_sha(plan.workload)[:12],
        domain="image",
        secrecy="public",
        metric="accuracy",
        better="higher",
        metric_unit="",
        target=TARGET,
        target_version="1",
        budget_s=plan.window_s,
        threads=1,
        test_examples=397,
    )


def _sampler(plan: Plan, line: Timeline) -> SamplerReport:
    return SamplerReport(
        period_s=1 / plan.hz,
        reads_count=int(line.end_s * plan.hz),
        readings_count=int(line.end_s * plan.hz) * len(DOMAINS[plan.meter]),
        cpu_s=0.061,
        import_cpu_s=0.048,
        duration_s=line.end_s + 0.5,
        peak_rss_bytes=14_200_000,
        jitter_p50_s=0.00008,
        jitter_p99_s=0.0011,
        gap_max_s=0.104,
        helpers_cpu_s={"codecarbon": 1.31} if plan.meter == "codecarbon" else {},
    )


def _snapshots(plan: Plan, line: Timeline, index: int) -> tuple[Snapshot, ...]:
    return tuple(
        Snapshot(
            index=number,
            step=(number + 1) * 40,
            stamp_ns=int(stamp * S),
            size_bytes=38_440,
            sha256=_sha(f"{plan.submission}{index}{number}"),
            accepted=True,
        )
        for number, stamp in enumerate(line.stamps_s)
    )


def _window(plan: Plan, line: Timeline, index: int) -> RunWindow:
    # The runs of all entries are interleaved.
    turn = zlib.crc32(plan.submission.encode())
    return RunWindow(
        origin_utc=f"2026-11-22T{index:02d}:07:25.{turn % 10**9:09d}Z",
        origin_monotonic_ns="8123456789012",
        launch_ns=50_000_000,
        gun_ns=int(line.gun_s * S),
        end_ns=int(line.end_s * S),
        ended_by="done",
    )


def made_run(plan: Plan, line: Timeline, index: int) -> Run:
    """The record of one made run."""
    status = plan.failed.get(index, "ok" if line.counted is not None else "target_missed")
    virtual = Finding(
        rule="machine-virtualised",
        level="warn",
        message="the machine is a virtual one: its neighbours are not known",
        advice="run on bare metal for a prize",
    )
    return Run(
        id=f"20261122T0007{index:02d}Z-{_sha(plan.submission + str(index))[:4]}",
        harness_version="0.1.0",
        status=status,
        reason="the submission said that it was done" if status == "ok" else f"ended as {status}",
        workload=_workload(plan),
        submission=_submission(plan),
        machine=plan.machine,
        ruleset="smoke",
        snapshot_rule="first_passing",
        seeds=SeedPair(
            session=100 + index, instance=7, source="harness",
            commitment=_sha(f"c {plan.workload}"),
            secret="00" * 32, index=index,
        ),
        isolation=Isolation(
            launcher="bubblewrap", level="bubblewrap", reason="bwrap starts here", uid=None,
            probes={"network": True, "processes": True, "signals": False},
            unmet=("memory_bytes",), masked=("sklearn/datasets/data",),
        ),
        usage=Usage(cpu_s=line.end_s * 0.93, peak_rss_bytes=412_000_000, exit_code=None, signal=9),
        output=Output(stdout_bytes=120, stderr_bytes=0, kept_bytes=120),
        sampler=_sampler(plan, line) if plan.meter != "none" else None,
        findings=(virtual,),
        window=_window(plan, line, index),
        snapshots=_snapshots(plan, line, index),
        domains=domains_of(plan),
    )  # fmt: skip


def made_machine(plan: Plan) -> Machine:
    """The record of the made machine."""
    facts = (
        MachineFact(id="cpu-governor", value=None, verdict="unknown", source="scaling_governor",
                    advice="expose cpufreq to the guest"),
        MachineFact(id="load-average", value=0.21, verdict="ok", source="/proc/loadavg"),
        MachineFact(id="swap-used", value=0, verdict="recorded", source="/proc/meminfo"),
    )  # fmt: skip
    return Machine(
        name=plan.machine,
        cpu_model="AMD EPYC 7B13 64-Core Processor",
        cpu_count=2,
        memory_bytes=8 << 30,
        gpus=(),
        kernel="Linux 6.12.43",
        python="3.11.2",
        packages={"torch": "2.13.0+cpu", "numpy": "2.4.6"},
        virtualised=True,
        before=facts,
    )


def made_evaluation(line: Timeline) -> Evaluation:
    """The judge's values of a made run."""
    values = tuple(
        MetricValue(snapshot=number, value=value, wall_s=0.01, cpu_s=0.01)
        for number, value in enumerate(line.metrics)
    )
    cost = PredictorCost(cap_cpu_s=0.1, cap_wall_s=60.0, cpu_s=1.4, peak_rss_bytes=300_000_000)
    return Evaluation(metric="accuracy", examples=397, values=values, predictor=cost)


def write_bundle(results: Path, plan: Plan, index: int) -> Path:
    """One sealed bundle; returns its folder."""
    line = timeline(plan, index)
    run = made_run(plan, line, index)
    folder = results / plan.workload / plan.submission / plan.machine / run.id
    folder.mkdir(parents=True)
    ruleset = load_ruleset("smoke")
    files = {
        "run.json": dump(run),
        "machine.json": dump(made_machine(plan)),
        "eval.json": dump(made_evaluation(line)),
        "events.jsonl": _events(line),
        "ruleset.toml": as_toml(ruleset).encode(),
        "README.txt": b"Made for tests.\n",
    }
    if plan.meter != "none":
        files["trace.csv.gz"] = gzip.compress(trace_csv(plan, line, index), mtime=0)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    manifest = Manifest(
        run_id=run.id, status=run.status, files=manifest_files(folder), harness_version="0.1.0",
        harness_sha256=_sha("harness"), ledger_seq=index, previous_manifest_sha256=None,
    )  # fmt: skip
    seal(folder, manifest)
    return folder


@dataclass(frozen=True)
class Made:
    """A results folder with what was derived from it."""

    results: Path
    scores: list[Score]
    boards: list[Leaderboard]


def make(results: Path, plans: tuple[Plan, ...] = (*PLANS, *METERED)) -> Made:
    """Bundles, scores and boards of the plans."""
    results.mkdir(parents=True, exist_ok=True)
    for plan in plans:
        for index in range(plan.seeds):
            write_bundle(results, plan, index)
    return scored(results)


def scored(results: Path) -> Made:
    """Scores and boards of a results folder, each run under its own rules."""
    scores = score_all(results, None).scores
    return Made(results, scores, boards(scores))
