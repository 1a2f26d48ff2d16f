"""modded-nanogpt's scores: mean times of records whose mean loss beats the target."""

import statistics
from pathlib import Path

import pytest
from click.testing import CliRunner
from scipy.stats import ttest_1samp

from harness.bundle import MANIFEST
from harness.cli import main
from harness.formats.imported import left_unscored, score_imported, scores_imports
from harness.formats.imports import import_archive
from harness.records import ImportedScore, ImportedScoreDocument
from harness.rules.load import load_ruleset

LOSSES = (3.2781, 3.2776, 3.2798, 3.2769, 3.2784, 3.2772)
TIMES_MS = (84750, 84801, 84720, 84790, 84777, 84745)
GPU = "|   0  NVIDIA H100 80GB HBM3          On  |   00000000:61:00.0 Off |                    0 |"


def record(
    root: Path,
    losses: tuple[float, ...] = LOSSES,
    times_ms: tuple[int, ...] = TIMES_MS,
    place: str = "track_1_short/2025-01-01_Fast",
) -> None:
    folder = root / "records" / place
    folder.mkdir(parents=True)
    for number, (loss, time_ms) in enumerate(zip(losses, times_ms, strict=True)):
        lines = (
            GPU,
            "step:0/1390 val_loss:10.8258 train_time:0ms step_avg:nanms",
            f"step:1390/1390 val_loss:{loss:.4f} train_time:{time_ms}ms step_avg:60ms",
        )
        (folder / f"{number}ab.txt").write_text("\n".join(lines))


def scored(root: Path, *sets: str) -> ImportedScoreDocument:
    import_archive("modded-nanogpt", root / "records", root / "results")
    return score_imported(root / "results", load_ruleset("speedrun", sets))


def only(root: Path, *sets: str) -> ImportedScore:
    (score,) = scored(root, *sets).scores
    return score


def test_time_and_p_are_those_of_scipy_and_of_the_table(tmp_path: Path) -> None:
    record(tmp_path)
    score = only(tmp_path)
    assert (score.status, score.n, score.failures) == ("scored", 6, 0)
    assert score.time_to_target_s is not None
    assert score.time_to_target_s.value == pytest.approx(statistics.fmean(TIMES_MS) / 1000)
    assert score.time_to_target_s.low is not None
    assert score.time_to_target_s.low < score.time_to_target_s.value
    expected = ttest_1samp(LOSSES, 3.28, alternative="less").pvalue
    assert score.facts["p_value"] == pytest.approx(expected, rel=1e-9)


def test_a_mean_that_does_not_beat_the_target_has_no_time(tmp_path: Path) -> None:
    record(tmp_path, (3.2791, 3.2788, 3.2812), (84000, 84001, 84002))
    score = only(tmp_path)
    assert (score.status, score.time_to_target_s) == ("target_missed", None)
    assert score.facts["mean_time_s"] == pytest.approx(84.001)
    assert "p = 0.36, and p < 0.01 is due" in score.reason


def test_the_level_is_a_constant(tmp_path: Path) -> None:
    record(tmp_path, (3.2791, 3.2788, 3.2812), (84000, 84001, 84002))
    assert only(tmp_path, "score.target_alpha=0.5").status == "scored"


def test_one_log_gives_no_p(tmp_path: Path) -> None:
    record(tmp_path, LOSSES[:1], TIMES_MS[:1])
    score = only(tmp_path)
    assert (score.status, score.time_to_target_s, score.n) == ("too_few_runs", None, 1)
    assert score.facts["mean_time_s"] == pytest.approx(84.75)
    assert "one run has no p" in score.reason


def test_equal_losses_are_no_certainty(tmp_path: Path) -> None:
    record(tmp_path, (3.27, 3.27), TIMES_MS[:2])
    p = only(tmp_path).facts["p_value"]
    assert isinstance(p, float)
    assert 0 < p < 0.01


def test_a_log_that_ends_early_counts_as_a_failure(tmp_path: Path) -> None:
    record(tmp_path)
    (log := tmp_path / "records/track_1_short/2025-01-01_Fast/0ab.txt").write_text(
        log.read_text().replace("step:1390/1390", "step:1250/1390")
    )
    score = only(tmp_path)
    assert (score.n, score.failures) == (5, 1)
    assert score.facts["mean_loss"] == pytest.approx(statistics.fmean(LOSSES[1:]))


def test_tracks_have_targets_and_boards_of_their_own(tmp_path: Path) -> None:
    record(tmp_path)
    losses = (2.9181, 2.9176, 2.9179, 2.9178)
    record(tmp_path, losses, (1_400_000,) * 4, "track_2_medium/2025-02-01_Med")
    record(tmp_path, (3.2, 3.2), (1, 2), "track_3_optimization/2025-03-01_Opt")
    document = scored(tmp_path)
    places = {(row.workload, row.submission, row.rank) for row in document.leaderboard}
    assert places == {
        ("modded-nanogpt", "2025-01-01_Fast", 1),
        ("modded-nanogpt/track_2_medium", "2025-02-01_Med", 1),
    }
    (finding,) = document.findings
    assert finding.rule == "nanogpt-no-target"
    assert "modded-nanogpt/track_3_optimization" in finding.message


def test_the_fastest_is_first(tmp_path: Path) -> None:
    record(tmp_path)
    slower = tuple(2 * times_m for times_m in TIMES_MS)
    record(tmp_path, LOSSES, slower, "track_1_short/2024-12-01_Slow")
    ranks = {row.submission: (row.rank, row.tie_group) for row in scored(tmp_path).leaderboard}
    assert ranks == {"2025-01-01_Fast": (1, "a"), "2024-12-01_Slow": (2, "b")}


def test_records_alone_are_scored_and_bundles_come_first(tmp_path: Path) -> None:
    results, rules = tmp_path / "results", load_ruleset("speedrun")
    results.mkdir()
    assert not scores_imports(results, rules)
    record(tmp_path)
    scored(tmp_path)
    assert scores_imports(results, rules)
    assert not scores_imports(results, load_ruleset("default"))
    assert score_imported(results, rules).scores[0].submission == "2025-01-01_Fast"
    (results / "a-bundle").mkdir()
    (results / "a-bundle" / MANIFEST).write_text("{}")
    assert not scores_imports(results, rules)
    records = results / "imported" / "modded-nanogpt"
    assert left_unscored(results)[0].advice == f"joulemark score {records} --ruleset speedrun"
    assert scores_imports(records, rules)
    assert score_imported(records, rules).scores[0].n == 6


def test_the_verb_scores_them_too(tmp_path: Path) -> None:
    record(tmp_path)
    scored(tmp_path)
    words = ["score", str(tmp_path / "results"), "--ruleset", "speedrun"]
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, "84.7638 s" in done.output) == (0, True), done.output
