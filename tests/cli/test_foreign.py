"""What the import of bundles tells: what came in, what lay there, what could not come."""

from pathlib import Path

from harness.cli.foreign import import_bundles
from tests.verify.made import Results


def test_the_document_counts_what_came_in(tmp_path: Path) -> None:
    made = Results(tmp_path / "theirs")
    made.add("20261122T000000Z-0001")
    made.add("20261122T000100Z-0002")
    made.start_only("20261122T000200Z-0003")
    document = import_bundles(made.root, tmp_path / "results", None)
    assert (document.source_format, document.runs_count) == ("bundle", 2)
    assert {item.what: item.names for item in document.found}["provenance"] == ("self",)
    (finding,) = document.findings
    assert finding.rule == "bundle-unsealed"
    assert "20261122T000200Z-0003" in finding.message
    again = import_bundles(made.root, tmp_path / "results", None)
    assert [element.rule for element in again.findings] == ["bundle-unsealed"] + [
        "bundle-known"
    ] * 2
