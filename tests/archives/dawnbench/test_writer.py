"""Our runs as DAWNBench entries: what is written is read back as the same seconds."""

from pathlib import Path

import pytest

from harness.archives.dawnbench.reader import read
from harness.archives.dawnbench.writer import write
from harness.formats.exports import export_results
from harness.formats.format import FormatError
from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.rules.load import load_ruleset
from tests.formats.made_results import TIMES_S, five_runs, request_for


def test_round_trip_in_seconds_and_dollars(tmp_path: Path) -> None:
    request = request_for(five_runs(tmp_path, workload="CIFAR10"), price_usd_per_h="3.6")
    folder = export_results("dawnbench", request, tmp_path / "out").folder
    archive = read(Path(folder))
    assert all(f.rule == "dawnbench-description" for run in archive.runs for f in run.findings)
    import_archive("dawnbench", Path(folder), tmp_path / "again")
    scores = score_imported(tmp_path / "again", load_ruleset("dawnbench")).scores
    result = sorted(s.time_to_target_s.value for s in scores if s.time_to_target_s)
    assert result == pytest.approx(sorted(TIMES_S), rel=1e-12)
    dollars = sorted(s.cost_to_target_usd.value for s in scores if s.cost_to_target_usd)
    assert dollars == pytest.approx([t * 0.001 for t in sorted(TIMES_S)])


def test_a_bad_price_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="write a number"):
        write(request_for(five_runs(tmp_path), price_usd_per_h="cheap"))


def test_nothing_to_write_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no scored run"):
        write(request_for(tmp_path))
