"""Our runs as AlgoPerf logs: a study a seed, read back as the same times."""

from pathlib import Path

import pytest

from harness.archives.algoperf.writer import write
from harness.formats.exports import export_results
from harness.formats.format import FormatError
from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.records import ImportedRules, Ruleset
from tests.formats.made_results import TIMES_S, five_runs, one_failed, request_for


def test_round_trip(tmp_path: Path) -> None:
    results = five_runs(tmp_path)
    one_failed(tmp_path)
    folder = export_results("algoperf", request_for(results), tmp_path / "out").folder
    import_archive("algoperf", Path(folder), tmp_path / "again")
    rules = ImportedRules(
        source_format="algoperf", targets=("toy: accuracy >= 0.9",), as_shipped=False
    )
    ruleset = Ruleset(name="toy", title="toy", imported=rules)
    scores = {s.submission: s for s in score_imported(tmp_path / "again", ruleset).scores}
    assert scores["adam"].time_to_target_s is not None
    assert scores["adam"].time_to_target_s.value == sorted(TIMES_S)[2]
    assert scores["bad"].status == "target_missed"


def test_nothing_to_write_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no scored run to write"):
        write(request_for(tmp_path))
