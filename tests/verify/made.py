"""Bundles and ledgers made by hand, from the format's description alone: no writer is called."""

import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.verify.seals import own_digest

Tree = dict[str, Any]
Change = Callable[["Parts"], None]

MACHINE = "test-0a1b2c"
WORKLOAD = "tiny"
SUBMISSION = "entry"
SECRET = bytes(range(16))
GENESIS = "0" * 64

RULESET = """\
format = 1
name = "smoke"
title = "Smoke"

[run]
snapshot_rule = "first_passing"
"""
TRACE = """\
t_ns,domain,energy_j,power_w,u_ns
1000,cpu-package-0,5.0,,40
2000,cpu-package-0,6.5,,40
9000,cpu-package-0,9.25,,40
"""
SOURCE = {
    "submission.toml": b'title = "Entry"\n',
    "train.py": b"def train(session):\n    pass\n",
}
WEIGHTS = b"\x02\x00\x00\x00\x00\x00\x00\x00{}"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def derived(purpose: str, bits: int, index: int = 0) -> int:
    """A seed from the secret, as docs and `run.json` describe it."""
    digest = hashlib.sha256(SECRET + f"|{index}|{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)


def submission_sha256(files: dict[str, bytes]) -> str:
    """The digest over name, size and content of each file."""
    digest = hashlib.sha256()
    for name in sorted(files, key=lambda path: path.split("/")):
        digest.update(f"{name}\0{len(files[name])}\0{sha256(files[name])}\n".encode())
    return digest.hexdigest()


class Parts:
    """What goes into one bundle; a test changes it before it is sealed."""

    def __init__(self, run_id: str) -> None:
        self.run: Tree = run_tree(run_id)
        self.machine: Tree = machine_tree()
        self.evaluation: Tree | None = evaluation_tree()
        self.events: list[Tree] = event_trees()
        self.files: dict[str, bytes] = {
            "README.txt": b"A record of one run.\n",
            "ruleset.toml": RULESET.encode(),
            "trace.csv.gz": gzip.compress(TRACE.encode(), mtime=0),
            "log.txt": b"",
            "snapshots/0000.safetensors": WEIGHTS,
        } | {f"submission/{name}": data for name, data in SOURCE.items()}
        self.manifest: Tree = {}
        """Keys that replace those of the true manifest."""

    def rendered(self) -> dict[str, bytes]:
        """Every file but the manifest."""
        files = dict(self.files)
        files["run.json"] = json.dumps(self.run).encode()
        files["machine.json"] = json.dumps(self.machine).encode()
        files["events.jsonl"] = b"".join(
            json.dumps(event).encode() + b"\n" for event in self.events
        )
        if self.evaluation is not None:
            files["eval.json"] = json.dumps(self.evaluation).encode()
        return files


def run_tree(run_id: str) -> Tree:
    return {
        "format": 1,
        "id": run_id,
        "harness_version": "0.1.0",
        "status": "ok",
        "reason": "reached the target",
        "workload": {
            "name": WORKLOAD, "version": "0123456789ab", "domain": "image", "secrecy": "public",
            "metric": "accuracy", "better": "higher", "metric_unit": "", "target": 0.9,
            "target_version": "1", "budget_s": 6.0, "threads": 1, "test_examples": 397,
        },
        "submission": {
            "name": SUBMISSION, "title": "DiskEntry", "team": "Team", "division": "closed",
            "entry": "python", "sha256": submission_sha256(SOURCE),
            "size_bytes": sum(map(len, SOURCE.values())), "files_count": len(SOURCE),
        },
        "machine": MACHINE,
        "ruleset": "smoke",
        "snapshot_rule": "first_passing",
        "seeds": {
            "session": derived("session", 31), "instance": derived("instance", 53),
            "source": "harness", "commitment": sha256(SECRET), "secret": SECRET.hex(), "index": 0,
        },
        "window": {
            "origin_utc": "2026-11-22T00:00:00.000000000Z", "origin_monotonic_ns": "123",
            "launch_ns": 500, "gun_ns": 1500, "end_ns": 8000, "ended_by": "done",
        },
        "isolation": {
            "launcher": "plain", "level": "none", "reason": "asked for", "uid": None,
        },
        "snapshots": [
            {
                "index": 0, "step": 1, "stamp_ns": 4000, "kernel_ns": 3990,
                "size_bytes": len(WEIGHTS), "sha256": sha256(WEIGHTS), "accepted": True,
                "kept": True,
            }
        ],
        "domains": [
            {
                "name": "cpu-package-0", "kind": "cpu", "method": "counter", "meter": "rapl",
                "source": "intel-rapl:0",
            }
        ],
        "sampler": {
            "period_s": 0.1, "reads_count": 3, "readings_count": 3, "cpu_s": 0.1,
            "import_cpu_s": 0.05, "duration_s": 1.0, "peak_rss_bytes": 1000,
        },
    }  # fmt: skip


def machine_tree() -> Tree:
    return {
        "format": 1, "name": MACHINE, "cpu_model": "Test", "cpu_count": 2, "memory_bytes": 1024,
        "gpus": [], "kernel": "Linux", "python": "3.11", "packages": {}, "virtualised": None,
    }  # fmt: skip


def evaluation_tree() -> Tree:
    value = {"snapshot": 0, "value": 0.95, "wall_s": 0.1, "cpu_s": 0.1}
    return {
        "format": 1, "metric": "accuracy", "examples": 397, "values": [value], "predictor": None,
    }  # fmt: skip


def event_trees() -> list[Tree]:
    times = [("launch", 500), ("ready", 900), ("gun", 1500), ("snapshot", 4000), ("end", 8000)]
    return [
        {"seq": seq, "t_ns": t_ns, "kind": kind, "data": {}}
        for seq, (kind, t_ns) in enumerate(times)
    ]


class Results:
    """A results folder with one machine's ledger."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = root / "ledgers" / f"{MACHINE}.jsonl"
        self.ledger.parent.mkdir(parents=True)
        self.ledger.touch()
        self._count = 0
        self._head = GENESIS
        self._sealed: str | None = None

    def _row(self, kind: str, parts: Parts, status: str | None, manifest: str | None) -> int:
        row = {
            "format": 1, "seq": self._count, "utc": "2026-11-22T00:00:00.000000000Z",
            "kind": kind, "run_id": parts.run["id"], "workload": WORKLOAD,
            "submission": SUBMISSION, "submission_sha256": parts.run["submission"]["sha256"],
            "seed_commitment": parts.run["seeds"]["commitment"],
            "bundle": self.place(parts.run["id"]), "status": status, "manifest_sha256": manifest,
            "previous": self._head,
        }  # fmt: skip
        canonical = json.dumps(row, sort_keys=True, separators=(",", ":")).encode()
        row["hash"] = self._head = sha256(canonical)
        with self.ledger.open("ab") as file:
            file.write(json.dumps(row, sort_keys=True).encode() + b"\n")
        self._count += 1
        return self._count - 1

    def place(self, run_id: str) -> str:
        """Folder of a bundle below the root."""
        return f"{WORKLOAD}/{SUBMISSION}/{MACHINE}/{run_id}"

    def add(self, run_id: str, change: Change | None = None) -> Path:
        """Seal one bundle and enter it into the ledger; `change` may spoil it before the seal."""
        parts = Parts(run_id)
        started = Parts(run_id)
        if change:
            change(parts)
        seq = self._row("started", started, None, None)
        folder = self.root / self.place(run_id)
        files = parts.rendered()
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        listed = [
            {"path": name, "size_bytes": len(data), "sha256": sha256(data)}
            for name, data in sorted(files.items())
        ]
        manifest = {
            "format": 1, "run_id": run_id, "status": parts.run["status"], "files": listed,
            "harness_version": "0.1.0", "harness_sha256": own_digest(), "ledger_seq": seq,
            "previous_manifest_sha256": self._sealed,
        } | parts.manifest  # fmt: skip
        data = json.dumps(manifest).encode()
        (folder / "manifest.json").write_bytes(data)
        self._sealed = sha256(data)
        self._row("finished", started, manifest["status"], self._sealed)
        return folder

    def start_only(self, run_id: str) -> Path:
        """A run that was cut off: a started row, events, no manifest."""
        parts = Parts(run_id)
        self._row("started", parts, None, None)
        folder = self.root / self.place(run_id)
        folder.mkdir(parents=True)
        lines = parts.rendered()["events.jsonl"]
        (folder / "events.jsonl").write_bytes(lines[:-7])
        return folder
