"""Results folders for exports: five good runs, one that failed, one without joules."""

from pathlib import Path
from typing import Any

from harness.formats.format import ExportRequest
from harness.prizes import score_document
from tests.lab.results import Plan, rules, series, write_run

TIMES_S = [70.0, 72.1, 69.3, 75.5, 71.0]
MILD = Plan(rules=rules("mild", seeds_count=5), ruleset="mild", budget_s=600.0)


def five_runs(root: Path, **changes: Any) -> Path:
    """Five runs that reach the target after about seventy seconds."""
    series(root / "results", MILD.but(**changes), TIMES_S)
    return root / "results"


def one_failed(root: Path) -> Path:
    """A run that crashed, beside the others' folder."""
    write_run(root / "results", MILD.but(name="bad", source="b", status="crashed", snapshots=()))
    return root / "results"


def document(results: Path) -> dict[str, Any]:
    """The document of scores as plain values."""
    return score_document(results).model_dump(mode="json")


def request_for(results: Path, **options: str) -> ExportRequest:
    """An export of a folder."""
    return ExportRequest(results=results, scores=lambda: document(results), options=options)


def runs_of(results: Path) -> list[dict[str, Any]]:
    """The runs of all scores, as the document has them."""
    return [run for score in document(results)["scores"] for run in score["runs"]]


def olympic(runs: list[dict[str, Any]], key: str) -> float:
    """Mean of a cost without the fastest and the slowest run."""
    kept = sorted(runs, key=lambda run: run["time_s"])[1:-1]
    return sum((run | run["energy"])[key] for run in kept) / len(kept)
