"""Scores and runs as records alone, for tests of a prize's own rules."""

from typing import Any

from harness.records import RunScore, Score


def run(seed: int, **changes: Any) -> RunScore:
    """A run that reached its target after ten seconds and a thousand joules."""
    good = {
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
        "energy_j": 1000.0,
        "window_s": 12.0,
        "cpu_s": None,
        "peak_rss_bytes": None,
    }
    return RunScore.model_validate(good | changes)


def score(*runs: RunScore, **changes: Any) -> Score:
    """An entry that its ruleset accepts."""
    good = {
        "workload": "w",
        "workload_version": "1",
        "submission": "s",
        "submission_sha256": "bb",
        "title": "S",
        "team": "t",
        "division": "",
        "machine": "m",
        "ruleset": "default",
        "snapshot_rule": "first_passing",
        "status": "scored",
        "reason": "",
        "n": len(runs),
        "failures": 0,
        "target": 0.9,
        "metric_name": "accuracy",
        "better": "higher",
        "metric": None,
        "p_target": None,
        "time_to_target_s": None,
        "energy_to_target_j": None,
        "energy_eligible": True,
        "energy_note": "",
        "runs": runs,
    }
    return Score.model_validate(good | changes)
