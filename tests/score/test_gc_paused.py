"""The collector rests while scores are made, for which it has nothing to do."""

import gc
from pathlib import Path

import pytest

from harness.prizes import boards, score_document
from harness.score.score import gc_paused, score_all
from tests.lab.results import Plan, series


@pytest.mark.parametrize("was_on", [True, False])
def test_it_is_left_as_it_was(was_on: bool) -> None:
    before = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        with gc_paused():
            assert not gc.isenabled()
            with gc_paused():
                assert not gc.isenabled()
            assert not gc.isenabled()
        assert gc.isenabled() is was_on
        with pytest.raises(ValueError, match="within"), gc_paused():
            raise ValueError("within")
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()


def test_scores_leave_nothing_to_collect(tmp_path: Path) -> None:
    """Twice as many runs leave no more than before: none of what a run is made of is in a cycle."""
    left = []
    for count in (2, 12):
        results = tmp_path / str(count)
        series(results, Plan(), [10.0 + 0.1 * seed for seed in range(count)])
        score_all(results)
        gc.collect()
        with gc_paused():
            score_all(results)
            left.append(gc.collect())
    assert left[1] <= left[0]


def test_it_rests_while_a_folder_is_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def spy(*scores: object) -> object:
        seen.append(gc.isenabled())
        return boards(*scores)  # type: ignore[arg-type]

    monkeypatch.setattr("harness.prizes._document.boards", spy)
    monkeypatch.setenv("JOULEMARK_CACHE", str(tmp_path / "cache"))
    score_document(tmp_path)
    assert seen == [False]
    assert gc.isenabled()
