import json
from pathlib import Path

import pytest

from harness.records import RecordError
from harness.report import coverage
from harness.report.coverage import CoverageRow, IntervalCoverage, cells, committed_coverage

CALIBRATIONS = Path(__file__).parents[2] / "workloads" / "calibrations"
AGAIN = "run `python -m benchmarks.interval_coverage --write` and `make reports`"


def test_the_figures_are_of_the_calibrations_that_are_committed() -> None:
    for workload, digest in committed_coverage().records.items():
        assert coverage.file_sha256(CALIBRATIONS / f"{workload}.json") == digest, AGAIN


def test_shares_are_shares() -> None:
    found = committed_coverage()
    assert found.draws >= 1000
    for row in found.rows:
        assert 0 < row.least_ratio <= row.median_ratio <= 1
        assert row.narrowest_ratio > 0
        assert row.least_on in found.records


def test_a_row_as_it_is_shown() -> None:
    row = CoverageRow(
        costs="final",
        seeds=8,
        median_ratio=0.9423,
        least_ratio=0.8,
        least_on="w",
        narrowest_ratio=0.00123,
    )
    assert cells(row) == ("final", "8", "94.2%", "80.0%", "w", "0.12%")
    found = IntervalCoverage(command="c", level=0.95, draws=1, records={}, rows=(row,))
    lines = list(coverage.markdown(found))
    assert len(lines) == 3
    assert {line.count("|") for line in lines} == {len(coverage.HEADINGS) + 1}


def test_a_damaged_file_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "figures.json"
    tree = json.loads(coverage.FILE.read_bytes())
    del tree["draws"]
    broken.write_text(json.dumps(tree))
    monkeypatch.setattr(coverage, "FILE", broken)
    with pytest.raises(RecordError, match=r"figures\.json.*draws"):
        committed_coverage()
