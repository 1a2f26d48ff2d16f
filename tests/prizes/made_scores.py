"""Scores and runs as records alone, for tests of a prize's own rules."""

from typing import Any

from harness.records import RunEnergy, RunScore, Score
from tests.lab.results import changed


def run(seed: int, **changes: Any) -> RunScore:
    """A run that reached its target after ten seconds and a thousand joules."""
    good: dict[str, Any] = {
        "run_id": f"r{seed}",
        "bundle": f"r{seed}",
        "manifest_sha256": "aa",
        "seed": seed,
        "block": f"block-{seed}",
        "started_utc": f"2026-01-01T00:{seed % 60:02d}:00Z",
        "status": "ok",
        "reason": "",
        "reached": True,
        "snapshot": 0,
        "step": 10,
        "metric": 0.9,
        "time_s": 10.0,
        "time_low_s": None,
        "window_s": 12.0,
        "cpu_s": None,
        "peak_rss_bytes": None,
    }
    energy: dict[str, Any] = {"energy_j": 1000.0}
    for name, value in changes.items():
        (energy if name in RunEnergy.model_fields else good)[name] = value
    return RunScore.model_validate(good | {"energy": energy})


def score(*runs: RunScore, **changes: Any) -> Score:
    """An entry that its ruleset accepts; changes may name fields of the records inside."""
    good = {
        "entry": {
            "workload": "w",
            "workload_version": "1",
            "submission": "s",
            "team": "t",
            "machine": "m",
        },
        "rules": {"ruleset": "default", "snapshot_rule": "first_passing"},
        "status": "scored",
        "reason": "",
        "n": len(runs),
        "failures": 0,
        "quality": {
            "name": "accuracy",
            "better": "higher",
            "target": 0.9,
            "figure": None,
            "p_target": None,
        },
        "costs": {},
        "energy": {"eligible": True, "note": ""},
        "runs": runs,
    }
    return changed(Score.model_validate(good), **changes)
