"""Kept scores: the same as fresh ones, never stale, and never missed when they are gone."""

import json
import os
from pathlib import Path

import pytest

from harness.bundle import Bundle
from harness.prizes import score_document
from harness.rules.load import load_ruleset
from harness.score import score as scoring
from harness.score.cache import cache_folder, marks_of
from harness.score.group import Attempt
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
    real = scoring._attempt

    def spy(bundle: Bundle, *rest: object) -> Attempt:
        seen.append(bundle.folder)
        return real(bundle, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "_attempt", spy)
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
def test_an_altered_file_is_found_though_its_score_is_kept(
    results: Path, reads: list[Path], file: str
) -> None:
    whole = score_all(results, kept=True)
    assert whole.findings == []
    path = min(results.rglob(file))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    found = score_all(results, kept=True)
    assert reads[8:] == [path.parent]
    assert [finding.rule for finding in found.findings] == ["bundle-unreadable"]


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xfe", b"a\tb\tc\n", b"{}"])
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


def test_a_kept_line_of_another_shape_is_scored_anew(
    results: Path, reads: list[Path], cache: Path
) -> None:
    whole = score_all(results, kept=True)
    (kept,) = cache.iterdir()
    kept.write_text(kept.read_text().replace('"examples":', '"exemplars":'))
    assert score_all(results, kept=True) == whole
    assert len(reads) == 16


def test_a_folder_that_cannot_be_written_is_no_fault(
    results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JOULEMARK_CACHE", str(tmp_path / "file" / "below"))
    assert score_all(results, kept=True).scores == score_all(results).scores


def test_the_cache_lies_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOULEMARK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/joulemark/scores")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "joulemark" / "scores"


def test_marks_change_with_time_and_size(results: Path) -> None:
    path = min(results.rglob("run.json"))
    before = marks_of(str(path.parent))
    os.utime(path, ns=(1, 1))
    assert marks_of(str(path.parent)) != before
    assert "-" in marks_of(str(results)).split()


def test_the_file_is_text_that_a_person_can_read(results: Path, cache: Path) -> None:
    score_all(results, kept=True)
    (kept,) = cache.iterdir()
    rows = [line.split("\t") for line in kept.read_text().splitlines()]
    bundles = [json.loads(text) for _, marks, text in rows if marks]
    assert {bundle["score"]["seed"] for bundle in bundles} == set(range(1, 9))
