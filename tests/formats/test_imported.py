"""Findings that travel from import to score, and what cannot be scored."""

from pathlib import Path

import pytest

from harness.formats.imported import score_imported
from harness.formats.imports import import_archive
from harness.records import ImportedRules, Ruleset
from harness.rules.load import load_ruleset
from tests.archives.mlperf.made import Power, Run, write_package


def test_what_the_importer_detected_is_reported_with_the_scores(tmp_path: Path) -> None:
    runs = [Run(run_s=100.0 + i, nodes=(Power(every_s=2.0),)) for i in range(5)]
    import_archive("mlperf-training", write_package(tmp_path / "acme", runs), tmp_path / "r")
    result = score_imported(tmp_path / "r", load_ruleset("mlperf-training")).findings
    message = next(item.message for item in result if item.rule == "mlperf-power-gap")
    assert message.startswith("5 of 5 records: ")


def test_rules_for_bundles_score_no_imports(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scores bundles"):
        score_imported(tmp_path, load_ruleset("default"))


def test_nothing_imported_says_what_to_do(tmp_path: Path) -> None:
    rules = Ruleset(name="x", title="x", imported=ImportedRules(source_format="algoperf"))
    (finding,) = score_imported(tmp_path, rules).findings
    assert finding.advice.startswith("joulemark import algoperf PATH")
