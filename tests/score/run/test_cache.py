"""Kept scores: the same as fresh ones, never stale, and never missed when they are gone."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.bundle import Bundle
from harness.prizes import score_document
from harness.rules.load import load_ruleset
from harness.score import score as scoring
from harness.score.run.cache import ScoreCache, cache_folder, files_state
from harness.score.run.cost import ScoredRun, score_bundle
from harness.score.score import score_all
from tests.lab.results import Plan, series

EIGHT = [10.0, 10.4, 9.8, 10.2, 10.1, 9.9, 10.3, 10.05]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOULEMARK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    series(tmp_path / "results", Plan(), EIGHT)
    return tmp_path / "results"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Bundles that were truly read."""
    seen: list[Path] = []

    def spy(bundle: Bundle, *rest: object) -> ScoredRun:
        seen.append(bundle.folder)
        return score_bundle(bundle, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "score_bundle", spy)
    return seen


@pytest.mark.parametrize("name", [None, "default", "smoke"])
def test_kept_scores_are_the_fresh_ones(
    results: Path, reads: list[Path], cache: Path, name: str | None
) -> None:
    rules = load_ruleset(name) if name else None
    fresh = score_all(results, rules)
    reads.clear()
    first = score_all(results, rules, kept=True)
    assert len(reads) == 8
    again = score_all(results, rules, kept=True)
    assert len(reads) == 8
    assert fresh == first == again
    assert score_document(results, rules) == score_document(results, rules)
    assert list(cache.iterdir())


def test_another_ruleset_is_scored_anew(results: Path, reads: list[Path]) -> None:
    score_all(results, load_ruleset("default"), kept=True)
    score_all(results, load_ruleset("default", ["run.seeds_count=5"]), kept=True)
    assert len(reads) == 16


def test_what_prizes_hang_on_is_always_read(results: Path, reads: list[Path]) -> None:
    score_all(results, kept=True)
    score_all(results)
    assert len(reads) == 16


@pytest.mark.parametrize("file", ["run.json", "eval.json", "trace.csv.gz"])
def test_an_altered_file_is_detected_though_its_score_is_kept(
    results: Path, reads: list[Path], file: str
) -> None:
    whole = score_all(results, kept=True)
    assert whole.findings == []
    path = min(results.rglob(file))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    result = score_all(results, kept=True)
    assert reads[8:] == [path.parent]
    assert [finding.rule for finding in result.findings] == ["bundle-unreadable"]


@pytest.mark.parametrize(
    "rubbish", [b"", b"\xff\xfe", b"a\tb\tc\n", b"SQLite format 3\0" + bytes(500)]
)
def test_a_cache_that_is_rubbish_or_gone_costs_nothing_but_time(
    results: Path, reads: list[Path], cache: Path, rubbish: bytes
) -> None:
    whole = score_all(results, kept=True)
    (kept,) = cache.iterdir()
    kept.write_bytes(rubbish)
    assert score_all(results, kept=True) == whole
    kept.unlink()
    cache.rmdir()
    assert score_all(results, kept=True) == whole
    assert len(reads) == 24


def test_an_entry_of_another_shape_is_scored_again(
    results: Path, reads: list[Path], cache: Path
) -> None:
    whole = score_all(results, kept=True)
    (kept,) = cache.iterdir()
    with closing(sqlite3.connect(kept)) as base, base:
        base.execute("UPDATE runs SET run = replace(run, 'examples', 'exemplars')")
    assert score_all(results, kept=True) == whole
    assert len(reads) == 16


def test_a_stale_entry_is_replaced(results: Path, cache: Path) -> None:
    score_all(results, kept=True)
    for path in results.rglob("run.json"):
        os.utime(path, ns=(1, 1))
    score_all(results, kept=True)
    (kept,) = cache.iterdir()
    with closing(sqlite3.connect(kept)) as base:
        assert base.execute("SELECT count(*) FROM runs").fetchone() == (8,)


def test_two_processes_at_once_lose_no_entry(results: Path, cache: Path, reads: list[Path]) -> None:
    """Each writes its own entries only, whatever it read at the beginning."""
    first, second = ScoreCache(results, None), ScoreCache(results, None)
    attempts, _ = scoring.read_attempts(results, None)
    folders = [results / attempt.run.score.bundle for attempt in attempts]
    for kept, half in ((first, slice(0, 4)), (second, slice(4, 8))):
        for folder, attempt in zip(folders[half], attempts[half], strict=True):
            kept.put(folder, files_state(folder), attempt.run, attempt.ruleset)
    first.save()
    second.save()
    reads.clear()
    score_all(results, kept=True)
    assert reads == []


def test_a_locked_cache_is_left_alone(results: Path, cache: Path) -> None:
    whole = score_all(results, kept=True)
    (kept,) = cache.iterdir()
    with closing(sqlite3.connect(kept, isolation_level=None)) as base:
        base.execute("BEGIN EXCLUSIVE")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("harness.score.run.cache.LOCK_TIMEOUT_S", 0.0)
            assert score_all(results, kept=True) == whole
    assert kept.exists()


def test_a_folder_that_cannot_be_written_is_no_fault(
    results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JOULEMARK_CACHE", str(tmp_path / "file" / "below"))
    assert score_all(results, kept=True).scores == score_all(results).scores


def test_the_cache_lies_where_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOULEMARK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/joulemark/scores")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "joulemark" / "scores"


def test_marks_change_with_time_and_size(results: Path) -> None:
    path = min(results.rglob("run.json"))
    before = files_state(path.parent)
    os.utime(path, ns=(1, 1))
    assert files_state(path.parent) != before
    assert "-" in files_state(results).split()
